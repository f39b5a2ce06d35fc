"""The house's day is Shanghai's, whatever clock we keep: gateways bill by it, and merchants count by it."""

import datetime
import zoneinfo

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")


def bounds(day: datetime.date) -> tuple[datetime.datetime, datetime.datetime]:
    """Return the first moment of a day and the first of the next."""
    start = datetime.datetime.combine(day, datetime.time(), SHANGHAI)
    return start, start + datetime.timedelta(days=1)


def day_of(at: datetime.datetime) -> datetime.date:
    return at.astimezone(SHANGHAI).date()
