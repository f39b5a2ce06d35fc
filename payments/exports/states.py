"""The state machine of an export: queued, being written, and then there or not."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Status(models.TextChoices):
    QUEUED = "queued", _("waits for its turn")
    RUNNING = "running", _("being written")
    DONE = "done", _("ready")
    FAILED = "failed", _("failed")


class Event(models.TextChoices):
    CLAIMED = "claimed", _("claimed")
    WRITTEN = "written", _("written")
    GIVEN_UP = "given_up", _("given up")


TRANSITIONS: dict[Status, dict[Event, Status]] = {
    Status.QUEUED: {Event.CLAIMED: Status.RUNNING},
    # Claimed once more, where whoever wrote it was killed: it begins anew.
    Status.RUNNING: {Event.CLAIMED: Status.RUNNING, Event.WRITTEN: Status.DONE, Event.GIVEN_UP: Status.FAILED},
    Status.DONE: {},
    Status.FAILED: {},
}

UNFINISHED = (Status.QUEUED, Status.RUNNING)
