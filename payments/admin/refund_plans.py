"""What goes back where, as people read it: on the refund screen, in what waits for approval, in a refund of many."""

import dataclasses
from collections.abc import Iterable

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from payments.charges.models import CASH, Charge, Tender
from payments.models import Order, Refund
from payments.money import yuan_text
from payments.refunds.operations import Split


@dataclasses.dataclass(frozen=True, kw_only=True)
class TenderLine:
    """One tender that paid: what goes back by it, and what stays. All in yuan, "" for nothing."""

    charge: Charge
    goods: str
    shipping: str
    together: str
    stays: str


def lines(split: Split, *, charges: Iterable[Charge]) -> list[TenderLine]:
    """Return a line for each of the charges that paid, also for one that gives nothing."""
    parts = {charge.pk: part for charge, part in split}
    told = []
    for charge in charges:
        part = parts.get(charge.pk)
        goods_fen, shipping_fen = (part.goods_fen, part.shipping_fen) if part else (0, 0)
        told.append(
            TenderLine(
                charge=charge, goods=_yuan(goods_fen), shipping=_yuan(shipping_fen),
                together=_yuan(goods_fen + shipping_fen),
                stays=f"¥{yuan_text(charge.left_fen - goods_fen - shipping_fen)}",
            )
        )  # fmt: skip
    return told


def where(split: Split) -> str:
    """WeChat Pay ¥10.00 + points 2.30"""
    return _told((charge, part.goods_fen + part.shipping_fen) for charge, part in split)


def where_of(refund: Refund) -> str:
    """As `where`, of a refund that was asked for (with its legs and their charges loaded)."""
    return _told((leg.charge, leg.amount_fen) for leg in refund.legs.all())


def sum_fen(split: Split) -> int:
    return sum(part.goods_fen + part.shipping_fen for _charge, part in split)


def with_legs(refunds: QuerySet[Refund]) -> QuerySet[Refund]:
    """Load what `where_of` reads, and the order, with however many refunds in three statements."""
    return refunds.select_related("order", "order__client").prefetch_related("legs__charge")


def history(order: Order) -> list[tuple[Refund, str]]:
    """Return an order's refunds, newest first, each with where it went."""
    told = with_legs(Refund.objects.filter(order=order)).order_by("-sequence")
    return [(refund, where_of(refund)) for refund in told]


def _told(shares: Iterable[tuple[Charge, int]]) -> str:
    cash_first = sorted(shares, key=lambda share: share[0].tender not in CASH)
    return " + ".join(_share(charge, fen) for charge, fen in cash_first)


def _share(charge: Charge, fen: int) -> str:
    if charge.tender == Tender.POINTS:
        return _("points %s") % yuan_text(fen)
    return f"{charge.get_tender_display()} ¥{yuan_text(fen)}"


def _yuan(fen: int) -> str:
    return f"¥{yuan_text(fen)}" if fen else ""
