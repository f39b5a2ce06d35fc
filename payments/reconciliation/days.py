"""A gateway's day is Shanghai's, whatever clock we keep."""

import datetime
import zoneinfo

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")

# WeChat Pay makes yesterday's bill by ten, Alipay by nine.
READY_AT = datetime.time(10, 30)

# So far apart may our clock and theirs put one payment.
NEAR_MIDNIGHT = datetime.timedelta(minutes=30)


def bounds(day: datetime.date) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the first moment of a day and the first of the next."""
    start = datetime.datetime.combine(day, datetime.time(), SHANGHAI)
    return start, start + datetime.timedelta(days=1)


def day_of(at: datetime.datetime) -> datetime.date:
    return at.astimezone(SHANGHAI).date()


def last_billed(at: datetime.datetime) -> datetime.date:
    """Return the newest day whose bill the gateways should have made."""
    is_ready = at.astimezone(SHANGHAI).time() >= READY_AT
    return day_of(at) - datetime.timedelta(days=1 if is_ready else 2)


def is_near_midnight(at: datetime.datetime) -> bool:
    start, end = bounds(day_of(at))
    return at - start < NEAR_MIDNIGHT or end - at <= NEAR_MIDNIGHT
