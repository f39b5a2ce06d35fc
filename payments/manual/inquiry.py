"""Asking the gateways about an order at once, for somebody who does not want to wait for the sweep."""

import dataclasses
import datetime
from collections.abc import Iterator

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.charges import operations as charges
from payments.charges.models import CASH, Charge
from payments.charges.states import BOOKED, OPEN, Status
from payments.errors import Conflict, TryAgain
from payments.gateways.base import Outcome
from payments.manual import requests
from payments.orders.models import Order
from payments.refunds import submission
from payments.refunds.models import RefundLeg
from payments.refunds.states import LEG_OPEN, LegStatus
from payments.refunds.states import Status as RefundStatus
from payments.transactions import outside_transaction, transaction

# An attempt that ended longer ago has been asked about to its end. What comes still, comes by the bill.
RECENT = datetime.timedelta(days=7)
ASKED_MAX = 20


class NothingToAsk(Conflict):
    code = "nothing_to_ask"
    message = _("Of this order no payment and no refund is under way at a gateway: there is nothing to ask.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What a gateway said of an attempt or a refund's leg, and what has become of it."""

    number: str
    outcome: Outcome
    said: str
    before: Status | LegStatus
    after: Status | LegStatus


@outside_transaction
def ask(*, order_id: int, actor: str, reason: str, at: datetime.datetime) -> list[Answer]:
    """
    Ask about each attempt that is open or ended lately, and each refund on its way, and settle what is answered.

    A gateway that does not answer for one is not waited for again.

    :raises NothingToAsk: if there is none
    """
    requests.check_reason(reason=reason)
    answers = [*_of_attempts(order_id=order_id, at=at), *_of_refunds(order_id=order_id, at=at)]
    if not answers:
        raise NothingToAsk
    with transaction():
        audit.record(
            actor=actor, action="order.query", subject=Order.objects.get(pk=order_id).subject,
            reason=reason, answers="; ".join(f"{each.number}: {each.outcome} {each.said}".strip() for each in answers),
        )  # fmt: skip
    return answers


def _of_attempts(*, order_id: int, at: datetime.datetime) -> Iterator[Answer]:
    silent: set[int | None] = set()
    for charge in _attempts(order_id=order_id, at=at):
        before = Status(charge.status)
        if charge.gateway_account_id in silent:
            yield Answer(number=charge.number, outcome=Outcome.UNKNOWN, said="", before=before, after=before)
            continue
        now, outcome = charges.inquire(charge_id=charge.pk, at=at)
        silent |= {charge.gateway_account_id} if outcome is Outcome.UNKNOWN else set()
        yield Answer(number=now.number, outcome=outcome, said=now.last_answer, before=before, after=Status(now.status))


def _attempts(*, order_id: int, at: datetime.datetime) -> list[Charge]:
    lately = Q(status__in=OPEN) | Q(expires_at__gt=at - RECENT)
    own = Charge.objects.filter(lately, order_id=order_id, tender__in=CASH).exclude(status__in=BOOKED)
    return list(own.order_by("-attempt")[:ASKED_MAX])


def _of_refunds(*, order_id: int, at: datetime.datetime) -> Iterator[Answer]:
    silent: set[int | None] = set()
    for leg in _legs(order_id=order_id):
        account_id, before = leg.charge.gateway_account_id, LegStatus(leg.status)
        outcome = Outcome.UNKNOWN if account_id in silent else _ask_refund(leg, at=at)
        silent |= {account_id} if outcome is Outcome.UNKNOWN else set()
        leg.refresh_from_db(fields=["status", "last_answer"])
        yield Answer(
            number=leg.number, outcome=outcome, said=leg.last_answer, before=before, after=LegStatus(leg.status)
        )


def _ask_refund(leg: RefundLeg, *, at: datetime.datetime) -> Outcome:
    try:
        return submission.reconcile(leg_id=leg.pk, at=at)
    except TryAgain:
        return Outcome.UNKNOWN


def _legs(*, order_id: int) -> list[RefundLeg]:
    under_way = RefundLeg.objects.filter(
        refund__order_id=order_id, refund__status=RefundStatus.PENDING, status__in=LEG_OPEN,
        charge__gateway_account__isnull=False,
    )  # fmt: skip
    return list(under_way.select_related("charge").order_by("pk")[:ASKED_MAX])
