"""Money is an integer number of fen. Yuan appears only at the edges, through this module. No float anywhere."""

import re
from decimal import Decimal
from typing import Any

from django.db import models

YUAN_DIGITS_MAX = 12
_YUAN = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?")


class FenField(models.BigIntegerField):  # type: ignore[type-arg]  # only the stubs take arguments
    """A non-negative amount in fen (1/100 yuan)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", 0)
        super().__init__(*args, **kwargs)


class NotAnAmount(ValueError):
    """The text is not an amount of yuan with at most two decimals."""


def fen_from_yuan(text: str) -> int:
    """
    Read yuan as written on the wire ("2144", "5.00", "21.4") and return fen.

    :raises NotAnAmount: for a sign, an exponent, more than two decimals, more than 12 digits, or anything else
    """
    match = _YUAN.fullmatch(text)
    if match is None or not text.isascii() or sum(map(len, match.groups(""))) > YUAN_DIGITS_MAX:
        raise NotAnAmount(text)
    whole, part = match.groups("")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def yuan_number(fen: int) -> int | Decimal:
    """Return fen as the number the documents show: 5 for 500, 131.28 for 13128, 0.5 for 50."""
    whole, part = divmod(fen, 100)
    return Decimal(f"{whole}.{part:02d}").normalize() if part else whole


def yuan_text(fen: int) -> str:
    """Return fen as yuan with two decimals, for people and gateways: `131.28`, `-0.50`."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"
