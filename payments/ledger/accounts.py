"""
The chart of accounts.

An account is a code. System accounts are constants and carry no balance row: they are summed, so that no row is
hot. A customer's accounts are `points:<customer id>` and `balance:<customer id>`, rows whose balance may not go
below zero. Money moves from the debited to the credited account; a customer's balance is credits less debits.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

ESCROW = "escrow"  # paid in for orders that are not finished
SALES = "sales"
SHIPPING = "shipping"
SUSPENSE = "suspense"  # money that came and belongs to no order: late, paid twice, of a wrong amount
REFUNDING = "refunding"  # taken back out of a balance for a refund that is on its way
POINTS_ISSUED = "points_issued"
BALANCE_ISSUED = "balance_issued"

SYSTEM = (ESCROW, SALES, SHIPPING, SUSPENSE, REFUNDING, POINTS_ISSUED, BALANCE_ISSUED)


class Kind(models.TextChoices):
    """The accounts a customer has."""

    POINTS = "points", _("points")
    BALANCE = "balance", _("balance")


ISSUED = {Kind.POINTS: POINTS_ISSUED, Kind.BALANCE: BALANCE_ISSUED}


def customer_code(*, kind: str, customer_id: int) -> str:
    return f"{kind}:{customer_id}"


def clearing_code(*, gateway_account_id: int) -> str:
    """The account of money that a gateway holds for us, one for each merchant account."""
    return f"clearing:{gateway_account_id}"
