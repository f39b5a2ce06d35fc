"""
Where the goods of a partner order are: an axis of its own beside the shared order's status.

The wire knows one status (document 002, CONTRACTS): `wire_status` projects the two onto it.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from payments import machine
from payments.orders.states import Status


class Delivery(models.TextChoices):
    WAITING = "waiting", _("not shipped")
    SHIPPED = "shipped", _("shipped")
    RECEIVED = "received", _("received")


class Event(models.TextChoices):
    SHIP = "ship", _("shipped, or its shipment corrected")
    RECEIVE = "receive", _("received")


TRANSITIONS: dict[Delivery, dict[Event, Delivery]] = {
    Delivery.WAITING: {Event.SHIP: Delivery.SHIPPED},
    Delivery.SHIPPED: {Event.SHIP: Delivery.SHIPPED, Event.RECEIVE: Delivery.RECEIVED},
    Delivery.RECEIVED: {},
}

# Statuses of an order whose goods may be shipped and received: it is paid, and not all of it went back.
PAID = (Status.PAY_FINISHED, Status.PARTLY_REFUND)
# Statuses of an order that needs neither its stock nor its coupon any more.
OVER = (Status.CLOSED, Status.TOTAL_REFUND)


class WireStatus(models.IntegerChoices):
    """`order_status` as CONTRACTS has it."""

    UNPAID = 0, _("unpaid")
    PAID = 1, _("paid")
    SHIPPED = 2, _("shipped")
    RECEIVED = 3, _("received")
    CLOSED = 4, _("closed")
    PARTLY_REFUNDED = 5, _("partly refunded")
    REFUNDED = 6, _("fully refunded")


_OF_ORDER: dict[Status, WireStatus] = {
    Status.UNPAID: WireStatus.UNPAID,
    Status.POINT_PAID: WireStatus.UNPAID,
    Status.CASH_PAID: WireStatus.UNPAID,
    Status.PAY_FINISHED: WireStatus.PAID,
    Status.PARTLY_REFUND: WireStatus.PARTLY_REFUNDED,
    Status.TOTAL_REFUND: WireStatus.REFUNDED,
    Status.CLOSED: WireStatus.CLOSED,
}
# Only of an order that is paid and nothing else does the wire tell where its goods are.
_OF_DELIVERY: dict[Delivery, WireStatus] = {
    Delivery.WAITING: WireStatus.PAID,
    Delivery.SHIPPED: WireStatus.SHIPPED,
    Delivery.RECEIVED: WireStatus.RECEIVED,
}


def next_delivery(*, delivery: str, event: str) -> Delivery:
    """
    Return where `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(TRANSITIONS, status=Delivery(delivery), event=Event(event))


def wire_status(*, status: str, delivery: str) -> WireStatus:
    """Return the one status that document 002 knows."""
    if status == Status.PAY_FINISHED:
        return _OF_DELIVERY[Delivery(delivery)]
    return _OF_ORDER[Status(status)]
