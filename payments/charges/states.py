"""
The charge state machine: one attempt at one tender's part of an order.

A charge that the gateway closed or refused may still turn out paid: gateways are late and contradict themselves, and
money that came is never denied. Whether it pays the order (`succeeded`) or is more than the order needs (`surplus`,
booked to suspense and due to go back) is decided under the order's lock.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from payments import machine


class Status(models.TextChoices):
    STARTED = "started", _("started")  # the intention is committed, the gateway may not know of it
    UNKNOWN = "unknown", _("unknown")  # called, but no definite answer
    PENDING = "pending", _("waiting for the payer")
    HELD = "held", _("held")  # points put aside until the cash is there
    SUCCEEDED = "succeeded", _("succeeded")
    SURPLUS = "surplus", _("surplus")
    RELEASED = "released", _("given back")
    FAILED = "failed", _("failed")
    CLOSED = "closed", _("closed")


class Event(models.TextChoices):
    ACCEPTED = "accepted", _("the gateway waits for the payer")
    LOST = "lost", _("no definite answer")
    PAID = "paid", _("paid")
    PAID_SURPLUS = "paid_surplus", _("paid, but not needed")
    REFUSED = "refused", _("refused by the gateway")
    CLOSED = "closed", _("closed")
    TAKEN = "taken", _("taken from the hold")
    RELEASED = "released", _("given back")


_PAID = {Event.PAID: Status.SUCCEEDED, Event.PAID_SURPLUS: Status.SURPLUS}

TRANSITIONS: dict[Status, dict[Event, Status]] = {
    Status.STARTED: {
        Event.ACCEPTED: Status.PENDING,
        Event.LOST: Status.UNKNOWN,
        Event.REFUSED: Status.FAILED,
        Event.CLOSED: Status.CLOSED,
        **_PAID,
    },
    Status.UNKNOWN: {
        Event.ACCEPTED: Status.PENDING,
        Event.CLOSED: Status.CLOSED,
        **_PAID,
    },
    Status.PENDING: {Event.CLOSED: Status.CLOSED, **_PAID},
    Status.HELD: {Event.TAKEN: Status.SUCCEEDED, Event.RELEASED: Status.RELEASED},
    Status.SUCCEEDED: {Event.RELEASED: Status.RELEASED},
    Status.SURPLUS: {Event.RELEASED: Status.RELEASED},
    Status.RELEASED: {},
    Status.FAILED: dict(_PAID),
    Status.CLOSED: dict(_PAID),
}

# The gateway may still be waiting for the payer.
OPEN = (Status.STARTED, Status.UNKNOWN, Status.PENDING)
# The gateway's money is in the books.
BOOKED = (Status.SUCCEEDED, Status.SURPLUS, Status.RELEASED)


def next_status(*, status: str, event: str) -> Status:
    """
    Return the status that `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(TRANSITIONS, status=Status(status), event=Event(event))
