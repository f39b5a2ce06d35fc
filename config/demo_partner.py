"""The partner programme's part of the demonstration: document 002's pack, its customer's address, coupons, a ladder."""

import datetime
from typing import Any

from django.utils import timezone

from partner_orders import queries, stock
from partner_orders.models import Address, Coupon, CustomerCoupon, GiftPack, UserLevel
from partner_orders.queries import CouponState
from payments.models import ApiClient, Customer
from payments.money import yuan_number

ACTOR = "demo"
PACK_UID = "55fca782f55f406d94e2cecb23d0140b"
STOCK = 1_000
LEVELS = {"V1": 1, "V2": 2, "V3": 3, "V4": 4, "V5": 5}
# uid: title, price in fen, level, score. The first is document 002's.
PACKS = {
    PACK_UID: ("拉卡拉大POS 1台装礼包 升V5", 30_000, "V5", 0),
    "55fca782f55f406d94e2cecb23d0140c": ("拉卡拉电签POS 10台装礼包 升V3", 99_900, "V3", 1_000),
}
COUPON_OFF_FEN = 5_000
COUPON_UID = "8c5d3a1f0b6e4d0f9a7c2e4b6d8f0a1c"


def build(*, client: ApiClient, customer: Customer) -> None:
    """Make what is missing: levels, packs and their stock, the document's address, a coupon that is valid for years."""
    levels = {
        code: UserLevel.objects.get_or_create(client=client, code=code, defaults={"rank": rank})[0]
        for code, rank in LEVELS.items()
    }
    for uid, (title, price_fen, level, score) in PACKS.items():
        told = {"client": client, "title": title, "price_fen": price_fen, "level": levels[level], "score": score}
        pack, is_new = GiftPack.objects.get_or_create(uid=uid, defaults=told)
        if is_new:
            stock.put_in(pack_id=pack.pk, pieces=STOCK, actor=ACTOR)
    if not Address.objects.filter(customer=customer).exists():
        Address.objects.create(
            customer=customer, name="刘德华", phone="18578229023", address="湖南省长沙市德思勤城市广场b5栋",
            is_default=True,
        )  # fmt: skip
    today = timezone.localdate()
    terms, _is_new = Coupon.objects.get_or_create(
        client=client,
        title="新人立减券",
        defaults={
            "off_fen": COUPON_OFF_FEN, "min_price_fen": 10_000, "valid_from": today,
            "valid_until": today + datetime.timedelta(days=3_650),
        },
    )  # fmt: skip
    CustomerCoupon.objects.get_or_create(uid=COUPON_UID, defaults={"coupon": terms, "customer": customer})


def reset(*, customer: Customer) -> None:
    """Fill the stock up, and give the customer a coupon where orders hold those they have."""
    for uid in PACKS:
        pack = GiftPack.objects.get(uid=uid)
        if pack.stock < STOCK:
            stock.put_in(pack_id=pack.pk, pieces=STOCK - pack.stock, actor=ACTOR)
    if not _usable_coupons(customer).exists():
        held = CustomerCoupon.objects.select_related("coupon").get(uid=COUPON_UID)
        CustomerCoupon.objects.create(coupon=held.coupon, customer=customer)


def describe(*, customer: Customer) -> dict[str, Any]:
    """Return what a caller needs to buy a pack: ids of packs and of coupons that can be used now; yuan."""
    return {
        "gift_packs": [
            {"gift_pos_id": uid, "price": yuan_number(price_fen)} for uid, (_title, price_fen, *_rest) in PACKS.items()
        ],
        "coupons": [
            {"coupon_id": own.uid, "user_id": customer.user_id, "off": yuan_number(own.coupon.off_fen)}
            for own in _usable_coupons(customer)
        ],
    }


def address_id(*, customer: Customer) -> int:
    """:raises Address.DoesNotExist: if somebody deleted what `build` made"""
    return Address.objects.filter(customer=customer).earliest("pk").pk


def _usable_coupons(customer: Customer) -> Any:
    usable = queries.in_state(CouponState.USABLE, at=timezone.now())
    return queries.coupons(customer_id=customer.pk).filter(usable).order_by("pk")
