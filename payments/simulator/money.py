"""Amounts for people and protocols."""

import re


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def fen(text: str) -> int | None:
    """What somebody typed as yuan; None where that is no amount."""
    match = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?", text)
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else None
