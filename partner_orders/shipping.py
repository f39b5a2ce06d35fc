"""Where an order's goods are: shipped by the warehouse, received by the customer, or by itself after a while."""

import dataclasses
import datetime
import hashlib

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from partner_orders import queries
from partner_orders.models import PartnerOrder
from partner_orders.states import PAID, TRANSITIONS, Delivery, Event, next_delivery
from payments import audit
from payments.audit import AuditRow
from payments.errors import Conflict, Malformed
from payments.models import Order
from payments.orders import operations as orders
from payments.transactions import transaction, transaction_required

TASK = "partner_orders.receive_due"
BATCH = 500
# A warehouse's clock may be a little ahead of ours.
CLOCKS_APART = datetime.timedelta(minutes=5)


class OrderNotShippable(Conflict):
    code = "order_not_shippable"
    message = _("This order is not to be shipped: it is not paid, is refunded in full, or was received already.")


class OrderNotReceivable(Conflict):
    code = "order_not_receivable"
    message = _("This order cannot be received: it has not been shipped, or is refunded in full.")


class ShippedMeanwhile(Conflict):
    code = "shipped_meanwhile"
    message = _("This order was shipped, corrected or received since this form was opened. Look at it, then go on.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shipment:
    """
    Who carries it, under which number. `at` is when the parcel left; `code` the courier's short name.

    An `at` of None is the time at which it is told first.
    """

    name: str
    number: str
    at: datetime.datetime | None = None
    code: str = ""
    address: str = ""


def seen(document: PartnerOrder) -> str:
    """Return what tells, later on, whether an order's goods are still where somebody saw them."""
    return hashlib.sha256(repr([document.delivery, shipment_of(document)]).encode()).hexdigest()


def shipment_of(document: PartnerOrder) -> Shipment | None:
    """Return how an order was shipped, None if it was not."""
    if document.shipped_at is None:
        return None
    return Shipment(
        name=document.express_name, number=document.express_number, at=document.shipped_at, code=document.express_code,
        address=document.express_address,
    )  # fmt: skip


def is_shippable(document: PartnerOrder) -> bool:
    """Whether an order may be shipped, or its shipment corrected."""
    return document.order.status in PAID and Event.SHIP in TRANSITIONS[Delivery(document.delivery)]


def ship(*, order_id: int, shipment: Shipment, actor: str, at: datetime.datetime, as_seen: str = "") -> PartnerOrder:
    """
    Record that a paid order was shipped. Until it is received, shipping it again corrects the shipment.

    What is told twice is done once. `as_seen` is what `seen` told when somebody decided on this.

    :raises ShippedMeanwhile: if that is no longer so
    :raises Malformed: for a time that is still to come, or was before the order
    :raises OrderNotShippable: if it is not paid, refunded in full, or received
    """
    with transaction():
        order, document = _lock(order_id=order_id)
        told = shipment_of(document)
        if told is not None and shipment in (told, dataclasses.replace(told, at=None)):
            return queries.detail(number=order.number)
        if as_seen not in ("", seen(document)):
            raise ShippedMeanwhile
        if not is_shippable(document):
            raise OrderNotShippable(field="order_no")
        shipped_at = shipment.at or at
        if not order.created_at.replace(microsecond=0) <= shipped_at <= at + CLOCKS_APART:  # the wire tells seconds
            raise Malformed(_("Send the time at which it was shipped: after the order, not in the future."),
                            field="order_express_time")  # fmt: skip
        document.delivery = next_delivery(delivery=document.delivery, event=Event.SHIP)
        before = [document.express_name, document.express_number]
        document.express_name, document.express_number = shipment.name, shipment.number
        document.express_code, document.express_address = shipment.code, shipment.address
        document.shipped_at = shipped_at
        document.save(
            update_fields=[
                "delivery", "express_name", "express_number", "express_code", "express_address", "shipped_at",
            ]
        )  # fmt: skip
        audit.record(
            actor=actor, action="partner_order.ship", subject=order.subject,
            before=before, after=[shipment.name, shipment.number],
        )  # fmt: skip
    return queries.detail(number=order.number)


def receive(
    *, order_id: int, actor: str, at: datetime.datetime, reason: str = ""
) -> PartnerOrder:  # fmt: skip
    """
    Record that a shipped order has arrived. Once more changes nothing.

    :raises OrderNotReceivable: if it was not shipped, or is refunded in full
    """
    with transaction():
        order, document = _lock(order_id=order_id)
        if document.delivery != Delivery.RECEIVED:
            if order.status not in PAID or Event.RECEIVE not in TRANSITIONS[Delivery(document.delivery)]:
                raise OrderNotReceivable(field="order_no")
            document.delivery = next_delivery(delivery=document.delivery, event=Event.RECEIVE)
            document.received_at = at
            document.save(update_fields=["delivery", "received_at"])
            audit.record(actor=actor, action=RECEIVED, subject=order.subject, reason=reason)
    return queries.detail(number=order.number)


RECEIVED = "partner_order.receive"


def to_receive(*, at: datetime.datetime) -> QuerySet[Order]:
    """Return the paid orders that were shipped so long ago that they have arrived."""
    shipped_before = at - datetime.timedelta(days=settings.PARTNER_RECEIVE_AFTER_DAYS)
    return Order.objects.filter(
        partner__delivery=Delivery.SHIPPED, partner__shipped_at__lte=shipped_before, status__in=PAID
    )


def receive_due(*, at: datetime.datetime) -> int:
    """
    Take every order as received that was shipped long ago, batch by batch, and return how many.

    Two at once share the work: what one has locked the other passes over.
    """
    received = 0
    while batch := _receive_batch(at=at):
        received += batch
    return received


def _receive_batch(*, at: datetime.datetime) -> int:
    with transaction():
        due = to_receive(at=at).order_by("partner__shipped_at", "partner__id")
        locked = list(due.select_for_update(of=("self",), skip_locked=True)[:BATCH])
        # Locked now, so looked at again: somebody may have received it between the look and the lock.
        documents = PartnerOrder.objects.filter(order__in=locked, delivery=Delivery.SHIPPED)
        taken = set(documents.values_list("order_id", flat=True))
        PartnerOrder.objects.filter(order_id__in=taken).update(
            delivery=next_delivery(delivery=Delivery.SHIPPED, event=Event.RECEIVE), received_at=at
        )
        AuditRow.objects.bulk_create(
            audit.row(actor=audit.SYSTEM, action=RECEIVED, subject=order.subject)
            for order in locked
            if order.pk in taken
        )
        return len(taken)


@transaction_required
def _lock(*, order_id: int) -> tuple[Order, PartnerOrder]:
    """Lock the order, then its document."""
    order = orders.lock(order_id=order_id)
    document = PartnerOrder.objects.select_for_update(of=("self",)).get(order=order)
    document.order = order
    return order, document
