"""
Paid goods reach their customer: a task grants them, again and again while it fails, until it gives up.

When it is due is a row's; Celery only wakes it. While somebody decides on a return nothing is delivered.
"""

import datetime

import structlog
from django.utils.translation import gettext_lazy as _

from english_app import memberships
from english_app.models import MESSAGE_LENGTH_MAX, EnglishOrder, Grant
from english_app.states import NOT_RETURNING, PAID, RETURNING, Delivery, DeliveryEvent, Return, next_delivery
from payments import audit
from payments.errors import Conflict, OnetillError
from payments.models import Order
from payments.orders import operations as orders
from payments.transactions import DATABASE_TROUBLE, savepoint, transaction, transaction_required, wake

TASK = "english_app.deliver_due"
BATCH = 100
# After each failure it is due again; after the last it waits for staff.
AGAIN_AFTER = tuple(datetime.timedelta(seconds=seconds) for seconds in (10, 60, 300, 1_800))
FAILED = _("The goods could not be delivered. Ask the shop.")

log = structlog.get_logger(__name__)


class NotToDeliver(Conflict):
    code = "not_to_deliver"
    message = _("The delivery of this order has not failed (any more), or the order is being returned.")


@transaction_required
def lock(*, order_id: int) -> tuple[Order, EnglishOrder]:
    """Lock the order, then its document."""
    order = orders.lock(order_id=order_id)
    document = EnglishOrder.objects.select_for_update(of=("self",)).get(order=order)
    document.order = order
    return order, document


@transaction_required
def start(*, document: EnglishOrder, at: datetime.datetime) -> None:
    """Have a locked order delivered as soon as may be."""
    document.deliver_due_at = at
    document.save(update_fields=["deliver_due_at"])
    wake(TASK)


def deliver_due(*, at: datetime.datetime) -> int:
    """Deliver what is due, each order on its own. Returns how many were tried; two at once do nothing twice."""
    due = EnglishOrder.objects.filter(deliver_due_at__lte=at).order_by("deliver_due_at", "pk")
    order_ids = list(due.values_list("order_id", flat=True)[:BATCH])
    for order_id in order_ids:
        try:
            deliver(order_id=order_id, at=at)
        except DATABASE_TROUBLE:  # it stays due; the others are not to wait for it
            log.exception("delivery_interrupted", order_id=order_id)
    return len(order_ids)


def deliver(*, order_id: int, at: datetime.datetime) -> None:
    """Grant what a paid order bought, if that is due. What fails is due again, or waits for staff."""
    with transaction():
        order, document = lock(order_id=order_id)
        if document.deliver_due_at is None or document.deliver_due_at > at:
            return
        if order.status not in PAID or document.returning in RETURNING:
            document.deliver_due_at = None
            document.save(update_fields=["deliver_due_at"])
            return
        try:
            with savepoint():
                _grant(document=document, at=at)
        except DATABASE_TROUBLE:
            raise
        except Exception as error:
            log.exception("delivery_failed", order=order.number, attempt=document.delivery_attempts + 1)
            _fail(document=document, error=error, at=at)
        else:
            document.delivery = next_delivery(delivery=document.delivery, event=DeliveryEvent.DELIVER)
            document.delivered_at, document.deliver_due_at = at, None
            _say("", document=document)
            document.save(update_fields=["delivery", "delivered_at", "deliver_due_at", "message"])
            audit.record(actor=audit.SYSTEM, action="english.deliver", subject=order.subject)


@transaction_required
def _grant(*, document: EnglishOrder, at: datetime.datetime) -> None:
    Grant.objects.bulk_create(
        Grant(line=line, customer_id=document.customer_id, granted_at=at) for line in document.lines.all()
    )
    memberships.recount(customer_id=document.customer_id)


@transaction_required
def _fail(*, document: EnglishOrder, error: Exception, at: datetime.datetime) -> None:
    document.delivery_attempts += 1
    _say(error.sentence() if isinstance(error, OnetillError) else str(FAILED), document=document)
    if document.delivery_attempts <= len(AGAIN_AFTER):
        document.deliver_due_at = at + AGAIN_AFTER[document.delivery_attempts - 1]
    else:
        document.delivery = next_delivery(delivery=document.delivery, event=DeliveryEvent.GIVE_UP)
        document.deliver_due_at = None
        log.error("delivery_given_up", order=document.order.number)
    document.save(update_fields=["delivery", "delivery_attempts", "deliver_due_at", "message"])


def _say(message: str, *, document: EnglishOrder) -> None:
    """Tell the app how the delivery goes, unless it is to tell why a return was refused."""
    if document.returning == Return.NONE:
        document.message = message[:MESSAGE_LENGTH_MAX]


def deliver_again(*, order_id: int, actor: str, at: datetime.datetime, reason: str = "") -> None:
    """
    Have a delivery that failed for good tried again, from the first attempt on.

    :raises NotToDeliver: if it has not failed, or its order is being returned
    """
    with transaction():
        order, document = lock(order_id=order_id)
        if not may_deliver_again(document):
            raise NotToDeliver
        document.delivery = next_delivery(delivery=document.delivery, event=DeliveryEvent.TRY_AGAIN)
        document.delivery_attempts = 0
        document.save(update_fields=["delivery", "delivery_attempts"])
        audit.record(actor=actor, action="english.deliver_again", subject=order.subject, reason=reason)
        start(document=document, at=at)


def may_deliver_again(document: EnglishOrder) -> bool:
    return (
        document.delivery == Delivery.FAILED and document.order.status in PAID and document.returning in NOT_RETURNING
    )
