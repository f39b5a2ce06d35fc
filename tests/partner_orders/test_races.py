"""Many who buy at once. Each race has a control: the same race with its guard taken away, which must go wrong."""

import re

import pytest
from django.db import connection

from partner_orders import stock
from partner_orders.models import GiftPack, PartnerOrder, PayType
from partner_orders.operations import Bought
from payments.charges import placement
from payments.errors import OnetillError
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Order, Transfer
from payments.orders import numbers
from tests.partner_orders.dealings import (
    broken,
    is_used,
    level_of,
    refund,
)
from tests.partner_orders.racing import (
    meeting_before_pricing,
    partners,
    pay,
    without_the_customer_s_lock,
)
from tests.partner_orders.world import (
    NOW,
    PRICE_FEN,
    balance_fen,
    in_stock,
    make_address,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
)
from tests.sabotage import afresh
from tests.threads import at_once, at_once_behind, insist, kinds, meeting

pytestmark = pytest.mark.django_db(transaction=True)


# --- stock ------------------------------------------------------------------------------------------------------------


def test_a_hundred_customers_for_the_last_seven_packs_are_seven_orders(client_):
    pack = make_pack(client=client_, pieces=7, level=make_level(client=client_), score=10)
    addresses = partners(client_, 100)

    outcomes = at_once(100, lambda n: pay(pack, addresses[n]))

    assert kinds(outcomes) == {"Bought": 7, "PackSoldOut": 93}
    assert {outcome.code for outcome in outcomes if isinstance(outcome, OnetillError)} == {"gift_pack_sold_out"}
    assert in_stock(pack) == 0
    assert Order.objects.count() == PartnerOrder.objects.filter(holds=True).count() == 7
    has_bought = [isinstance(outcome, Bought) for outcome in outcomes]
    assert [balance_fen(address.customer) for address in addresses] == [
        100_000 - PRICE_FEN * bought for bought in has_bought
    ]
    assert [level_of(address.customer) for address in addresses] == ["V5" if bought else "" for bought in has_bought]
    assert held_fen(code="sales") == 7 * PRICE_FEN


def test_control_where_stock_is_read_and_then_written_more_is_sold_than_there_is(client_, monkeypatch):
    pack = make_pack(client=client_, pieces=7)
    addresses = partners(client_, 20)
    meet = meeting(20)

    def take(*, pack_id):
        seen = GiftPack.objects.get(pk=pack_id)
        meet()
        GiftPack.objects.filter(pk=pack_id).update(stock=seen.stock - 1)

    monkeypatch.setattr(stock, "take", take)

    with afresh():
        outcomes = at_once(20, lambda n: pay(pack, addresses[n]))

        assert kinds(outcomes) == {"Bought": 20}
        assert in_stock(pack) == 6
        assert broken().keys() == {"partner_orders"}


def test_control_without_the_condition_the_database_refuses_the_eighth(client_, monkeypatch):
    pack = make_pack(client=client_, pieces=7)
    addresses = partners(client_, 20)
    meet, update = meeting(20), "UPDATE partner_orders_giftpack SET stock = stock - 1 WHERE id = %s"

    def take(*, pack_id):
        meet()
        with connection.cursor() as cursor:
            cursor.execute(update, [pack_id])

    monkeypatch.setattr(stock, "take", take)

    outcomes = at_once(20, lambda n: pay(pack, addresses[n]))

    assert kinds(outcomes) == {"Bought": 7, "IntegrityError": 13}
    assert in_stock(pack) == 0


def test_stock_put_in_while_it_is_sold_and_given_back_is_neither_lost_nor_doubled(client_):
    pack = make_pack(client=client_, pieces=20)
    addresses = partners(client_, 20)

    def deal(n):
        if n % 4 == 3:
            return insist(lambda: stock.put_in(pack_id=pack.pk, pieces=2, actor="test"))
        bought = pay(pack, addresses[n])
        if n % 4 == 0:
            insist(lambda: refund(bought.document, PRICE_FEN))
        return bought

    outcomes = at_once(20, deal)

    assert kinds(outcomes) == {"Bought": 15, "GiftPack": 5}
    assert in_stock(pack) == 20 - 15 + 5 + 10
    assert pack.stocked == 30


# --- coupon -----------------------------------------------------------------------------------------------------------


def test_a_hundred_orders_for_one_coupon_are_one_order(client_, pack, address, customer):
    coupon = make_coupon(customer=customer)

    outcomes = at_once(100, lambda n: pay(pack, address, coupon=coupon, key=f"k{n}"))

    assert kinds(outcomes) == {"Bought": 1, "CouponUsed": 99}
    assert balance_fen(customer) == 100_000 - 25_000
    assert (in_stock(pack), Order.objects.count(), is_used(coupon)) == (9, 1, True)


def test_control_without_the_customer_s_lock_the_database_refuses_the_second(
    client_, pack, address, customer, monkeypatch
):
    coupon = make_coupon(customer=customer)
    without_the_customer_s_lock(monkeypatch)
    meeting_before_pricing(monkeypatch, 20)

    outcomes = at_once(20, lambda n: pay(pack, address, coupon=coupon, key=f"k{n}"))

    assert kinds(outcomes) == {"Bought": 1, "IntegrityError": 19}
    assert balance_fen(customer) == 75_000


def test_control_without_lock_and_unique_index_a_coupon_is_used_many_times(
    client_, pack, address, customer, monkeypatch
):
    coupon = make_coupon(customer=customer)
    without_the_customer_s_lock(monkeypatch)
    meeting_before_pricing(monkeypatch, 4)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX partner_order_coupon_held_once")
    try:
        with afresh():
            outcomes = at_once(4, lambda n: pay(pack, address, coupon=coupon, key=f"k{n}"))

            assert kinds(outcomes) == {"Bought": 4}
            assert "partner_orders" in broken()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE UNIQUE INDEX partner_order_coupon_held_once ON partner_orders_partnerorder (coupon_id) "
                "WHERE coupon_id IS NOT NULL AND holds"
            )


# --- balance ----------------------------------------------------------------------------------------------------------


def test_fifty_orders_on_a_balance_for_seven_are_seven(client_):
    pack = make_pack(client=client_, pieces=50)
    address = make_address(customer=make_partner(client=client_, balance_fen=7 * PRICE_FEN + 1))

    outcomes = at_once(50, lambda n: pay(pack, address, key=f"k{n}"))

    assert kinds(outcomes) == {"Bought": 7, "BalanceTooSmall": 43}
    assert balance_fen(address.customer) == 1
    assert in_stock(pack) == 43
    assert Transfer.objects.filter(credit="sales").count() == 7


def test_control_without_the_lock_and_with_a_stale_balance_it_is_spent_twice(client_, monkeypatch):
    pack = make_pack(client=client_, pieces=50)
    address = make_address(customer=make_partner(client=client_, balance_fen=7 * PRICE_FEN))
    without_the_customer_s_lock(monkeypatch)
    monkeypatch.setattr(
        placement,
        "_SPEND",
        """
        UPDATE payments_account account SET balance_fen = stale.balance_fen - %(own_fen)s
        FROM placed, (SELECT id, balance_fen FROM payments_account) AS stale
        WHERE account.customer_id = %(customer_id)s AND account.kind = %(tender)s AND stale.id = account.id
        """,
    )

    with afresh():
        lock = "SELECT 1 FROM payments_account WHERE customer_id = %s AND kind = 'balance' FOR UPDATE"
        at_once_behind(
            lock, address.customer.pk, count=30, call=lambda n: pay(pack, address, key=f"k{n}"), held_up=10
        )  # fmt: skip

        assert Order.objects.count() > 7
        assert "I2a" in broken()


# --- the same call ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "k1"])
@pytest.mark.parametrize("pay_type", PayType)
def test_the_same_call_thirty_times_at_once_is_one_order_and_thirty_equal_answers(pack, address, key, pay_type):
    make_alipay()

    outcomes = at_once(30, lambda n: pay(pack, address, key=key, pay_type=pay_type))

    assert kinds(outcomes) == {"Bought": 30}
    assert len({(outcome.document.pk, outcome.pay_url) for outcome in outcomes}) == 1
    assert (Order.objects.count(), in_stock(pack)) == (1, 9)
    is_paid = pay_type == PayType.BALANCE
    assert balance_fen(address.customer) == (100_000 - PRICE_FEN if is_paid else 100_000)
    assert outcomes[0].pay_url.startswith("http") is not is_paid


def test_control_without_the_customer_s_lock_the_same_call_is_several_orders(
    client_, pack, address, customer, monkeypatch
):
    without_the_customer_s_lock(monkeypatch)
    meeting_before_pricing(monkeypatch, 3)

    outcomes = at_once(3, lambda n: pay(pack, address))

    assert kinds(outcomes) == {"Bought": 3}
    assert Order.objects.count() == 3


def test_control_without_the_customer_s_lock_a_key_refuses_what_it_should_answer(
    client_, pack, address, customer, monkeypatch
):
    without_the_customer_s_lock(monkeypatch)
    meeting_before_pricing(monkeypatch, 10)

    outcomes = at_once(10, lambda n: pay(pack, address, key="k1"))

    assert kinds(outcomes) == {"Bought": 1, "NumberReused": 9}


def test_two_packs_under_one_key_at_once_are_one_order(client_, pack, address, customer):
    dearer = make_pack(client=client_, uid="1" * 32, price_fen=40_000)

    outcomes = at_once(20, lambda n: pay(dearer if n % 2 else pack, address, key="k1"))

    assert kinds(outcomes) == {"Bought": 10, "NumberReused": 10}
    (document,) = PartnerOrder.objects.select_related("pack")
    assert {outcome.document.pk for outcome in outcomes if isinstance(outcome, Bought)} == {document.pk}
    assert balance_fen(customer) == 100_000 - document.price_fen
    assert (in_stock(pack), in_stock(dearer)) == ((9, 10) if document.pack == pack else (10, 9))


def test_two_customers_under_one_key_at_once_are_one_order(client_, pack):
    addresses = partners(client_, 20)

    outcomes = at_once(20, lambda n: pay(pack, addresses[n], key="k1"))

    assert kinds(outcomes) == {"Bought": 1, "NumberReused": 19}
    assert {outcome.status for outcome in outcomes if isinstance(outcome, OnetillError)} == {409}
    assert sorted(balance_fen(address.customer) for address in addresses) == [70_000, *[100_000] * 19]
    assert in_stock(pack) == 9


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_fifty_orders_of_one_moment_have_fifty_numbers(client_):
    pack = make_pack(client=client_, pieces=50)
    addresses = partners(client_, 50)

    outcomes = at_once(50, lambda n: pay(pack, addresses[n], at=NOW))

    assert kinds(outcomes) == {"Bought": 50}
    issued = {outcome.document.order.number for outcome in outcomes}
    assert len(issued) == 50
    assert all(re.fullmatch(r"20220107175755\d{13}", number) for number in issued)


def test_control_where_nothing_is_drawn_one_moment_has_one_number(client_, monkeypatch):
    pack = make_pack(client=client_)
    addresses = partners(client_, 5)
    monkeypatch.setattr(numbers.secrets, "randbelow", lambda _below: 0)

    outcomes = at_once(5, lambda n: pay(pack, addresses[n], at=NOW))

    assert kinds(outcomes) == {"Bought": 1, "NoNumberFree": 4}
    assert in_stock(pack) == 9
