"""When to ask a gateway again: a decaying schedule, kept in rows, so that nothing but PostgreSQL must survive."""

import datetime

from payments import transactions
from payments.charges import queries
from payments.charges.models import Charge
from payments.charges.states import BOOKED
from payments.transactions import transaction, transaction_required

# Seconds after the attempt, then between queries. The first is within a minute; the last repeats.
DELAYS_SECONDS = (15, 15, 30, 60, 60, 120, 300, 600, 900, 1_800, 3_600)

TASK = "payments.reconcile_due_charges"

# A worker that dies while it asks holds a charge no longer than this.
LEASE = datetime.timedelta(seconds=60)


def next_query_at(*, queries: int, at: datetime.datetime) -> datetime.datetime:
    """Return when a charge that was asked about `queries` times is to be asked about next."""
    delay = DELAYS_SECONDS[min(queries, len(DELAYS_SECONDS) - 1)]
    return at + datetime.timedelta(seconds=delay)


@transaction_required
def ask_soon(*, charge_id: int, at: datetime.datetime) -> None:
    """Have the gateway asked about an attempt, open or over. Where its money is booked nothing is left to ask."""
    if Charge.objects.filter(pk=charge_id).exclude(status__in=BOOKED).update(next_query_at=at):
        wake()


def wake() -> None:
    """Have the sweep run soon: something has become due."""
    transactions.wake(TASK)


def lease_due(*, at: datetime.datetime, limit: int) -> list[int]:
    """Take the charges whose query is due, so that two sweeps at once ask about none twice."""
    with transaction():
        due = queries.due_for_query(at=at).select_for_update(of=("self",), skip_locked=True)
        charge_ids = list(due.values_list("pk", flat=True)[:limit])
        Charge.objects.filter(pk__in=charge_ids).update(next_query_at=at + LEASE)
    return charge_ids
