"""
The order state machine.

Everything that decides whether an order may change status lives in this file, and as much of it as possible in the
table. The database's CHECK and trigger, the admin filters, the API enum and docs/order-states.md follow from it.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from payments import machine


class Status(models.TextChoices):
    UNPAID = "unpaid", _("unpaid")
    POINT_PAID = "point_paid", _("points paid")
    CASH_PAID = "cash_paid", _("cash paid")
    PAY_FINISHED = "pay_finished", _("paid in full")
    PARTLY_REFUND = "partly_refund", _("partly refunded")
    TOTAL_REFUND = "total_refund", _("fully refunded")
    CLOSED = "closed", _("closed")


class Event(models.TextChoices):
    POINTS_SETTLED = "points_settled", _("points settled, cash due")
    CASH_SETTLED = "cash_settled", _("cash settled, points due")
    ALL_SETTLED = "all_settled", _("everything settled")
    REFUNDED_IN_PART = "refunded_in_part", _("refunded in part")
    REFUNDED_IN_FULL = "refunded_in_full", _("refunded in full")
    CLOSED = "closed", _("closed")


TRANSITIONS: dict[Status, dict[Event, Status]] = {
    Status.UNPAID: {
        Event.POINTS_SETTLED: Status.POINT_PAID,
        Event.CASH_SETTLED: Status.CASH_PAID,
        Event.ALL_SETTLED: Status.PAY_FINISHED,
        Event.CLOSED: Status.CLOSED,
    },
    Status.POINT_PAID: {Event.ALL_SETTLED: Status.PAY_FINISHED, Event.CLOSED: Status.CLOSED},
    # Its cash goes back before it closes.
    Status.CASH_PAID: {Event.ALL_SETTLED: Status.PAY_FINISHED, Event.CLOSED: Status.CLOSED},
    Status.PAY_FINISHED: {
        Event.REFUNDED_IN_PART: Status.PARTLY_REFUND,
        Event.REFUNDED_IN_FULL: Status.TOTAL_REFUND,
    },
    Status.PARTLY_REFUND: {
        Event.REFUNDED_IN_PART: Status.PARTLY_REFUND,
        Event.REFUNDED_IN_FULL: Status.TOTAL_REFUND,
    },
    Status.TOTAL_REFUND: {},
    Status.CLOSED: {},
}

# Statuses in which cash is still waited for.
AWAITING_CASH = (Status.UNPAID, Status.POINT_PAID)


def next_status(*, status: str, event: str) -> Status:
    """
    Return the status that `event` leads to.

    :raises machine.IllegalTransition: if the table has no such move
    """
    return machine.move(TRANSITIONS, status=Status(status), event=Event(event))
