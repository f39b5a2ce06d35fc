"""Changing orders. Lock the order before anything that belongs to it."""

import datetime
from typing import Any

import structlog
from django.db import connection
from django.db.models import Max
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.errors import Conflict
from payments.ledger import accounts
from payments.ledger import operations as ledger
from payments.ledger.models import TransferKind
from payments.ledger.operations import Posting
from payments.orders import families, states
from payments.orders.models import OF_SURPLUS, MoneyFlag, Order, OrderKind, OrderTransition
from payments.orders.states import AWAITING_CASH, Event, Status
from payments.outbox import operations as outbox
from payments.outbox.models import EventKind
from payments.transactions import DATABASE_TROUBLE, savepoint, transaction, transaction_required

log = structlog.get_logger(__name__)

FULFIL_AGAIN_AFTER = datetime.timedelta(minutes=1)


class NoFlag(Conflict):
    code = "no_flag"
    message = _("This order has no money flag (any more).")


@transaction_required
def lock(*, order_id: int) -> Order:
    """Load the order with a row lock."""
    return Order.objects.select_for_update(of=("self",)).get(pk=order_id)


@transaction_required
def apply(*, order: Order, event: str, actor: str, at: datetime.datetime, reason: str = "") -> None:
    """
    Apply `event` to a locked order and append it to the order's history.

    :raises machine.IllegalTransition: if the table does not allow it
    """
    target = states.next_status(status=order.status, event=event)
    last = order.transitions.aggregate(n=Max("sequence"))["n"] or 0
    OrderTransition.objects.create(
        order=order,
        sequence=last + 1,
        source=order.status,
        event=event,
        target=target,
        actor=actor,
        at=at,
        reason=reason,
    )
    order.status = target
    if target == Status.PAY_FINISHED:
        order.finished_at = at
    order.save(update_fields=["status", "finished_at"])


# Statuses that closing may end. Of an order whose cash has come it goes back first: that is a refund.
CLOSABLE = tuple(status for status in AWAITING_CASH if Event.CLOSED in states.TRANSITIONS[status])

_CLOSE = """
WITH moved AS (
    INSERT INTO payments_ordertransition (order_id, sequence, source, event, target, reason, actor, at)
    SELECT orders.id,
        1 + coalesce((SELECT max(sequence) FROM payments_ordertransition move WHERE move.order_id = orders.id), 0),
        orders.status, %(event)s, %(target)s, %(reason)s, %(actor)s, %(at)s
    FROM payments_order orders WHERE orders.id = ANY (%(ids)s)
)
UPDATE payments_order SET status = %(target)s, closed_at = %(at)s WHERE id = ANY (%(ids)s)
"""


@transaction_required
def close_all(*, order_ids: list[int], actor: str, at: datetime.datetime, reason: str) -> None:
    """Apply `closed` to locked orders in one of `CLOSABLE`: one statement for a thousand as for one."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLOSE,
            {
                "ids": order_ids, "event": Event.CLOSED.value, "target": Status.CLOSED.value, "reason": reason,
                "actor": actor, "at": at,
            },
        )  # fmt: skip


def finishing_postings(
    *, order_id: int | None, kind: str, customer_id: int, reference: str, total_fen: int, shipping_fen: int
) -> list[Posting]:
    """
    Return what finishing an order posts: escrow → sales and shipping or, for a recharge, → the customer's balance.

    `reference` is the number of the charge that made it complete.
    """
    if kind == OrderKind.RECHARGE:
        balance = accounts.customer_code(kind=accounts.Kind.BALANCE, customer_id=customer_id)
        return [
            Posting(
                debit=accounts.ESCROW, credit=balance, amount_fen=total_fen,
                kind=TransferKind.RECHARGE, reference=reference, order_id=order_id,
            )
        ]  # fmt: skip
    goods = Posting(
        debit=accounts.ESCROW, credit=accounts.SALES, amount_fen=total_fen - shipping_fen,
        kind=TransferKind.SALE, reference=reference, order_id=order_id,
    )  # fmt: skip
    shipping = Posting(
        debit=accounts.ESCROW, credit=accounts.SHIPPING, amount_fen=shipping_fen,
        kind=TransferKind.SHIPPING, reference=reference, order_id=order_id,
    )  # fmt: skip
    return [posting for posting in (goods, shipping) if posting.amount_fen]


@transaction_required
def finish(*, order: Order, reference: str, actor: str, at: datetime.datetime) -> None:
    """Complete a locked order whose tenders are all in escrow: status, where the money goes, fulfilment."""
    apply(order=order, event=Event.ALL_SETTLED, actor=actor, at=at, reason=reference)
    ledger.post(
        *finishing_postings(
            order_id=order.pk,
            kind=order.kind,
            customer_id=order.customer_id,
            reference=reference,
            total_fen=order.total_fen,
            shipping_fen=order.shipping_fen,
        )
    )
    outbox.record(order=order, kind=EventKind.ORDER_PAID, at=at)
    fulfil(order=order, at=at)


@transaction_required
def fulfil(*, order: Order, at: datetime.datetime) -> None:
    """
    Let the family deliver what was paid.

    If it cannot, the payment stands: the order is flagged and fulfilment is due again in a minute. The database's own
    trouble (a lock, a deadlock) is nobody's failure: it ends the transaction, which whoever asked repeats.
    """
    try:
        with savepoint():
            families.family(order.family).fulfil(order=order)
    except DATABASE_TROUBLE:
        raise
    except Exception:
        log.exception("fulfilment_failed", order=order.number)
        order.money_flag = MoneyFlag.NEEDS_ATTENTION
        order.fulfil_due_at = at + FULFIL_AGAIN_AFTER
        order.save(update_fields=["money_flag", "fulfil_due_at"])
    else:
        if order.fulfil_due_at is not None:
            order.fulfil_due_at = None
            order.save(update_fields=["fulfil_due_at"])


@transaction_required
def refunded(*, order: Order, refund: Any, actor: str, at: datetime.datetime) -> None:
    """
    Record on a locked order that a refund of it succeeded, and let the family take back what it delivered.

    If it cannot, the refund stands, as the money is gone: the order is flagged. The database's own trouble ends the
    transaction, as in `fulfil`.
    """
    if order.status == Status.TOTAL_REFUND:  # a gateway gave back more than all: there is no more to take back
        return
    event = Event.REFUNDED_IN_FULL if order.refunded_fen == order.total_fen else Event.REFUNDED_IN_PART
    apply(order=order, event=event, actor=actor, at=at, reason=refund.number)
    if order.status == Status.TOTAL_REFUND and order.fulfil_due_at is not None:  # what went back is not delivered
        order.fulfil_due_at = None
        order.save(update_fields=["fulfil_due_at"])
    try:
        with savepoint():
            families.family(order.family).take_back(order=order, refund=refund)
    except DATABASE_TROUBLE:
        raise
    except Exception:
        log.exception("take_back_failed", order=order.number, refund=refund.number)
        flag(order=order, money_flag=MoneyFlag.NEEDS_ATTENTION, actor=actor, reason=refund.number)


def fulfil_due(*, at: datetime.datetime, limit: int = 100) -> int:
    """Try again what `fulfil` could not do. Returns how many orders were tried."""
    due = Order.objects.filter(fulfil_due_at__lte=at).order_by("fulfil_due_at").values_list("pk", flat=True)[:limit]
    for order_id in list(due):
        try:
            _fulfil_again(order_id=order_id, at=at)
        except DATABASE_TROUBLE:  # it stays due; the others are not to wait for it
            log.exception("fulfilment_interrupted", order_id=order_id)
    return len(due)


def _fulfil_again(*, order_id: int, at: datetime.datetime) -> None:
    with transaction():
        order = Order.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=order_id).first()
        if order is not None and order.fulfil_due_at is not None and order.fulfil_due_at <= at:
            fulfil(order=order, at=at)


@transaction_required
def flag(*, order: Order, money_flag: MoneyFlag, actor: str, reason: str) -> None:
    """
    Raise a money flag on a locked order, for staff to see.

    One that stands is kept, but what needs attention is not hidden by a flag that goes by itself.
    """
    is_graver = order.money_flag in OF_SURPLUS and money_flag == MoneyFlag.NEEDS_ATTENTION
    if order.money_flag and not is_graver:
        return
    order.money_flag = money_flag
    order.save(update_fields=["money_flag"])
    audit.record(actor=actor, action="order.flag", subject=order.subject, flag=money_flag, reason=reason)


@transaction_required
def clear_flag(*, order: Order, actor: str, reason: str) -> None:
    """Take the money flag of a locked order away: what it told is done with."""
    cleared, order.money_flag = order.money_flag, MoneyFlag.NONE
    order.save(update_fields=["money_flag"])
    audit.record(actor=actor, action="order.unflag", subject=order.subject, flag=cleared, reason=reason)


def dismiss_flag(*, order_id: int, actor: str, reason: str) -> None:
    """
    Clear an order's money flag for somebody who has seen to it. An order whose fulfilment is due is flagged again.

    :raises NoFlag: if it has none
    """
    with transaction():
        order = lock(order_id=order_id)
        if not order.money_flag:
            raise NoFlag
        clear_flag(order=order, actor=actor, reason=reason)
