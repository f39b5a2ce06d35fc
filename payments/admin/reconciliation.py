"""The gateways' bills, and where they and our book differ. A person settles a difference by saying why."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesRadioFilter
from unfold.decorators import display

from payments.admin.base import DayFilter, DecidingAdmin, ReadOnlyAdmin, yuan
from payments.admin.sight import SeenRelatedFilter, client_filter
from payments.models import BillLine, Difference, GatewayBill
from payments.reconciliation import operations as reconciliation
from payments.reconciliation.states import BillStatus, DifferenceStatus

BILL_COLOURS = {
    BillStatus.DUE.value: "warning",
    BillStatus.NOT_READY.value: "warning",
    BillStatus.UNUSABLE.value: "danger",
    BillStatus.FETCHED.value: "info",
    BillStatus.MATCHED.value: "success",
}
COLOURS = {
    DifferenceStatus.POOLED.value: "warning",
    DifferenceStatus.OPEN.value: "danger",
    DifferenceStatus.SETTLED.value: "success",
}


@admin.register(GatewayBill)
class GatewayBillAdmin(ReadOnlyAdmin):
    list_display = (
        "day", "account", "shown_status", "payments", yuan("payments_fen", _("paid")), "refunds",
        yuan("refunds_fen", _("refunded")), yuan("fees_fen", _("fees")), "reason",
    )  # fmt: skip
    list_filter = (("status", ChoicesRadioFilter), ("day", DayFilter), ("account", SeenRelatedFilter))
    list_select_related = ("account",)
    ordering = ("-day", "-id")
    readonly_fields = (
        yuan("payments_fen", _("paid")), yuan("refunds_fen", _("refunded")), yuan("fees_fen", _("fees")),
    )  # fmt: skip
    fieldsets = (
        (None, {"fields": (("day", "account"), ("status", "reason"), "sha256")}),
        (
            _("In it"),
            {"fields": (("payments", readonly_fields[0]), ("refunds", readonly_fields[1]), readonly_fields[2])},
        ),
        (_("Times"), {"fields": (("fetched_at", "matched_at"), ("attempts", "next_try_at"))}),
    )

    @display(description=_("status"), label=BILL_COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, bill: GatewayBill) -> tuple[str, str]:
        return bill.status, bill.get_status_display()


@admin.register(BillLine)
class BillLineAdmin(ReadOnlyAdmin):
    list_display = (
        "at", "kind", "number", "refund_number", "trade_no", yuan("amount_fen", _("amount")),
        yuan("fee_fen", _("fee")), "status", "is_matched",
    )  # fmt: skip
    list_filter = (("bill__day", DayFilter), ("kind", ChoicesRadioFilter), ("is_matched", BooleanRadioFilter))
    export_fields = {
        "bill__day": _("day"), "bill__account__name": _("gateway account"), "at": _("at"), "kind": _("kind"),
        "number": _("number"), "refund_number": _("refund's number"), "trade_no": _("gateway's number"),
        "amount_fen": _("amount (yuan)"), "fee_fen": _("fee (yuan)"), "status": _("status"),
        "is_matched": _("matched"),
    }  # fmt: skip
    search_fields = ("number", "trade_no")
    search_help_text = _("Number of the charge, or the gateway's")
    readonly_fields = (yuan("amount_fen", _("amount")), yuan("fee_fen", _("fee")))
    fieldsets = (
        (None, {"fields": (("bill", "kind"), ("number", "refund_number"), ("trade_no", "occurrence"), "at")}),
        (_("Money"), {"fields": (readonly_fields, "status")}),
        (_("Our book"), {"fields": (("charge", "is_matched"),)}),
    )


@admin.register(Difference)
class DifferenceAdmin(DecidingAdmin):
    client_path = "charge__order__client"
    list_display = (
        "day", "account", "kind", "entry", "shown_number", yuan("ours_fen", _("our book says")),
        yuan("theirs_fen", _("the bill says")), "shown_status", "remedy",
    )  # fmt: skip
    list_filter = (
        ("status", ChoicesRadioFilter), ("kind", ChoicesRadioFilter), ("entry", ChoicesRadioFilter), ("day", DayFilter),
        ("account", SeenRelatedFilter), client_filter("charge__order__client"),
    )  # fmt: skip
    export_fields = {
        "day": _("day"), "account__name": _("gateway account"), "kind": _("kind"), "entry": _("entry"),
        "number": _("number"), "refund_number": _("refund's number"), "trade_no": _("gateway's number"),
        "ours_fen": _("our book says (yuan)"), "theirs_fen": _("the bill says (yuan)"), "status": _("status"),
        "remedy": _("remedy"), "found_at": _("found at"), "settled_at": _("settled at"),
        "settled_by": _("settled by"), "settled_reason": _("how it was settled"),
    }  # fmt: skip
    list_select_related = ("account",)
    search_fields = ("number",)
    search_help_text = _("Number of the charge")
    ordering = ("-day", "-id")
    actions = ("settle_chosen",)
    readonly_fields = (yuan("ours_fen", _("our book says")), yuan("theirs_fen", _("the bill says")))
    fieldsets = (
        (None, {"fields": (("day", "account"), ("kind", "entry"), ("status", "remedy"), ("found_at", "pooled_until"))}),
        (_("Numbers"), {"fields": (("number", "refund_number"), ("trade_no", "occurrence"), ("charge", "line"))}),
        (_("Money"), {"fields": (readonly_fields, "detail")}),
        (_("Settled"), {"fields": (("settled_at", "settled_by"), "settled_reason")}),
    )

    @display(description=_("status"), label=COLOURS)  # type: ignore[untyped-decorator]
    def shown_status(self, difference: Difference) -> tuple[str, str]:
        return difference.status, difference.get_status_display()

    @admin.display(description=_("number"))
    def shown_number(self, difference: Difference) -> str:
        return difference.refund_number or difference.number

    def has_settle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("payments.settle_difference")

    @admin.action(description=_("Settle (give a reason)"), permissions=["settle"])
    def settle_chosen(self, request: HttpRequest, queryset: QuerySet[Difference]) -> None:
        def settle(difference: Difference, **why: Any) -> None:
            reconciliation.settle(difference_id=difference.pk, **why)

        self.decide(
            request, queryset, settle,
            lambda count: ngettext("%d difference settled.", "%d differences settled.", count) % count,
        )  # fmt: skip
