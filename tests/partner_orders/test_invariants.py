"""Every rule of the partner programme is broken on purpose, behind the database's back, and exactly it tells of it."""

import datetime
from types import SimpleNamespace

import pytest
from django.db import connection

from partner_orders import fulfilment, invariants, levels
from partner_orders.models import CustomerLevel, PartnerOrder
from payments.closing import operations as closing
from payments.transactions import transaction
from tests.partner_orders.dealings import end_attempts, money_comes, order_by_alipay, refund
from tests.partner_orders.world import (
    NOW,
    buy,
    make_address,
    make_alipay,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
    make_partner_client,
)
from tests.sabotage import behind_its_back, rolled_back

pytestmark = pytest.mark.django_db


@pytest.fixture
def the_books_are_right_in_the_end():
    """Here they are wrong on purpose: instead of what every other module of this directory checks."""


def make_world():
    """An order in every state: paid, waiting, closed, refunded in part and in full; a level that staff gave."""
    client = make_partner_client()
    make_alipay()
    low, high = make_level(client=client, code="V2", rank=2), make_level(client=client)
    pack = make_pack(client=client, level=high, score=120)
    plain = make_pack(client=client, uid="1" * 32, price_fen=10_000)
    customer = make_partner(client=client, balance_fen=1_000_000)
    other = make_partner(client=client, user_id="other")
    address, elsewhere = make_address(customer=customer), make_address(customer=other)
    coupons = [make_coupon(customer=customer) for _n in range(5)]
    paid = buy(pack=pack, address=address, coupon=coupons[0], at=NOW, key="paid")
    second = buy(pack=pack, address=address, coupon=coupons[1], at=NOW, key="second")
    closed = order_by_alipay(pack=pack, address=address, coupon=coupons[2], at=NOW, key="closed")
    end_attempts(closed)
    closing.close_due(at=NOW + datetime.timedelta(days=1))
    waiting = order_by_alipay(pack=plain, address=elsewhere, at=NOW, key="waiting")
    partly = buy(pack=pack, address=address, at=NOW, key="partly")
    refund(partly, 10_000)
    whole = buy(pack=pack, address=address, coupon=coupons[3], at=NOW, key="whole")
    refund(whole, 25_000)
    by_alipay = order_by_alipay(pack=plain, address=elsewhere, at=NOW, key="ali")
    money_comes(by_alipay)
    CustomerLevel.objects.filter(customer=other).update(given=low)
    with transaction():
        levels.recount(customer_id=other.pk)
    return SimpleNamespace(
        customer=customer, other=other, low=low, high=high, pack=pack, plain=plain, coupons=coupons, paid=paid,
        second=second, closed=closed, waiting=waiting, partly=partly, whole=whole, by_alipay=by_alipay,
    )  # fmt: skip


@pytest.fixture(scope="module")
def standing(django_db_setup, django_db_blocker):
    """The world, made once for all."""
    with django_db_blocker.unblock(), rolled_back():
        yield make_world()


@pytest.fixture
def world(standing):
    with rolled_back():
        yield standing


def of(document):
    return f"WHERE order_id = {document.order_id}"


def number(document):
    return f"order {document.order.number}"


DOCUMENT = "partner_orders_partnerorder"

SABOTAGE = {
    "a document lost": lambda w: (
        [f"{number(w.waiting)} has no partner document"],
        f"UPDATE partner_orders_giftpack SET stock = stock + 1 WHERE id = {w.plain.pk}",
        f"DELETE FROM {DOCUMENT} {of(w.waiting)}",
    ),
    "a price changed": lambda w: (
        [f"{number(w.waiting)} costs another sum than its pack less its coupon"],
        f"UPDATE {DOCUMENT} SET price_fen = price_fen + 100 {of(w.waiting)}",
    ),
    "a document of another family's order": lambda w: (
        [f"{number(w.waiting)} costs another sum than its pack less its coupon"],
        f"UPDATE payments_order SET family = 'checkout' WHERE id = {w.waiting.order_id}",
    ),
    "a closed order that holds": lambda w: (
        [f"{number(w.closed)} is over and holds stock"],
        f"UPDATE partner_orders_giftpack SET stock = stock - 1 WHERE id = {w.pack.pk}",
        f"UPDATE {DOCUMENT} SET holds = true {of(w.closed)}",
    ),
    "a refunded order that holds": lambda w: (
        [f"{number(w.whole)} is over and holds stock"],
        f"UPDATE partner_orders_giftpack SET stock = stock - 1 WHERE id = {w.pack.pk}",
        f"UPDATE {DOCUMENT} SET holds = true {of(w.whole)}",
    ),
    "a paid order that holds nothing": lambda w: (
        [f"{number(w.paid)} is not over and holds nothing"],
        f"UPDATE partner_orders_giftpack SET stock = stock + 1 WHERE id = {w.pack.pk}",
        f"UPDATE {DOCUMENT} SET holds = false {of(w.paid)}",
    ),
    "a piece of stock lost": lambda w: (
        [f"gift pack {w.pack.uid} has 6 in stock, put in less held are 7"],
        f"UPDATE partner_orders_giftpack SET stock = stock - 1 WHERE id = {w.pack.pk}",
    ),
    "a piece of stock too much": lambda w: (
        [f"gift pack {w.pack.uid} has 8 in stock, put in less held are 7"],
        f"UPDATE partner_orders_giftpack SET stock = stock + 1 WHERE id = {w.pack.pk}",
    ),
    "stock below nothing": lambda w: (
        [f"gift pack {w.pack.uid} has -1 in stock, put in less held are -1"],
        "ALTER TABLE partner_orders_giftpack DROP CONSTRAINT gift_pack_stock_there",
        f"UPDATE partner_orders_giftpack SET stock = -1, stocked = 2 WHERE id = {w.pack.pk}",
    ),
    "a coupon used twice": lambda w: (
        [f"coupon {w.coupons[0].uid} is held by 2 orders"],
        "DROP INDEX partner_order_coupon_held_once",
        f"UPDATE {DOCUMENT} SET coupon_id = {w.coupons[0].pk} {of(w.second)}",
    ),
    "a coupon of somebody else": lambda w: (
        [f"{number(w.paid)} holds the coupon of another customer"],
        f"UPDATE partner_orders_customercoupon SET customer_id = {w.other.pk} WHERE id = {w.coupons[0].pk}",
    ),
    "a paid pack that did nothing": lambda w: (
        [f"{number(w.by_alipay)} is paid, and its pack has not done what it says"],
        f"UPDATE {DOCUMENT} SET fulfilled_at = NULL {of(w.by_alipay)}",
    ),
    "a level taken back of an order that stands": lambda w: (
        [f"{number(w.by_alipay)} has taken back what stands, or kept what went"],
        f"UPDATE {DOCUMENT} SET taken_back_at = now() {of(w.by_alipay)}",
    ),
    "a level kept of an order that went back": lambda w: (
        [f"{number(w.whole)} has taken back what stands, or kept what went"],
        f"UPDATE {DOCUMENT} SET taken_back_at = NULL {of(w.whole)}",
    ),
    "a score never granted": lambda w: (
        [f"{number(w.paid)} has brought another score than its pack says, or lost more than its share"],
        f"DELETE FROM payments_transfer {of(w.paid)} AND kind = 'score'",
    ),
    "a score of another amount": lambda w: (
        [f"{number(w.paid)} has brought another score than its pack says, or lost more than its share"],
        f"UPDATE payments_transfer SET amount_fen = 121 {of(w.paid)} AND kind = 'score'",
    ),
    "a score before its order was paid": lambda w: (
        [f"{number(w.waiting)} has brought another score than its pack says, or lost more than its share"],
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            f"VALUES ('points_issued', 'points:{w.other.pk}', 1, 'score', 'x', {w.waiting.order_id})"
        ),
    ),
    "more score taken back than went back": lambda w: (
        [f"{number(w.partly)} has brought another score than its pack says, or lost more than its share"],
        f"UPDATE payments_transfer SET amount_fen = amount_fen + 1 {of(w.partly)} AND kind = 'score_back'",
    ),
    "a level lost": lambda w: (
        [f"customer {w.customer.pk} has another level than is supported"],
        f"UPDATE partner_orders_customerlevel SET level_id = NULL WHERE customer_id = {w.customer.pk}",
    ),
    "a level too low": lambda w: (
        [f"customer {w.customer.pk} has another level than is supported"],
        f"UPDATE partner_orders_customerlevel SET level_id = {w.low.pk} WHERE customer_id = {w.customer.pk}",
    ),
    "a level too high": lambda w: (
        [f"customer {w.other.pk} has another level than is supported"],
        f"UPDATE partner_orders_customerlevel SET level_id = {w.high.pk} WHERE customer_id = {w.other.pk}",
    ),
    "a level that nobody keeps": lambda w: (
        [f"customer {w.customer.pk} has another level than is supported"],
        f"DELETE FROM partner_orders_customerlevel WHERE customer_id = {w.customer.pk}",
    ),
}  # fmt: skip


def test_the_world_breaks_no_rule(world):
    assert invariants.breaches() == []
    assert set(PartnerOrder.objects.values_list("order__status", flat=True)) == {
        "unpaid", "closed", "pay_finished", "partly_refund", "total_refund",
    }  # fmt: skip


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_breach_is_told_and_nothing_else(world, what):
    expected, *statements = SABOTAGE[what](world)

    behind_its_back(*statements)

    assert fulfilment.audit() == expected


@pytest.mark.parametrize("rule", range(len(invariants._RULES)))
def test_every_rule_is_broken_by_some_sabotage(world, rule, monkeypatch):
    monkeypatch.setattr(invariants, "_RULES", invariants._RULES[rule : rule + 1])

    assert [what for what in SABOTAGE if found_by_it(world, what)], invariants._RULES


def found_by_it(world, what):
    expected, *statements = SABOTAGE[what](world)
    with rolled_back():
        behind_its_back(*statements)
        return invariants.breaches() == expected


def test_of_many_breaches_a_hundred_are_told(world):
    behind_its_back(
        "INSERT INTO partner_orders_giftpack (client_id, uid, title, order_name, description, price_fen, stock, "
        "stocked, score, is_shown, created_at) SELECT client_id, md5(n::text), title, order_name, description, "
        "price_fen, 0, 1, score, is_shown, created_at "
        f"FROM partner_orders_giftpack, generate_series(1, 130) n WHERE id = {world.plain.pk}"
    )

    assert len(invariants.breaches()) == invariants.EXAMPLES_MAX


def test_as_many_statements_however_many_rows(world, django_assert_num_queries):
    with django_assert_num_queries(len(invariants._RULES)):
        invariants.breaches()


@pytest.mark.parametrize("rule", invariants._RULES)
def test_no_rule_looks_row_by_row(world, rule):
    """No subquery is run for each row, and a thousand times the rows are not nested loops."""
    parameters = {"over": ["closed"], "paid": ["pay_finished"], "point_fen": 1}
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(f"EXPLAIN {rule}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "SubPlan" not in plan
    assert "Nested Loop" not in plan
