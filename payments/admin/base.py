"""What every page of the back-office shares: read-only money, yuan for people, look-ups by index, honest paging."""

import datetime
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import SuspiciousOperation
from django.db.models import Model, QuerySet
from django.db.models.expressions import DatabaseDefault
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from payments import audit
from payments.admin.filters import DaysForm, day_of, midnight
from payments.admin.lists import ListAdmin
from payments.admin.paging import Pages
from payments.admin.sight import MaskedAdmin, ScopedAdmin
from payments.admin.timeline_words import actor_words
from payments.errors import Conflict, OnetillError
from payments.money import yuan_text
from payments.staff.queries import clients_of
from payments.transactions import transaction

SEARCH_MAX = 200
DECIDED_MAX = 200  # by one click
REASON_MAX = 200


def yuan(field: str, label: Any) -> Callable[[Model], str | None]:
    """Return a column that shows `field`, in fen, as yuan with two decimals."""

    @admin.display(description=label)
    def column(row: Model) -> str | None:
        fen: int | None = getattr(row, field)
        return None if fen is None else f"¥{yuan_text(fen)}"

    return column


def who(field: str, label: Any) -> Callable[[Model], str]:
    """Return a column that says in words who did it: `staff lin` where `field` has user:lin."""

    @admin.display(description=label)
    def column(row: Model) -> str:
        return actor_words(getattr(row, field))

    return column


ASKED_BY, DECIDED_BY = who("requested_by", _("requested by")), who("decided_by", _("decided by"))


def linked(field: str, label: Any) -> Callable[[Model], SafeString]:
    """Return a column that shows `field` and leads to the row's own page."""

    @admin.display(description=label)
    def column(row: Model) -> SafeString:
        described = row._meta  # noqa: SLF001  Django documents _meta
        path = reverse(f"admin:{described.app_label}_{described.model_name}_change", args=[row.pk])
        return format_html('<a href="{}" class="text-link">{}</a>', path, getattr(row, field))

    return column


class DayFilter(RangeDateFilter):  # type: ignore[misc]
    """Whole days here, first and last included, as a range that an index answers."""

    form_class = DaysForm

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        try:
            first, last = (self._day(end) for end in ("from", "to"))
        except forms.ValidationError:  # the form says it at the field
            return queryset.none()
        if first:
            queryset = queryset.filter(**{f"{self.field_path}__gte": midnight(first)})
        if last:
            queryset = queryset.filter(**{f"{self.field_path}__lt": midnight(last + datetime.timedelta(days=1))})
        return queryset

    def _day(self, end: str) -> datetime.date | None:
        return day_of(self.used_parameters.get(f"{self.field_path}_{end}", ""))


class PlainAdmin(ListAdmin, ScopedAdmin, ModelAdmin):  # type: ignore[misc]
    """Lists that cost the same on ten million rows: no count, no free sorting, search by exact number alone."""

    list_per_page = 50
    list_filter_submit = True
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = Pages
    sortable_by: ClassVar[tuple[str, ...]] = ()
    ordering: tuple[str, ...] = ("-id",)
    actions: tuple[str, ...] | None = None
    compressed_fields = True

    class Media:
        css: ClassVar[dict[str, list[str]]] = {"all": ["back_office/lists.css"]}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """Django asks the database for whatever was sent as a row's id."""
        for chosen in request.POST.getlist(ACTION_CHECKBOX_NAME):
            if not (chosen.isascii() and chosen.isdecimal()):
                raise SuspiciousOperation(chosen)
        response: HttpResponse | None = super().response_action(request, queryset)
        return response

    def find(self, term: str) -> Iterable[QuerySet[Any]]:
        """Yield look-ups of rows that carry `term`, each answered by an index."""
        for field in self.search_fields:
            yield self.model.objects.filter(**{field: term})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """All look-ups go as one query; of each, the newest SEARCH_MAX are shown."""
        if "\0" in search_term:  # no column holds it; selects that search as one types refuse nothing themselves
            return queryset.none(), False
        if term := search_term.strip():
            clients = clients_of(request.user)  # of whom alone the newest count: numbers are others' too
            own = {f"{self.client_path}__in": clients} if clients is not None and self.client_path else {}
            first, *others = (
                rows.filter(**own).order_by("-pk").values("pk")[:SEARCH_MAX] for rows in self.find(term)
            )  # fmt: skip
            found = first.union(*others, all=True)
            queryset = queryset.filter(pk__in={row["pk"] for row in found})
        return queryset, False


class ReadOnlyAdmin(PlainAdmin):
    """For what only operations may write. Nobody adds, changes or deletes here, whatever their rights."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(MaskedAdmin, TabularInline):  # type: ignore[misc]
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReasonedActionForm(ActionForm):  # type: ignore[misc]
    """Beside the list of actions: why. It goes into the audit rows."""

    reason = forms.CharField(
        label="",
        required=False,
        max_length=REASON_MAX,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": _("Reason"), "aria-label": _("Reason")}),
    )


class DecidingAdmin(ReadOnlyAdmin):
    """A list of what waits for decisions. An action on it is a domain call for each row chosen, and has a reason."""

    action_form = ReasonedActionForm
    list_disable_select_all = True

    def decide(
        self, request: HttpRequest, rows: QuerySet[Any], call: Callable[..., object], done: Callable[[int], str]
    ) -> None:
        """Call `call(row, actor=…, reason=…, at=…)` for each row, and tell how many were done and what was refused."""
        reason = request.POST.get("reason", "").strip()
        if not reason:
            self.message_user(request, _("Give a reason: it goes into the audit rows."), messages.ERROR)
            return
        count = 0
        for row in rows[:DECIDED_MAX]:
            try:
                call(row, actor=actor_of(request), reason=reason, at=timezone.now())
            except OnetillError as error:
                self.message_user(request, f"{row}: {error.sentence()}", messages.ERROR)
            else:
                count += 1
        if count:
            self.message_user(request, done(count), messages.SUCCESS)


class ChangedMeanwhile(Conflict):
    code = "changed_meanwhile"
    message = _("This has changed since you opened the form. See what is so now, and decide again.")


class AuditedAdmin(PlainAdmin):
    """
    For settings that staff keep. Every change is an audit row, in the same transaction.

    A form carries what the row was like when it was opened: what a colleague has changed since is not written over.
    """

    subject: ClassVar[str]
    change_form_before_template = "back_office/as_seen.html"
    as_seen_too: ClassVar[tuple[str, ...]] = ()  # fields that change with what the form enters under other names

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        with transaction():
            if object_id is not None and self._is_outdated(request, object_id):
                self.message_user(request, ChangedMeanwhile().sentence(), messages.ERROR)
                return redirect(request.path)
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        return response

    def _is_outdated(self, request: HttpRequest, object_id: str) -> bool:
        """Whether the row, locked for what follows, is not what the form that is sent was filled in upon."""
        seen = request.POST.get("as_seen", "")
        row = self.get_object(request, unquote(object_id)) if seen else None
        if row is None or not self.has_change_permission(request, row):
            return False
        locked = self.get_queryset(request).select_for_update(of=("self",)).get(pk=row.pk)
        return not constant_time_compare(seen, self._as_seen(request, locked))

    def _as_seen(self, request: HttpRequest, row: Any) -> str:
        shown = self.get_form(request, row, change=True).base_fields
        told = {name: getattr(row, name) for name in self.as_seen_too} | model_to_dict(row, fields=shown)
        plain = [(name, _keys(value)) for name, value in sorted(told.items())]
        return salted_hmac("payments.admin.as_seen", repr(plain), algorithm="sha256").hexdigest()

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        """Of a new row, show nothing for what the database will set, not Python's stand-in for it."""
        row = context["adminform"].form.instance
        if kwargs.get("change") and self.has_change_permission(request, row):
            context["as_seen"] = request.POST.get("as_seen") or self._as_seen(request, row)
        for field in self.opts.concrete_fields if kwargs.get("add") else ():
            if isinstance(getattr(row, field.attname), DatabaseDefault):
                setattr(row, field.attname, None)
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        self.write(obj, form, change=change)
        audit.record(
            actor=actor_of(request),
            action=f"{self.subject}.{'change' if change else 'add'}",
            subject=f"{self.subject}:{obj.pk}",
            changes={name: _before_and_after(form, name) for name in form.changed_data},
        )

    def write(self, obj: Any, form: Any, *, change: bool) -> None:
        obj.save()


def _keys(value: Any) -> Any:
    """Return the keys of rows that are chosen; any other value as it is."""
    is_choice = isinstance(value, list) and all(isinstance(one, Model) for one in value)
    return sorted(one.pk for one in value) if is_choice else value


class WholeRowForm(forms.ModelForm):  # type: ignore[type-arg]
    """Says what the database would refuse, also where a field that stays as it is is not in the form."""

    def validate_unique(self) -> None:
        super().validate_unique()
        try:
            self.instance.validate_constraints()
        except forms.ValidationError as error:
            self.add_error(None, error)


class FieldwiseAdmin(AuditedAdmin):
    """For settings in whose rows operations write too: what the form did not change is not written back."""

    form: type[forms.ModelForm] = WholeRowForm  # type: ignore[type-arg]

    def write(self, obj: Any, form: Any, *, change: bool) -> None:
        obj.save(update_fields=form.changed_data if change else None)


def actor_of(request: HttpRequest) -> str:
    """How audit rows name who does this."""
    return audit.person(username=request.user.get_username(), pk=request.user.pk or 0)


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):  # type: ignore[misc]
    """For a secret of many lines, which a password field would join: it goes in and never comes out."""

    def __init__(self) -> None:
        super().__init__(attrs={"rows": 4, "spellcheck": "false", "autocomplete": "off"})

    def format_value(self, value: Any) -> str | None:
        return None


def _before_and_after(form: Any, name: str) -> list[str]:
    """A secret's change is told, the secret is not."""
    if isinstance(form.fields[name].widget, forms.PasswordInput | WriteOnlyTextarea):
        return ["…", "…"]
    return [str(form.initial.get(name, "")), str(form.cleaned_data.get(name, ""))]
