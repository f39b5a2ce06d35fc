"""
The state machines of a refund, of its legs, one for each tender that gives something back, and of a batch's lines.

A refund succeeds as a whole or not at all: what goes back into our own accounts goes with the cash, once the gateway
says that the cash went. A leg that failed may still turn out to have succeeded, as gateways are late and contradict
themselves; money that went back is never denied.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from payments import machine


class Status(models.TextChoices):
    TO_APPROVE = "to_approve", _("waits for a second person")
    PENDING = "pending", _("on its way")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    REFUSED = "refused", _("not approved")


class Event(models.TextChoices):
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("not approved")
    SETTLED = "settled", _("everything went back")
    FAILED = "failed", _("nothing went back")


TRANSITIONS: dict[Status, dict[Event, Status]] = {
    Status.TO_APPROVE: {Event.APPROVED: Status.PENDING, Event.REFUSED: Status.REFUSED},
    Status.PENDING: {Event.SETTLED: Status.SUCCEEDED, Event.FAILED: Status.FAILED},
    Status.SUCCEEDED: {},
    Status.FAILED: {Event.SETTLED: Status.SUCCEEDED},
    Status.REFUSED: {},
}


class LegStatus(models.TextChoices):
    STARTED = "started", _("started")  # the intention is committed, the gateway may not know of it
    UNKNOWN = "unknown", _("unknown")  # called, but no definite answer
    PENDING = "pending", _("on its way")
    STUCK = "stuck", _("stuck at the gateway")  # left us, not with the payer: staff lead it on there
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


class LegEvent(models.TextChoices):
    LOST = "lost", _("no definite answer")
    ACCEPTED = "accepted", _("the gateway is at it")
    STUCK = "stuck", _("stuck at the gateway")
    SUCCEEDED = "succeeded", _("went back")
    FAILED = "failed", _("did not go back")


_ENDS = {LegEvent.SUCCEEDED: LegStatus.SUCCEEDED, LegEvent.FAILED: LegStatus.FAILED}
_GOES_ON = {LegEvent.ACCEPTED: LegStatus.PENDING, LegEvent.STUCK: LegStatus.STUCK, **_ENDS}

LEG_TRANSITIONS: dict[LegStatus, dict[LegEvent, LegStatus]] = {
    LegStatus.STARTED: {LegEvent.LOST: LegStatus.UNKNOWN, **_GOES_ON},
    LegStatus.UNKNOWN: {LegEvent.LOST: LegStatus.UNKNOWN, **_GOES_ON},
    LegStatus.PENDING: {LegEvent.LOST: LegStatus.PENDING, **_GOES_ON},
    LegStatus.STUCK: {LegEvent.LOST: LegStatus.STUCK, **_GOES_ON},
    LegStatus.SUCCEEDED: {},
    LegStatus.FAILED: {LegEvent.SUCCEEDED: LegStatus.SUCCEEDED},
}


class LineStatus(models.TextChoices):
    """Of one order in a refund of many at once."""

    WAITING = "waiting", _("waits its turn")
    DONE = "done", _("asked for")  # the refund stands, and goes its own way
    REFUSED = "refused", _("not possible")


class LineEvent(models.TextChoices):
    ASKED = "asked", _("asked for")
    REFUSED = "refused", _("not possible")


LINE_TRANSITIONS: dict[LineStatus, dict[LineEvent, LineStatus]] = {
    LineStatus.WAITING: {LineEvent.ASKED: LineStatus.DONE, LineEvent.REFUSED: LineStatus.REFUSED},
    LineStatus.DONE: {},
    LineStatus.REFUSED: {},
}

# What is reserved for such a leg may still go back.
LEG_OPEN = (LegStatus.STARTED, LegStatus.UNKNOWN, LegStatus.PENDING, LegStatus.STUCK)


def next_status(*, status: str, event: str) -> Status:
    """
    Return the status of a refund that `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(TRANSITIONS, status=Status(status), event=Event(event))


def next_leg_status(*, status: str, event: str) -> LegStatus:
    """
    Return the status of a leg that `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(LEG_TRANSITIONS, status=LegStatus(status), event=LegEvent(event))


def next_line_status(*, status: str, event: str) -> LineStatus:
    """
    Return the status of a batch's line that `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(LINE_TRANSITIONS, status=LineStatus(status), event=LineEvent(event))
