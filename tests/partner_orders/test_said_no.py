"""What the programme says no to, with what to do instead; and an Idempotency-Key that is none, or another call's."""

import datetime

import pytest
from django.utils import timezone

from partner_orders.models import Address, PayType
from payments.ledger import accounts
from tests.partner_orders.calls import PAY_PATH, post, signed
from tests.partner_orders.refusing import refused
from tests.partner_orders.world import PRICE_FEN, buy, make_address, make_alipay, make_coupon, make_pack, make_partner
from tests.world import grant, make_customer, place_order

pytestmark = pytest.mark.django_db
DAY = datetime.timedelta(days=1)


def used(world):
    coupon = make_coupon(customer=world.customer)
    buy(pack=make_pack(client=world.client, uid="1" * 32), address=world.address, coupon=coupon)
    return {"coupon_id": coupon.uid}


def held(world):
    make_alipay()
    coupon = make_coupon(customer=world.customer)
    buy(pack=world.pack, address=world.address, coupon=coupon, pay_type=PayType.ALIPAY)
    return {"coupon_id": coupon.uid}


def poor(world):
    buyer = make_partner(client=world.client, user_id="poor", balance_fen=PRICE_FEN - 1)
    return {"user_id": "poor", "address_id": make_address(customer=buyer).pk}


def frozen(world):
    type(world.customer).objects.update(is_frozen=True)
    return {}


def elsewhere(world):
    return {"gift_pos_id": make_pack(client=world.rival, uid="2" * 32).uid}


def days(from_day, until_day):
    today = timezone.localdate()
    return {"valid_from": today + from_day * DAY, "valid_until": today + until_day * DAY}


def on(day):
    return f"{timezone.localdate() + day * DAY:%Y-%m-%d}"


# what is asked for, the status, the code, the field, the sentence
SAID_NO = {
    "sold out": (
        lambda world: {"gift_pos_id": make_pack(client=world.client, uid="3" * 32, pieces=0).uid},
        409, "gift_pack_sold_out", "gift_pos_id", "该礼包已售罄，请选择其他礼包。",
    ),
    "hidden": (
        lambda world: {"gift_pos_id": make_pack(client=world.client, uid="4" * 32, is_shown=False).uid},
        404, "gift_pack_unknown", "gift_pos_id", "没有这个在售礼包。请使用礼包列表中的 gift_pos_id。",
    ),
    "pack of another client": (
        elsewhere, 404, "gift_pack_unknown", "gift_pos_id", "没有这个在售礼包。请使用礼包列表中的 gift_pos_id。",
    ),
    "coupon of another customer": (
        lambda world: {"coupon_id": make_coupon(customer=world.neighbour).uid},
        404, "coupon_unknown", "coupon_id", "该客户没有这张优惠券。请使用其优惠券列表中的 coupon_id，或不传。",
    ),
    "coupon of another client": (
        lambda world: {"coupon_id": make_coupon(customer=world.stranger).uid},
        404, "coupon_unknown", "coupon_id", "该客户没有这张优惠券。请使用其优惠券列表中的 coupon_id，或不传。",
    ),
    "coupon used": (
        used, 409, "coupon_used", "coupon_id",
        "该优惠券已使用，或正被一笔待支付订单占用。请不使用优惠券支付，或换一张。",
    ),
    "coupon held by a waiting order": (
        held, 409, "coupon_used", "coupon_id",
        "该优惠券已使用，或正被一笔待支付订单占用。请不使用优惠券支付，或换一张。",
    ),
    "coupon expired": (
        lambda world: {"coupon_id": world.coupon(**days(-9, -1))},
        422, "coupon_expired", "coupon_id",
        lambda: f"该优惠券已于 {on(-1)} 到期。请不使用优惠券支付，或换一张。",
    ),
    "coupon not yet valid": (
        lambda world: {"coupon_id": world.coupon(**days(1, 9))},
        422, "coupon_not_yet_valid", "coupon_id",
        lambda: f"该优惠券自 {on(1)} 起生效。请不使用优惠券支付，或换一张。",
    ),
    "coupon under its minimum": (
        lambda world: {"coupon_id": world.coupon(min_price_fen=PRICE_FEN + 1)},
        422, "coupon_under_minimum", "coupon_id",
        "该优惠券仅限售价满 ¥300.01 的礼包使用。请不使用优惠券支付，或换一个礼包。",
    ),
    "coupon as large as the price": (
        lambda world: {"coupon_id": world.coupon(off_fen=PRICE_FEN)},
        422, "coupon_too_large", "coupon_id",
        "该优惠券抵扣 ¥300.00，抵扣后没有应付金额。请不使用优惠券支付，或换一个礼包。",
    ),
    "coupon larger than the price": (
        lambda world: {"coupon_id": world.coupon(off_fen=PRICE_FEN + 100)},
        422, "coupon_too_large", "coupon_id",
        "该优惠券抵扣 ¥301.00，抵扣后没有应付金额。请不使用优惠券支付，或换一个礼包。",
    ),
    "address of another customer": (
        lambda world: {"address_id": make_address(customer=world.neighbour).pk},
        404, "address_unknown", "address_id", "该客户没有这个收货地址。请使用其地址列表中的 address_id。",
    ),
    "address of another client": (
        lambda world: {"address_id": make_address(customer=world.stranger).pk},
        404, "address_unknown", "address_id", "该客户没有这个收货地址。请使用其地址列表中的 address_id。",
    ),
    "customer of another client": (
        lambda _world: {"user_id": "stranger"},
        404, "customer_unknown", "user_id", "没有找到您的这位客户。请核对 user_id，或先登记该客户。",
    ),
    "balance too small by a fen": (
        poor, 422, "balance_too_small", "pay_type", "余额不足，应付 ¥300.00。请先充值，或改用支付宝支付。",
    ),
    "customer frozen": (frozen, 422, "customer_frozen", "user_id", "该客户的账户已冻结，请联系商城。"),
    "no Alipay": (
        lambda _world: {"pay_type": 2}, 422, "no_gateway_account", "", "这种支付方式尚未开通，请选择其他方式。",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID_NO)
def test_what_cannot_be_bought_is_refused_with_what_to_do(client, world, case):
    arrange, status, code, field, expected = SAID_NO[case]
    params = signed(world.call(**arrange(world)))

    sentence = refused(client, world, params, status=status, code=code, field=field)

    assert sentence == (expected() if callable(expected) else expected)


@pytest.mark.parametrize(
    "terms",
    [lambda: {"off_fen": PRICE_FEN - 100}, lambda: {"min_price_fen": PRICE_FEN}, lambda: days(0, 0)],
    ids=["leaves a yuan", "from its price on", "of today alone"],
)
def test_control_a_coupon_just_inside_its_terms_is_taken(client, world, terms):
    status, answer = post(client, PAY_PATH, signed(world.call(coupon_id=world.coupon(**terms()))), token=world.token)

    assert (status, answer["code"]) == (200, 1)


def test_control_a_fen_more_and_the_balance_covers_it(client, world):
    changes = poor(world)
    buyer = Address.objects.get(pk=changes["address_id"]).customer
    grant(customer=buyer, kind=accounts.Kind.BALANCE, amount_fen=1, reference="a fen")

    status, answer = post(client, PAY_PATH, signed(world.call(**changes)), token=world.token)

    assert (status, answer["code"]) == (200, 1)


# --- the Idempotency-Key


@pytest.mark.parametrize("key", ["k" * 65, "a b", "a\tb", "é", "键", "\x7f"], ids=ascii)
def test_a_key_that_is_none_is_refused(client, world, key):
    sentence = refused(
        client, world, signed(world.call()), headers={"idempotency-key": key}, status=400, code="invalid_field",
        field="Idempotency-Key",
    )  # fmt: skip

    assert sentence in {
        "请传最多 64 个 ASCII 字母、数字或符号，不含空格。", "请确保这个字段不能超过 64 个字符。",
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda world: {"address_id": make_address(customer=world.customer).pk},
        lambda world: {"gift_pos_id": make_pack(client=world.client, uid="5" * 32).uid},
        lambda world: {"coupon_id": world.coupon()},
        lambda world: {"user_id": "neighbour", "address_id": make_address(customer=world.neighbour).pk},
    ],
    ids=["address", "pack", "coupon", "customer"],
)
def test_a_key_used_for_other_contents_is_a_conflict(client, world, change):
    key = {"idempotency-key": "tap-1"}
    assert post(client, PAY_PATH, signed(world.call()), token=world.token, headers=key)[1]["code"] == 1
    params = signed(world.call(**change(world)))

    refused(client, world, params, headers=key, status=409, code="number_reused", field="Idempotency-Key")


def test_a_key_that_numbers_an_order_of_another_family_is_a_conflict(client, world):
    make_customer(client=world.client)
    place_order(client=world.client, number="T1")

    refused(
        client, world, signed(world.call()), headers={"idempotency-key": "T1"}, status=409, code="number_reused",
        field="Idempotency-Key",
    )  # fmt: skip
