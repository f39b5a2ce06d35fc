"""Order numbers: a date that people read and digits that nobody can guess or count. No counter row, no hot spot."""

import datetime
import secrets

from django.utils import timezone


def dated(*, at: datetime.datetime, digits: int) -> str:
    """
    Return `YYYYMMDD` in shop time and `digits` random ones, e.g. `2018061530000035`.

    Two may fall together; the unique constraint decides, and who inserts draws again.
    """
    return f"{timezone.localtime(at):%Y%m%d}{secrets.randbelow(10**digits):0{digits}d}"
