"""What a pack costs whom: to the fen, to the day, and what a coupon is refused for."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_orders import pricing, queries
from partner_orders.models import Coupon, CustomerCoupon, GiftPack
from partner_orders.pricing import CouponExpired, CouponNotYetValid, CouponTooLarge, CouponUnderMinimum
from partner_orders.queries import AddressUnknown, CouponState, CouponUnknown, PackUnknown
from payments.customers.queries import CustomerFrozen
from payments.models import Customer, Order
from tests.partner_orders.world import (
    NOW,
    TODAY,
    balance_fen,
    buy,
    in_stock,
    make_address,
    make_coupon,
    make_pack,
    make_partner,
    make_partner_client,
)

DAY = datetime.timedelta(days=1)
SHANGHAI = datetime.timezone(datetime.timedelta(hours=8))
MIDNIGHT = datetime.datetime(2022, 1, 7, tzinfo=SHANGHAI)  # when TODAY begins in the shop
SECOND = datetime.timedelta(seconds=1)


def coupon(*, off_fen=5_000, min_price_fen=0, valid_from=TODAY, valid_until=TODAY):
    terms = Coupon(off_fen=off_fen, min_price_fen=min_price_fen, valid_from=valid_from, valid_until=valid_until)
    return CustomerCoupon(coupon=terms)


def price(fen, own=None, at=NOW):
    return pricing.price(pack=GiftPack(price_fen=fen), coupon=own, at=at)


def test_without_a_coupon_a_pack_costs_its_price():
    found = price(30_000)

    assert (found.list_fen, found.deduct_fen, found.payable_fen) == (30_000, 0, 30_000)


def test_a_coupon_takes_off_what_it_says():
    found = price(30_000, coupon())

    assert (found.list_fen, found.deduct_fen, found.payable_fen) == (30_000, 5_000, 25_000)


@pytest.mark.parametrize("at", [MIDNIGHT, MIDNIGHT + DAY - SECOND])
def test_a_coupon_is_valid_from_the_first_second_of_its_first_day_to_the_last_of_its_last_in_shanghai(at):
    assert price(30_000, coupon(), at=at).payable_fen == 25_000


def test_a_second_before_it_is_not_yet_valid_and_a_second_after_it_is_expired():
    with pytest.raises(CouponNotYetValid) as early:
        price(30_000, coupon(), at=MIDNIGHT - SECOND)
    with pytest.raises(CouponExpired) as late:
        price(30_000, coupon(), at=MIDNIGHT + DAY)

    assert {early.value.field, late.value.field} == {"coupon_id"}
    assert "2022-01-07" in early.value.sentence()
    assert "2022-01-07" in late.value.sentence()


def test_a_coupon_from_a_price_on_is_good_for_that_price_and_not_for_less():
    own = coupon(min_price_fen=30_000)

    assert price(30_000, own).payable_fen == 25_000
    with pytest.raises(CouponUnderMinimum) as refused:
        price(29_900, own)
    assert "¥300" in refused.value.sentence()


def test_a_coupon_leaves_at_least_a_yuan_to_pay():
    assert price(5_100, coupon()).payable_fen == 100
    for fen in (5_000, 4_900):
        with pytest.raises(CouponTooLarge) as refused:
            price(fen, coupon())
        assert "¥50" in refused.value.sentence()


@given(st.integers(1, 10_000), st.integers(1, 10_000), st.integers(0, 10_000))
def test_what_is_to_pay_is_whole_yuan_above_nothing_and_price_less_coupon_or_refused(price_yuan, off_yuan, least_yuan):
    own = coupon(off_fen=off_yuan * 100, min_price_fen=least_yuan * 100)

    try:
        found = price(price_yuan * 100, own)
    except CouponUnderMinimum:
        assert price_yuan < least_yuan
    except CouponTooLarge:
        assert price_yuan <= off_yuan
    else:
        assert found.payable_fen == (price_yuan - off_yuan) * 100 > 0
        assert price_yuan >= least_yuan


# --- what the call says to it


def refused(error, field, **asked):
    customer = asked["address"].customer
    before = balance_fen(customer), in_stock(asked["pack"])
    with pytest.raises(error) as raised:
        buy(at=NOW, **asked)
    assert raised.value.field == field
    assert (balance_fen(customer), in_stock(asked["pack"])) == before
    assert not Order.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"valid_from": TODAY + DAY, "valid_until": TODAY + DAY}, CouponNotYetValid),
        ({"valid_from": TODAY - DAY, "valid_until": TODAY - DAY}, CouponExpired),
        ({"min_price_fen": 30_100}, CouponUnderMinimum),
        ({"off_fen": 30_000}, CouponTooLarge),
        ({"off_fen": 40_000}, CouponTooLarge),
    ],
)
def test_what_a_coupon_is_not_good_for_buys_nothing_and_leaves_it_free(pack, address, customer, terms, error):
    own = make_coupon(customer=customer, **terms)

    refused(error, "coupon_id", pack=pack, address=address, coupon=own)

    assert not queries.coupon(customer_id=customer.pk, uid=own.uid).is_used


@pytest.mark.django_db
def test_another_customer_s_coupon_or_address_is_unknown(client_, pack, address):
    other = make_partner(client=client_, user_id="other")

    refused(CouponUnknown, "coupon_id", pack=pack, address=address, coupon=make_coupon(customer=other))
    mine, theirs = address, make_address(customer=other)
    with pytest.raises(AddressUnknown):
        buy(pack=pack, address=mine, address_id=theirs.pk, at=NOW)
    assert not Order.objects.exists()


@pytest.mark.django_db
def test_a_pack_that_is_hidden_or_another_client_s_is_unknown(client_, pack, address):
    stranger = make_pack(client=make_partner_client(name="other"), uid="3" * 32)
    with pytest.raises(PackUnknown):
        buy(pack=pack, address=address, pack_uid=stranger.uid, at=NOW)
    GiftPack.objects.filter(pk=pack.pk).update(is_shown=False)

    refused(PackUnknown, "gift_pos_id", pack=pack, address=address)


@pytest.mark.django_db
def test_a_frozen_customer_buys_nothing(pack, address, customer):
    Customer.objects.filter(pk=customer.pk).update(is_frozen=True)

    refused(CustomerFrozen, "user_id", pack=pack, address=address)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("terms", "state"),
    [
        ({}, CouponState.USABLE),
        ({"valid_from": TODAY + DAY, "valid_until": TODAY + DAY}, CouponState.TO_COME),
        ({"valid_from": TODAY - DAY, "valid_until": TODAY - DAY}, CouponState.EXPIRED),
    ],
)
def test_a_coupon_s_state_is_told_and_filtered_alike(customer, terms, state):
    make_coupon(customer=customer, **terms)
    (own,) = queries.coupons(customer_id=customer.pk)

    assert queries.coupon_state(own, at=NOW) is state
    listed = {
        each: queries.coupons(customer_id=customer.pk).filter(queries.in_state(each, at=NOW)).count()
        for each in CouponState
    }
    assert listed == dict.fromkeys(CouponState, 0) | {state: 1}


@pytest.mark.django_db
def test_a_coupon_that_an_order_holds_is_used_and_nothing_else(pack, address, customer):
    own = make_coupon(customer=customer)
    buy(pack=pack, address=address, coupon=own, at=NOW)

    listed = {
        each: queries.coupons(customer_id=customer.pk).filter(queries.in_state(each, at=NOW)).count()
        for each in CouponState
    }

    assert listed == dict.fromkeys(CouponState, 0) | {CouponState.USED: 1}


@pytest.mark.django_db
def test_an_order_keeps_the_price_it_was_made_at(pack, address, customer):
    own = make_coupon(customer=customer)
    document = buy(pack=pack, address=address, coupon=own, at=NOW)

    GiftPack.objects.filter(pk=pack.pk).update(price_fen=99_900, title="other", score=9)
    Coupon.objects.update(off_fen=100)

    document.refresh_from_db()
    assert (document.price_fen, document.deduct_fen, document.pack_title, document.score) == (
        30_000, 5_000, "拉卡拉大POS 1台装礼包 升V5", 0,
    )  # fmt: skip
