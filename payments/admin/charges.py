from collections.abc import Iterable

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display

from payments.admin.base import DayFilter, ReadOnlyAdmin, ReadOnlyInline, linked, yuan
from payments.charges.states import Status
from payments.models import Charge, GatewayAccount, InboundNotification

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


@admin.register(Charge)
class ChargeAdmin(ReadOnlyAdmin):
    list_display = (
        "number", "tender", "mode", "shown_status", yuan("amount_fen", _("amount")), "gateway_trade_no", "created_at",
    )  # fmt: skip
    list_filter = (
        ("status", ChoicesRadioFilter), ("tender", ChoicesRadioFilter), ("created_at", DayFilter),
    )  # fmt: skip
    search_fields = ("number",)
    search_help_text = _("Number of the charge, of its order, or the gateway's")
    inlines = (NotificationInline,)
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
