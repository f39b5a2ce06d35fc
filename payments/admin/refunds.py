"""What goes back, and what of it waits for a second person."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from payments.admin.base import DayFilter, DecidingAdmin, ReadOnlyInline, linked, yuan
from payments.models import ApiClient, Refund, RefundLeg
from payments.refunds import operations as refunds
from payments.refunds.states import Status

COLOURS = {
    Status.TO_APPROVE.value: "warning",
    Status.PENDING.value: "info",
    Status.SUCCEEDED.value: "success",
    Status.FAILED.value: "danger",
    Status.REFUSED.value: "",
}


class LegInline(ReadOnlyInline):
    model = RefundLeg
    fields = readonly_fields = (
        "number", "charge", yuan("goods_fen", _("goods")), yuan("shipping_fen", _("shipping")), "status",
        "foreign_number", "last_answer", "queries", "next_query_at", "settled_at",
    )  # fmt: skip


@admin.register(Refund)
class RefundAdmin(DecidingAdmin):
    client_path = "client"
    list_display = (
        linked("number", _("number")), "order", "kind", "shown_status", yuan("goods_fen", _("goods")),
        yuan("shipping_fen", _("shipping")), "refund_no", "requested_by", "requested_at",
    )  # fmt: skip
    list_display_links = None
    list_filter = (("status", ChoicesRadioFilter), ("kind", ChoicesRadioFilter), ("requested_at", DayFilter))
    list_select_related = ("order",)
    search_fields = ("number", "order__number")
    search_help_text = _("Number of the refund, ours or the client's, or of its order")
    inlines = (LegInline,)
    actions = ("approve", "refuse")
    readonly_fields = (yuan("goods_fen", _("goods")), yuan("shipping_fen", _("shipping")))
    fieldsets = (
        (None, {"fields": (("number", "order"), ("status", "kind"), ("refund_no", "client"))}),
        (_("Money"), {"fields": (readonly_fields, "policy", "reason")}),
        (_("Who"), {"fields": (("requested_by", "requested_at"), ("decided_by", "decided_at"), "decision")}),
        (_("Times"), {"fields": ("settled_at",)}),
    )

    def find(self, term: str) -> Iterable[QuerySet[Refund]]:
        yield from super().find(term)
        clients = list(ApiClient.objects.values_list("pk", flat=True))
        yield Refund.objects.filter(client__in=clients, refund_no=term).exclude(refund_no="")

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, refund: Refund) -> tuple[str, str]:
        return refund.status, refund.get_status_display()

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.approve_refund")

    @admin.action(description=_("Approve (give a reason)"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        def let_go(refund: Refund, **why: Any) -> None:
            refunds.approve(refund_id=refund.pk, **why)

        self.decide(
            request, queryset, let_go,
            lambda count: ngettext("%d refund approved.", "%d refunds approved.", count) % count,
        )  # fmt: skip

    @admin.action(description=_("Do not approve (give a reason)"), permissions=["approve"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Refund]) -> None:
        def keep(refund: Refund, **why: Any) -> None:
            refunds.refuse(refund_id=refund.pk, **why)

        self.decide(
            request, queryset, keep,
            lambda count: ngettext("%d refund not approved.", "%d refunds not approved.", count) % count,
        )  # fmt: skip
