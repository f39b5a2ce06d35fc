"""Reading the partner programme: what is on sale, what a customer has, and their orders."""

import datetime
import enum
from typing import Any, cast

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from partner_orders.models import Address, CustomerCoupon, CustomerLevel, GiftPack, PartnerOrder
from payments.charges.models import CASH
from payments.charges.states import Status as ChargeStatus
from payments.errors import NotFound
from payments.models import Charge, Order
from payments.orders.queries import OrderUnknown
from payments.orders.states import AWAITING_CASH, Status


class PackUnknown(NotFound):
    code = "gift_pack_unknown"
    message = _("There is no such gift pack on sale. Take a gift_pos_id of the list of gift packs.")


class CouponUnknown(NotFound):
    code = "coupon_unknown"
    message = _("The customer has no such coupon. Take a coupon_id of their list of coupons, or send none.")


class CouponState(enum.StrEnum):
    """Whether a customer can use a coupon today."""

    USABLE = "usable"
    USED = "used"
    TO_COME = "to_come"
    EXPIRED = "expired"


class AddressUnknown(NotFound):
    code = "address_unknown"
    message = _("The customer has no such address. Take an address_id of their list of addresses.")


def on_sale(*, client_id: int) -> QuerySet[GiftPack]:
    """Return the packs that a client sells, those that are sold out among them."""
    return GiftPack.objects.filter(client_id=client_id, is_shown=True).select_related("level")


def pack_on_sale(*, client_id: int, uid: str) -> GiftPack:
    """:raises PackUnknown: if the client has none of that id, or does not show it"""
    pack = on_sale(client_id=client_id).filter(uid=uid).first()
    if pack is None:
        raise PackUnknown(field="gift_pos_id")
    return pack


def coupons(*, customer_id: int) -> QuerySet[CustomerCoupon]:
    """Return a customer's coupons, as `with_state` does."""
    return with_state(CustomerCoupon.objects.filter(customer_id=customer_id))


def with_state(coupons: QuerySet[CustomerCoupon]) -> QuerySet[CustomerCoupon]:
    """Return coupons in customers' hands, each with its terms and with `is_used`: whether an order holds it."""
    holding = PartnerOrder.objects.filter(coupon=OuterRef("pk"), holds=True)
    return coupons.select_related("coupon").annotate(is_used=Exists(holding))


def in_state(state: CouponState, *, at: datetime.datetime) -> Q:
    """Return the condition for coupons of `coupons` of which `coupon_state` tells that state."""
    today = timezone.localdate(at)
    return {
        CouponState.USED: Q(is_used=True),
        CouponState.TO_COME: Q(is_used=False, coupon__valid_from__gt=today),
        CouponState.EXPIRED: Q(is_used=False, coupon__valid_until__lt=today),
        CouponState.USABLE: Q(is_used=False, coupon__valid_from__lte=today, coupon__valid_until__gte=today),
    }[state]


def is_held(own: CustomerCoupon) -> bool:
    """Whether an order holds a coupon of `coupons`."""
    return bool(cast("Any", own).is_used)


def coupon_state(own: CustomerCoupon, *, at: datetime.datetime) -> CouponState:
    """Return the state of a coupon of `coupons`."""
    if is_held(own):
        return CouponState.USED
    today = timezone.localdate(at)
    if today < own.coupon.valid_from:
        return CouponState.TO_COME
    return CouponState.EXPIRED if today > own.coupon.valid_until else CouponState.USABLE


def coupon(*, customer_id: int, uid: str) -> CustomerCoupon:
    """:raises CouponUnknown: if it is not one of the customer's"""
    found = coupons(customer_id=customer_id).filter(uid=uid).first()
    if found is None:
        raise CouponUnknown(field="coupon_id")
    return found


def addresses(*, customer_id: int) -> QuerySet[Address]:
    return Address.objects.filter(customer_id=customer_id)


def address(*, customer_id: int, address_id: int) -> Address:
    """:raises AddressUnknown: if it is not one of the customer's"""
    found = addresses(customer_id=customer_id).filter(pk=address_id).first()
    if found is None:
        raise AddressUnknown(field="address_id")
    return found


def level_code(*, customer_id: int) -> str:
    """Return the code of a customer's level, "" for none."""
    standing = CustomerLevel.objects.select_related("level").filter(customer_id=customer_id).first()
    return standing.level.code if standing and standing.level else ""


def documents() -> QuerySet[PartnerOrder]:
    """Return partner orders with all that is told of them."""
    return PartnerOrder.objects.select_related("order__customer", "pack", "coupon").prefetch_related("order__charges")


def orders_of(*, customer_id: int) -> QuerySet[PartnerOrder]:
    return documents().filter(order__customer_id=customer_id)


def detail(*, number: str, client_id: int | None = None, user_id: str | None = None) -> PartnerOrder:
    """
    Return the partner order of that number, of a client, of its customer.

    :raises OrderUnknown: if there is none
    """
    found = documents().filter(order__number=number)
    if client_id is not None:
        found = found.filter(order__client_id=client_id)
    if user_id is not None:
        found = found.filter(order__customer__user_id=user_id)
    document = found.first()
    if document is None:
        raise OrderUnknown(field="order_no")
    return document


def repeated(
    *, customer_id: int, fingerprint: str, since: datetime.datetime, payable_at: datetime.datetime
) -> Order | None:
    """
    Return the order that the same call made since then, or that the same call made and that still can be paid.

    The newest of them; None if there is none. One that is closed moved nothing: to buy again makes a new one.
    """
    is_waiting = Q(status__in=AWAITING_CASH, cash_fen__gt=0, expires_at__gt=payable_at)
    return (
        Order.objects.filter(is_waiting | Q(created_at__gt=since))
        .filter(family="partner_orders", customer_id=customer_id, fingerprint=fingerprint)
        .exclude(status=Status.CLOSED)
        .order_by("-pk")
        .first()
    )


def payment(document: PartnerOrder) -> Charge | None:
    """Return the attempt at the order's cash that paid it or, while none has, the latest; None for a balance."""
    attempts = [charge for charge in document.order.charges.all() if charge.tender in CASH]
    paid = [charge for charge in attempts if charge.status == ChargeStatus.SUCCEEDED]
    return max(paid or attempts, key=lambda charge: charge.attempt, default=None)
