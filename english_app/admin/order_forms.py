"""What staff do on an English order: decide on its return, have a delivery that failed tried again."""

from typing import Any

from django import forms
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from unfold.widgets import UnfoldAdminTextInputWidget

from english_app import deliveries, memberships, returns
from english_app.models import MESSAGE_LENGTH_MAX, RETURN_ASKS_MAX, EnglishOrder
from english_app.states import Delivery, Return
from payments.admin.fields import ONE_LINE
from payments.admin.form_pages import DeedForm, reason_field
from payments.money import yuan_text
from payments.refunds import queries as refunds
from payments.refunds.states import Status as RefundStatus

OUTCOMES: dict[str, Any] = {
    RefundStatus.SUCCEEDED: _("The return is done: refund {refund} gave the money back, and the goods are taken back."),
    RefundStatus.PENDING: _("The return is approved. Its refund {refund} is on its way."),
    RefundStatus.TO_APPROVE: _("The return is approved. Its refund {refund} waits for a second person."),
    RefundStatus.FAILED: _("The return is approved, but its refund {refund} failed: nothing went back."),
    RefundStatus.REFUSED: _("The return is approved, but its refund {refund} was not let go: nothing went back."),
}


class ReturnForm(DeedForm):
    """A decision on a return, with what was seen of it."""

    as_seen = forms.RegexField(r"^[a-z]{1,16}:[0-9]{1,4}:[0-9]{1,18}\Z", widget=forms.HiddenInput)
    carried = ("as_seen",)
    outdated = returns.DecidedMeanwhile

    def seen(self) -> dict[str, Any]:
        return {"as_seen": returns.seen(self.row)}

    def facts(self) -> list[tuple[Any, Any]]:
        row: EnglishOrder = self.row
        told: list[tuple[Any, Any]] = [
            (_("Customer"), row.customer.user_id),
            (_("Bought"), _goods(row)),
            (_("Paid"), f"¥{yuan_text(row.order.total_fen)}"),
            (pgettext_lazy("English app", "Delivery"), row.get_delivery_display()),
            (_("Return"), row.get_returning_display()),
        ]
        if row.return_asked_at is not None:
            times = _("%(asks)s of %(most)s times") % {"asks": row.return_asks, "most": RETURN_ASKS_MAX}
            at = date_format(timezone.localtime(row.return_asked_at), "DATETIME_FORMAT")
            told.append((_("Asked for"), f"{at} · {times}"))
        return told


class ApproveForm(ReturnForm):
    reason = reason_field()

    def facts(self) -> list[tuple[Any, Any]]:
        told = super().facts()
        if self.row.returning == Return.ASKED:
            back_fen = refunds.goods_left_fen(self.row.order)
            told.append((_("Goes back to the balance"), f"¥{yuan_text(back_fen)}"))
            told += _taken_back(self.row)
        return told

    def carry_out(self, *, actor: str) -> str:
        decided = returns.approve(
            order_id=self.row.order_id, actor=actor, at=timezone.now(), reason=self.cleaned_data["reason"],
            as_seen=self.cleaned_data["as_seen"],
        )  # fmt: skip
        refund = decided.refund
        if refund is None:
            return str(_("The return is approved. Its refund follows as soon as another one of this order is over."))
        path = reverse("admin:payments_refund_change", args=[refund.pk])
        link = format_html('<a href="{}" class="underline">{}</a>', path, refund.number)
        return format_html(str(OUTCOMES[refund.status]), refund=link)


class RefuseForm(ReturnForm):
    reason = forms.CharField(
        label=_("Reason"),
        max_length=MESSAGE_LENGTH_MAX,
        validators=[ONE_LINE],
        help_text=_("The app shows it to the customer."),
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )

    def facts(self) -> list[tuple[Any, Any]]:
        told = super().facts()
        if self.row.returning == Return.ASKED:
            told.append((_("Once refused"), _after_refusal(self.row)))
        return told

    def carry_out(self, *, actor: str) -> str:
        entered = self.cleaned_data
        returns.refuse(
            order_id=self.row.order_id, actor=actor, at=timezone.now(), reason=entered["reason"],
            as_seen=entered["as_seen"],
        )  # fmt: skip
        return str(_("The return is refused. The app tells the customer why."))


class DeliverAgainForm(DeedForm):
    """It carries nothing: a delivery that has failed is tried again by whoever comes first, and by nobody else."""

    reason = reason_field()
    outdated = deliveries.NotToDeliver

    def seen(self) -> dict[str, Any]:
        return {}

    def facts(self) -> list[tuple[Any, Any]]:
        row: EnglishOrder = self.row
        # Beside a return that was refused, the message tells why it was.
        why = row.message if row.returning == Return.NONE else ""
        return [
            (_("Customer"), row.customer.user_id),
            (_("Bought"), _goods(row)),
            (pgettext_lazy("English app", "Delivery"), row.get_delivery_display()),
            (_("Attempts"), row.delivery_attempts),
            (_("Why it failed"), why or _("See the worker's log.")),
        ]

    def carry_out(self, *, actor: str) -> str:
        deliveries.deliver_again(
            order_id=self.row.order_id, actor=actor, at=timezone.now(), reason=self.cleaned_data["reason"],
        )  # fmt: skip
        return str(_("It is being delivered again."))


def is_to_decide(row: EnglishOrder) -> bool:
    return row.returning == Return.ASKED


def _goods(row: EnglishOrder) -> str:
    return ", ".join(str(line) for line in row.lines.all())


def _after_refusal(row: EnglishOrder) -> str | Promise:
    if row.return_asks < RETURN_ASKS_MAX:
        return _("The customer can ask once more.")
    return _("The customer cannot ask again.")


def _taken_back(row: EnglishOrder) -> list[tuple[Any, Any]]:
    """Tell which goods a return takes back, and what becomes of a membership by that."""
    if row.delivery != Delivery.DELIVERED:
        return [(_("Taken back"), _("nothing: it was not delivered"))]
    standing = list(memberships.standing(customer_id=row.customer_id))
    others = [grant for grant in standing if grant.line.document_id != row.pk]
    told: list[tuple[Any, Any]] = [(_("Taken back"), _goods(row))]
    if len(others) < len(standing):
        now, then = (memberships.end_of(grants) for grants in (standing, others))
        told.append((_("Member until"), f"{now} → {then or '-'}"))
    return told
