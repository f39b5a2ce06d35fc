"""A refund as its client sees it, whatever family's call asks."""

from typing import Any

from payments.models import Refund
from payments.money import yuan_number
from payments.refunds import queries
from payments.refunds.states import Status

# One who asked is not told of our second person: what was not approved did not succeed.
_TOLD_AS = {Status.REFUSED: Status.FAILED}
STATUSES = [status.value for status in Status if status not in _TOLD_AS]


def refund_status(refund: Refund) -> str:
    """Return the status on the wire, one of `STATUSES`."""
    status = Status(refund.status)
    return _TOLD_AS.get(status, status).value


def refund_told(refund: Refund) -> dict[str, Any]:
    """Return what every answer about a refund says of it, beside what the family says of the order."""
    shares = queries.shares(refund)
    return {
        "refund_no": refund.refund_no,
        "refund_number": refund.number,
        "refund_status": refund_status(refund),
        "goods_amount": yuan_number(refund.goods_fen),
        "shipping_amount": yuan_number(refund.shipping_fen),
        "point_refund_amount": yuan_number(shares.points_fen),
        "balance_refund_amount": yuan_number(shares.balance_fen),
        "cash_refund_amount": yuan_number(shares.cash_fen),
        "refunded_amount": yuan_number(refund.order.refunded_fen),
    }
