"""
What the bills of all gateways have in common: the day of Shanghai's clock, sums in yuan as text, and what happens
where there is no bill.
"""

import datetime
import hashlib
import re
import zoneinfo
from collections.abc import Callable

from payments.gateways.base import Bill, BillNotReady, BillUnusable
from payments.gateways.http import Limits

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")  # a bill's times carry no zone and mean this one
MADE_BY = datetime.time(10)  # of the next day: Alipay says 9 o'clock, WeChat Pay 10
MOST_BYTES = 64 * 1024 * 1024  # as it comes, and unpacked
LIMITS = Limits(total_seconds=60, body_bytes=MOST_BYTES, connections=4)

_ADDRESS = re.compile(r"https?://[!-~]{1,2000}")
_TIME = "%Y-%m-%d %H:%M:%S"
_YUAN = re.compile(r"(-?)([0-9]{1,12})(?:\.([0-9]{1,8}))?")


def none_exists(day: datetime.date, *, at: datetime.datetime) -> Bill:
    """
    What it means that the gateway has no bill of that day: until ten the next morning, that it is not made yet; from
    then on, that there was no trade, as gateways make none then.

    :raises BillNotReady: the former
    """
    made_by = datetime.datetime.combine(day + datetime.timedelta(days=1), MADE_BY, SHANGHAI)
    if at < made_by:
        raise BillNotReady(f"no bill of {day} before {made_by:%d %H:%M}")
    return Bill(day=day, entries=(), sha256=digest(b""))


def is_address(text: str) -> bool:
    """Whether this can be asked for as it stands. Where it leads is for the caller to look at."""
    return _ADDRESS.fullmatch(text) is not None


def digest(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()


def decoded(file: bytes, charset: str) -> str:
    """:raises BillUnusable: `charset`, or `truncated` where the file ends inside of a character"""
    try:
        return file.decode(charset)
    except UnicodeDecodeError as error:
        ends_early = error.reason in {"unexpected end of data", "incomplete multibyte sequence"}
        raise BillUnusable("truncated" if ends_early else "charset", str(error)) from error


def units(yuan: str, *, decimals: int = 2) -> int:
    """
    `12.3` → 1230 fen; with more `decimals`, finer units. Never a float, and never rounded: nothing is no sum.

    :raises BillUnusable: not an amount, or finer than that
    """
    match = _YUAN.fullmatch(yuan or "0")
    if not match or (match[3] or "")[decimals:].strip("0"):
        raise BillUnusable("malformed", f"not an amount in yuan: {yuan[:32]!r}")
    whole = int(match[2] + (match[3] or "")[:decimals].ljust(decimals, "0"))
    return -whole if match[1] else whole


def moment(text: str) -> datetime.datetime:
    try:
        return datetime.datetime.strptime(text, _TIME).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise BillUnusable("malformed", f"not a time: {text[:32]!r}") from error


def columns(names: list[str], needed: tuple[str, ...]) -> Callable[[list[str]], dict[str, str]]:
    """
    Return what reads a line by the names of its columns, whatever their order and whichever come beside.

    :raises BillUnusable: a needed one is missing or comes twice
    """
    if lacking := [name for name in needed if names.count(name) != 1]:
        raise BillUnusable("malformed", f"no column {lacking[0]}")

    def read(cells: list[str]) -> dict[str, str]:
        if len(cells) != len(names):
            raise BillUnusable("malformed", f"a line of {len(cells)} cells under {len(names)} names")
        return dict(zip(names, (cell.strip() for cell in cells), strict=True))

    return read
