"""
Pages beside a row's own, each with a form that is one call to the domain: ship an order, give coupons, put in stock.

ModelAdmin's own pages are atomic already, and operations open the transaction themselves; so these pages are ours.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from payments.admin.base import REASON_MAX, ChangedMeanwhile, PlainAdmin, actor_of
from payments.admin.fields import ONE_LINE
from payments.errors import OnetillError


class SeenForm(forms.Form):
    """
    What staff decide on a row.

    `carried` fields are hidden: what the row was like when the form was opened, so that nobody decides on what is no
    longer so, and so that what is sent twice is done once.
    """

    carried: ClassVar[tuple[str, ...]] = ()
    # What the domain calls a field, where the form calls it otherwise.
    named: ClassVar[dict[str, str]] = {}
    # Raised when what the form carries is not so any more; the form then carries on from what is.
    outdated: type[OnetillError]

    def __init__(self, data: Any = None, files: Any = None, *, row: Any) -> None:
        self.row = row
        super().__init__(data, files, initial=self.entered_before() | self.seen())

    def entered_before(self) -> dict[str, Any]:
        """Return what the form begins with."""
        return {}

    def seen(self) -> dict[str, Any]:
        """Return what the form carries."""
        raise NotImplementedError

    def clean(self) -> None:
        if any(self.has_error(name) for name in self.carried):
            self.begin_anew()

    def refuse(self, error: OnetillError) -> None:
        """Say at its field why it cannot be."""
        if isinstance(error, self.outdated):
            self.begin_anew()
            return
        field = self.named.get(error.field, error.field)
        self.add_error(field if field in self.fields else None, error.sentence())

    def begin_anew(self) -> None:
        self.row.refresh_from_db()
        self.data = dict(self.data.items()) | self.seen()
        for name in self.carried:
            self.errors.pop(name, None)
        self.add_error(None, self.outdated().sentence())


class DeedForm(SeenForm):
    """One deed on a row: what to know before it, and the one call that does it."""

    suggestions: ClassVar[dict[str, tuple[str, ...]]] = {}  # id of a datalist: what is in it
    explanation: Any = ""  # what comes of it, for who does it the first time

    def facts(self) -> list[tuple[Any, Any]]:
        """Return what to know before one decides: labels and values."""
        return []

    def carry_out(self, *, actor: str) -> str:
        """Do it, and return the sentence that says so."""
        raise NotImplementedError


def reason_field() -> forms.CharField:
    """Why somebody does it: what goes into the audit row."""
    return forms.CharField(
        label=_("Reason"),
        max_length=REASON_MAX,
        validators=[ONE_LINE],
        help_text=_("It goes into the audit rows."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


class ReasonForm(DeedForm):
    """A deed of which nothing but the reason is entered. It carries `state`: what of the row it depends on."""

    reason = reason_field()
    as_seen = forms.CharField(max_length=64, widget=forms.HiddenInput)
    carried = ("as_seen",)
    outdated = ChangedMeanwhile

    def state(self) -> str:
        raise NotImplementedError

    def seen(self) -> dict[str, Any]:
        return {"as_seen": self.state()}

    def clean(self) -> None:
        super().clean()
        if "as_seen" in self.cleaned_data and self.cleaned_data["as_seen"] != self.state():
            self.begin_anew()


@dataclasses.dataclass(frozen=True, kw_only=True)
class FormPage:
    """One such page: its name in addresses, its words, its form, and who may use it."""

    name: str
    title: Any
    button: Any
    form: type[DeedForm]
    permission: str
    # Whether there is a button for it on a row's page. Whoever comes all the same is told why it cannot be.
    offered: Callable[[Any], bool] = lambda _row: True


class FormPagesAdmin(PlainAdmin):
    """A noun whose rows have such pages, with a button for each on the row's own."""

    form_pages: ClassVar[tuple[FormPage, ...]] = ()
    change_form_outer_before_template = "back_office/form_page_buttons.html"

    def get_urls(self) -> list[URLPattern]:
        own = [path(f"<int:pk>/{page.name}/", self._view(page), name=self._url(page.name)) for page in self.form_pages]
        return [*own, *super().get_urls()]

    def buttons(self, request: HttpRequest, row: Any) -> list[tuple[str, Any]]:
        """Return what this person may do with a row now: where, and in which words."""
        return [
            (reverse(f"admin:{self._url(page.name)}", args=[row.pk]), page.title)
            for page in self.form_pages
            if page.offered(row) and self._may(request, page, row)
        ]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        row = kwargs.get("obj")
        context["form_pages"] = self.buttons(request, row) if row is not None else []
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def _url(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name}"

    def _may(self, request: HttpRequest, page: FormPage, row: Model) -> bool:
        return self.has_view_permission(request, row) and request.user.has_perm(page.permission)

    def _view(self, page: FormPage) -> Any:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            row = get_object_or_404(self.get_queryset(request), pk=pk)
            if not self._may(request, page, row):
                raise PermissionDenied
            return self._answer(request, page, row)

        return self.admin_site.admin_view(require_http_methods(["GET", "POST"])(view))

    def _answer(self, request: HttpRequest, page: FormPage, row: Any) -> HttpResponse:
        """Show the form, or do what it says. No transaction is open."""
        home = reverse(f"admin:{self._url('change')}", args=[row.pk])
        entered = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = page.form(*entered, row=row)
        if form.is_valid():
            try:
                done = form.carry_out(actor=actor_of(request))
            except OnetillError as error:
                form.refuse(error)
            else:
                messages.success(request, done)
                return redirect(home)
        context = {
            **self.admin_site.each_context(request),
            "title": page.title, "subtitle": str(row), "opts": self.opts, "row": row, "form": form, "page": page,
            "home": home,
        }  # fmt: skip
        return TemplateResponse(request, "back_office/form_page.html", context)
