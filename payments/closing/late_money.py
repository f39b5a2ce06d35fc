"""
Money that came too late, twice, or in another amount than was asked for.

It stands in suspense, on a charge that is a `surplus`. That row is what is due: by the client's policy it goes back by
itself, or waits for staff.
"""

import datetime

import structlog
from django.utils import timezone
from django.utils.translation import gettext as _

from payments import audit
from payments.refunds import operations as refunds
from payments.refunds import queries
from payments.refunds.operations import NothingToReturn

log = structlog.get_logger(__name__)


def refund_due(*, at: datetime.datetime | None = None, limit: int = 100) -> int:
    """
    Give back every surplus that goes back by itself, each on its own, and return how many were begun.

    A refund that failed is not tried again here: the order is flagged, and staff decide.
    """
    begun = 0
    for charge_id in list(queries.surplus_due().values_list("pk", flat=True)[:limit]):
        try:
            refunds.refund_surplus(
                charge_id=charge_id, actor=audit.SYSTEM, reason=_("Paid late or twice"), at=at or timezone.now()
            )
        except NothingToReturn:  # somebody else was first
            continue
        except Exception:  # one payment's trouble must not keep the others here
            log.exception("late_money_failed", charge_id=charge_id)
            continue
        begun += 1
    return begun
