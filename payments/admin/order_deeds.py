"""What staff do on an order beside refunds: close it, ask the gateways, decide on late money, clear its flag."""

from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldAdminTextInputWidget

from payments.admin.fields import ONE_LINE
from payments.admin.form_pages import FormPage, ReasonForm
from payments.charges import queries as charges
from payments.charges.models import OWN
from payments.charges.states import Status as ChargeStatus
from payments.clients.models import LateMoneyPolicy
from payments.closing import operations as closing
from payments.gateways.base import Outcome
from payments.manual import inquiry
from payments.models import Charge, Order
from payments.money import yuan_text
from payments.orders import operations as orders
from payments.orders.operations import CLOSABLE
from payments.refunds import operations as refunds
from payments.refunds.states import Status as RefundStatus

SAID = {
    Outcome.SUCCEEDED: _("it says: paid, or given back"),
    Outcome.FAILED: _("it says: over, and nothing was paid or given back"),
    Outcome.PENDING: _("it says: under way"),
    Outcome.NOT_FOUND: _("it does not know of it"),
    Outcome.UNKNOWN: _("it did not answer"),
}
GIVEN_BACK: dict[str, Any] = {
    RefundStatus.SUCCEEDED: _("¥%(yuan)s went back to the payer: refund %(number)s."),
    RefundStatus.PENDING: _("¥%(yuan)s is on its way back to the payer: refund %(number)s."),
    RefundStatus.TO_APPROVE: _("Refund %(number)s of ¥%(yuan)s waits for a second person."),
    RefundStatus.FAILED: _("Refund %(number)s of ¥%(yuan)s failed: nothing went back."),
}
WHAT_LATE_MONEY_IS = _(
    "This money came in at the gateway but pays nothing: its order was closed or paid already, or it is another amount "
    "than was asked for. It is kept in suspense. Give it back to the payer, or leave it where it is and clear the "
    "order's flag with a reason, once you have seen to it."
)


class CloseForm(ReasonForm):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=closing.REASON_LENGTH_MAX,
        validators=[ONE_LINE],
        help_text=_("It goes into the audit rows and the order's history."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )
    explanation = _(
        "The gateways are asked first and every open attempt is closed there; if one does not answer, nothing is "
        "closed. Points and balance go back to the customer. What is paid after all goes back, or waits for you, as "
        "the client's policy for late money has it."
    )

    def state(self) -> str:
        return str(self.row.status)

    def facts(self) -> list[tuple[Any, Any]]:
        row: Order = self.row
        attempts = ", ".join(charge.number for charge in charges.open_charges(order_id=row.pk))
        return [
            (_("Status"), row.get_status_display()),
            (_("Total"), f"¥{yuan_text(row.total_fen)}"),
            (_("Attempts still open"), attempts or _("none")),
            (_("Goes back to the customer"), _paid_by_own(row)),
            (_("Closes by itself"), date_format(timezone.localtime(row.expires_at), "DATETIME_FORMAT")),
        ]

    def carry_out(self, *, actor: str) -> str:
        back = _paid_by_own(self.row)
        closing.close(order_id=self.row.pk, actor=actor, at=timezone.now(), reason=self.cleaned_data["reason"])
        return str(_("The order is closed. What went back to the customer: %s.") % back)


def _paid_by_own(order: Order) -> str:
    """What of points and balance is paid or held, in words."""
    settled = order.charges.filter(tender__in=OWN, status__in=[ChargeStatus.HELD, ChargeStatus.SUCCEEDED])
    parts = [f"¥{yuan_text(each.amount_fen)} {each.get_tender_display()}" for each in settled.order_by("attempt")]
    return ", ".join(parts) or str(_("nothing"))


class QueryForm(ReasonForm):
    explanation = _(
        "Each attempt to pay that is open or ended within the last seven days, and each refund on its way, is asked "
        "about at its gateway. What it says is booked as if it had come by itself."
    )

    def state(self) -> str:
        """Asking does no harm, whatever has changed."""
        return "-"

    def facts(self) -> list[tuple[Any, Any]]:
        return [(_("Status"), self.row.get_status_display())]

    def carry_out(self, *, actor: str) -> str:
        answers = inquiry.ask(order_id=self.row.pk, actor=actor, reason=self.cleaned_data["reason"], at=timezone.now())
        lines = format_html_join(SafeString("<br>"), "{}", ((_told(answer),) for answer in answers))
        return format_html("{}<br>{}", _("The gateway was asked:"), lines)


def _told(answer: inquiry.Answer) -> str:
    words = f"{SAID[answer.outcome]} ({answer.said})" if answer.said else str(SAID[answer.outcome])
    became = answer.after.label if answer.before == answer.after else f"{answer.before.label} → {answer.after.label}"
    return f"{answer.number}: {words} · {became}"


def late_money(order: Order) -> QuerySet[Charge]:
    """Return what came late, twice or in another amount, and has not gone back."""
    return order.charges.filter(status=ChargeStatus.SURPLUS).order_by("attempt")


class LateMoneyForm(ReasonForm):
    charge = forms.ChoiceField(
        label=_("Give back now"), widget=UnfoldAdminRadioSelectWidget, error_messages={"required": _("Choose one.")}
    )  # fmt: skip
    field_order = ("charge", "reason", "as_seen")
    explanation = WHAT_LATE_MONEY_IS

    def __init__(self, data: Any = None, files: Any = None, *, row: Order) -> None:
        self.standing = list(late_money(row))
        super().__init__(data, files, row=row)
        field: Any = self.fields["charge"]
        field.choices = [(str(each.pk), _named(each)) for each in self.standing]
        if len(self.standing) == 1:
            field.initial = str(self.standing[0].pk)

    def state(self) -> str:
        """What stands there: a new payment, or one that somebody else gave back, is to be seen first."""
        return "-".join(str(each.pk) for each in self.standing)[:64] or "none"

    def facts(self) -> list[tuple[Any, Any]]:
        return [
            (_("Status"), self.row.get_status_display()),
            (_("Flag"), self.row.get_money_flag_display()),
            (_("The client's policy"), LateMoneyPolicy(self.row.client.late_money_policy).label),
        ]

    def carry_out(self, *, actor: str) -> str:
        return give_back(charge_id=int(self.cleaned_data["charge"]), actor=actor, reason=self.cleaned_data["reason"])


def give_back(*, charge_id: int, actor: str, reason: str) -> str:
    """Give a surplus back, and return what came of it."""
    made = refunds.refund_surplus(charge_id=charge_id, actor=actor, reason=reason, at=timezone.now())
    return str(GIVEN_BACK[made.status] % {"yuan": yuan_text(made.amount_fen), "number": made.number})


def _named(charge: Charge) -> str:
    paid = date_format(timezone.localtime(charge.paid_at), "DATETIME_FORMAT") if charge.paid_at else ""
    return f"{charge.number} · {charge.get_tender_display()} · ¥{yuan_text(charge.left_fen)} · {paid}"


class ClearFlagForm(ReasonForm):
    explanation = _(
        "Clear the flag once you have seen to what it says. Nothing moves by that: money in suspense stays there until "
        "it is given back."
    )

    def state(self) -> str:
        return str(self.row.money_flag or "none")

    def facts(self) -> list[tuple[Any, Any]]:
        row: Order = self.row
        suspended = ", ".join(_named(each) for each in late_money(row))
        return [
            (_("Flag"), row.get_money_flag_display()),
            (_("Status"), row.get_status_display()),
            (_("In suspense"), suspended or _("nothing")),
        ]

    def carry_out(self, *, actor: str) -> str:
        orders.dismiss_flag(order_id=self.row.pk, actor=actor, reason=self.cleaned_data["reason"])
        return str(_("The flag is cleared."))


def is_closable(order: Order) -> bool:
    return order.status in CLOSABLE


def is_flagged(order: Order) -> bool:
    return bool(order.money_flag)


def has_late_money(order: Order) -> bool:
    """Such money flags its order, and a flag may be cleared before it goes back: then its charge's page has this."""
    return bool(order.money_flag) and late_money(order).exists()


ORDER_PAGES = (
    FormPage(
        name="close", title=_("Close the order"), button=_("Close the order"), form=CloseForm,
        permission="payments.close_order", offered=is_closable,
    ),
    FormPage(
        name="query", title=_("Ask the gateway now"), button=_("Ask the gateway now"), form=QueryForm,
        permission="payments.query_gateway", offered=lambda order: order.cash_fen > 0,
    ),
    FormPage(
        name="late_money", title=_("Decide on late money"), button=_("Give back"), form=LateMoneyForm,
        permission="payments.request_refund", offered=has_late_money,
    ),
    FormPage(
        name="clear_flag", title=_("Clear the flag"), button=_("Clear the flag"), form=ClearFlagForm,
        permission="payments.clear_flag", offered=is_flagged,
    ),
)  # fmt: skip
