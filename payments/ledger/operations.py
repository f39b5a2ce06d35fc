"""Writing to the ledger. Nothing else inserts transfers but `charges.placement`, whose one statement does the same."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from django.db import connection
from django.utils.translation import gettext_lazy as _

from payments.errors import OnetillError
from payments.ledger import accounts
from payments.ledger.models import Transfer
from payments.transactions import transaction_required


class NotEnough(OnetillError):
    """The account holds less than is to be spent."""

    code = "not_enough"
    message = _("The balance is too small")


class PostingConflict(Exception):
    """A transfer of this reference and kind stands in the books with other figures: a bug, never a repeat."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Posting:
    """A transfer to be written. `reference` is the number of the charge, refund leg or grant it belongs to."""

    debit: str
    credit: str
    amount_fen: int
    kind: str
    reference: str
    order_id: int | None = None


_COLUMNS = tuple(field.name for field in dataclasses.fields(Posting))
_INSERT = """
INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id)
SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (reference, kind) DO NOTHING
RETURNING reference, kind
"""

_CHANGES = "unnest(%s::text[], %s::bigint[], %s::bigint[]) AS change (kind, customer_id, by_fen)"
_LOCK = f"""
SELECT 1 FROM payments_account account JOIN {_CHANGES} USING (kind, customer_id)
ORDER BY account.id FOR UPDATE OF account
"""  # noqa: S608  a constant
_MOVE = f"""
UPDATE payments_account account SET balance_fen = account.balance_fen + change.by_fen
FROM {_CHANGES}
WHERE (account.kind, account.customer_id) = (change.kind, change.customer_id)
    AND account.balance_fen + change.by_fen >= 0
"""  # noqa: S608  a constant


@transaction_required
def post(*postings: Posting) -> set[tuple[str, str]]:
    """
    Write transfers and move the customers' balances: as many statements for a thousand as for two.

    What is written already is left as it is. Returns (reference, kind) of what was written now. The customers'
    accounts are locked in order of their ids first, so that two batches cannot deadlock.

    :raises NotEnough: if a customer's account would go below zero
    :raises PostingConflict: if a reference and kind stand in the books with another amount or account
    """
    wanted = [posting for posting in postings if posting.amount_fen]
    if not wanted:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, columns(wanted))
        written: set[tuple[str, str]] = set(cursor.fetchall())
        _check_repeats([posting for posting in wanted if (posting.reference, posting.kind) not in written])
        changes = _changes([posting for posting in wanted if (posting.reference, posting.kind) in written])
        if changes:
            arrays = [list(column) for column in zip(*changes, strict=True)]
            cursor.execute(_LOCK, arrays)
            cursor.execute(_MOVE, arrays)
            if cursor.rowcount != len(changes):
                raise NotEnough
    return written


def columns(postings: Sequence[Posting]) -> list[list[object]]:
    """Return postings as one array for each column: debit, credit, amount, kind, reference, order."""
    return [[getattr(posting, name) for posting in postings] for name in _COLUMNS]


def _check_repeats(repeated: Sequence[Posting]) -> None:
    if not repeated:
        return
    references = [posting.reference for posting in repeated]
    stands = {
        (transfer.reference, transfer.kind): (transfer.debit, transfer.credit, transfer.amount_fen)
        for transfer in Transfer.objects.filter(reference__in=references)
    }
    for posting in repeated:
        if stands[posting.reference, posting.kind] != (posting.debit, posting.credit, posting.amount_fen):
            raise PostingConflict(f"{posting.reference} {posting.kind}")


def _changes(postings: Sequence[Posting]) -> list[tuple[str, int, int]]:
    """Return kind, customer and fen for every customer's account that the postings move."""
    changes: Counter[str] = Counter()
    for posting in postings:
        changes[posting.debit] -= posting.amount_fen
        changes[posting.credit] += posting.amount_fen
    split = [(code.partition(":"), by_fen) for code, by_fen in changes.items() if by_fen]
    return [(kind, int(owner), by_fen) for (kind, _colon, owner), by_fen in split if kind in accounts.Kind.values]
