"""Amounts for people and protocols."""


def yuan(amount_fen: int) -> str:
    """Fen as yuan with two decimals."""
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"
