"""Reading the ledger."""

from django.db.models import Q, Sum

from payments.ledger.models import Account, Transfer


def balance_fen(*, code: str) -> int:
    """Return credits less debits of any account, summed from its transfers: fen, negative for an asset account."""
    sums = Transfer.objects.filter(Q(debit=code) | Q(credit=code)).aggregate(
        credits=Sum("amount_fen", filter=Q(credit=code), default=0),
        debits=Sum("amount_fen", filter=Q(debit=code), default=0),
    )
    return int(sums["credits"]) - int(sums["debits"])


def customer_balances_fen(*, customer_id: int) -> dict[str, int]:
    """Return the balance in fen of each account that a customer has, by kind."""
    return dict(Account.objects.filter(customer_id=customer_id).values_list("kind", "balance_fen"))
