"""When to ask a gateway again: a decaying schedule, kept in rows, so that nothing but PostgreSQL must survive."""

import datetime
from collections.abc import Sequence

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


# What a gateway does not know so long after an attempt's end there will never be paid.
NOT_FOUND_IS_FINAL_AFTER = datetime.timedelta(seconds=60)
# The moments at which something can be learnt of an attempt that nobody paid, after its end at the gateway.
ENDS = (datetime.timedelta(seconds=1), NOT_FOUND_IS_FINAL_AFTER + datetime.timedelta(seconds=1))


def next_query_at(*, queries: int, at: datetime.datetime) -> datetime.datetime:
    """Return when what was asked about `queries` times is to be asked about next."""
    delay = DELAYS_SECONDS[min(queries, len(DELAYS_SECONDS) - 1)]
    return at + datetime.timedelta(seconds=delay)


def next_query_of(charge: Charge, *, at: datetime.datetime) -> datetime.datetime:
    """Return when an open attempt is to be asked about next: as the schedule has it, and not long after its end."""
    by_schedule = next_query_at(queries=charge.queries, at=at)
    ends = [charge.expires_at + after for after in ENDS if charge.expires_at and charge.expires_at + after > at]
    return min([by_schedule, *ends])


@transaction_required
def ask_soon(*, charge_id: int, at: datetime.datetime) -> None:
    """Have the gateway asked about an attempt, open or over. Where its money is booked nothing is left to ask."""
    if Charge.objects.filter(pk=charge_id).exclude(status__in=BOOKED).update(next_query_at=at):
        wake()


def wake() -> None:
    """Have the sweep run soon: something has become due."""
    transactions.wake(TASK)


def lease_due(*, at: datetime.datetime, limit: int) -> Sequence[tuple[int, int | None]]:
    """
    Take the charges whose query is due, so that two sweeps at once ask about none twice.

    Returns the id of each and of its gateway account.
    """
    with transaction():
        due = queries.due_for_query(at=at).select_for_update(of=("self",), skip_locked=True)
        leased = list(due.values_list("pk", "gateway_account_id")[:limit])
        Charge.objects.filter(pk__in=[pk for pk, _account in leased]).update(next_query_at=at + LEASE)
    return leased
