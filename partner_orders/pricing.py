"""What a pack costs whom: list price, and what the customer's coupon takes off. Whole yuan, kept in fen."""

import dataclasses
import datetime

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partner_orders.models import CustomerCoupon, GiftPack
from payments.errors import Conflict, OnetillError
from payments.money import yuan_text


class CouponUsed(Conflict):
    code = "coupon_used"
    message = _(
        "This coupon is used, or an order that waits for its payment holds it. Pay without it, or take another."
    )


class CouponNotYetValid(OnetillError):
    code = "coupon_not_yet_valid"
    message = _("This coupon is valid from %(day)s on. Pay without it, or take another.")


class CouponExpired(OnetillError):
    code = "coupon_expired"
    message = _("This coupon was valid until %(day)s. Pay without it, or take another.")


class CouponUnderMinimum(OnetillError):
    code = "coupon_under_minimum"
    message = _("This coupon is for packs from ¥%(least)s on. Pay without it, or take another pack.")


class CouponTooLarge(OnetillError):
    """A coupon is a price reduction, and an order has a price (ADR 19)."""

    code = "coupon_too_large"
    message = _("This coupon takes off ¥%(off)s, which leaves nothing to pay. Pay without it, or take another pack.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Price:
    """In fen."""

    list_fen: int
    deduct_fen: int = 0

    @property
    def payable_fen(self) -> int:
        return self.list_fen - self.deduct_fen


def price(*, pack: GiftPack, coupon: CustomerCoupon | None, at: datetime.datetime) -> Price:
    """
    Return what `pack` costs with a coupon of the customer's that no order holds.

    :raises CouponNotYetValid: if its first day is still to come
    :raises CouponExpired: if its last day is over
    :raises CouponUnderMinimum: if it is for dearer packs
    :raises CouponTooLarge: if it takes off all of the price, or more
    """
    if coupon is None:
        return Price(list_fen=pack.price_fen)
    terms, today = coupon.coupon, timezone.localdate(at)
    if today < terms.valid_from:
        raise CouponNotYetValid(field="coupon_id", day=terms.valid_from.isoformat())
    if today > terms.valid_until:
        raise CouponExpired(field="coupon_id", day=terms.valid_until.isoformat())
    if pack.price_fen < terms.min_price_fen:
        raise CouponUnderMinimum(field="coupon_id", least=yuan_text(terms.min_price_fen))
    if pack.price_fen <= terms.off_fen:
        raise CouponTooLarge(field="coupon_id", off=yuan_text(terms.off_fen))
    return Price(list_fen=pack.price_fen, deduct_fen=terms.off_fen)
