"""Which bills are to be had, and who is at one: rows with due times."""

import datetime

from django.db.models import Q

from payments.charges.models import Charge
from payments.gateways.models import GatewayAccount
from payments.reconciliation import days, merchants
from payments.reconciliation.models import GatewayBill
from payments.reconciliation.states import BillStatus
from payments.transactions import transaction

# Days missed during an absence are caught up with so far back; older bills are asked for by hand.
CATCH_UP = datetime.timedelta(days=30)

# A worker that dies over a bill holds it no longer than this.
LEASE = datetime.timedelta(minutes=15)

# After so many minutes a bill that could not be had is asked for again; the last repeats.
RETRY_MINUTES = (30, 30, 60, 120, 240)

# A bill that left differences is fetched and compared again: soon, as what was asked for may have been answered by
# then; afterwards once a day, as gateways correct their bills.
AGAIN_SOON = datetime.timedelta(hours=1)
AGAIN = datetime.timedelta(days=1)


def retry_at(*, attempts: int, at: datetime.datetime) -> datetime.datetime:
    """Return when a bill that was tried for `attempts` times is to be tried for next."""
    return at + datetime.timedelta(minutes=RETRY_MINUTES[min(attempts, len(RETRY_MINUTES)) - 1])


def oldest_day(at: datetime.datetime) -> datetime.date:
    return days.day_of(at) - CATCH_UP


def first_day(account: GatewayAccount) -> datetime.date | None:
    """Return the day on which the merchant's first charge was made."""
    return min(_days_of_a_charge(account, order="pk"), default=None)


def _days_of_a_charge(account: GatewayAccount, *, order: str) -> list[datetime.date]:
    """Of each account of the merchant, the day on which the charge that comes first in this order was made."""
    made = [
        Charge.objects.filter(gateway_account=pk).order_by(order).values_list("created_at", flat=True).first()
        for pk in merchants.accounts_of(account)
    ]
    return [days.day_of(at) for at in made if at is not None]


def billed(*, at: datetime.datetime) -> list[GatewayAccount]:
    """
    Return who speaks for each merchant whose bills are to be had.

    One that was switched off is among them while charges of it are within reach: its last bills tell of them, and of
    what goes back.
    """
    oldest = oldest_day(at)
    return [
        account
        for account in merchants.speakers()
        if account.is_active or any(day >= oldest for day in _days_of_a_charge(account, order="-pk"))
    ]


def note_due_days(*, at: datetime.datetime) -> None:
    """Make a row of every bill that a merchant's gateway should have made by now."""
    for account in billed(at=at):
        first = first_day(account)
        if first is None:
            continue
        wanted = _days(max(first, oldest_day(at)), days.last_billed(at))
        had = GatewayBill.objects.filter(
            Q(account=account) | Q(account__in=merchants.accounts_of(account), status=BillStatus.MATCHED),
            day__in=wanted,
        ).values_list("day", flat=True)
        missing = sorted(set(wanted) - set(had))
        bills = [GatewayBill(account=account, day=day, next_try_at=at) for day in missing]
        GatewayBill.objects.bulk_create(bills, ignore_conflicts=True)


def lease(*, at: datetime.datetime) -> int | None:
    """Take the oldest bill that is due, so that two workers at once are never at the same one."""
    with transaction():
        due = GatewayBill.objects.filter(
            next_try_at__lte=at, day__gte=oldest_day(at), account__in=billed(at=at)
        ).order_by("day", "pk")
        bill_id = due.select_for_update(of=("self",), skip_locked=True).values_list("pk", flat=True).first()
        if bill_id is not None:
            GatewayBill.objects.filter(pk=bill_id).update(next_try_at=at + LEASE)
    return bill_id


def _days(first: datetime.date, last: datetime.date) -> list[datetime.date]:
    return [first + datetime.timedelta(days=n) for n in range((last - first).days + 1)]
