"""Many who buy at once. Each race has a control: the same race with its guard taken away, which must go wrong."""

import datetime
import os
import random
import re
import time
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import timezone

from partner_orders import fulfilment, operations, pricing, shipping, stock
from partner_orders.models import GiftPack, PartnerOrder, PayType
from partner_orders.operations import Bought
from payments.charges import placement, settlement
from payments.closing import late_money
from payments.closing import operations as closing
from payments.errors import OnetillError
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Customer, Order, Transfer
from payments.orders import numbers
from payments.orders import operations as orders
from payments.transactions import DATABASE_TROUBLE, transaction
from tests.conftest import APPEND_ONLY
from tests.partner_orders.dealings import (
    attempt_at,
    broken,
    end_attempts,
    gateway_refunds,
    is_used,
    level_of,
    money_comes,
    now_of,
    order_by_alipay,
    refund,
)
from tests.partner_orders.world import (
    NOW,
    PRICE_FEN,
    balance_fen,
    command,
    in_stock,
    make_address,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
)
from tests.threads import at_once, at_once_behind, meeting

pytestmark = pytest.mark.django_db(transaction=True)

# Two hundred rounds before a release, a part of them for every change.
ROUNDS = int(os.environ.get("CLOSING_ROUNDS", "100"))
MIX_SECONDS = float(os.environ.get("MIX_SECONDS", "5"))


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def insist(call):
    """Call as a client does: told that the system is busy, it tries again."""
    while True:
        try:
            return call()
        except DATABASE_TROUBLE:
            connection.close()


def pay(pack, address, **fields):
    """Document 002's call, for a thread: NOW unless told otherwise."""
    at = fields.pop("at", NOW)
    asked = command(pack=pack, address=address, **fields)
    return insist(lambda: operations.pay(client=pack.client, command=asked, at=at))


def partners(client, count, **fields):
    """So many customers, by their addresses."""
    return [make_address(customer=make_partner(client=client, user_id=f"u{n}", **fields)) for n in range(count)]


def without_the_customer_s_lock(monkeypatch):
    unlocked = SimpleNamespace(objects=SimpleNamespace(select_for_update=lambda **_of: Customer.objects))
    monkeypatch.setattr(operations, "Customer", unlocked)


def meeting_before_pricing(monkeypatch, count):
    """All have looked whether the coupon is free and the call new, and none has written."""
    meet, price = meeting(count), pricing.price
    monkeypatch.setattr(pricing, "price", lambda **of: meet() or price(**of))


@contextmanager
def afresh():
    """Books that a control has spoilt are thrown away."""
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("TRUNCATE payments_customer, payments_transfer, partner_orders_giftpack CASCADE")
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


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

    assert kinds(outcomes) == {"Bought": 1, "TryAgain": 4}
    assert in_stock(pack) == 9


# --- closing against payment ------------------------------------------------------------------------------------------


def close(document):
    """As a client does, who may be told that it is paid."""
    try:
        closing.close(order_id=document.order_id, actor="client:shop", at=timezone.now())
    except closing.OrderNotClosable:
        return "paid"
    return "closed"


def expire(document):
    Order.objects.filter(pk=document.order_id).update(expires_at=timezone.now() - datetime.timedelta(minutes=5))
    return closing.close_due(at=timezone.now())


def test_closing_against_the_notice_of_the_payment_ends_in_one_or_the_other(
    client_, customer, address, record_property
):
    make_alipay()
    pack = make_pack(client=client_, pieces=ROUNDS, level=make_level(client=client_), score=1)
    coupons = [make_coupon(customer=customer) for _round in range(ROUNDS)]
    pool = [order_by_alipay(pack=pack, address=address, coupon=coupon, key=coupon.uid) for coupon in coupons]
    for document in pool:
        end_attempts(document)  # the gateway takes no more; what it has taken it tells now
    chance = random.Random(0)
    pauses = [(chance.uniform(0, 0.006), chance.uniform(0, 0.006)) for _document in pool]
    assert in_stock(pack) == 0

    for n, (document, late) in enumerate(zip(pool, pauses, strict=True)):

        def close_or_pay(which, n=n, document=document, late=late):
            time.sleep(late[which])
            return money_comes(document) if which else (expire if n % 2 else close)(document)

        outcomes = at_once(2, close_or_pay)
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
    late_money.refund_due(limit=ROUNDS)
    gateway_refunds()

    ends = [what_became_of(document, coupon) for document, coupon in zip(pool, coupons, strict=True)]
    split = Counter(ends)
    record_property("split", dict(split))
    assert set(split) == {"paid and held", "closed, and all of it back"}
    assert in_stock(pack) == split["closed, and all of it back"]
    assert held_fen(code="sales") == 25_000 * split["paid and held"]
    assert held_fen(code="suspense") == held_fen(code="escrow") == 0
    assert level_of(customer) == "V5"
    assert held_fen(code=f"points:{customer.pk}") == split["paid and held"]


def what_became_of(document, coupon):
    document, charge = now_of(document), attempt_at(document)
    kept_fen = charge.paid_fen - charge.refunded_fen
    if document.order.status == "pay_finished":
        assert (document.holds, is_used(coupon), document.fulfilled_at is not None) == (True, True, True)
        assert (charge.status, kept_fen) == ("succeeded", 25_000)
        return "paid and held"
    assert (document.order.status, document.holds, is_used(coupon)) == ("closed", False, False)
    assert document.fulfilled_at is None
    assert (charge.status, kept_fen) == ("released", 0)
    return "closed, and all of it back"


def test_control_without_the_order_s_lock_only_the_database_stops_both_from_happening(
    client_, pack, address, monkeypatch
):
    make_alipay()
    document = order_by_alipay(pack=pack, address=address)
    end_attempts(document)
    monkeypatch.setattr(orders, "lock", lambda *, order_id: Order.objects.get(pk=order_id))
    meet, next_status = meeting(2), settlement.next_status
    monkeypatch.setattr(settlement, "next_status", lambda **of: meet() or next_status(**of))

    def close_itself():
        with transaction():
            assert orders.lock(order_id=document.order_id).status in orders.CLOSABLE
            meet()
            closing._close_locked(order_ids=[document.order_id], actor="test", at=timezone.now(), reason="")

    outcomes = at_once(2, lambda n: money_comes(document) if n else close_itself())

    assert kinds(outcomes)["IntegrityError"] == 1


# --- everything at once -----------------------------------------------------------------------------------------------


def failing_now_and_then(call):
    """Does its work and then raises, one time in ten: the savepoint around it takes the work back."""
    chance = random.Random(0)

    def maybe(**of):
        call(**of)
        if chance.random() < 0.1:
            raise RuntimeError("on purpose")

    return maybe


class Market:
    """A few customers and packs, and everything that can be done with them, in no order."""

    def __init__(self, client):
        high, low = make_level(client=client), make_level(client=client, code="V2", rank=2)
        self.packs = [
            make_pack(client=client, pieces=30, uid=f"{n}" * 32, level=level, score=score)
            for n, (level, score) in enumerate([(high, 7), (low, 0), (None, 3)])
        ]
        self.addresses = partners(client, 3, balance_fen=10_000_000)
        self.coupons = [make_coupon(customer=address.customer) for address in self.addresses for _n in range(3)]

    def step(self, chance):
        return chance.choice(
            [self.buy, self.buy, self.buy, self.money_comes, self.give_back, self.give_back, self.close, self.deliver]
        )(chance)  # fmt: skip

    def buy(self, chance):
        address = chance.choice(self.addresses)
        own = [coupon for coupon in self.coupons if coupon.customer_id == address.customer_id]
        return operations.pay(
            client=self.packs[0].client,
            command=command(
                pack=chance.choice(self.packs), address=address, coupon=chance.choice([None, *own]),
                pay_type=chance.choice(list(PayType)), key=f"{chance.random()}",
            ),
            at=timezone.now(),
        )  # fmt: skip

    def _any(self, chance, **having):
        return chance.choice(list(PartnerOrder.objects.filter(**having)) or [None])

    def money_comes(self, chance):
        waiting = {"order__status__in": ["unpaid", "closed"], "order__charges__isnull": False}
        document = self._any(chance, pay_type=PayType.ALIPAY, **waiting)
        return money_comes(document) if document else None

    def give_back(self, chance):
        document = self._any(chance, order__status__in=["pay_finished", "partly_refund"])
        if document is None:
            return None
        left_fen = document.order.goods_fen - document.order.refunded_goods_fen
        made = refund(document, chance.choice([left_fen, max(left_fen // 2, 1)]))
        gateway_refunds()
        return made

    def close(self, chance):
        document = self._any(chance, order__status="unpaid")
        if document is not None:
            end_attempts(document)
            Order.objects.filter(pk=document.order_id, status="unpaid").update(expires_at=timezone.now())
        return closing.close_due(at=timezone.now())

    def deliver(self, chance):
        Order.objects.filter(fulfil_due_at__isnull=False).update(fulfil_due_at=timezone.now())
        return orders.fulfil_due(at=timezone.now()), shipping.receive_due(at=timezone.now())


def test_control_two_packs_locked_crosswise_are_a_deadlock_that_is_seen(client_):
    packs = [make_pack(client=client_, uid=f"{n}" * 32) for n in range(2)]
    meet = meeting(2)

    def lock_both(n):
        with transaction():
            GiftPack.objects.select_for_update().get(pk=packs[n].pk)
            meet()
            GiftPack.objects.select_for_update().get(pk=packs[1 - n].pk)

    outcomes = at_once(2, lock_both)

    assert sorted(getattr(getattr(outcome, "__cause__", None), "sqlstate", "") for outcome in outcomes) == ["", "40P01"]


def test_buying_paying_refunding_closing_and_fulfilling_at_once_meet_no_deadlock(client_, monkeypatch, record_property):
    make_alipay()
    market = Market(client_)
    monkeypatch.setattr(fulfilment, "fulfil", failing_now_and_then(fulfilment.fulfil))
    until = time.monotonic() + MIX_SECONDS

    def deal(n):
        chance, outcomes = random.Random(n), []
        while time.monotonic() < until:
            try:
                market.step(chance)
                outcomes.append("done")
            except OnetillError as error:
                outcomes.append(error.code)
            except DATABASE_TROUBLE as error:
                outcomes.append(getattr(error.__cause__, "sqlstate", None) or str(error))
                connection.close()
        return outcomes

    outcomes = at_once(16, deal)

    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
    met = Counter(word for words in outcomes for word in words)
    record_property("met", dict(met))
    assert met["40P01"] == 0, met
    assert met["done"] > 50
    monkeypatch.undo()
    market.deliver(random.Random(0))
    while late_money.refund_due():
        gateway_refunds()
    assert not PartnerOrder.objects.filter(order__status="pay_finished", fulfilled_at__isnull=True).exists()
