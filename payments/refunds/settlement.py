"""
Recording what became of a refund: the one place where money is booked as given back.

Notification, query and submit come through the same `settle`. Only a definite answer moves anything, under the order's
lock. What goes back into our own accounts goes when the cash has gone: a refund succeeds as a whole or not at all.
"""

import datetime

import structlog

from payments import audit
from payments.charges import sweep
from payments.charges.models import CASH, Charge
from payments.charges.states import Status as ChargeStatus
from payments.gateways.base import Outcome, RefundState
from payments.orders import operations as orders
from payments.orders.models import OF_SURPLUS, MoneyFlag, Order
from payments.outbox import operations as outbox
from payments.outbox.models import EventKind
from payments.refunds import bookings
from payments.refunds.models import Kind, Refund, RefundLeg
from payments.refunds.states import LEG_OPEN, Event, LegEvent, LegStatus, next_leg_status, next_status
from payments.transactions import transaction, transaction_required

log = structlog.get_logger(__name__)

ANSWER_LENGTH_MAX = 200

# A gateway that gives no definite answer for two hours, or is at it for longer than any bank: staff are told.
OVERDUE_AFTER_QUERIES = len(sweep.DELAYS_SECONDS)
OVERDUE_AFTER = datetime.timedelta(days=4)

_EVENTS = {
    Outcome.SUCCEEDED: LegEvent.SUCCEEDED,
    Outcome.FAILED: LegEvent.FAILED,
    Outcome.PENDING: LegEvent.ACCEPTED,
}


@transaction_required
def lock(*, refund_id: int) -> tuple[Order, Refund]:
    """Lock the refund's order, then the refund."""
    order_id = Refund.objects.values_list("order_id", flat=True).get(pk=refund_id)
    order = orders.lock(order_id=order_id)
    return order, Refund.objects.select_for_update(of=("self",)).get(pk=refund_id)


@transaction_required
def reserve(*, order: Order) -> None:
    """
    Set what the locked order and its charges keep reserved: what open legs ask for, as far as it is there.

    What a gateway says has gone back comes first, so a reservation gives way where both do not fit.
    """
    legs = list(RefundLeg.objects.filter(refund__order=order, status__in=LEG_OPEN).select_related("refund"))
    of_order = [leg for leg in legs if leg.refund.kind == Kind.ORDER]
    order.refunding_goods_fen = min(
        sum(leg.goods_fen for leg in of_order), order.goods_fen - order.refunded_goods_fen
    )  # fmt: skip
    order.refunding_shipping_fen = min(
        sum(leg.shipping_fen for leg in of_order), order.shipping_fen - order.refunded_shipping_fen
    )
    order.save(
        update_fields=[
            "refunding_goods_fen", "refunding_shipping_fen", "refunded_goods_fen", "refunded_shipping_fen",
        ]
    )  # fmt: skip
    for charge in Charge.objects.filter(order=order, paid_fen__isnull=False).order_by("pk"):
        asked_fen = sum(leg.amount_fen for leg in legs if leg.charge_id == charge.pk)
        charge.refunding_fen = min(asked_fen, (charge.paid_fen or 0) - charge.refunded_fen)
        charge.save(update_fields=["refunding_fen"])


@transaction_required
def take_recharge(*, order: Order, refund: Refund) -> None:
    """Take what a recharge brought out of the balance again, before anything goes back. See `bookings.take`."""
    for leg in refund.legs.all():
        bookings.take(order=order, refund=refund, leg=leg)


@transaction_required
def begin(*, order: Order, refund: Refund, at: datetime.datetime, lease: datetime.timedelta) -> None:
    """
    Let a refund go: what only our own accounts bear is settled now. The rest is the caller's to tell its gateway; after
    `lease` it is due for the sweep.
    """
    at_gateways = refund.legs.filter(charge__tender__in=CASH)
    if at_gateways.update(next_query_at=at + lease):
        return
    for leg in refund.legs.select_related("charge"):
        _succeed_leg(order=order, refund=refund, leg=leg, at=at)
    _succeed(order=order, refund=refund, actor=refund.decided_by or refund.requested_by, at=at)


@transaction_required
def give_up(*, order: Order, refund: Refund, at: datetime.datetime) -> None:
    """Nothing of a refund goes back: its legs fail, and what they kept reserved is free."""
    for leg in refund.legs.filter(status__in=LEG_OPEN):
        leg.status = next_leg_status(status=leg.status, event=LegEvent.FAILED)
        leg.settled_at, leg.next_query_at = at, None
        leg.save(update_fields=["status", "settled_at", "next_query_at"])
        bookings.return_taken(order=order, refund=refund, leg=leg)
    refund.settled_at = at
    refund.save(update_fields=["settled_at"])
    reserve(order=order)
    _tell(order=order, refund=refund, kind=EventKind.REFUND_FAILED, at=at)


def settle(*, leg_id: int, state: RefundState, at: datetime.datetime) -> None:
    """Record what a gateway says of a refund, exactly once: leg, money, refund, order."""
    with transaction():
        refund_id = RefundLeg.objects.values_list("refund_id", flat=True).get(pk=leg_id)
        order, refund = lock(refund_id=refund_id)
        leg = RefundLeg.objects.select_related("charge").get(pk=leg_id)
        if leg.status == LegStatus.SUCCEEDED:
            return
        event = LegEvent.STUCK if state.is_stuck else _EVENTS.get(state.outcome, LegEvent.LOST)
        is_other_amount = state.amount_fen not in {None, leg.amount_fen}
        if event == LegEvent.SUCCEEDED and not is_other_amount:
            succeed(order=order, refund=refund, leg=leg, at=state.refunded_at or at)
        elif leg.status == LegStatus.FAILED:
            _note(leg=leg, state=state, next_query_at=None)
        elif event == LegEvent.FAILED:
            _settle_failed(order=order, refund=refund, leg=leg, state=state, at=at)
        else:
            _ask_again(order=order, leg=leg, event=LegEvent.LOST if is_other_amount else event, state=state, at=at)
            if is_other_amount:
                log.error("refund_of_another_amount", leg=leg.number, amount_fen=state.amount_fen)
                _flag(order=order, leg=leg)


@transaction_required
def succeed(*, order: Order, refund: Refund, leg: RefundLeg, at: datetime.datetime) -> None:
    """Book a leg of a locked order that a gateway says has gone back and, with it, what our own accounts give back."""
    is_late = leg.status == LegStatus.FAILED
    _succeed_leg(order=order, refund=refund, leg=leg, at=at)
    if is_late:  # what we gave up has gone back after all: staff look whether too much did
        log.error("refund_succeeded_late", leg=leg.number)
        _flag(order=order, leg=leg)
    else:
        for own in refund.legs.exclude(pk=leg.pk).filter(status__in=LEG_OPEN).select_related("charge"):
            _succeed_leg(order=order, refund=refund, leg=own, at=at)
    if not refund.legs.exclude(status=LegStatus.SUCCEEDED).exists():
        _succeed(order=order, refund=refund, actor=f"gateway:{leg.charge.tender}", at=at)
        return
    # It failed before, and what our own accounts were to give back stays: staff give that back or not.
    reserve(order=order)
    if leg.charge.status == ChargeStatus.SUCCEEDED:
        orders.refunded(order=order, refund=refund, actor=f"gateway:{leg.charge.tender}", at=at)
        _tell(order=order, refund=refund, kind=EventKind.ORDER_REFUNDED, at=at)


@transaction_required
def _succeed_leg(*, order: Order, refund: Refund, leg: RefundLeg, at: datetime.datetime) -> None:
    leg.status = next_leg_status(status=leg.status, event=LegEvent.SUCCEEDED)
    leg.settled_at, leg.next_query_at, leg.last_answer = at, None, "succeeded"
    leg.save(update_fields=["status", "settled_at", "next_query_at", "last_answer"])
    excess_fen = bookings.book(order=order, refund=refund, leg=leg)
    if excess_fen:
        log.error("refunded_beyond_paid", leg=leg.number, excess_fen=excess_fen)
        _flag(order=order, leg=leg)


@transaction_required
def _succeed(*, order: Order, refund: Refund, actor: str, at: datetime.datetime) -> None:
    """Everything went back: refund, reservations, order, family."""
    refund.status = next_status(status=refund.status, event=Event.SETTLED)
    refund.settled_at = at
    refund.save(update_fields=["status", "settled_at"])
    reserve(order=order)
    audit.record(
        actor=actor, action="refund.succeeded", subject=order.subject, refund=refund.number,
        goods_fen=refund.goods_fen, shipping_fen=refund.shipping_fen,
    )  # fmt: skip
    log.info("refund_succeeded", order=order.number, refund=refund.number, amount_fen=refund.amount_fen)
    if refund.legs.filter(charge__status=ChargeStatus.SUCCEEDED).exists():
        orders.refunded(order=order, refund=refund, actor=actor, at=at)
        _tell(order=order, refund=refund, kind=EventKind.ORDER_REFUNDED, at=at)
    else:  # money that paid no order
        _clear_flag(order=order, refund=refund, actor=actor)
        _tell(order=order, refund=refund, kind=EventKind.SURPLUS_REFUNDED, at=at)


def _settle_failed(*, order: Order, refund: Refund, leg: RefundLeg, state: RefundState, at: datetime.datetime) -> None:
    leg.last_answer = _answer(state)
    leg.save(update_fields=["last_answer"])
    refund.status = next_status(status=refund.status, event=Event.FAILED)
    refund.save(update_fields=["status"])
    give_up(order=order, refund=refund, at=at)
    audit.record(
        actor=f"gateway:{leg.charge.tender}", action="refund.failed", subject=order.subject, refund=refund.number,
        answer=leg.last_answer,
    )  # fmt: skip
    log.error("refund_failed", order=order.number, leg=leg.number, answer=leg.last_answer)
    _flag(order=order, leg=leg)


def _tell(*, order: Order, refund: Refund, kind: EventKind, at: datetime.datetime) -> None:
    outbox.record(
        order=order, kind=kind, at=at, refund_no=refund.refund_no, refund_number=refund.number,
        amount_fen=refund.amount_fen,
    )  # fmt: skip


def _ask_again(*, order: Order, leg: RefundLeg, event: LegEvent, state: RefundState, at: datetime.datetime) -> None:
    is_newly_stuck = event == LegEvent.STUCK and leg.status != LegStatus.STUCK
    leg.status = next_leg_status(status=leg.status, event=event)
    leg.queries += 1
    leg.save(update_fields=["status", "queries"])
    _note(leg=leg, state=state, next_query_at=sweep.next_query_at(queries=leg.queries, at=at))
    if is_newly_stuck or _is_overdue(leg, at=at):
        log.error("refund_stuck" if is_newly_stuck else "refund_overdue", leg=leg.number, answer=leg.last_answer)
        _flag(order=order, leg=leg)


def _is_overdue(leg: RefundLeg, *, at: datetime.datetime) -> bool:
    """Whether a person should look why a refund does not come to an end."""
    if leg.status == LegStatus.UNKNOWN:
        return leg.queries >= OVERDUE_AFTER_QUERIES
    return leg.status == LegStatus.PENDING and at > leg.created_at + OVERDUE_AFTER


def _note(*, leg: RefundLeg, state: RefundState, next_query_at: datetime.datetime | None) -> None:
    leg.last_answer, leg.next_query_at = _answer(state), next_query_at
    leg.save(update_fields=["last_answer", "next_query_at"])


def _answer(state: RefundState) -> str:
    return (state.gateway_status or state.outcome.value)[:ANSWER_LENGTH_MAX]


def _flag(*, order: Order, leg: RefundLeg) -> None:
    orders.flag(
        order=order, money_flag=MoneyFlag.NEEDS_ATTENTION, actor=f"gateway:{leg.charge.tender}", reason=leg.number
    )  # fmt: skip


def _clear_flag(*, order: Order, refund: Refund, actor: str) -> None:
    """Money that came late or twice has gone back: where none is left, the flag has told what it had to tell."""
    waiting = Charge.objects.filter(order=order, status=ChargeStatus.SURPLUS)
    if order.money_flag in OF_SURPLUS and not waiting.exists():
        orders.clear_flag(order=order, actor=actor, reason=refund.number)
