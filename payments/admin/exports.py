"""Files of rows: ask for one at a list, see it being written, fetch it. Everybody has their own."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from payments.admin import masking
from payments.admin.base import REASON_MAX, ReadOnlyAdmin, actor_of
from payments.errors import OnetillError
from payments.exports import operations, tables, writing
from payments.exports.models import Format
from payments.exports.sheets import ROWS_MAX
from payments.exports.states import UNFINISHED, Status
from payments.models import Export

COLOURS = {
    Status.QUEUED.value: "warning",
    Status.RUNNING.value: "info",
    Status.DONE.value: "success",
    Status.FAILED.value: "danger",
}
TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


class AskForm(forms.Form):
    format = forms.ChoiceField(
        label=_("Format"), choices=Format.choices, initial=Format.XLSX, widget=UnfoldAdminRadioSelectWidget(),
        help_text=_("Excel rounds long numbers when it opens CSV; in a workbook they stay whole."),
    )  # fmt: skip
    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_MAX, widget=UnfoldAdminTextInputWidget(),
        help_text=_("What the rows are for. It goes into the audit rows."),
    )  # fmt: skip


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "what", "filters", "shown_status", "rows_done", "format", "requested_by", "requested_at")
    list_filter = (("status", ChoicesRadioFilter),)
    list_select_related = ("requested_by",)
    change_form_template = "back_office/export.html"
    readonly_fields = ("what", "filters_in_words", "size")
    fieldsets = (
        (None, {"fields": (("what", "format"), "filters_in_words", ("reason", "requested_by"))}),
        (_("File"), {"fields": (("rows_done", "size"), "sha256", "error")}),
        (_("Times"), {"fields": (("requested_at", "started_at"), ("finished_at", "pruned_at"))}),
    )

    class Media:
        js: ClassVar[list[str]] = ["back_office/export.js"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Export]:
        """Everybody's own; a superuser sees who took out what."""
        rows = Export.objects.all()
        return rows if request.user.is_superuser else rows.filter(requested_by=request.user.pk)

    def is_within_sight(self, request: HttpRequest) -> bool:
        return True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(tables.PERMISSION)

    def get_urls(self) -> list[URLPattern]:
        def of(view: Any, *, reads: bool) -> Any:
            return self.admin_site.admin_view(
                require_GET(view) if reads else require_http_methods(["GET", "POST"])(view)
            )

        return [
            path("ask/<str:model>/", of(self.ask, reads=False), name="payments_export_ask"),
            path("<int:pk>/state/", of(self.state, reads=True), name="payments_export_state"),
            path("<int:pk>/file/", of(self.file, reads=True), name="payments_export_file"),
            *super().get_urls(),
        ]

    def ask(self, request: HttpRequest, model: str) -> HttpResponse:
        """The form at a list. What the list is narrowed to stands in the address, and is said in words."""
        query = request.GET.urlencode()
        form = AskForm(request.POST if request.method == "POST" else None)
        try:
            tables.check_may_export(user=request.user, model=model)
            filters = tables.table(user=request.user, model=model, query=query).filters
        except tables.MayNotExport as error:
            raise PermissionDenied from error
        except tables.FiltersUnreadable:
            raise Http404 from None
        if form.is_valid():
            try:
                export = operations.request(
                    user=request.user, actor=actor_of(request), model=model, query=query,
                    file_format=form.cleaned_data["format"], reason=form.cleaned_data["reason"],
                )  # fmt: skip
                return redirect("admin:payments_export_change", export.pk)
            except OnetillError as error:
                form.add_error(error.field if error.field in form.fields else None, error.sentence())
        return TemplateResponse(
            request, "back_office/export_ask.html", self._ask_context(request, model, form, filters)
        )

    def _ask_context(self, request: HttpRequest, model: str, form: AskForm, filters: str) -> dict[str, Any]:
        most = {str(Format(kind).label): f"{rows:,}" for kind, rows in ROWS_MAX.items()}
        persons = _("as they are") if masking.sees_persons(request.user) else _("behind stars, as on the list")
        facts = [
            (_("List"), _name_of(model)),
            (_("Filters"), filters or _("none: all rows that you may see")),
            (_("Names, phones, addresses"), persons),
            (_("At most"), "; ".join(f"{name}: {rows}" for name, rows in most.items())),
        ]
        home = reverse(f"admin:{model.replace('.', '_')}_changelist")
        query = request.GET.urlencode()
        return {
            **self.admin_site.each_context(request),
            "title": _("Export"), "subtitle": _name_of(model), "opts": self.opts, "form": form, "facts": facts,
            "home": f"{home}?{query}" if query else home,
        }  # fmt: skip

    def state(self, request: HttpRequest, pk: int) -> JsonResponse:
        """How far it is, for the page's script."""
        export = self._own_or_seen(request, pk)
        return JsonResponse({"rows": f"{export.rows_done:,}", "status": export.status})

    def file(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        export = self._own_or_seen(request, pk)
        try:
            parts = operations.hand_over(export=export, user=request.user, actor=actor_of(request))
        except operations.FileGone as error:
            raise Http404 from error
        except OnetillError as error:
            raise PermissionDenied(error.sentence()) from error
        response = StreamingHttpResponse(parts, content_type=TYPES[Format(export.format)])
        response["Content-Disposition"] = f'attachment; filename="{export.file_name}"'
        response["Content-Length"] = str(export.bytes)
        response["Cache-Control"] = "no-store"
        return response

    def _own_or_seen(self, request: HttpRequest, pk: int) -> Export:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found: Export = get_object_or_404(self.get_queryset(request), pk=pk)
        return found

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        export: Export = kwargs["obj"]
        context["rows_so_far"] = f"{export.rows_done:,}"
        context["is_unfinished"] = export.status in UNFINISHED
        context["is_there"] = export.status == Status.DONE and export.pruned_at is None
        context["is_own"] = export.requested_by_id == request.user.pk
        context["cut"] = writing.cut_sentence(export) if export.is_cut else ""
        if export.finished_at:
            context["kept_until"] = localtime(export.finished_at + operations.KEPT_FOR)
        others = Export.objects.filter(requested_by=export.requested_by_id, status=Status.RUNNING)
        context["waits_for"] = export.status == Status.QUEUED and others.exists()
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    @admin.display(description=_("list"))
    def what(self, export: Export) -> str:
        return _name_of(export.model)

    @admin.display(description=_("filters"))
    def filters_in_words(self, export: Export) -> str:
        return export.filters or str(_("none: all rows that you may see"))

    @admin.display(description=_("size"))
    def size(self, export: Export) -> str | None:
        return f"{-(-export.bytes // 1024):,} KiB" if export.bytes else None

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, export: Export) -> tuple[str, str]:
        return export.status, export.get_status_display()


def _name_of(model: str) -> str:
    """Return what a list is called: its rows in the plural."""
    registered: Any = next((one for one in admin.site._registry if one._meta.label_lower == model), None)  # noqa: SLF001
    return capfirst(str(registered._meta.verbose_name_plural)) if registered else model  # noqa: SLF001
