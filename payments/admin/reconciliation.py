"""The gateways' bills, and where they and our book differ. A person settles a difference by saying why."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.contrib.filters.admin import ChoicesRadioFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from payments.admin.base import DayFilter, ReadOnlyAdmin, actor_of, linked, yuan
from payments.models import BillLine, Difference, GatewayBill
from payments.reconciliation import operations as reconciliation
from payments.reconciliation.models import TEXT_LENGTH_MAX
from payments.reconciliation.states import UNSETTLED, BillStatus, DifferenceStatus

SETTLED_AT_ONCE_MAX = 200
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
        linked("day", _("day")), "account", "shown_status", "payments", yuan("payments_fen", _("paid")), "refunds",
        yuan("refunds_fen", _("refunded")), yuan("fees_fen", _("fees")), "reason",
    )  # fmt: skip
    list_display_links = None
    list_filter = (("status", ChoicesRadioFilter), ("day", DayFilter), "account")
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
    search_fields = ("number", "trade_no")
    search_help_text = _("Number of the charge, or the gateway's")
    readonly_fields = (yuan("amount_fen", _("amount")), yuan("fee_fen", _("fee")))
    fieldsets = (
        (None, {"fields": (("bill", "kind"), ("number", "refund_number"), ("trade_no", "occurrence"), "at")}),
        (_("Money"), {"fields": (readonly_fields, "status")}),
        (_("Our book"), {"fields": (("charge", "is_matched"),)}),
    )


class SettleForm(forms.Form):
    reason = forms.CharField(
        label=_("How was it dealt with?"),
        max_length=TEXT_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


@admin.register(Difference)
class DifferenceAdmin(ReadOnlyAdmin):
    list_display = (
        linked("day", _("day")), "account", "kind", "entry", "shown_number", yuan("ours_fen", _("our book says")),
        yuan("theirs_fen", _("the bill says")), "shown_status", "remedy",
    )  # fmt: skip
    list_display_links = None
    list_filter = (
        ("status", ChoicesRadioFilter), ("kind", ChoicesRadioFilter), ("entry", ChoicesRadioFilter), ("day", DayFilter),
        "account",
    )  # fmt: skip
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

    @admin.action(description=_("Settle with a reason"), permissions=["settle"])
    def settle_chosen(self, request: HttpRequest, queryset: QuerySet[Difference]) -> HttpResponse | None:
        """Ask for the reason first; with one, settle what is chosen and not settled yet."""
        wanted = queryset.filter(status__in=UNSETTLED).select_related("account")[:SETTLED_AT_ONCE_MAX]
        chosen = list(wanted)
        if not chosen:
            self.message_user(request, _("All of these are settled."), messages.WARNING)
            return None
        form = SettleForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            settled = sum(self._settle(request, difference, form.cleaned_data["reason"]) for difference in chosen)
            told = ngettext("%(count)d difference settled.", "%(count)d differences settled.", settled)
            self.message_user(request, told % {"count": settled}, messages.SUCCESS)
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Settle differences"), "opts": self.opts, "form": form, "chosen": chosen,
            "checkbox": helpers.ACTION_CHECKBOX_NAME, "action": "settle_chosen",
        }  # fmt: skip
        return TemplateResponse(request, "back_office/settle_differences.html", context)

    def _settle(self, request: HttpRequest, difference: Difference, reason: str) -> bool:
        """What somebody settled a moment ago is left as they did."""
        try:
            reconciliation.settle(
                difference_id=difference.pk, actor=actor_of(request), reason=reason, at=timezone.now()
            )  # fmt: skip
        except reconciliation.DifferenceSettled:
            return False
        return True
