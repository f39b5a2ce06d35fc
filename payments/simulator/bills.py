"""
What a bill of one merchant and one day shows: what the book has, and the differences that somebody has ordered.

The real gateways make a bill the next morning. Here it can be asked for at any time, of the current day too, and
shows what the book has by then.
"""

import contextlib
import dataclasses
import datetime
import random
import secrets
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Self

from django.db import transaction
from django.db.models.functions import Coalesce
from django.utils import timezone

from payments.simulator.faults import Strike
from payments.simulator.models import BillDifference, BillFile, Merchant, Refund, Trade

Kind = BillDifference.Kind
FEE_PER_MILLE = 6
FILE_KEPT = datetime.timedelta(hours=1)
FIRST_DAY, LAST_DAY = datetime.date(2000, 1, 1), datetime.date(2099, 12, 31)
# Faults of a bill that are one difference in it.
FAULTS = {f"bill_{kind}": kind for kind in Kind.values}


class NotSoMany(Exception):
    """The bill has fewer rows than are to differ; the text says how many."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One line of a bill."""

    number: str
    refund_number: str = ""  # the merchant's; of a payment empty
    taken_back: bool = False  # a payment that the bill shows as given back
    trade_no: str
    refund_no: str = ""  # the gateway's number of the refund
    amount_fen: int
    fee_fen: int  # below zero where the gateway gives it back
    at: datetime.datetime
    made_at: datetime.datetime
    product: str
    subject: str
    payer: str = ""
    attach: str = ""

    @property
    def goes_back(self) -> bool:
        return bool(self.refund_number) or self.taken_back

    @property
    def key(self) -> tuple[str, str]:
        return self.number, self.refund_number

    @classmethod
    def of_payment(cls, trade: Trade) -> Self:
        at = trade.paid_at or trade.offered_at
        return cls(amount_fen=trade.amount_fen, fee_fen=fee_fen(trade.amount_fen), at=at, **_of_trade(trade))

    @classmethod
    def of_refund(cls, refund: Refund) -> Self:
        return cls(
            refund_number=refund.request_no,
            refund_no=refund.refund_no,
            amount_fen=refund.amount_fen,
            fee_fen=-fee_fen(refund.amount_fen),
            at=refund.settles_at or refund.made_at,
            **_of_trade(refund.trade),
        )

    @classmethod
    def invented(cls, facts: Mapping[str, Any], *, day: datetime.date) -> Self:
        """A payment that nobody made, as a difference keeps it."""
        noon = timezone.make_aware(datetime.datetime.combine(day, datetime.time(12)))
        return cls(**facts, at=noon, made_at=noon, product="", subject="多出的一笔")


def fee_fen(amount_fen: int) -> int:
    """0.6 %, half up."""
    return (amount_fen * FEE_PER_MILLE + 500) // 1000


def shown(*, merchant: Merchant, day: datetime.date, strike: Strike) -> list[Row]:
    """The rows of the bill, in the order of what happened, with what was ordered to differ and what strikes now."""
    if not FIRST_DAY <= day <= LAST_DAY:
        return []
    rows = booked(merchant=merchant, day=day)
    rows = _apply(rows, BillDifference.objects.filter(merchant=merchant, day=day).order_by("id"), day=day)
    if kind := FAULTS.get(strike.kind):
        with contextlib.suppress(NotSoMany):  # nothing to spoil
            rows = _apply(rows, _chosen(rows, {kind: 1}, seed=1, day=day), day=day)
    if strike.kind == "bill_wrong_day":
        rows = [dataclasses.replace(row, at=row.at - datetime.timedelta(days=1)) for row in rows]
    return sorted(rows, key=lambda row: (row.at, row.key))


def booked(*, merchant: Merchant, day: datetime.date) -> list[Row]:
    """What the book has of a day of Beijing's clock."""
    begins = timezone.make_aware(datetime.datetime.combine(day, datetime.time()))
    ends = begins + datetime.timedelta(days=1)
    paid = Trade.objects.filter(merchant=merchant, paid_at__gte=begins, paid_at__lt=ends)
    moved = Refund.objects.filter(trade__merchant=merchant, moved=True).alias(at=Coalesce("settles_at", "made_at"))
    moved = moved.filter(at__gte=begins, at__lt=ends).select_related("trade")
    return [*map(Row.of_payment, paid.order_by("id")), *map(Row.of_refund, moved.order_by("id"))]


@transaction.atomic
def order(*, merchant: Merchant, day: datetime.date, counts: Mapping[str, int], seed: int) -> list[BillDifference]:
    """
    Let the bill of that day differ, for good: so many rows of each kind, each another one, the same for one `seed`
    as long as the book is the same. Rows that differ already are left alone.

    :param day: FIRST_DAY to LAST_DAY

    :raises NotSoMany: there are not enough rows; nothing was ordered
    """
    known = {(each.number, each.refund_number) for each in BillDifference.objects.filter(merchant=merchant, day=day)}
    rows = [row for row in booked(merchant=merchant, day=day) if row.key not in known]
    made = _chosen(rows, counts, seed=seed, day=day, taken={number for number, _ in known})
    for difference in made:
        difference.merchant = merchant
        difference.save()
    return made


@transaction.atomic
def keep_file(*, merchant: Merchant, content: bytes) -> BillFile:
    """What a download address leads to for a while."""
    now = timezone.now()
    BillFile.objects.filter(made_at__lt=now - FILE_KEPT).delete()
    return BillFile.objects.create(merchant=merchant, token=secrets.token_urlsafe(24), content=content, made_at=now)


def file(token: str, *, lives: datetime.timedelta) -> BillFile | None:
    return BillFile.objects.filter(token=token, made_at__gt=timezone.now() - lives).first()


def _of_trade(trade: Trade) -> dict[str, Any]:
    return {
        "number": trade.out_trade_no,
        "trade_no": trade.trade_no,
        "made_at": trade.offered_at,
        "product": trade.product,
        "subject": trade.subject,
        "payer": str(trade.particulars.get("openid", "")),
        "attach": str(trade.particulars.get("attach", "")),
    }


def _chosen(
    rows: Sequence[Row],
    counts: Mapping[str, int],
    *,
    seed: int,
    day: datetime.date,
    taken: AbstractSet[str] = frozenset(),
) -> list[BillDifference]:
    """So many rows of each kind, drawn by `seed`; first those for which not every row will do."""
    dice = random.Random(seed)  # noqa: S311  (to be drawn again the same, not to be hard to guess)
    left = sorted(rows, key=lambda row: row.key)
    made = []
    for kind in (Kind.STATUS, Kind.MISSING, Kind.AMOUNT, Kind.FEE):
        fitting = [row for row in left if kind != Kind.STATUS or not row.goes_back]
        wanted = counts.get(kind, 0)
        if wanted > len(fitting):
            raise NotSoMany(f"{kind}: the bill of {day} has {len(fitting)} rows for that, not {wanted}")
        for row in dice.sample(fitting, wanted):
            left.remove(row)
            made.append(_difference(kind, row, dice, day=day))
    numbers = dice.sample(range(10**8), counts.get(Kind.EXTRA, 0) + len(taken))
    extras = [number for each in numbers if (number := f"extra_{day:%Y%m%d}_{each:08d}") not in taken]
    return made + [_extra(number, dice, day=day) for number in extras[: counts.get(Kind.EXTRA, 0)]]


def _difference(kind: Kind, row: Row, dice: random.Random, *, day: datetime.date) -> BillDifference:
    more_fen = dice.randint(1, 100)
    facts: dict[str, Any] = {
        Kind.MISSING: {},
        Kind.STATUS: {"taken_back": True, "fee_fen": -row.fee_fen},
        Kind.AMOUNT: {"amount_fen": row.amount_fen + more_fen},
        Kind.FEE: {"fee_fen": row.fee_fen + (-more_fen if row.goes_back else more_fen)},
    }[kind]
    was = {name: getattr(row, name) for name in facts}
    return BillDifference(day=day, kind=kind, number=row.number, refund_number=row.refund_number, was=was, shows=facts)


def _extra(number: str, dice: random.Random, *, day: datetime.date) -> BillDifference:
    amount_fen = dice.randint(100, 100_000)
    facts = {
        "number": number,
        "trade_no": f"{day:%Y%m%d}99{dice.randrange(10**16):016d}",
        "amount_fen": amount_fen,
        "fee_fen": fee_fen(amount_fen),
    }
    return BillDifference(day=day, kind=Kind.EXTRA, number=number, was={}, shows=facts)


def _apply(rows: Sequence[Row], differences: Iterable[BillDifference], *, day: datetime.date) -> list[Row]:
    shown_rows = {row.key: row for row in rows}
    for difference in differences:
        key = difference.number, difference.refund_number
        if difference.kind == Kind.EXTRA:
            shown_rows[key] = Row.invented(difference.shows, day=day)
        elif difference.kind == Kind.MISSING:
            shown_rows.pop(key, None)
        elif key in shown_rows:
            shown_rows[key] = dataclasses.replace(shown_rows[key], **difference.shows)
    return list(shown_rows.values())
