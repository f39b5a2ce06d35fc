"""
What goes back where: pure arithmetic over what was paid, in fen.

Shipping goes back out of shipping and goods out of goods; which tender bears how much of the sum is the policy's.
"""

import dataclasses
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from payments.clients.models import RefundPolicy
from payments.errors import OnetillError
from payments.money import yuan_text


class RefundExceeds(OnetillError):
    """More is asked back than is left."""

    code = "refund_exceeds"
    message = _("No more than ¥%(left)s can be refunded here. Send at most that.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tendered:
    """One tender of an order: what of it can still go back, and whether a gateway holds it."""

    charge_id: int
    is_cash: bool
    left_fen: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """What one tender gives back, split into what is of the goods and what is of the shipping."""

    charge_id: int
    goods_fen: int
    shipping_fen: int


def plan(
    *,
    tendered: Sequence[Tendered],
    goods_fen: int,
    shipping_fen: int,
    goods_left_fen: int,
    shipping_left_fen: int,
    policy: RefundPolicy,
) -> list[Part]:
    """
    Return what each tender gives back, in the order of `tendered`; a tender that gives nothing is left out.

    :raises RefundExceeds: if goods, shipping, or the tenders together have less left; names the field
    """
    if goods_fen > goods_left_fen:
        raise RefundExceeds(field="goods_amount", left=yuan_text(goods_left_fen))
    if shipping_fen > shipping_left_fen:
        raise RefundExceeds(field="shipping_amount", left=yuan_text(shipping_left_fen))
    left_fen = sum(tender.left_fen for tender in tendered)
    if goods_fen + shipping_fen > left_fen:
        raise RefundExceeds(field="goods_amount", left=yuan_text(max(left_fen - shipping_fen, 0)))
    shares = _shares(tendered, goods_fen + shipping_fen, policy)
    parts = []
    for tender, share_fen in zip(tendered, shares, strict=True):
        of_goods_fen = min(share_fen, goods_fen)
        goods_fen -= of_goods_fen
        parts.append(
            Part(charge_id=tender.charge_id, goods_fen=of_goods_fen, shipping_fen=share_fen - of_goods_fen)
        )  # fmt: skip
    return [part for part in parts if part.goods_fen or part.shipping_fen]


def _shares(tendered: Sequence[Tendered], amount_fen: int, policy: RefundPolicy) -> list[int]:
    """Divide an amount that is not above what is left."""
    if policy == RefundPolicy.PRO_RATA:
        return _in_proportion([tender.left_fen for tender in tendered], amount_fen)
    cash_goes_first = policy == RefundPolicy.CASH_FIRST
    shares = [0] * len(tendered)
    for index in sorted(range(len(tendered)), key=lambda index: tendered[index].is_cash != cash_goes_first):
        shares[index] = min(tendered[index].left_fen, amount_fen)
        amount_fen -= shares[index]
    return shares


def _in_proportion(weights: Sequence[int], amount_fen: int) -> list[int]:
    """Divide by largest remainder: each within a fen of its exact share, together exactly the amount."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    shares, remainders = zip(*(divmod(amount_fen * weight, total) for weight in weights), strict=True)
    given = list(shares)
    by_remainder = sorted(range(len(weights)), key=lambda index: (-remainders[index], index))
    for index in by_remainder[: amount_fen - sum(given)]:
        given[index] += 1
    return given
