"""
Goods given back: the customer asks, staff decide, the money goes to the balance, the goods are taken back.

`payments.refunds` moves the money. Until its refund has an end the return is approved and no more; what ends it is
`fulfilment.take_back` or, where the refund was not made, `settle_due`.
"""

import datetime

import structlog
from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from english_app import deliveries
from english_app.models import MESSAGE_LENGTH_MAX, RETURN_ASKS_MAX, EnglishOrder, OrderType
from english_app.states import PAID, RETURNING, Delivery, Return, ReturnEvent, next_return
from payments import audit
from payments.errors import Conflict, Malformed
from payments.models import Order
from payments.orders.states import Status
from payments.refunds import operations as refunds
from payments.refunds import queries as refund_queries
from payments.refunds.operations import RefundCommand
from payments.refunds.states import Status as RefundStatus
from payments.transactions import outside_transaction, transaction, transaction_required

TASK = "english_app.settle_due_returns"
BATCH = 100
REASON = "return"
NOT_MADE = (RefundStatus.FAILED, RefundStatus.REFUSED)

log = structlog.get_logger(__name__)


class NotReturnable(Conflict):
    """Nothing of the order can be returned: one of the following says why."""


class RechargeNotReturnable(NotReturnable):
    code = "recharge_not_returnable"
    message = _("A recharge cannot be returned: its money is in the balance. Send the order_sn of a purchase.")


class NotPaid(NotReturnable):
    code = "order_not_paid"
    message = _("This order is not paid, so there is nothing to return.")


class Returned(NotReturnable):
    code = "order_returned"
    message = _("This order is returned already.")


class ReturnTooLate(NotReturnable):
    code = "return_too_late"
    message = _("An order can be returned within %(days)s days after it was paid.")


class ReturnAskedTooOften(NotReturnable):
    code = "return_asked_too_often"
    message = _("The return of this order was refused, and asked for again. Ask the shop.")


class NotToDecide(Conflict):
    code = "return_decided"
    message = _("This return does not wait for a decision (any more).")


class DecidedMeanwhile(Conflict):
    """Whoever decides has seen another state of the return."""

    code = "decided_meanwhile"
    message = _(
        "This return was decided on, or asked for again, or money of it went back, since this form was opened. Look at "
        "it, then go on."
    )


def seen(document: EnglishOrder) -> str:
    """Return what tells, later on, whether a return and the money left for it are still as somebody saw them."""
    return f"{document.returning}:{document.return_asks}:{refund_queries.goods_left_fen(document.order)}"


@transaction_required
def _move(*, document: EnglishOrder, event: ReturnEvent) -> None:
    document.returning = next_return(returning=document.returning, event=event)


def ask(*, order_id: int, actor: str, at: datetime.datetime) -> None:
    """
    Ask for the return of a paid order. Asking while it is asked for changes nothing.

    :raises NotReturnable: if nothing can be returned (one of its kinds)
    """
    with transaction():
        order, document = deliveries.lock(order_id=order_id)
        if document.returning in RETURNING and order.status in PAID:
            return
        _check_returnable(order=order, document=document, at=at)
        _move(document=document, event=ReturnEvent.ASK)
        document.return_asks += 1
        # What was said of an earlier ask, and its refund, are not this one's.
        document.return_asked_at, document.deliver_due_at, document.refund, document.message = at, None, None, ""
        document.save(
            update_fields=["returning", "return_asks", "return_asked_at", "deliver_due_at", "refund", "message"]
        )
        audit.record(actor=actor, action="english.return_ask", subject=order.subject)


def _check_returnable(*, order: Order, document: EnglishOrder, at: datetime.datetime) -> None:
    if document.type == OrderType.RECHARGE:
        raise RechargeNotReturnable(field="order_sn")
    if order.status == Status.TOTAL_REFUND:
        raise Returned(field="order_sn")
    if order.status not in PAID or order.finished_at is None:
        raise NotPaid(field="order_sn")
    if at > order.finished_at + datetime.timedelta(days=settings.ENGLISH_RETURN_DAYS):
        raise ReturnTooLate(field="order_sn", days=settings.ENGLISH_RETURN_DAYS)
    if document.return_asks >= RETURN_ASKS_MAX:
        raise ReturnAskedTooOften(field="order_sn")


@outside_transaction
def approve(
    *,
    order_id: int,
    actor: str,
    at: datetime.datetime,
    reason: str = "",
    as_seen: str = "",
) -> EnglishOrder:
    """
    Let a return go: all that is left of the order's money goes back to where it came from.

    Above the client's limit the refund waits for a second person. `as_seen` is what `seen` told when somebody decided
    on this.

    :raises DecidedMeanwhile: if that is no longer so
    :raises NotToDecide: if the return does not wait for a decision (any more)
    """
    with transaction():
        order, document = deliveries.lock(order_id=order_id)
        _decide(document=document, event=ReturnEvent.APPROVE, actor=actor, at=at, as_seen=as_seen)
        document.save(update_fields=["returning", "decided_by", "decided_at"])
        audit.record(actor=actor, action="english.return_approve", subject=order.subject, reason=reason)
    _settle(order_id=order_id, at=at)
    return EnglishOrder.objects.select_related("order", "refund").get(order_id=order_id)


def refuse(*, order_id: int, actor: str, at: datetime.datetime, reason: str, as_seen: str = "") -> EnglishOrder:
    """
    Do not take an order back, and tell its customer why. What was not delivered yet is delivered.

    :raises Malformed: without a reason, or for one that no column holds
    :raises DecidedMeanwhile: if the return is not as `as_seen` says; see `approve`
    :raises NotToDecide: if the return does not wait for a decision (any more)
    """
    if not reason or len(reason) > MESSAGE_LENGTH_MAX:
        raise Malformed(_("Send a reason of at most %(limit)s characters."), field="reason", limit=MESSAGE_LENGTH_MAX)
    with transaction():
        order, document = deliveries.lock(order_id=order_id)
        _decide(document=document, event=ReturnEvent.REFUSE, actor=actor, at=at, as_seen=as_seen)
        _fail(document=document, message=reason, at=at)
        audit.record(actor=actor, action="english.return_refuse", subject=order.subject, reason=reason)
        return document


@transaction_required
def _decide(*, document: EnglishOrder, event: ReturnEvent, actor: str, at: datetime.datetime, as_seen: str) -> None:
    if as_seen not in ("", seen(document)):
        raise DecidedMeanwhile
    if document.returning != Return.ASKED:
        raise NotToDecide
    _move(document=document, event=event)
    document.decided_by, document.decided_at = actor, at


@transaction_required
def _fail(*, document: EnglishOrder, message: str, at: datetime.datetime) -> None:
    document.message = message
    document.save(update_fields=["returning", "decided_by", "decided_at", "message"])
    if document.delivery == Delivery.WAITING:
        deliveries.start(document=document, at=at)


def to_settle() -> QuerySet[EnglishOrder]:
    """Return the approved returns that can go on: not those whose refund is on its way, or waits for somebody."""
    can_go_on = Q(refund__isnull=True) | Q(refund__status__in=NOT_MADE)
    return EnglishOrder.objects.filter(can_go_on, returning=Return.APPROVED)


def settle_due(*, at: datetime.datetime) -> int:
    """Ask for refunds of approved returns that have none yet, and end returns whose refund was not made."""
    # Those for which another refund waits come last: many of them would keep the others waiting.
    approved = to_settle().order_by("order__refunding_goods_fen", "pk")
    order_ids = list(approved.values_list("order_id", flat=True)[:BATCH])
    for order_id in order_ids:
        try:
            _settle(order_id=order_id, at=at)
        except Exception:
            # One return's trouble must not keep the others waiting: it is looked at again the next time.
            log.exception("return_not_settled", order_id=order_id)
    return len(order_ids)


@outside_transaction
def _settle(*, order_id: int, at: datetime.datetime) -> None:
    """Take an approved return one step further. Each step is safe to repeat."""
    document = EnglishOrder.objects.select_related("order", "refund").get(order_id=order_id)
    if document.returning != Return.APPROVED:
        return
    if document.refund is None:
        _refund(document=document, at=at)
    elif document.refund.status in NOT_MADE:
        with transaction():
            order, locked = deliveries.lock(order_id=order_id)
            if locked.returning == Return.APPROVED and locked.refund_id == document.refund_id:
                _move(document=locked, event=ReturnEvent.FAIL)
                _fail(document=locked, message=str(_("The refund was not made. Ask the shop.")), at=at)
                audit.record(actor=audit.SYSTEM, action="english.return_fail", subject=order.subject)


@outside_transaction
def _refund(*, document: EnglishOrder, at: datetime.datetime) -> None:
    """Refund what is left of the order under a number of this return's own, and note which refund that is."""
    order = document.order
    refund_no = f"{order.number}-return-{document.return_asks}"
    # Not whatever the client itself may have refunded under that number.
    made = order.refunds.filter(refund_no=refund_no, requested_by=document.decided_by).first()
    if made is None:
        if order.refunding_goods_fen:  # another refund is on its way: how much is left shows when it has ended
            return
        left_fen = refund_queries.goods_left_fen(order)
        command = RefundCommand(goods_fen=left_fen, refund_no=refund_no, reason=REASON, seen_left_fen=(left_fen, 0))
        try:
            made = refunds.refund(order_id=order.pk, command=command, actor=document.decided_by, at=at)
        except (refunds.RefundedMeanwhile, refunds.OrderRefunded):  # `settle_due` looks again
            return
    with transaction():
        _order, locked = deliveries.lock(order_id=order.pk)
        if locked.return_asks == document.return_asks:  # not another ask's, of which somebody decides by now
            locked.refund = made
            locked.save(update_fields=["refund"])
