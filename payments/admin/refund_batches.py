"""Refunds of many orders: how far each is, and what became of each of its orders."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from payments.admin import refund_many
from payments.admin.base import ASKED_BY, DayFilter, ReadOnlyAdmin, ReadOnlyInline
from payments.models import RefundBatch, RefundBatchLine
from payments.money import yuan_text
from payments.refunds import batches
from payments.refunds.states import LineStatus
from payments.staff.queries import clients_of


def lines_within_sight(request: HttpRequest) -> QuerySet[RefundBatchLine]:
    """The lines whose order this person may see."""
    clients, lines = clients_of(request.user), RefundBatchLine.objects.order_by("pk")
    return lines if clients is None else lines.filter(order__client__in=clients)


class LineInline(ReadOnlyInline):
    model = RefundBatchLine
    fields = readonly_fields = ("of_order", "amount", "status", "of_refund", "why")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see a batch sees its lines."""
        return True

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundBatchLine]:
        return lines_within_sight(request).select_related("order", "refund")

    @admin.display(description=_("order"))
    def of_order(self, line: RefundBatchLine) -> SafeString:
        return _link("payments_order", line.order)

    @admin.display(description=_("amount"))
    def amount(self, line: RefundBatchLine) -> str:
        return f"¥{yuan_text(line.amount_fen)}"

    @admin.display(description=_("refund"))
    def of_refund(self, line: RefundBatchLine) -> SafeString | None:
        if line.refund is None:
            return None
        return format_html("{} · {}", _link("payments_refund", line.refund), line.refund.get_status_display())

    @admin.display(description=_("why not"))
    def why(self, line: RefundBatchLine) -> Any:
        return batches.SENTENCES.get(line.refusal, line.refusal) or None


def _link(model: str, row: Any) -> SafeString:
    return format_html('<a href="{}" class="text-link">{}</a>', reverse(f"admin:{model}_change", args=[row.pk]), row)


@admin.register(RefundBatch)
class RefundBatchAdmin(ReadOnlyAdmin):
    client_path = "lines__order__client"
    list_display = ("id", "reason", ASKED_BY, "requested_at", "asked_for", "not_possible", "to_go")
    list_filter = (("requested_at", DayFilter),)
    search_fields = ("lines__order__number",)
    search_help_text = _("Number of one of its orders")
    inlines = (LineInline,)
    list_before_template = "back_office/refund_many_button.html"
    change_form_outer_before_template = "back_office/refund_batch.html"
    readonly_fields = (ASKED_BY,)
    fieldsets = ((None, {"fields": ("reason", (ASKED_BY, "requested_at"))}),)

    def get_urls(self) -> list[URLPattern]:
        new = self.admin_site.admin_view(require_http_methods(["GET", "POST"])(self.new))
        return [path("new/", new, name="payments_refundbatch_new"), *super().get_urls()]

    def new(self, request: HttpRequest) -> HttpResponse:
        """No transaction is open."""
        context = {**self.admin_site.each_context(request), "opts": self.opts}
        return refund_many.answer(request, context=context)

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefundBatch]:
        """Whoever may see one of its orders sees the batch, once, and of its lines those orders alone."""
        seen = RefundBatch.objects.all()
        if clients_of(request.user) is not None:
            seen = seen.filter(pk__in=super().get_queryset(request).order_by().values("pk"))
        lines = lines_within_sight(request).order_by().filter(batch=OuterRef("pk"))
        counts = {
            status.value: Subquery(lines.filter(status=status).values("batch").annotate(n=Count("*")).values("n"))
            for status in LineStatus
        }
        return seen.annotate(**counts).order_by("-pk")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        context = {"may_refund_many": refund_many.may_refund_many(request), **(extra_context or {})}
        response: HttpResponse = super().changelist_view(request, context)
        return response

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        batch: Any = kwargs["obj"]
        told = {status: getattr(batch, status.value) or 0 for status in LineStatus}
        count = sum(told.values())
        context |= {
            "figures": [(status.label, told[status]) for status in LineStatus],
            "orders": count, "to_go": told[LineStatus.WAITING], "gone": count - told[LineStatus.WAITING],
        }  # fmt: skip
        response: HttpResponse = super().render_change_form(request, context, **kwargs)
        return response

    @admin.display(description=LineStatus.DONE.label)
    def asked_for(self, batch: Any) -> int:
        return batch.done or 0

    @admin.display(description=LineStatus.REFUSED.label)
    def not_possible(self, batch: Any) -> int:
        return batch.refused or 0

    @admin.display(description=LineStatus.WAITING.label)
    def to_go(self, batch: Any) -> int:
        return batch.waiting or 0
