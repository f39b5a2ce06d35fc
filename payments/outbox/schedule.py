"""When a delivery that failed is tried again."""

import datetime
import email.utils
import secrets

# After the first attempt: 5 s, 1 min, 5 min, 15 min, 1 h, 3 h, 6 h, 12 h, 24 h, 24 h. Three days in all.
RETRIES_S = (5, 60, 300, 900, 3_600, 10_800, 21_600, 43_200, 86_400, 86_400)
JITTER_PERCENT = 10
RETRY_AFTER_MAX_S = 3_600


def pause(*, failures: int, retry_after_s: int = 0) -> datetime.timedelta | None:
    """
    Return how long to wait after so many failures; None where there is no retry left.

    Spread by a tenth, so that what failed together does not come back together. A receiver that names a time is
    given it, up to an hour.
    """
    if failures > len(RETRIES_S):
        return None
    ms = RETRIES_S[failures - 1] * 1_000
    spread_ms = ms * JITTER_PERCENT // 100
    ms += secrets.randbelow(2 * spread_ms + 1) - spread_ms
    return datetime.timedelta(milliseconds=max(ms, min(retry_after_s, RETRY_AFTER_MAX_S) * 1_000))


def retry_after_s(header: str, *, at: datetime.datetime) -> int:
    """Return the seconds that a `Retry-After` header asks for, a number or a date; 0 where it cannot be read."""
    if header.isascii() and header.isdigit():
        return int(header[:9])
    try:
        until = email.utils.parsedate_to_datetime(header)
        return max(0, round((until - at).total_seconds()))
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without a zone too
        return 0
