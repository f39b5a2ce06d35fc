"""
Recording what a gateway says about an attempt: the one place where cash is booked.

Notification and query come through the same `settle`. Only a definite answer moves money, and only under the order's
lock: the first paid attempt of the right amount pays the order, any other paid one is booked to suspense.
"""

import datetime

import structlog
from django.db.models import QuerySet

from payments import audit, transactions
from payments.charges import sweep
from payments.charges.models import Charge, Tender
from payments.charges.states import BOOKED, OPEN, Event, Status, next_status
from payments.gateways.base import Outcome, PaymentState
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.models import TransferKind
from payments.ledger.operations import Posting
from payments.orders import operations as orders
from payments.orders.models import MoneyFlag, Order
from payments.orders.states import AWAITING_CASH
from payments.orders.states import Event as OrderEvent
from payments.orders.states import Status as OrderStatus
from payments.outbox import operations as outbox
from payments.outbox.models import EventKind
from payments.transactions import transaction, transaction_required

log = structlog.get_logger(__name__)

# Gives back what was paid too late or twice (`payments.closing.late_money`).
LATE_MONEY_TASK = "payments.refund_late_money"
ANSWER_LENGTH_MAX = 200
BY_HAND = "confirmed by hand"  # the last word on what staff confirm instead of the gateway


@transaction_required
def lock(*, charge_id: int) -> tuple[Order, Charge]:
    """Lock the charge's order, then the charge."""
    order_id = Charge.objects.values_list("order_id", flat=True).get(pk=charge_id)
    order = orders.lock(order_id=order_id)
    return order, Charge.objects.select_for_update(of=("self",)).get(pk=charge_id)


def note(
    *, charge_id: int, event: Event, at: datetime.datetime, answer: str = "", payload: dict[str, str] | None = None
) -> Charge:
    """
    Record an answer that moves no money. What was settled meanwhile stands.

    A no to a request that was made before may mean that the first one was taken (and paid): only a query can tell.
    """
    with transaction():
        _order, charge = lock(charge_id=charge_id)
        if event == Event.REFUSED and charge.status != Status.STARTED:
            event = Event.LOST
        if charge.status not in OPEN or (charge.status == Status.PENDING and event in {Event.LOST, Event.ACCEPTED}):
            return charge
        if not (charge.status == Status.UNKNOWN and event == Event.LOST):
            charge.status = next_status(status=charge.status, event=event)
        charge.last_answer = answer[:ANSWER_LENGTH_MAX]
        charge.payload = payload if payload is not None else charge.payload
        if charge.status not in OPEN:
            # A refused one is asked about once: a request whose process was killed may have been taken before.
            charge.next_query_at = at if charge.status == Status.FAILED else None
        charge.save(update_fields=["status", "last_answer", "payload", "next_query_at"])
        return charge


def settle(*, charge_id: int, state: PaymentState, at: datetime.datetime) -> Charge:
    """Record what the gateway says of an attempt, exactly once: status, money, order."""
    with transaction():
        order, charge = lock(charge_id=charge_id)
        settle_locked(order=order, charge=charge, state=state, actor=f"gateway:{charge.tender}", at=at)
        return charge


@transaction_required
def settle_locked(*, order: Order, charge: Charge, state: PaymentState, actor: str, at: datetime.datetime) -> None:
    """Record what `actor` says of a locked attempt. See `settle`."""
    if charge.status in BOOKED:
        _check_repeat(order=order, charge=charge, state=state, actor=actor)
        return
    answer = state.gateway_status or state.outcome.value
    other = _of_trade(charge=charge, trade_no=state.trade_no).first()
    is_gateways_word = state.outcome is Outcome.SUCCEEDED and state.gateway_status != BY_HAND
    if other is not None and other.last_answer == BY_HAND and is_gateways_word:
        _take_from_hand(charge_id=other.pk, trade_no=state.trade_no, actor=actor)
        other = None
    if other is not None:
        # One trade pays one attempt. A gateway that says otherwise is not believed; staff are told.
        log.error("trade_booked_before", charge=charge.number, trade_no=state.trade_no)
        orders.flag(order=order, money_flag=MoneyFlag.NEEDS_ATTENTION, actor=actor, reason=charge.number)
        _ask_again(charge=charge, answer=f"trade {state.trade_no} was booked before", at=at)
    elif state.outcome is Outcome.SUCCEEDED and state.amount_fen is not None:
        _settle_paid(order=order, charge=charge, state=state, actor=actor, at=at)
    elif state.outcome is Outcome.FAILED or _is_gone(charge=charge, state=state, at=at):
        _settle_closed(charge=charge, answer=answer)
    else:
        _ask_again(charge=charge, answer=answer, at=at)


def _check_repeat(*, order: Order, charge: Charge, state: PaymentState, actor: str) -> None:
    """A repeat changes nothing; one that tells another story, as of what was confirmed by hand, is for people."""
    other = state.trade_no and charge.gateway_trade_no and state.trade_no != charge.gateway_trade_no
    if other and state.outcome is Outcome.SUCCEEDED:
        log.error("charge_paid_under_two_trades", charge=charge.number, trade_no=state.trade_no)
        orders.flag(order=order, money_flag=MoneyFlag.NEEDS_ATTENTION, actor=actor, reason=charge.number)


def is_booked_elsewhere(*, charge: Charge, trade_no: str) -> bool:
    """Whether the gateway's number is that of another attempt's payment."""
    return bool(_of_trade(charge=charge, trade_no=trade_no).exists())


def _of_trade(*, charge: Charge, trade_no: str) -> QuerySet[Charge]:
    """Return the other attempt, if there is one, that has the gateway's number."""
    if not trade_no:
        return Charge.objects.none()
    same_trade = Charge.objects.filter(gateway_account=charge.gateway_account_id, gateway_trade_no=trade_no)
    return same_trade.exclude(pk=charge.pk)


def _take_from_hand(*, charge_id: int, trade_no: str, actor: str) -> None:
    """
    The number that a person entered for this attempt is another's payment, says the gateway: it is taken away.

    What was confirmed stays booked without it, and staff look at the order.
    """
    order, charge = lock(charge_id=charge_id)
    charge.gateway_trade_no = ""
    charge.save(update_fields=["gateway_trade_no"])
    log.error("trade_entered_by_hand_is_anothers", charge=charge.number, trade_no=trade_no)
    orders.flag(order=order, money_flag=MoneyFlag.NEEDS_ATTENTION, actor=actor, reason=charge.number)


def _is_gone(*, charge: Charge, state: PaymentState, at: datetime.datetime) -> bool:
    if state.outcome is not Outcome.NOT_FOUND or charge.expires_at is None:
        return False
    return at > charge.expires_at + sweep.NOT_FOUND_IS_FINAL_AFTER


def _settle_closed(*, charge: Charge, answer: str) -> None:
    if charge.status in OPEN:
        charge.status = next_status(status=charge.status, event=Event.CLOSED)
    charge.last_answer = answer[:ANSWER_LENGTH_MAX]
    charge.next_query_at = None
    charge.save(update_fields=["status", "last_answer", "next_query_at"])


def _ask_again(*, charge: Charge, answer: str, at: datetime.datetime) -> None:
    charge.last_answer = answer[:ANSWER_LENGTH_MAX]
    charge.queries += 1
    charge.next_query_at = sweep.next_query_of(charge, at=at) if charge.status in OPEN else None
    charge.save(update_fields=["last_answer", "queries", "next_query_at"])


def _settle_paid(*, order: Order, charge: Charge, state: PaymentState, actor: str, at: datetime.datetime) -> None:
    paid_fen = state.amount_fen or 0
    pays = order.status in AWAITING_CASH and paid_fen == charge.amount_fen
    charge.status = next_status(status=charge.status, event=Event.PAID if pays else Event.PAID_SURPLUS)
    charge.paid_fen = paid_fen
    charge.gateway_trade_no = state.trade_no
    charge.paid_at = state.paid_at or at
    charge.last_answer = (state.gateway_status or state.outcome.value)[:ANSWER_LENGTH_MAX]
    charge.next_query_at = None
    charge.save(
        update_fields=["status", "paid_fen", "gateway_trade_no", "paid_at", "last_answer", "next_query_at"]
    )  # fmt: skip
    ledger.post(_cash_posting(order=order, charge=charge, pays=pays))
    audit.record(actor=actor, action="charge.paid" if pays else "charge.surplus", subject=order.subject,
                 charge=charge.number, paid_fen=paid_fen, trade_no=state.trade_no)  # fmt: skip
    log.info("charge_paid", order=order.number, charge=charge.number, paid_fen=paid_fen, pays=pays)
    if pays:
        _pay_order(order=order, charge=charge, actor=actor, at=at)
    else:
        orders.flag(order=order, money_flag=_surplus_flag(order), actor=actor, reason=charge.number)
        transactions.wake(LATE_MONEY_TASK)
        is_late = order.status == OrderStatus.CLOSED
        outbox.record(order=order, kind=EventKind.ORDER_PAID_LATE if is_late else EventKind.ORDER_OVERPAID, at=at)


def _cash_posting(*, order: Order, charge: Charge, pays: bool) -> Posting:
    return Posting(
        debit=accounts.clearing_code(gateway_account_id=charge.gateway_account_id or 0),
        credit=accounts.ESCROW if pays else accounts.SUSPENSE,
        amount_fen=charge.paid_fen or 0,
        kind=TransferKind.PAYMENT if pays else TransferKind.SURPLUS,
        reference=charge.number,
        order_id=order.pk,
    )


def _surplus_flag(order: Order) -> MoneyFlag:
    if order.status == OrderStatus.CLOSED:
        return MoneyFlag.PAID_LATE
    return MoneyFlag.NEEDS_ATTENTION if order.status in AWAITING_CASH else MoneyFlag.OVERPAID


@transaction_required
def _pay_order(*, order: Order, charge: Charge, actor: str, at: datetime.datetime) -> None:
    """All cash is there: take the points that were held for it, and finish the order."""
    held = order.charges.select_for_update(of=("self",)).filter(tender=Tender.POINTS, status=Status.HELD).first()
    if held is not None:
        orders.apply(order=order, event=OrderEvent.CASH_SETTLED, actor=actor, at=at, reason=charge.number)
        held.status = next_status(status=held.status, event=Event.TAKEN)
        held.save(update_fields=["status"])
    orders.finish(order=order, reference=charge.number, actor=actor, at=at)
    if order.charges.filter(status__in=OPEN).update(next_query_at=at):
        sweep.wake()  # the other attempts are to be closed before somebody pays them too
