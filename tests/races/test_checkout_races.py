"""Many at once. Each race has a control: the same race with its guard taken away, which must go wrong."""

from collections import Counter

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone

from checkout import operations as checkout
from checkout.operations import NumberReused, PayCommand
from checkout.queries import Checkout
from payments.charges import placement
from payments.models import Account, Charge, Order, Transfer
from tests.conftest import APPEND_ONLY
from tests.threads import at_once, at_once_behind
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db(transaction=True)


def pay(client, *, number="T1", total_fen=10_000):
    command = PayCommand(
        out_trade_no=number, client_pay_id="", total_fen=total_fen, shipping_fen=0, user_id="442090", ee_no="a09999",
        redirect_url="",
    )  # fmt: skip
    return checkout.pay(client=client, command=command, at=timezone.now())


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def test_a_hundred_calls_with_one_number_make_one_order_and_one_deduction():
    client = make_client()
    customer = make_customer(client=client, points_fen=1_000_000)

    outcomes = at_once(100, lambda n: pay(client))

    assert kinds(outcomes) == {"Checkout": 100}
    assert len(set(outcomes)) == 1
    assert (Order.objects.count(), Charge.objects.count()) == (1, 1)
    assert points_fen(customer) == 990_000


def test_control_without_the_unique_numbers_there_would_be_several_orders():
    client = make_client()
    make_customer(client=client, points_fen=1_000_000)
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX order_client_order_no_once")
    try:
        lock = "LOCK TABLE payments_order IN SHARE MODE"
        at_once_behind(lock, count=20, call=lambda n: pay(client), held_up=2)

        assert Order.objects.count() > 1
    finally:
        with connection.cursor() as cursor:
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("TRUNCATE payments_order CASCADE")
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
            cursor.execute(
                "CREATE UNIQUE INDEX order_client_order_no_once ON payments_order (client_id, client_order_no) "
                "WHERE NOT (client_order_no = '')"
            )


def test_a_hundred_calls_with_one_number_and_a_hundred_amounts_have_one_winner():
    client = make_client()
    customer = make_customer(client=client, points_fen=1_000_000)

    outcomes = at_once(100, lambda n: pay(client, total_fen=10_000 + n))

    assert kinds(outcomes) == {"Checkout": 1, "NumberReused": 99}
    assert {outcome.status for outcome in outcomes if isinstance(outcome, NumberReused)} == {409}
    winner = next(outcome for outcome in outcomes if isinstance(outcome, Checkout))
    assert points_fen(customer) == 1_000_000 - winner.total_fen


def test_fifty_orders_on_points_that_suffice_for_seven_finish_exactly_seven():
    client = make_client()
    customer = make_customer(client=client, points_fen=70_000)

    outcomes = at_once(50, lambda n: pay(client, number=f"T{n}"))

    assert kinds(outcomes) == {"Checkout": 50}
    assert Counter((order.status, order.points_fen) for order in outcomes) == {
        ("pay_finished", 10_000): 7,
        ("point_paid", 0): 43,
    }
    assert points_fen(customer) == 0
    assert Transfer.objects.filter(credit="sales").count() == 7


def test_control_without_the_conditional_update_points_are_spent_twice(monkeypatch):
    monkeypatch.setattr(
        placement,
        "_SPEND",
        """
        UPDATE payments_account account SET balance_fen = stale.balance_fen - %(points_fen)s
        FROM placed, (SELECT id, balance_fen FROM payments_account) AS stale
        WHERE account.customer_id = %(customer_id)s AND account.kind = 'points' AND stale.id = account.id
            AND %(points_fen)s > 0
        """,
    )
    client = make_client()
    customer = make_customer(client=client, points_fen=70_000)

    lock = "SELECT 1 FROM payments_account WHERE customer_id = %s FOR UPDATE"
    at_once_behind(lock, customer.pk, count=50, call=lambda n: pay(client, number=f"T{n}"), held_up=8)

    assert Order.objects.filter(points_fen=10_000).count() > 7


def test_points_granted_while_they_are_spent_are_neither_lost_nor_doubled():
    client = make_client()
    customer = make_customer(client=client, points_fen=50_000)

    def spend_or_grant(n):
        if n % 2:
            return pay(client, number=f"T{n}")
        return Account.objects.filter(customer=customer, kind="points").update(balance_fen=F("balance_fen") + 1_000)

    outcomes = at_once(40, spend_or_grant)

    spent = sum(order.points_fen for order in outcomes if isinstance(order, Checkout))
    assert points_fen(customer) == 50_000 + 20 * 1_000 - spent
