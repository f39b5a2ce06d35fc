"""When a day's bill is there, and how far our clock and a gateway's may be apart."""

import datetime

from payments.days import SHANGHAI, bounds, day_of

__all__ = ["NEAR_MIDNIGHT", "READY_AT", "SHANGHAI", "bounds", "day_of", "is_near_midnight", "last_billed"]

# WeChat Pay makes yesterday's bill by ten, Alipay by nine.
READY_AT = datetime.time(10, 30)

# So far apart may our clock and theirs put one payment.
NEAR_MIDNIGHT = datetime.timedelta(minutes=30)


def last_billed(at: datetime.datetime) -> datetime.date:
    """Return the newest day whose bill the gateways should have made."""
    is_ready = at.astimezone(SHANGHAI).time() >= READY_AT
    return day_of(at) - datetime.timedelta(days=1 if is_ready else 2)


def is_near_midnight(at: datetime.datetime) -> bool:
    start, end = bounds(day_of(at))
    return at - start < NEAR_MIDNIGHT or end - at <= NEAR_MIDNIGHT
