"""What staff do on a refund: a second person approves or refuses it, and anybody who may has its gateway asked now."""

import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.timesince import timesince
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextInputWidget

from payments import four_eyes
from payments.admin import refund_plans
from payments.admin.base import REASON_MAX
from payments.admin.form_pages import DeedForm, FormPage
from payments.admin.timeline_words import actor_words
from payments.models import Refund, RefundLeg
from payments.money import yuan_text
from payments.refunds import operations as refunds
from payments.refunds import queries, submission
from payments.refunds.states import LegStatus, Status

# The run-book's words, where they are needed (docs/operations/refunds.md).
WHAT_TO_DO: dict[str, str | Promise] = {
    LegStatus.STUCK: _(
        "The money left us and did not reach the payer, as with a cancelled card. Never refund again: lead it on in "
        "the gateway's merchant console, under this number. It ends here by itself when it is done there."
    ),
    LegStatus.UNKNOWN: _(
        "The gateway has not said what became of it; the money may have gone. Never refund again. Ask now; if the "
        "gateway stays silent, look in its merchant console, under this number."
    ),
    LegStatus.PENDING: _(
        "The gateway is at it. Banks take up to three working days; after that, ask the gateway's support, with this "
        "number. Never refund again."
    ),
    LegStatus.STARTED: _("The gateway was not told yet. It is told within a minute, or when you ask now."),
}


def waits_for(refund: Refund, *, at: datetime.datetime) -> str:
    return timesince(refund.requested_at, at)


class DecideForm(DeedForm):
    """Who asked for what, what would go back where, and what went back of the order before."""

    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_MAX, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text=_("It goes into the audit rows."),
    )  # fmt: skip
    outdated = four_eyes.NotToDecide

    def seen(self) -> dict[str, Any]:
        return {}

    def facts(self) -> list[tuple[Any, Any]]:
        refund = refund_plans.with_legs(Refund.objects.filter(pk=self.row.pk)).get()
        told = [
            (_("Order"), f"{refund.order.number} · {refund.order.title}"),
            (_("Amount"), f"¥{yuan_text(refund.amount_fen)}"),
            (_("Goes back to"), refund_plans.where_of(refund)),
            (_("Goods / shipping"), f"¥{yuan_text(refund.goods_fen)} / ¥{yuan_text(refund.shipping_fen)}"),
            (_("Reason given"), refund.reason or "-"),
            (_("Asked for by"), actor_words(refund.requested_by)),
            (_("Waits for"), waits_for(refund, at=timezone.now())),
        ]
        for other, where in refund_plans.history(refund.order):
            if other.pk != refund.pk:
                told.append((_("Of the same order"), f"{other} · {other.get_status_display()} · {where}"))
        return told


class ApproveForm(DecideForm):
    def carry_out(self, *, actor: str) -> str:
        refund = refunds.approve(
            refund_id=self.row.pk, actor=actor, reason=self.cleaned_data["reason"], at=timezone.now()
        )  # fmt: skip
        told = {"number": refund.number, "status": refund.get_status_display()}
        return gettext("Refund %(number)s is approved: %(status)s.") % told


class RefuseForm(DecideForm):
    def carry_out(self, *, actor: str) -> str:
        refund = refunds.refuse(
            refund_id=self.row.pk, actor=actor, reason=self.cleaned_data["reason"], at=timezone.now()
        )  # fmt: skip
        return gettext("Refund %s is refused: nothing goes back, and what it kept reserved is free.") % refund.number


class AskForm(DeedForm):
    """What the gateway said last, and what it means. There is nothing to fill in."""

    outdated = submission.NothingToAsk

    def seen(self) -> dict[str, Any]:
        return {}

    def facts(self) -> list[tuple[Any, Any]]:
        told: list[tuple[Any, Any]] = []
        for leg in queries.at_gateways(refund=self.row):
            told += [
                (leg.charge.get_tender_display(), f"¥{yuan_text(leg.amount_fen)} · {leg.number}"),
                (_("Gateway's last word"), f"{leg.get_status_display()} · {leg.last_answer or '-'}"),
                (_("What to do"), WHAT_TO_DO[leg.status]),
            ]
        return told

    def carry_out(self, *, actor: str) -> str:
        legs = submission.ask_now(refund_id=self.row.pk, actor=actor, at=timezone.now())
        return gettext("The gateway says: %s.") % ", ".join(_said(leg) for leg in legs)


def _said(leg: RefundLeg) -> str:
    return f"{leg.number} · {leg.get_status_display()} · {leg.last_answer or '-'}"


def is_to_decide(refund: Refund) -> bool:
    return refund.status == Status.TO_APPROVE


APPROVE = FormPage(
    name="approve", title=_("Approve"), button=_("Approve: the money goes"), form=ApproveForm,
    permission="payments.approve_refund", offered=is_to_decide,
)  # fmt: skip
REFUSE = FormPage(
    name="refuse", title=_("Refuse"), button=_("Refuse: nothing goes"), form=RefuseForm,
    permission="payments.approve_refund", offered=is_to_decide,
)  # fmt: skip
ASK = FormPage(
    name="ask", title=_("Ask the gateway"), button=_("Ask the gateway now"), form=AskForm,
    permission="payments.query_gateway", offered=lambda refund: queries.at_gateways(refund=refund).exists(),
)  # fmt: skip
PAGES = (APPROVE, REFUSE, ASK)
