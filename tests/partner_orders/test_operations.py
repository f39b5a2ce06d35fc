"""Buying a pack: what moves, what is held, what is refused."""

import datetime

import pytest

from partner_orders import operations, pricing, queries, stock
from partner_orders.models import CustomerLevel, PartnerOrder, PayType
from payments.charges.placement import NumberReused
from payments.closing import operations as closing
from payments.models import Charge, Order, Transfer
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.partner_orders.world import (
    NOW,
    PRICE_FEN,
    balance_fen,
    buy,
    in_stock,
    make_address,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
)
from tests.world import points_fen

pytestmark = pytest.mark.django_db
SECOND = datetime.timedelta(seconds=1)


def level_of(customer):
    standing = CustomerLevel.objects.select_related("level").filter(customer=customer).first()
    return standing.level.code if standing and standing.level else ""


def refund(document, fen, refund_no="R1"):
    command = RefundCommand(goods_fen=fen, refund_no=refund_no)
    return refunds.refund(order_id=document.order_id, command=command, actor="client:shop", at=NOW)


def test_the_balance_pays_at_once(pack, address, customer):
    document = buy(pack=pack, address=address, at=NOW)

    assert document.order.status == "pay_finished"
    assert balance_fen(customer) == 70_000
    assert in_stock(pack) == 9
    charge = Charge.objects.get()
    assert (charge.tender, charge.number, charge.paid_fen) == ("balance", f"{document.order.number}_1", PRICE_FEN)
    assert sorted(Transfer.objects.filter(order=document.order).values_list("debit", "credit", "amount_fen")) == [
        (f"balance:{customer.pk}", "escrow", PRICE_FEN),
        ("escrow", "sales", PRICE_FEN),
    ]


def test_a_paid_pack_lifts_its_customer_and_credits_its_score(client_, address, customer):
    pack = make_pack(client=client_, level=make_level(client=client_), score=120)

    document = buy(pack=pack, address=address, at=NOW)

    assert level_of(customer) == "V5"
    assert points_fen(customer) == 120
    assert (document.fulfilled_at, document.level_before) == (NOW, "")


def test_a_lesser_pack_never_lowers_a_level(client_, address, customer):
    high = make_pack(client=client_, level=make_level(client=client_))
    low = make_pack(client=client_, uid="0" * 32, level=make_level(client=client_, code="V2", rank=2))
    buy(pack=high, address=address, at=NOW)

    document = buy(pack=low, address=address, at=NOW)

    assert level_of(customer) == "V5"
    assert document.level_before == "V5"


def test_a_coupon_takes_off_and_is_held(pack, address, customer):
    coupon = make_coupon(customer=customer)

    document = buy(pack=pack, address=address, coupon=coupon, at=NOW)

    assert (document.price_fen, document.deduct_fen, document.order.total_fen) == (30_000, 5_000, 25_000)
    assert balance_fen(customer) == 75_000
    with pytest.raises(pricing.CouponUsed):
        buy(pack=pack, address=make_address(customer=customer), coupon=coupon, at=NOW)
    assert in_stock(pack) == 9


def test_too_small_a_balance_leaves_no_trace(client_, pack):
    poor = make_partner(client=client_, user_id="poor", balance_fen=PRICE_FEN - 1)
    address = make_address(customer=poor)
    coupon = make_coupon(customer=poor, off_fen=100, min_price_fen=30_000)

    with pytest.raises(operations.BalanceTooSmall) as refused:
        buy(pack=make_pack(client=client_, uid="1" * 32, price_fen=30_200), address=address, coupon=coupon, at=NOW)

    assert refused.value.field == "pay_type"
    assert balance_fen(poor) == PRICE_FEN - 1
    assert not Order.objects.exists()
    assert not queries.coupon(customer_id=poor.pk, uid=coupon.uid).is_used
    assert in_stock(pack) == 10


def test_the_last_piece_is_sold_once(client_, address, customer):
    pack = make_pack(client=client_, pieces=1)
    buy(pack=pack, address=address, at=NOW)

    with pytest.raises(stock.PackSoldOut):
        buy(pack=pack, address=make_address(customer=customer), at=NOW)

    assert in_stock(pack) == 0


def test_the_same_call_within_two_minutes_is_the_same_order(pack, address, customer):
    first = buy(pack=pack, address=address, at=NOW)

    again = buy(pack=pack, address=address, at=NOW + 119 * SECOND)

    assert again == first
    assert balance_fen(customer) == 70_000


def test_after_two_minutes_it_is_another(pack, address, customer):
    first = buy(pack=pack, address=address, at=NOW)

    again = buy(pack=pack, address=address, at=NOW + 121 * SECOND)

    assert again != first
    assert balance_fen(customer) == 40_000


def test_a_key_makes_it_exact(pack, address, customer):
    first = buy(pack=pack, address=address, at=NOW, key="k1")

    other = buy(pack=pack, address=address, at=NOW + SECOND, key="k2")
    again = buy(pack=pack, address=address, at=NOW + 3600 * SECOND, key="k1")

    assert (again, other != first) == (first, True)
    assert balance_fen(customer) == 40_000
    with pytest.raises(NumberReused):
        buy(pack=pack, address=make_address(customer=customer), at=NOW, key="k1")


def test_a_closed_order_gives_stock_and_coupon_back(client_, pack, address, customer):
    make_alipay()
    coupon = make_coupon(customer=customer)
    document = buy(pack=pack, address=address, coupon=coupon, pay_type=PayType.ALIPAY, at=NOW)
    assert in_stock(pack) == 9
    Charge.objects.update(status="closed", next_query_at=None)

    closing.close_due(at=NOW + datetime.timedelta(hours=1))

    document.refresh_from_db()
    assert (document.order.status, document.holds) == ("closed", False)
    assert in_stock(pack) == 10
    assert not queries.coupon(customer_id=customer.pk, uid=coupon.uid).is_used


def test_while_an_order_waits_for_alipay_the_same_call_finds_it(pack, address):
    make_alipay()
    first = buy(pack=pack, address=address, pay_type=PayType.ALIPAY, at=NOW)

    again = buy(pack=pack, address=address, pay_type=PayType.ALIPAY, at=NOW + 1500 * SECOND)

    assert again == first
    assert in_stock(pack) == 9


def test_a_refund_in_full_takes_everything_back(client_, address, customer):
    pack = make_pack(client=client_, level=make_level(client=client_), score=120)
    coupon = make_coupon(customer=customer)
    document = buy(pack=pack, address=address, coupon=coupon, at=NOW)

    refund(document, 10_000)

    assert (level_of(customer), points_fen(customer), in_stock(pack)) == ("V5", 72, 9)
    refund(document, 15_000, "R2")
    document.refresh_from_db()
    assert document.order.status == "total_refund"
    assert (level_of(customer), points_fen(customer), in_stock(pack)) == ("", 0, 10)
    assert balance_fen(customer) == 100_000
    assert not queries.coupon(customer_id=customer.pk, uid=coupon.uid).is_used


def test_a_level_that_another_paid_pack_supports_stays(client_, address, customer):
    pack = make_pack(client=client_, level=make_level(client=client_))
    first = buy(pack=pack, address=address, at=NOW, key="1")
    buy(pack=pack, address=address, at=NOW, key="2")

    refund(first, PRICE_FEN)

    assert level_of(customer) == "V5"
    assert PartnerOrder.objects.filter(holds=True).count() == 1
