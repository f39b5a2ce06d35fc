"""
The first day: a client's customers, with what they have, out of a CSV file.

Lines are written in batches, each in a transaction of its own. A line that cannot be taken is refused alone, and told
with its number and the reason. Importing a file twice grants its opening values once.
"""

import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from django.db import DataError, IntegrityError, connection
from django.db import transaction as django_transaction
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.audit import AuditRow
from payments.customers import operations, sheets
from payments.customers.grants import posting
from payments.customers.queries import Direction
from payments.customers.sheets import Line, Refusal
from payments.ledger import operations as ledger
from payments.ledger.accounts import Kind
from payments.ledger.operations import Posting
from payments.transactions import transaction, transaction_required

BATCH_LINES = 1_000
TURN_TIMEOUT = "60s"


@dataclasses.dataclass
class Report:
    """What became of the lines so far."""

    lines: int = 0
    made: int = 0
    changed: int = 0
    unchanged: int = 0
    granted_fen: dict[Kind, int] = dataclasses.field(default_factory=lambda: dict.fromkeys(Kind, 0))
    refused: list[Refusal] = dataclasses.field(default_factory=list)

    def add(self, batch: "Report") -> None:
        self.lines += batch.lines
        self.made += batch.made
        self.changed += batch.changed
        self.unchanged += batch.unchanged
        self.granted_fen = {kind: fen + batch.granted_fen[kind] for kind, fen in self.granted_fen.items()}
        self.refused += batch.refused


def import_customers(
    *,
    client_id: int,
    text: Iterable[str],
    actor: str,
    dry_run: bool = False,
    progress: Callable[[Report], None] = lambda _report: None,
) -> Report:
    """
    Import the lines of a CSV file. `progress` is called after each batch.

    A dry run does everything and takes each batch back.

    :raises sheets.SheetUnfit: if the first line does not name the columns
    """
    report = Report()
    items = sheets.read(text)
    while batch := list(itertools.islice(items, BATCH_LINES)):
        report.refused += [item for item in batch if isinstance(item, Refusal)]
        report.lines += len(batch)
        lines = [item for item in batch if isinstance(item, Line)]
        report.add(_import_batch(client_id=client_id, lines=lines, actor=actor, dry_run=dry_run))
        progress(report)
    report.refused.sort(key=lambda refusal: refusal.number)
    return report


def _import_batch(*, client_id: int, lines: Sequence[Line], actor: str, dry_run: bool) -> Report:
    """Write lines in one transaction. Where the database refuses them, try the halves, down to the line at fault."""
    try:
        with transaction():
            report = _write(client_id=client_id, lines=lines, actor=actor)
            if dry_run:
                django_transaction.set_rollback(True)
            return report
    except (DataError, IntegrityError) as error:
        if len(lines) == 1:
            return Report(refused=[Refusal(number=lines[0].number, reason=str(error).partition("\n")[0])])
    report = Report()
    half = len(lines) // 2
    for part in (lines[:half], lines[half:]):
        report.add(_import_batch(client_id=client_id, lines=part, actor=actor, dry_run=dry_run))
    return report


@transaction_required
def _write(*, client_id: int, lines: Sequence[Line], actor: str) -> Report:
    _take_turns(client_id=client_id)
    opened_fen = _opened_fen(client_id=client_id, user_ids=[line.profile.user_id for line in lines])
    report = Report()
    fit = []
    for line in lines:
        stands = opened_fen[line.profile.user_id]
        if any(line.opening_fen[kind] not in {0, fen} for kind, fen in stands.items()):
            reason = _("Another opening value was imported for this customer before. Correct it by a grant.")
            report.refused.append(Refusal(number=line.number, reason=reason))
        else:
            fit.append(line)
    saved = operations.save_all(client_id=client_id, profiles=[line.profile for line in fit], actor=actor)
    report.made = sum(one.is_new for one in saved)
    report.changed = sum(one.is_changed for one in saved) - report.made
    report.unchanged = len(saved) - report.made - report.changed
    postings = [
        _opening(customer_id=one.customer_id, kind=kind, amount_fen=amount_fen)
        for line, one in zip(fit, saved, strict=True)
        for kind, amount_fen in line.opening_fen.items()
        if amount_fen
    ]
    report.granted_fen = _grant(postings, actor=actor)
    return report


def _take_turns(*, client_id: int) -> None:
    """
    Two imports for one client write one after the other, so that what was opened before can be relied on.

    Plans are made anew for each batch: one made for the empty tables of the first batches reads them whole later on.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, true), set_config('plan_cache_mode', 'force_custom_plan', true)",
            [TURN_TIMEOUT],
        )
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('payments.customers.imports'), %s::int)", [client_id])


_OPENED = """
SELECT customer.user_id, opened.kind, transfer.amount_fen
FROM payments_customer customer
CROSS JOIN unnest(%s::text[]) AS opened (kind)
JOIN payments_transfer transfer
    ON transfer.reference = 'opening:' || customer.id || ':' || opened.kind AND transfer.kind = 'grant'
WHERE customer.client_id = %s AND customer.user_id = ANY(%s)
"""


def _opened_fen(*, client_id: int, user_ids: list[str]) -> defaultdict[str, dict[Kind, int]]:
    """Return, by user id, the opening values that were imported before."""
    opened_fen: defaultdict[str, dict[Kind, int]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_OPENED, [Kind.values, client_id, user_ids])
        for user_id, kind, amount_fen in cursor.fetchall():
            opened_fen[user_id][Kind(kind)] = amount_fen
    return opened_fen


def _opening(*, customer_id: int, kind: Kind, amount_fen: int) -> Posting:
    reference = f"opening:{customer_id}:{kind}"
    return posting(
        kind=kind, direction=Direction.IN, customer_id=customer_id, amount_fen=amount_fen, reference=reference
    )


def _grant(postings: Sequence[Posting], *, actor: str) -> dict[Kind, int]:
    """Post what was not posted before, with its audit rows, and return how many fen that were, by kind."""
    written = ledger.post(*postings)
    granted_fen = dict.fromkeys(Kind, 0)
    rows = []
    for one in postings:
        if (one.reference, one.kind) not in written:
            continue
        _opening_word, customer_id, kind = one.reference.split(":")
        granted_fen[Kind(kind)] += one.amount_fen
        rows.append(audit.row(
            actor=actor, action="customer.grant", subject=f"customer:{customer_id}",
            reference=one.reference, kind=kind, direction=Direction.IN, amount_fen=one.amount_fen,
        ))  # fmt: skip
    AuditRow.objects.bulk_create(rows)
    return granted_fen
