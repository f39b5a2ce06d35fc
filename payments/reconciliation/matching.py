"""
Comparing a day of our book with a gateway's bill of it: two sorted streams in, differences out. No database, no clock.

Entries are one another's by kind, number and refund number. Both sides come sorted by these, so that a bill of any
length is walked in the memory that one number takes.
"""

import dataclasses
import datetime
import heapq
import itertools
from collections.abc import Iterable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from payments.reconciliation import days
from payments.reconciliation.states import DifferenceKind, Entry, Remedy


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    kind: Entry
    number: str
    refund_number: str = ""
    trade_no: str = ""  # the gateway's number of the payment; empty: not known

    @property
    def order(self) -> tuple[str, str, str]:
        return self.kind.value, self.number, self.refund_number


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Ours(Key):
    """
    What our book has of that day, and what it has of a number that the bill names.

    `unbooked` is what to do if the bill has it; none where it is in our book as paid or given back. `elsewhere` is the
    day of another bill in which it was found. `total_fen` is the whole payment, of which a refund is a part.
    """

    amount_fen: int
    total_fen: int
    at: datetime.datetime | None
    charge_id: int
    status: str = ""
    unbooked: Remedy | None = None
    elsewhere: datetime.date | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Theirs(Key):
    """
    A line of the bill. `charge_id` is the charge of ours that it names.

    `is_taken_back` is a payment that the bill shows as given back without a refund: undone, as if it had never been.
    """

    amount_fen: int
    fee_fen: int
    line_id: int
    occurrence: int = 1
    charge_id: int | None = None
    is_taken_back: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A difference. `is_drift` says that another day's bill, or time, may dissolve it."""

    kind: DifferenceKind
    entry: Entry
    number: str
    refund_number: str
    trade_no: str
    occurrence: int = 1
    charge_id: int | None
    line_id: int | None
    ours_fen: int | None
    theirs_fen: int | None
    remedy: Remedy
    detail: str = ""
    is_drift: bool = False


E = TypeVar("E", bound=Key)


def compare(
    *, day: datetime.date, ours: Iterable[Ours], theirs: Iterable[Theirs], fee_per_mille: Decimal | None = None
) -> Iterator[Found]:
    """
    Yield every difference between what both sides have of a day, at most one per entry.

    Fees are judged where a rate is given and the entry is right otherwise.

    :raises ValueError: if a side is not sorted
    """
    entries = heapq.merge(_sorted(ours), _sorted(theirs), key=lambda entry: entry.order)
    for _order, group in itertools.groupby(entries, key=lambda entry: entry.order):
        same = list(group)
        yield from _compare_one(
            day=day,
            ours=[entry for entry in same if isinstance(entry, Ours)],
            lines=[entry for entry in same if isinstance(entry, Theirs)],
            fee_per_mille=fee_per_mille,
        )


def _sorted(entries: Iterable[E]) -> Iterator[E]:
    before = ("", "", "")
    for entry in entries:
        if entry.order < before:
            raise ValueError(f"{entry.order} comes after {before}")
        before = entry.order
        yield entry


def _compare_one(
    *, day: datetime.date, ours: list[Ours], lines: list[Theirs], fee_per_mille: Decimal | None
) -> Iterator[Found]:
    """Pair what both sides have of one number; what is left on either side is missing on the other."""
    found_elsewhere = ""
    for nth, our in enumerate(ours, 1):
        if our.elsewhere is not None:
            found_elsewhere = f"also in the bill of {our.elsewhere}"
            continue
        line = _partner(our, lines)
        if line is not None:
            lines.remove(line)
            yield from _judge(our=our, line=line, fee_per_mille=fee_per_mille)
        elif our.unbooked is None and our.at is not None and days.day_of(our.at) == day:
            yield _theirs_missing(our=our, at=our.at, occurrence=nth)
    for line in lines:
        yield _ours_missing(line, detail=found_elsewhere)


def _partner(our: Ours, lines: list[Theirs]) -> Theirs | None:
    """The line of the same trade: of one number a gateway may, wrongly, have booked two."""
    lines = sorted(lines, key=lambda line: line.is_taken_back)
    same = (line for line in lines if line.trade_no == our.trade_no)
    unnamed = (line for line in lines if not line.trade_no or not our.trade_no)
    return next(itertools.chain(same, unnamed), None)


def _judge(*, our: Ours, line: Theirs, fee_per_mille: Decimal | None) -> Iterator[Found]:
    if our.unbooked is not None:
        waits = our.unbooked is Remedy.WAIT_NEXT_DAY
        yield _unequal(DifferenceKind.STATUS, our=our, line=line, remedy=our.unbooked, detail=our.status, drift=waits)
    elif line.is_taken_back:
        yield _unequal(
            DifferenceKind.STATUS, our=our, line=line, remedy=Remedy.CHECK_BY_HAND, detail="taken back, says the bill"
        )
    elif our.amount_fen != line.amount_fen:
        yield _unequal(DifferenceKind.AMOUNT, our=our, line=line, remedy=Remedy.CHECK_BY_HAND)
    elif fee_per_mille is not None:
        agreed_fen = agreed_fee_fen(our, fee_per_mille=fee_per_mille)
        if agreed_fen != line.fee_fen:
            yield dataclasses.replace(
                _unequal(DifferenceKind.FEE, our=our, line=line, remedy=Remedy.CORRECT_FEE),
                ours_fen=agreed_fen,
                theirs_fen=line.fee_fen,
            )


def agreed_fee_fen(our: Ours, *, fee_per_mille: Decimal) -> int:
    """
    Return what the gateway keeps of a payment, rounded half up to the fen; of a refund, below zero, what it gives back.

    That is as much of the payment's fee as the refund is of the payment.
    """
    fee_fen = int((our.total_fen * fee_per_mille).scaleb(-3).quantize(Decimal(1), ROUND_HALF_UP))
    if our.kind is Entry.PAYMENT:
        return fee_fen
    return -((2 * fee_fen * our.amount_fen + our.total_fen) // (2 * our.total_fen))


def _unequal(
    kind: DifferenceKind, *, our: Ours, line: Theirs, remedy: Remedy, detail: str = "", drift: bool = False
) -> Found:
    return Found(
        kind=kind, entry=line.kind, number=line.number, refund_number=line.refund_number, trade_no=line.trade_no,
        occurrence=line.occurrence, charge_id=our.charge_id, line_id=line.line_id, ours_fen=our.amount_fen,
        theirs_fen=line.amount_fen, remedy=remedy, detail=detail, is_drift=drift,
    )  # fmt: skip


def _theirs_missing(*, our: Ours, at: datetime.datetime, occurrence: int) -> Found:
    drift = days.is_near_midnight(at)
    return Found(
        kind=DifferenceKind.THEIRS_MISSING, entry=our.kind, number=our.number, refund_number=our.refund_number,
        trade_no=our.trade_no, occurrence=occurrence, charge_id=our.charge_id, line_id=None,
        ours_fen=our.amount_fen, theirs_fen=None,
        remedy=Remedy.WAIT_NEXT_DAY if drift else Remedy.CHECK_BY_HAND, is_drift=drift,
    )  # fmt: skip


def _ours_missing(line: Theirs, *, detail: str) -> Found:
    """Of a charge that we know, a payment is one too many, and a refund was made behind our back."""
    remedy = Remedy.CHECK_BY_HAND
    if line.charge_id is not None and not line.is_taken_back:
        remedy = Remedy.REFUND_SURPLUS if line.kind is Entry.PAYMENT else Remedy.BOOK_CONSOLE_REFUND
    return Found(
        kind=DifferenceKind.OURS_MISSING, entry=line.kind, number=line.number, refund_number=line.refund_number,
        trade_no=line.trade_no, occurrence=line.occurrence, charge_id=line.charge_id, line_id=line.line_id,
        ours_fen=None, theirs_fen=line.amount_fen, remedy=remedy, detail=detail,
    )  # fmt: skip
