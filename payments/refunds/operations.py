"""
Giving money back, in three steps that are each safe to repeat.

request  one transaction: lock the order, plan, reserve, mint the legs' numbers, commit the intention
submit   no transaction: tell the gateway, with the leg's number as its idempotency key (`payments.refunds.submission`)
settle   one transaction: record what the gateway says (`payments.refunds.settlement`)
"""

import dataclasses
import datetime
from collections.abc import Iterable

from django.db import IntegrityError
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from payments import audit, four_eyes
from payments.charges import settlement as charge_settlement
from payments.charges.models import CASH, NUMBER_LENGTH_MAX, Charge
from payments.charges.states import Status as ChargeStatus
from payments.clients.models import RefundPolicy
from payments.errors import Conflict, Malformed, OnetillError
from payments.money import yuan_text
from payments.orders import operations as orders
from payments.orders.models import Order
from payments.orders.states import Status as OrderStatus
from payments.refunds import planner, queries, settlement, submission
from payments.refunds.models import REASON_LENGTH_MAX, REFUND_NO_ONCE, Kind, Refund, RefundLeg
from payments.refunds.states import Event, Status, next_status
from payments.transactions import outside_transaction, savepoint, transaction, transaction_required

Split = list[tuple[Charge, planner.Part]]  # which charge gives back what


class RefundNumberReused(Conflict):
    """The same refund number with other contents."""

    code = "refund_no_reused"
    message = _("This refund_no was used for another refund. Use a new one.")


class OrderNotRefundable(Conflict):
    """Nothing of the order can be refunded (any more): one of the following says why."""


class OrderNotPaid(OrderNotRefundable):
    code = "order_not_paid"
    message = _("This order is not paid in full, so nothing can be refunded. Close it instead.")


class OrderClosed(OrderNotRefundable):
    code = "order_closed"
    message = _("This order is closed: what was paid on it has gone back.")


class OrderRefunded(OrderNotRefundable):
    code = "order_refunded"
    message = _("This order is refunded in full: nothing is left to go back.")


class RefundedMeanwhile(Conflict):
    """Whoever asks has seen another state of the order."""

    code = "refunded_meanwhile"
    message = _("Of this order something was refunded, or came back, meanwhile. See what is left, and ask again.")


class TooManyRefunds(OnetillError):
    code = "too_many_refunds"
    message = _("This order was refunded too often for another number. Refund the rest at the gateway.")


class NothingToReturn(Conflict):
    code = "nothing_to_return"
    message = _("Nothing of this payment can go back: it is not in suspense, or a refund of it is on its way.")


_NOT_REFUNDABLE: dict[str, type[OrderNotRefundable]] = {
    OrderStatus.CLOSED: OrderClosed,
    OrderStatus.TOTAL_REFUND: OrderRefunded,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RefundCommand:
    """
    What is to go back, in fen. `refund_no` is the client's own number; without a policy the client's is taken.

    `seen_left_fen` is what of goods and shipping was left when this was decided on; if given, it must still hold.
    """

    goods_fen: int
    shipping_fen: int = 0
    refund_no: str = ""
    reason: str = ""
    policy: RefundPolicy | None = None
    seen_left_fen: tuple[int, int] | None = None

    def check(self) -> None:
        """
        Check what can be asked for at all.

        :raises Malformed: for a negative amount, for nothing at all, or a reason that no column holds
        """
        for field, amount_fen in (("goods_amount", self.goods_fen), ("shipping_amount", self.shipping_fen)):
            if amount_fen < 0:
                raise Malformed(_("Must not be less than 0."), field=field)
        if not self.goods_fen + self.shipping_fen:
            raise Malformed(
                _("Send how much is to go back: goods_amount, shipping_amount, or both."), field="goods_amount"
            )
        if len(self.reason) > REASON_LENGTH_MAX:
            raise Malformed(_("Send at most %(limit)s characters."), field="reason", limit=REASON_LENGTH_MAX)


@outside_transaction
def refund(*, order_id: int, command: RefundCommand, actor: str, at: datetime.datetime) -> Refund:
    """
    Request a refund of an order and tell the gateway at once. See `request` for the errors.

    A repeat tells nobody anything: it returns the refund as it stands.
    """
    made, is_new = request(order_id=order_id, command=command, actor=actor, at=at)
    if is_new and made.status == Status.PENDING:
        submission.submit_all(refund_id=made.pk, at=at)
        made.refresh_from_db()
    return made


def request(*, order_id: int, command: RefundCommand, actor: str, at: datetime.datetime) -> tuple[Refund, bool]:
    """
    Commit the intention to refund, with everything reserved, and say whether it is new.

    The same `refund_no` for the same order and amounts is the same refund. Above the client's limit, what was refunded
    of the order without a second person included, the refund waits for one.

    :raises Malformed: if the command asks for nothing that can be
    :raises RefundNumberReused: if the number stands for another refund
    :raises OrderNotRefundable: if the order is not paid, closed, or refunded in full (one of its kinds)
    :raises RefundedMeanwhile: if not that is left which was seen
    :raises planner.RefundExceeds: if less is left
    :raises ledger.NotEnough: if a recharge was spent, so that it cannot be taken back
    """
    with transaction():
        order = orders.lock(order_id=order_id)
        return request_of(order=order, command=command, actor=actor, at=at)


@transaction_required
def request_of(*, order: Order, command: RefundCommand, actor: str, at: datetime.datetime) -> tuple[Refund, bool]:
    """As `request`, of a locked order, as a part of what else its transaction does."""
    command.check()
    if (known := _known(order=order, command=command)) is not None:
        return known, False
    split = _split(order=order, command=command, charges=queries.paying(order=order))
    made = Refund(
        kind=Kind.ORDER,
        goods_fen=command.goods_fen,
        shipping_fen=command.shipping_fen,
        refund_no=command.refund_no,
        reason=command.reason,
        policy=_policy(order=order, command=command),
    )
    _make(refund=made, order=order, split=split, actor=actor, at=at)
    return made, True


def preview(*, order: Order, command: RefundCommand, charges: Iterable[Charge] | None = None) -> Split:
    """
    Return what each tender would give back; nothing is reserved. See `request` for the errors.

    `charges` are those that paid the order, where the caller has loaded them.
    """
    command.check()
    return _split(order=order, command=command, charges=queries.paying(order=order) if charges is None else charges)


def check_refundable(*, order: Order) -> None:
    """:raises OrderNotRefundable: if nothing of the order can be refunded in its status (one of its kinds)"""
    if order.status not in queries.REFUNDABLE:
        raise _NOT_REFUNDABLE.get(order.status, OrderNotPaid)


def _split(*, order: Order, command: RefundCommand, charges: Iterable[Charge]) -> Split:
    check_refundable(order=order)
    left_fen = queries.goods_left_fen(order), queries.shipping_left_fen(order)
    if command.seen_left_fen not in {None, left_fen}:
        raise RefundedMeanwhile
    paid_by = {charge.pk: charge for charge in charges}
    parts = planner.plan(
        tendered=queries.tendered(paid_by.values()),
        goods_fen=command.goods_fen,
        shipping_fen=command.shipping_fen,
        goods_left_fen=left_fen[0],
        shipping_left_fen=left_fen[1],
        policy=_policy(order=order, command=command),
    )
    return [(paid_by[part.charge_id], part) for part in parts]


def _policy(*, order: Order, command: RefundCommand) -> RefundPolicy:
    return command.policy or RefundPolicy(order.client.refund_policy)


@outside_transaction
def refund_surplus(*, charge_id: int, actor: str, reason: str, at: datetime.datetime) -> Refund:
    """
    Give back what was paid beyond need: late, twice, or another amount. The order keeps its status.

    :raises NothingToReturn: if the payment is no surplus, or a refund of it is on its way or done
    """
    made = request_surplus(charge_id=charge_id, actor=actor, reason=reason, at=at)
    if made.status == Status.PENDING:
        submission.submit_all(refund_id=made.pk, at=at)
        made.refresh_from_db()
    return made


def request_surplus(*, charge_id: int, actor: str, reason: str, at: datetime.datetime) -> Refund:
    """Commit the intention to give a surplus back. See `refund_surplus` for the errors."""
    with transaction():
        order, charge = charge_settlement.lock(charge_id=charge_id)
        if charge.status != ChargeStatus.SURPLUS or charge.left_fen <= 0:
            raise NothingToReturn
        if actor == audit.SYSTEM and charge.refund_legs.exists():  # what failed once is for staff
            raise NothingToReturn
        made = Refund(kind=Kind.SURPLUS, goods_fen=charge.left_fen, reason=reason, policy=RefundPolicy.CASH_FIRST)
        part = planner.Part(charge_id=charge.pk, goods_fen=charge.left_fen, shipping_fen=0)
        _make(refund=made, order=order, split=[(charge, part)], actor=actor, at=at)
        return made


@outside_transaction
def approve(*, refund_id: int, actor: str, reason: str, at: datetime.datetime) -> Refund:
    """
    Let a refund that waits for a second person go, and tell the gateway.

    :raises four_eyes.SamePerson: if `actor` asked for it
    :raises four_eyes.NotToDecide: if it does not wait (any more)
    """
    made = _decide(refund_id=refund_id, event=Event.APPROVED, actor=actor, reason=reason, at=at)
    submission.submit_all(refund_id=made.pk, at=at)
    made.refresh_from_db()
    return made


def refuse(*, refund_id: int, actor: str, reason: str, at: datetime.datetime) -> Refund:
    """Do not let a refund go: what was reserved for it is free again. See `approve` for the errors."""
    return _decide(refund_id=refund_id, event=Event.REFUSED, actor=actor, reason=reason, at=at)


def _decide(*, refund_id: int, event: Event, actor: str, reason: str, at: datetime.datetime) -> Refund:
    with transaction():
        order, decided = settlement.lock(refund_id=refund_id)
        four_eyes.check_decidable(
            waits=decided.status == Status.TO_APPROVE, requested_by=decided.requested_by, actor=actor
        )
        decided.status = next_status(status=decided.status, event=event)
        decided.decided_by, decided.decided_at, decided.decision = actor, at, reason
        decided.save(update_fields=["status", "decided_by", "decided_at", "decision"])
        audit.record(actor=actor, action=f"refund.{event}", subject=order.subject, refund=decided.number, reason=reason)
        if event == Event.REFUSED:
            settlement.give_up(order=order, refund=decided, at=at)
        else:
            settlement.begin(order=order, refund=decided, at=at, lease=submission.LEASE)
        return decided


def _known(*, order: Order, command: RefundCommand) -> Refund | None:
    """Return what the client's number stands for already."""
    if not command.refund_no:
        return None
    known = queries.by_refund_no(client_id=order.client_id, refund_no=command.refund_no)
    if known is None:
        return None
    asked = (Kind.ORDER, order.pk, command.goods_fen, command.shipping_fen)
    if (known.kind, known.order_id, known.goods_fen, known.shipping_fen) != asked:
        raise RefundNumberReused(field="refund_no")
    return known


@transaction_required
def _make(
    *,
    refund: Refund,
    order: Order,
    split: Split,
    actor: str,
    at: datetime.datetime,
) -> None:
    """Write a refund of a locked order with its legs, reserve what it gives back, and let it go if it may."""
    refund.order, refund.client_id = order, order.client_id
    refund.sequence = 1 + (order.refunds.aggregate(n=Max("sequence"))["n"] or 0)
    refund.number = number_of(order=order, sequence=refund.sequence)
    refund.status = Status.TO_APPROVE if _needs_approval(order=order, refund=refund, actor=actor) else Status.PENDING
    refund.requested_by, refund.requested_at = actor, at
    try:
        with savepoint():
            refund.save(force_insert=True)
    except IntegrityError as error:
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") != REFUND_NO_ONCE:
            raise
        raise RefundNumberReused(field="refund_no") from None  # for another order, at this very moment
    for charge, part in split:
        number = refund.number + ("" if charge.tender in CASH else charge.tender[0])
        if len(number) > NUMBER_LENGTH_MAX:
            raise TooManyRefunds
        RefundLeg.objects.create(
            refund=refund, charge=charge, number=number, goods_fen=part.goods_fen, shipping_fen=part.shipping_fen,
            created_at=at,
        )  # fmt: skip
    settlement.reserve(order=order)
    settlement.take_recharge(order=order, refund=refund)
    audit.record(
        actor=actor, action="refund.request", subject=order.subject, refund=refund.number,
        kind=refund.kind, goods=yuan_text(refund.goods_fen), shipping=yuan_text(refund.shipping_fen),
        reason=refund.reason, waits_for_approval=refund.status == Status.TO_APPROVE,
    )  # fmt: skip
    if refund.status == Status.PENDING:
        settlement.begin(order=order, refund=refund, at=at, lease=submission.LEASE)


def number_of(*, order: Order, sequence: int) -> str:
    """
    Return the number of an order's refund: the order's, so that the gateway's own console finds it, and `_R1`.

    :raises TooManyRefunds: if a gateway would not take it, at more than 32 characters
    """
    number = f"{order.number}_R{sequence}"
    if len(number) > NUMBER_LENGTH_MAX:
        raise TooManyRefunds
    return number


def _needs_approval(*, order: Order, refund: Refund, actor: str) -> bool:
    """Whether a second person must agree. What one person alone has refunded of the order counts with it."""
    if order.client.approval_above_fen is None or actor == audit.SYSTEM:
        return False
    alone_fen = queries.refunded_alone_fen(order_ids=[order.pk], kind=Kind(refund.kind)).get(order.pk, 0)
    return queries.needs_second_person(order=order, amount_fen=refund.amount_fen, alone_fen=alone_fen)
