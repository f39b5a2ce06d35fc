"""
The state machine of what staff ask for and a second person may have to decide on: a payment confirmed by hand, value
given or taken. Below a client's limit it is done as soon as it is asked for.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from payments import machine


class Status(models.TextChoices):
    TO_APPROVE = "to_approve", _("waits for a second person")
    DONE = "done", _("booked")
    REFUSED = "refused", _("not approved")


class Event(models.TextChoices):
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("not approved")


TRANSITIONS: dict[Status, dict[Event, Status]] = {
    Status.TO_APPROVE: {Event.APPROVED: Status.DONE, Event.REFUSED: Status.REFUSED},
    Status.DONE: {},
    Status.REFUSED: {},
}


def next_status(*, status: str, event: str) -> Status:
    """
    Return the status that `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(TRANSITIONS, status=Status(status), event=Event(event))
