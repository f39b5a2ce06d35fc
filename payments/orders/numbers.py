"""Order numbers: a date that people read and digits that are drawn. No counter row, no hot spot."""

import datetime
import secrets

from django.utils import timezone


def dated(*, at: datetime.datetime, digits: int) -> str:
    """
    Return `YYYYMMDD` in shop time and `digits` random ones, e.g. `2018061530000035`.

    Two may fall together; the unique constraint decides, and who inserts draws again.
    """
    return f"{timezone.localtime(at):%Y%m%d}{secrets.randbelow(10**digits):0{digits}d}"


def clocked(*, at: datetime.datetime) -> str:
    """
    Return 27 digits, `YYYYMMDDHHMMSS` in shop time and 13 of epoch milliseconds: `202201071757551641549475668`.

    The milliseconds are those of `at` or up to a second later, drawn, so that two orders of one moment seldom meet. Two
    may fall together; the unique constraint decides, and who inserts draws again.
    """
    milliseconds = int(at.timestamp() * 1_000) + secrets.randbelow(1_000)
    return f"{timezone.localtime(at):%Y%m%d%H%M%S}{milliseconds:013d}"
