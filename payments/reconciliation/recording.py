"""
Keeping what a comparison found. A rerun makes no second difference, and what it finds no more settles itself.

What a person settled stays settled, until either side tells another amount.
"""

import datetime
from collections.abc import Iterable, Iterator

from django.db.models import Exists, OuterRef

from payments import audit
from payments.reconciliation import merchants
from payments.reconciliation.matching import Found
from payments.reconciliation.models import BillLine, Difference, GatewayBill
from payments.reconciliation.states import UNSETTLED, DifferenceKind, DifferenceStatus, Remedy
from payments.transactions import transaction_required

# Whatever may be in a neighbouring day's bill is looked for so long, then staff are told.
POOLED_FOR = datetime.timedelta(days=3)
BATCH = 1_000

_KEY = ("kind", "entry", "number", "refund_number", "trade_no", "occurrence")
_FACTS = ("charge_id", "line_id", "ours_fen", "theirs_fen", "detail")
_STANDING = ("remedy", "status", "found_at", "pooled_until", "settled_at", "settled_by", "settled_reason")


@transaction_required
def record(*, bill: GatewayBill, found: Iterable[Found], at: datetime.datetime) -> int:
    """Write what was found of a bill that is locked by the caller. Returns how many differences are new, or back."""
    rows = Difference.objects.filter(account=bill.account_id, day=bill.day).order_by("pk")
    before = {_key(row): row for row in rows.select_for_update(of=("self",))}
    new, back, changed = [], [], []
    unmatched: list[int] = []
    for item in found:
        if item.kind is DifferenceKind.OURS_MISSING and item.line_id is not None:
            unmatched.append(item.line_id)
        row = before.pop(_key(item), None)
        if row is None:
            row = Difference(account_id=bill.account_id, day=bill.day, **{name: getattr(item, name) for name in _KEY})
            new.append(_stand(row, item=item, at=at))
        elif _is_back(row, item=item):
            back.append(_stand(row, item=item, at=at))
        elif _facts(row) != _facts(item):
            changed.append(_tell(row, item=item))
    _write(new=new, changed=[*back, *changed])
    gone = [row.pk for row in before.values() if row.status != DifferenceStatus.SETTLED]
    _settle_itself(gone, reason="gone when the bill was compared again", at=at)
    bill.lines.filter(is_matched=False).update(is_matched=True)
    for line_ids in _batches(unmatched):
        bill.lines.filter(pk__in=line_ids).update(is_matched=False)
    return len(new) + len(back)


def _write(*, new: list[Difference], changed: list[Difference]) -> None:
    Difference.objects.bulk_create(new, batch_size=BATCH)
    # An upsert by id: of bulk_update's statement PostgreSQL would read a thousand cases for each of a thousand rows.
    written = [*(name.removesuffix("_id") for name in _FACTS), *_STANDING]
    Difference.objects.bulk_create(
        changed, batch_size=BATCH, update_conflicts=True, unique_fields=["id"], update_fields=written
    )


def _facts(row: Difference | Found) -> tuple[str | int | None, ...]:
    return tuple(getattr(row, name) for name in _FACTS)


def _is_back(row: Difference, *, item: Found) -> bool:
    """Whether a difference that was settled stands again: what a person settled does if the amounts are others."""
    is_other = (row.ours_fen, row.theirs_fen) != (item.ours_fen, item.theirs_fen)
    return row.status == DifferenceStatus.SETTLED and (is_other or row.settled_by == audit.SYSTEM)


def _key(row: Difference | Found) -> tuple[str | int, ...]:
    return tuple(getattr(row, name) for name in _KEY)


def _stand(row: Difference, *, item: Found, at: datetime.datetime) -> Difference:
    """Let a difference begin: in the pool, where another day's bill may dissolve it, else open."""
    for name in _FACTS:
        setattr(row, name, getattr(item, name))
    row.remedy = item.remedy
    row.status = DifferenceStatus.POOLED if item.is_drift else DifferenceStatus.OPEN
    row.pooled_until = at + POOLED_FOR if item.is_drift else None
    row.found_at = at
    row.settled_at, row.settled_by, row.settled_reason = None, "", ""
    return row


def _tell(row: Difference, *, item: Found) -> Difference:
    """Bring a difference that is there up to date. One that waits waits no longer if time will not dissolve it."""
    for name in _FACTS:
        setattr(row, name, getattr(item, name))
    if row.status != DifferenceStatus.SETTLED and not item.is_drift:
        row.status, row.pooled_until, row.remedy = DifferenceStatus.OPEN, None, item.remedy
    return row


def _settle_itself(difference_ids: list[int], *, reason: str, at: datetime.datetime) -> None:
    for ids in _batches(difference_ids):
        Difference.objects.filter(pk__in=ids, status__in=UNSETTLED).update(
            status=DifferenceStatus.SETTLED,
            pooled_until=None,
            settled_at=at,
            settled_by=audit.SYSTEM,
            settled_reason=reason,
        )


def _batches(ids: list[int]) -> Iterator[list[int]]:
    """A statement takes 65,535 parameters at most."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


@transaction_required
def settle_found(*, bill: GatewayBill, at: datetime.datetime) -> None:
    """Settle what was missing in other days' bills and stands in this one."""
    line = BillLine.objects.filter(
        bill=bill, is_matched=True, kind=OuterRef("entry"), number=OuterRef("number"),
        refund_number=OuterRef("refund_number"),
    )  # fmt: skip
    missing = Difference.objects.filter(
        Exists(line), account__in=merchants.accounts_of(bill.account), kind=DifferenceKind.THEIRS_MISSING,
        status__in=UNSETTLED,
    ).exclude(day=bill.day)  # fmt: skip
    # One that another day's comparison is at is left to it.
    ids = list(missing.select_for_update(of=("self",), skip_locked=True).values_list("pk", flat=True))
    _settle_itself(ids, reason=f"found in the bill of {bill.day}", at=at)


@transaction_required
def open_pooled(*, at: datetime.datetime) -> int:
    """Open what was looked for in the neighbouring bills long enough. Returns how many."""
    return Difference.objects.filter(status=DifferenceStatus.POOLED, pooled_until__lte=at).update(
        status=DifferenceStatus.OPEN, pooled_until=None, remedy=Remedy.CHECK_BY_HAND
    )
