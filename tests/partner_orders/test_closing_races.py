"""Closing, paying, refunding and fulfilling partner orders at once. Each race has a control that goes wrong."""

import datetime
import os
import random
import threading
import time
from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from partner_orders import fulfilment, operations, shipping
from partner_orders.models import GiftPack, PartnerOrder, PayType
from payments.charges import settlement
from payments.closing import late_money
from payments.closing import operations as closing
from payments.errors import OnetillError
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Order
from payments.orders import operations as orders
from payments.transactions import DATABASE_TROUBLE, transaction
from tests.partner_orders.dealings import (
    attempt_at,
    end_attempts,
    gateway_refunds,
    is_used,
    level_of,
    money_comes,
    now_of,
    order_by_alipay,
    refund,
)
from tests.partner_orders.racing import partners
from tests.partner_orders.world import (
    command,
    in_stock,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
)
from tests.threads import at_once, kinds, meeting

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = int(os.environ.get("CLOSING_ROUNDS", "200"))
MIX_SECONDS = int(os.environ.get("MIX_SECONDS", "5"))


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
    assert in_stock(pack) == 0
    start = threading.Barrier(2)

    def close_or_pay(which):
        chance = random.Random(which)
        for n, document in enumerate(pool):
            start.wait(60)
            time.sleep(chance.uniform(0, 0.006))
            (money_comes if which else expire if n % 2 else close)(document)

    assert at_once(2, close_or_pay) == [None, None]
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
