from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from payments.admin import masking
from payments.admin.base import ASKED_BY, DECIDED_BY, DayFilter, DecidingAdmin, ReadOnlyInline, linked, yuan
from payments.admin.charge_deeds import CHARGE_PAGES
from payments.admin.filters import AmountFilter, BoundedChoicesFilter
from payments.admin.form_pages import FormPagesAdmin
from payments.admin.sight import client_filter
from payments.charges.states import Status
from payments.models import Charge, GatewayAccount, HandConfirmation, InboundNotification, RefundLeg
from payments.refunds import operations as refunds

COLOURS = {
    Status.STARTED.value: "warning",
    Status.UNKNOWN.value: "danger",
    Status.PENDING.value: "warning",
    Status.HELD.value: "info",
    Status.SUCCEEDED.value: "success",
    Status.SURPLUS.value: "danger",
    Status.RELEASED.value: "info",
    Status.FAILED.value: "",
    Status.CLOSED.value: "",
}


class NotificationInline(ReadOnlyInline):
    model = InboundNotification
    fields = readonly_fields = (
        linked("pk", "#"), "gateway", "notification_id", "verdict", "detail", "received_at", "processed_at",
    )  # fmt: skip


class LegInline(ReadOnlyInline):
    model = RefundLeg
    fields = readonly_fields = (
        "number", "refund", yuan("goods_fen", _("goods")), yuan("shipping_fen", _("shipping")), "status",
        "foreign_number", "last_answer", "settled_at",
    )  # fmt: skip

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever may see a charge sees what of it went back: no role names the legs."""
        return True


class ConfirmationInline(ReadOnlyInline):
    model = HandConfirmation
    fields = readonly_fields = (
        linked("pk", "#"), "status", "trade_no", "paid_at", "reason", ASKED_BY, "requested_at", DECIDED_BY,
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[HandConfirmation]:
        return super().get_queryset(request).defer("evidence")  # type: ignore[no-any-return]


@admin.register(Charge)
class ChargeAdmin(FormPagesAdmin, DecidingAdmin):
    client_path = "order__client"
    masked = {"payer_id": masking.number, "payer_address": masking.all_of, "payload": masking.all_of}
    list_display = (
        "number", "order", "tender", "mode", "shown_status", yuan("amount_fen", _("amount")), "gateway_trade_no",
        "created_at", "paid_at",
    )  # fmt: skip
    list_filter = (
        ("created_at", DayFilter), ("status", ChoicesRadioFilter), ("tender", BoundedChoicesFilter),
        ("amount_fen", AmountFilter), client_filter("order__client"),
    )  # fmt: skip
    list_select_related = ("order",)
    days = "created_at"
    days_by_id = True
    export_fields = {
        "number": _("number"), "order__number": _("order number"), "order__client__name": _("client"),
        "tender": _("tender"), "mode": _("mode"), "gateway_account__name": _("gateway account"),
        "status": _("status"), "amount_fen": _("amount (yuan)"), "paid_fen": _("paid (yuan)"),
        "refunded_fen": _("refunded (yuan)"), "gateway_trade_no": _("gateway's number"),
        "last_answer": _("gateway's last word"), "created_at": _("created at"), "paid_at": _("paid at"),
    }  # fmt: skip
    search_fields = ("number",)
    search_help_text = _("Number of the charge, of its order, or the gateway's")
    inlines = (LegInline, NotificationInline, ConfirmationInline)
    form_pages = CHARGE_PAGES
    actions = ("return_surplus",)
    readonly_fields = (yuan("amount_fen", _("amount")), yuan("paid_fen", _("paid, as the gateway says")))
    fieldsets = (
        (None, {"fields": (("number", "order"), ("status", "attempt"), ("tender", "mode"), "is_replaced")}),
        (_("Money"), {"fields": (readonly_fields,)}),
        (_("At the gateway"), {"fields": (("gateway_account", "gateway_trade_no"), "last_answer", "payload")}),
        (_("What the gateway was told of the payer"), {"fields": (("payer_id", "payer_address"), "return_url")}),
        (_("Times"), {"fields": (("created_at", "expires_at"), ("paid_at", "next_query_at"), "queries")}),
    )

    def find(self, term: str) -> Iterable[QuerySet[Charge]]:
        accounts = list(GatewayAccount.objects.values_list("pk", flat=True))
        charges = Charge.objects.all()
        yield charges.filter(number=term)
        yield charges.filter(order__number=term)
        yield charges.filter(gateway_account__in=accounts, gateway_trade_no=term).exclude(gateway_trade_no="")

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, charge: Charge) -> tuple[str, str]:
        return charge.status, charge.get_status_display()

    def has_return_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.request_refund")

    @admin.action(description=_("Give back money that came late or twice (give a reason)"), permissions=["return"])
    def return_surplus(self, request: HttpRequest, queryset: QuerySet[Charge]) -> None:
        def give_back(charge: Charge, **why: Any) -> None:
            refunds.refund_surplus(charge_id=charge.pk, **why)

        self.decide(
            request, queryset, give_back,
            lambda count: ngettext("%d payment goes back.", "%d payments go back.", count) % count,
        )  # fmt: skip
