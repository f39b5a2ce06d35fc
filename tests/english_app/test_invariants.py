"""Every rule of the English app is broken on purpose, behind the database's back, and exactly it tells of it."""

import datetime
from types import SimpleNamespace

import pytest
from django.db import connection
from django.utils import timezone

from english_app import deliveries, fulfilment, invariants, returns
from english_app.models import EnglishOrder
from english_app.states import PAID
from tests import sabotage
from tests.english_app import world
from tests.english_app.dealings import approve, ask, paid, refund
from tests.sabotage import rolled_back

pytestmark = pytest.mark.django_db


@pytest.fixture
def the_books_are_right_in_the_end():
    """Here they are wrong on purpose: instead of what every other module of this directory checks."""


def make_world():
    """An order in every state, of two customers."""
    client = world.make_english_client()
    world.make_alipay(client=client)
    customer = world.make_learner(client=client, balance_fen=1_000_000)
    other = world.make_learner(client=client, user_id="2", balance_fen=1_000_000)
    month, card = world.make_month(client=client), world.make_item(client=client)
    at = timezone.now()
    pair = world.init(client=client, goods={month: 1, card: 1}, money_fen=3_890, at=at)
    done = world.init(client=client, goods={card: 2}, money_fen=100, at=at)
    world.settle(done.charge, at=at)
    delivered = world.buy(client=client, goods={month: 2, card: 1}, at=at)
    second = world.buy(client=client, goods={month: 1}, at=at, user_id="2")
    returned = world.buy(client=client, goods={month: 5}, at=at)
    ask(returned, at=at)
    approve(returned, at=at)
    partly = world.buy(client=client, goods={month: 1}, at=at, title="partly")
    refund(partly, 100, at=at)
    with world.no_limit():
        failed = paid(client=client, goods={world.make_month(client=client, periods=1_200): 2}, at=at)
    for hours in range(len(deliveries.AGAIN_AFTER) + 1):
        deliveries.deliver_due(at=at + datetime.timedelta(hours=hours))
    due = paid(client=client, goods={card: 5}, at=at)
    asked = paid(client=client, goods={card: 6}, at=at)
    ask(asked, at=at)
    refused = paid(client=client, goods={card: 7}, at=at)
    ask(refused, at=at)
    returns.refuse(order_id=refused.order_id, actor="user:lin", at=at, reason="r")
    return SimpleNamespace(
        customer=customer, other=other, waiting=world.document(pair.purchase), recharge=world.document(pair.recharge),
        done=world.document(done.recharge), delivered=delivered, second=second, returned=returned, partly=partly,
        failed=failed, due=due, asked=asked, refused=refused, month=month,
    )  # fmt: skip


@pytest.fixture(scope="module")
def standing(django_db_setup, django_db_blocker):
    """The world, made once for all."""
    with django_db_blocker.unblock(), rolled_back():
        yield make_world()


@pytest.fixture
def w(standing):
    with rolled_back():
        yield standing


def behind_its_back(*statements):
    sabotage.behind_its_back(*(one.replace("returning", '"returning"') for one in statements))  # a word of SQL's own


TABLE = "english_app_englishorder"


def change(document, what):
    return f"UPDATE {TABLE} SET {what} WHERE id = {document.pk}"


def order(document):
    return f"order {document.order.number}"


def lines(document, *, kind="membership"):
    return f"SELECT id FROM english_app_orderline WHERE document_id = {document.pk} AND kind = '{kind}'"


def line(document):
    return document.lines.get().pk


def grant(document):
    return document.lines.get().grant.pk


ANOTHER = "is another kind of order, or another customer's, than its document says"
COSTS = "costs another sum than its lines"
ODD_PAIR = "is for a purchase of another customer, or for another recharge"
MONEY_BACK = "has its money back, or has not, as its return does not say"
KEPT = "was kept by a returned order, or taken back from another"

SABOTAGE = {
    "a document lost": lambda w: (
        [f"{order(w.done)} has no English document"],
        f"DELETE FROM {TABLE} WHERE id = {w.done.pk}",
    ),
    "a document of another family's order": lambda w: (
        [f"{order(w.waiting)} {ANOTHER}"],
        f"UPDATE payments_order SET family = 'checkout' WHERE id = {w.waiting.order_id}",
    ),
    "an order of another customer": lambda w: (
        [f"{order(w.waiting)} {ANOTHER}"],
        f"UPDATE payments_order SET customer_id = {w.other.pk} WHERE id = {w.waiting.order_id}",
    ),
    "a recharge that is a purchase of goods": lambda w: (
        [f"{order(w.recharge)} {ANOTHER}"],
        f"UPDATE payments_order SET kind = 'goods' WHERE id = {w.recharge.order_id}",
    ),
    "a line more expensive": lambda w: (
        [f"{order(w.due)} {COSTS}"],
        f"UPDATE english_app_orderline SET price_fen = price_fen + 1 WHERE document_id = {w.due.pk}",
    ),
    "a piece more": lambda w: (
        [f"{order(w.due)} {COSTS}"],
        f"UPDATE english_app_orderline SET num = num + 1 WHERE document_id = {w.due.pk}",
    ),
    "a purchase without lines": lambda w: (
        [f"{order(w.due)} {COSTS}"],
        f"DELETE FROM english_app_orderline WHERE document_id = {w.due.pk}",
    ),
    "another price in the document than in its order": lambda w: (
        [f"{order(w.due)} {COSTS}"],
        change(w.due, "price_total_fen = price_total_fen + 1"),
    ),
    "a recharge with lines": lambda w: (
        [f"{order(w.recharge)} {COSTS}"],
        (
            "INSERT INTO english_app_orderline (document_id, good_id, title, kind, periods, period_unit, price_fen, "
            f"num) VALUES ({w.recharge.pk}, 0, 't', 'item', 0, '', 1, 1)"
        ),
    ),
    "a recharge for another customer's purchase": lambda w: (
        [f"recharge {w.recharge.pk} {ODD_PAIR}"],
        change(w.recharge, f"customer_id = {w.other.pk}"),
        f"UPDATE payments_order SET customer_id = {w.other.pk} WHERE id = {w.recharge.order_id}",
    ),
    "a recharge for a recharge": lambda w: (
        [f"recharge {w.recharge.pk} {ODD_PAIR}"],
        change(w.recharge, f"purchase_id = {w.done.pk}, price_total_fen = {w.done.price_total_fen}"),
    ),
    "a recharge for another price": lambda w: (
        [f"recharge {w.recharge.pk} {ODD_PAIR}"],
        change(w.recharge, "price_total_fen = price_total_fen + 1"),
    ),
    "a delivery forgotten": lambda w: (
        [f"{order(w.due)} is paid, and its delivery is forgotten"],
        change(w.due, "deliver_due_at = NULL"),
    ),
    "a delivery forgotten after a refusal": lambda w: (
        [f"{order(w.refused)} is paid, and its delivery is forgotten"],
        change(w.refused, "deliver_due_at = NULL"),
    ),
    "a delivery forgotten of an order refunded in part": lambda w: (
        [f"{order(w.due)} is paid, and its delivery is forgotten"],
        change(w.due, "deliver_due_at = NULL"),
        f"UPDATE payments_order SET status = 'partly_refund' WHERE id = {w.due.order_id}",
    ),
    "a recharge done that never was paid": lambda w: (
        [f"{order(w.recharge)} is delivered, and never was paid"],
        change(w.recharge, "delivery = 'delivered', delivered_at = now()"),
    ),
    "a delivered line not granted": lambda w: (
        [f"line {line(w.failed)} is delivered, and not granted"],
        change(w.failed, "delivery = 'delivered', delivered_at = now()"),
    ),
    "an item lost": lambda w: (
        [f"line {w.delivered.lines.get(kind='item').pk} is delivered, and not granted"],
        f"DELETE FROM english_app_grant WHERE line_id IN ({lines(w.delivered, kind='item')})",
    ),
    "a grant before its delivery": lambda w: (
        [f"line {line(w.due)} is granted, and not delivered"],
        (
            "INSERT INTO english_app_grant (line_id, customer_id, granted_at) "
            f"VALUES ({line(w.due)}, {w.customer.pk}, now())"
        ),
    ),
    "an item of another customer": lambda w: (
        [f"grant {w.delivered.lines.get(kind='item').grant.pk} is another customer's than its order"],
        (
            f"UPDATE english_app_grant SET customer_id = {w.other.pk} "
            f"WHERE line_id IN ({lines(w.delivered, kind='item')})"
        ),
    ),
    "a return whose money never went back": lambda w: (
        [f"{order(w.asked)} {MONEY_BACK}"],
        change(w.asked, "returning = 'returned', returned_at = now()"),
    ),
    "money back without a return": lambda w: (
        [f"{order(w.asked)} {MONEY_BACK}"],
        f"UPDATE payments_order SET status = 'total_refund' WHERE id = {w.asked.order_id}",
    ),
    "an item kept by a returned order": lambda w: (
        [f"{order(w.delivered)} {MONEY_BACK}", *(
            f"grant {found.grant.pk} {KEPT}" for found in w.delivered.lines.order_by("pk")
        )],
        change(w.delivered, "returning = 'returned', returned_at = now()"),
    ),
    "an item taken back of an order that stands": lambda w: (
        [f"grant {w.delivered.lines.get(kind='item').grant.pk} {KEPT}"],
        f"UPDATE english_app_grant SET taken_back_at = now() WHERE line_id IN ({lines(w.delivered, kind='item')})",
    ),
    "an item kept": lambda w: (
        [f"grant {grant(w.returned)} {KEPT}", f"membership of customer {w.customer.pk} {OTHER_DAY}"],
        f"UPDATE english_app_grant SET taken_back_at = NULL WHERE id = {grant(w.returned)}",
    ),
    "a membership that ends on another day": lambda w: (
        [f"membership of customer {w.customer.pk} {OTHER_DAY}"],
        f"UPDATE english_app_membership SET ends_on = ends_on + 1 WHERE customer_id = {w.customer.pk}",
    ),
    "a membership that never ends": lambda w: (
        [f"membership of customer {w.other.pk} {OTHER_DAY}"],
        f"UPDATE english_app_membership SET ends_on = NULL WHERE customer_id = {w.other.pk}",
    ),
    "a membership that nobody keeps": lambda w: (
        [f"membership of customer {w.other.pk} {OTHER_DAY}"],
        f"DELETE FROM english_app_membership WHERE customer_id = {w.other.pk}",
    ),
}  # fmt: skip
OTHER_DAY = "ends on another day than was granted"


def test_the_world_breaks_no_rule(w):
    assert invariants.breaches() == []
    assert set(EnglishOrder.objects.values_list("order__status", flat=True)) >= {
        "unpaid", "pay_finished", "partly_refund", "total_refund",
    }  # fmt: skip
    assert set(EnglishOrder.objects.values_list("delivery", "returning")) >= {
        ("waiting", "none"), ("failed", "none"), ("delivered", "none"), ("waiting", "asked"), ("waiting", "failed"),
        ("delivered", "returned"),
    }  # fmt: skip


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_breach_is_told_and_nothing_else(w, what):
    expected, *statements = SABOTAGE[what](w)

    behind_its_back(*statements)

    assert sorted(fulfilment.audit()) == sorted(expected)


@pytest.mark.parametrize("rule", range(len(invariants._RULES)))
def test_every_rule_is_broken_by_some_sabotage_that_no_other_finds(w, rule, monkeypatch):
    monkeypatch.setattr(invariants, "_RULES", invariants._RULES[rule : rule + 1])

    assert [what for what in SABOTAGE if found_by_it(w, what)], invariants._RULES


def found_by_it(w, what):
    expected, *statements = SABOTAGE[what](w)
    with rolled_back():
        behind_its_back(*statements)
        return invariants.breaches() == expected


def test_of_many_breaches_a_hundred_are_told(w):
    columns = "type, purchase_id, app_id, user_name, imeil, pay_way, price_total_fen"
    behind_its_back(
        f"INSERT INTO {TABLE} (order_id, customer_id, {columns}) "
        f"SELECT -n, customer_id, {columns} FROM {TABLE}, generate_series(1, 130) n WHERE id = {w.waiting.pk}",
        "INSERT INTO english_app_orderline (document_id, good_id, title, kind, periods, period_unit, price_fen, num) "
        f"SELECT {w.recharge.pk}, -n, 't', 'item', 0, '', 1, 1 FROM generate_series(1, 130) n",
        "INSERT INTO english_app_grant (line_id, customer_id, granted_at) "
        f"SELECT id, {w.customer.pk}, now() FROM english_app_orderline WHERE good_id < 0",
    )

    told = invariants.breaches()

    assert len([sentence for sentence in told if "is granted, and not delivered" in sentence]) == 100
    assert len(told) == 101  # and the recharge with lines


@pytest.mark.parametrize("rule", invariants._RULES)
def test_no_rule_looks_row_by_row(w, rule):
    """No subquery is run for each row, and a thousand times the rows are not nested loops."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(f"EXPLAIN {rule}", {"paid": [str(status) for status in PAID]})
        plan = "\n".join(row for (row,) in cursor.fetchall())

    assert "SubPlan" not in plan
    assert "Nested Loop" not in plan
