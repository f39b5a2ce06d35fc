"""
Two axes of an English order beside the shared order's status: whether its goods are delivered, whether they are to be
returned.

The wire knows one status (document 004, CONTRACTS): `wire_status` projects the three onto it.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from payments import machine
from payments.orders.states import Status


class Delivery(models.TextChoices):
    WAITING = "waiting", _("not delivered")
    DELIVERED = "delivered", pgettext_lazy("English app", "delivered")
    FAILED = "failed", _("delivery failed")


class DeliveryEvent(models.TextChoices):
    DELIVER = "deliver", pgettext_lazy("English app", "delivered")
    GIVE_UP = "give_up", _("failed too often")
    TRY_AGAIN = "try_again", _("to be delivered again")


DELIVERIES: dict[Delivery, dict[DeliveryEvent, Delivery]] = {
    Delivery.WAITING: {DeliveryEvent.DELIVER: Delivery.DELIVERED, DeliveryEvent.GIVE_UP: Delivery.FAILED},
    Delivery.FAILED: {DeliveryEvent.TRY_AGAIN: Delivery.WAITING},
    Delivery.DELIVERED: {},
}


class Return(models.TextChoices):
    NONE = "none", _("none")
    ASKED = "asked", _("asked for")
    APPROVED = "approved", _("approved, its refund is on its way")
    FAILED = "failed", _("refused or failed")
    RETURNED = "returned", _("returned")


class ReturnEvent(models.TextChoices):
    ASK = "ask", _("asked for")
    APPROVE = "approve", _("approved")
    REFUSE = "refuse", _("refused")
    FAIL = "fail", _("its refund was not made")
    RETURN = "return", _("the money has gone back")


# However the money went back in full: then the order is returned.
_GONE = {ReturnEvent.RETURN: Return.RETURNED}

RETURNS: dict[Return, dict[ReturnEvent, Return]] = {
    Return.NONE: {ReturnEvent.ASK: Return.ASKED, **_GONE},
    Return.ASKED: {ReturnEvent.APPROVE: Return.APPROVED, ReturnEvent.REFUSE: Return.FAILED, **_GONE},
    Return.APPROVED: {ReturnEvent.FAIL: Return.FAILED, **_GONE},
    Return.FAILED: {ReturnEvent.ASK: Return.ASKED, **_GONE},
    Return.RETURNED: {},
}

# Statuses of an order whose goods are the customer's: it is paid, and not all of it went back.
PAID = (Status.PAY_FINISHED, Status.PARTLY_REFUND)
# Somebody decides on the return, or the money is on its way: nothing is delivered meanwhile.
RETURNING = (Return.ASKED, Return.APPROVED)
NOT_RETURNING = (Return.NONE, Return.FAILED)


class WireStatus(models.IntegerChoices):
    """`status` as document 004 has it."""

    WAITING = 0, _("waiting for its payment")
    NOT_PAID = 1, _("not paid")
    PAID = 2, _("paid")
    NOT_DELIVERED = 3, _("delivery failed")
    DONE = 4, _("done")
    RETURN_ASKED = 5, _("return asked for")
    RETURN_FAILED = 6, _("return failed")
    RETURNED = 7, _("returned")


_OF_ORDER: dict[Status, WireStatus] = {
    Status.UNPAID: WireStatus.WAITING,
    Status.POINT_PAID: WireStatus.WAITING,
    Status.CASH_PAID: WireStatus.WAITING,
    Status.CLOSED: WireStatus.NOT_PAID,
    Status.TOTAL_REFUND: WireStatus.RETURNED,
}
_OF_RETURN: dict[Return, WireStatus] = {
    Return.ASKED: WireStatus.RETURN_ASKED,
    Return.APPROVED: WireStatus.RETURN_ASKED,
    Return.FAILED: WireStatus.RETURN_FAILED,
    Return.RETURNED: WireStatus.RETURNED,
}
_OF_DELIVERY: dict[Delivery, WireStatus] = {
    Delivery.WAITING: WireStatus.PAID,
    Delivery.FAILED: WireStatus.NOT_DELIVERED,
    Delivery.DELIVERED: WireStatus.DONE,
}


def next_delivery(*, delivery: str, event: DeliveryEvent) -> Delivery:
    """
    Return where `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(DELIVERIES, status=Delivery(delivery), event=event)


def next_return(*, returning: str, event: ReturnEvent) -> Return:
    """
    Return where `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(RETURNS, status=Return(returning), event=event)


def wire_status(*, status: str, delivery: str, returning: str) -> WireStatus:
    """Return the one status that document 004 knows."""
    if status not in PAID:
        return _OF_ORDER[Status(status)]
    return _OF_RETURN.get(Return(returning)) or _OF_DELIVERY[Delivery(delivery)]
