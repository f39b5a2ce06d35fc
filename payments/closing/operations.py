"""
Ending orders that nobody paid.

An order is closed when no attempt at its cash is open any more: the sweep asks about every attempt around its end at
the gateway, closes it there and asks again, and money found on that way pays the order. So the stale orders here are
closed in batches that no network can slow down; an order with an open attempt is not among them yet.

A client or staff may close earlier. Money that comes after all goes back (`payments.closing.late_money`).
"""

import datetime
from collections import defaultdict
from collections.abc import Callable

import structlog
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.charges import operations as charges
from payments.charges import queries as charge_queries
from payments.charges import sweep
from payments.charges.models import OWN
from payments.charges.states import Event as ChargeEvent
from payments.charges.states import Status as ChargeStatus
from payments.charges.states import next_status
from payments.closing import queries
from payments.errors import Conflict, Malformed, TryAgain
from payments.gateways.base import Outcome
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.models import TransferKind
from payments.ledger.operations import Posting
from payments.orders import families
from payments.orders import operations as orders
from payments.orders.models import MoneyFlag, Order
from payments.orders.states import Status
from payments.outbox import operations as outbox
from payments.outbox.models import EventKind
from payments.transactions import DATABASE_TROUBLE, outside_transaction, transaction, transaction_required

log = structlog.get_logger(__name__)

BATCH = 1_000
EXPIRED = "expired"
REASON_LENGTH_MAX = 128


class OrderNotClosable(Conflict):
    """The order is paid, in part or in full: it ends by a refund."""

    code = "order_paid"
    message = _("This order is paid, so it cannot be closed. Refund it instead.")


class GatewayUnanswered(TryAgain):
    """Whether the order is being paid at this moment is not known."""

    code = "gateway_unanswered"
    message = _("The payment service has not answered, so it is not known whether the order is paid. Try again.")


@outside_transaction
def close(*, order_id: int, actor: str, at: datetime.datetime, reason: str = "") -> Order:
    """
    Close an unpaid order before its time: ask about each open attempt, close it at the gateway, ask again, close here.

    Where a gateway will not close an attempt yet (WeChat's first five minutes, an Alipay code that nobody has
    scanned), the order closes all the same and the sweep goes on trying; what is paid then goes back. Closing a closed
    order changes nothing.

    :raises Malformed: for a reason that no column holds
    :raises OrderNotClosable: if it is paid, or turns out to be
    :raises GatewayUnanswered: if a gateway does not tell whether it is
    """
    if len(reason) > REASON_LENGTH_MAX:
        raise Malformed(_("Send at most %(limit)s characters."), field="reason", limit=REASON_LENGTH_MAX)
    for charge in charge_queries.open_charges(order_id=order_id):
        _charge, outcome = charges.retire(charge_id=charge.pk, at=at)
        if outcome is Outcome.UNKNOWN:
            raise GatewayUnanswered
    with transaction():
        order = orders.lock(order_id=order_id)
        if order.status == Status.CLOSED:
            return order
        if order.status not in orders.CLOSABLE:
            raise OrderNotClosable
        _close_locked(order_ids=[order_id], actor=actor, at=at, reason=reason)
        if charge_queries.open_charges(order_id=order_id).update(next_query_at=at):
            sweep.wake()
        audit.record(actor=actor, action="order.close", subject=order.subject, reason=reason)
        order.refresh_from_db()
        return order


def close_due(*, at: datetime.datetime, tell: Callable[[int], None] = lambda _closed: None) -> int:
    """
    Close every order whose time has run out and of which no attempt is open, batch by batch, and return how many.

    `tell` is told how many have been closed so far. Two at once share the work.
    """
    closed, after = 0, None
    while True:
        batch, after = _close_batch(at=at, after=after)
        if after is None:
            return closed
        closed += batch
        tell(closed)


def _close_batch(*, at: datetime.datetime, after: queries.Place | None) -> tuple[int, queries.Place | None]:
    """Close the next batch and return how many were closed, and the place of its last; None where nothing is left."""
    due: list[queries.Place] = []
    try:
        with transaction():
            due = queries.lock_due(at=at, limit=BATCH, after=after)
            if due:
                _close_locked(
                    order_ids=[order_id for _expires_at, order_id in due], actor=audit.SYSTEM, at=at, reason=EXPIRED
                )
        return len(due), due[-1] if due else None
    except DATABASE_TROUBLE:
        raise
    except Exception:
        if not due:
            raise
        log.exception("closing_batch_failed", orders=len(due))
    return sum(_close_alone(order_id=order_id, at=at) for _expires_at, order_id in due), due[-1]


def _close_alone(*, order_id: int, at: datetime.datetime) -> bool:
    """One order's trouble must not keep the others open: staff are told of it."""
    try:
        with transaction():
            orders.lock(order_id=order_id)
            if not queries.due(at=at).filter(pk=order_id).exists():
                return False
            _close_locked(order_ids=[order_id], actor=audit.SYSTEM, at=at, reason=EXPIRED)
            return True
    except DATABASE_TROUBLE:
        raise
    except Exception:
        log.exception("closing_failed", order_id=order_id)
    with transaction():
        order = orders.lock(order_id=order_id)
        orders.flag(order=order, money_flag=MoneyFlag.NEEDS_ATTENTION, actor=audit.SYSTEM, reason="closing failed")
    return False


@transaction_required
def _close_locked(*, order_ids: list[int], actor: str, at: datetime.datetime, reason: str) -> None:
    """Close locked orders that can be: history, own accounts, what their families reserved. As one, or none."""
    families_of = defaultdict(list)
    for order_id, family in Order.objects.filter(pk__in=order_ids).values_list("pk", "family"):
        families_of[family].append(order_id)
    orders.close_all(order_ids=order_ids, actor=actor, at=at, reason=reason)
    ledger.post(*_release(order_ids=order_ids))
    outbox.record_all(order_ids=order_ids, kind=EventKind.ORDER_CLOSED, at=at)
    for family, ids in families_of.items():
        families.family(family).release(order_ids=ids)


_RELEASE = """
UPDATE payments_charge charge SET status = %(released)s
FROM payments_order orders
WHERE orders.id = charge.order_id AND charge.order_id = ANY (%(ids)s) AND charge.tender = ANY (%(own)s)
    AND charge.status = ANY (%(settled)s)
RETURNING charge.number, charge.tender, charge.amount_fen, charge.order_id, orders.customer_id
"""


@transaction_required
def _release(*, order_ids: list[int]) -> list[Posting]:
    """Give back what the customers' own accounts paid and return what that posts: escrow → points or balance."""
    settled = [ChargeStatus.HELD, ChargeStatus.SUCCEEDED]
    released = {next_status(status=status, event=ChargeEvent.RELEASED) for status in settled}
    with connection.cursor() as cursor:
        cursor.execute(
            _RELEASE,
            {
                "ids": order_ids, "own": [tender.value for tender in OWN], "released": released.pop().value,
                "settled": [status.value for status in settled],
            },
        )  # fmt: skip
        return [
            Posting(
                debit=accounts.ESCROW,
                credit=accounts.customer_code(kind=tender, customer_id=customer_id),
                amount_fen=amount_fen,
                kind=TransferKind.RELEASE,
                reference=number,
                order_id=order_id,
            )
            for number, tender, amount_fen, order_id, customer_id in cursor.fetchall()
        ]


@outside_transaction
def end_attempt(*, charge_id: int) -> str:
    """Ask about an attempt of an order that is past its time, close it at the gateway, and return what came of it."""
    try:
        return str(charges.ask(charge_id=charge_id, at=timezone.now()).status)
    except TryAgain as error:
        return error.code
