"""Paying from the balance by a later call. Each race has a control: its guard taken away, it goes wrong."""

import itertools
import time
from collections import Counter

import pytest
from django.db import IntegrityError, OperationalError
from django.utils import timezone

from payments import invariants
from payments.charges import queries as charges
from payments.charges.operations import OrderClosed
from payments.closing import operations as closing
from payments.closing.operations import OrderNotClosable
from payments.ledger import operations as ledger
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Charge, Order, OrderTransition, OutboxEvent, Transfer, WebhookEndpoint
from payments.orders import operations as orders
from payments.transactions import transaction
from tests.threads import at_once, at_once_behind, meeting
from tests.world import balance_fen, make_client, make_customer, owe_from_balance, pay_from_balance

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 50
ROUNDS = 30


def payer(fen):
    client = make_client()
    WebhookEndpoint.objects.create(client=client, url="https://www.example.com/")
    return make_customer(client=client, balance_fen=fen)


def broken():
    """The invariants that do not hold, but for the world's own grants, which leave no audit rows."""
    with transaction():
        return {found.name for found in invariants.findings() if found.breaches} - {"I15c"}


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def without_the_order_s_lock(monkeypatch, *, count):
    """All have read that the order waits, and none has written."""
    meet, next_attempt = meeting(count), charges.next_attempt
    monkeypatch.setattr(orders, "lock", lambda *, order_id: Order.objects.get(pk=order_id))
    monkeypatch.setattr(charges, "next_attempt", lambda *, order: meet() or next_attempt(order=order))


# --- one order --------------------------------------------------------------------------------------------------------


def test_fifty_calls_for_one_order_pay_it_once():
    customer = payer(25_000)
    order = owe_from_balance(customer=customer)

    outcomes = at_once(CROWD, lambda n: pay_from_balance(order))

    assert kinds(outcomes) == {"Charge": 1, "OrderPaid": CROWD - 1}
    assert balance_fen(customer) == 15_000
    assert (held_fen(code="sales"), held_fen(code="shipping"), held_fen(code="escrow")) == (9_500, 500, 0)
    assert (Charge.objects.count(), Transfer.objects.filter(order=order).count()) == (1, 3)
    assert (OrderTransition.objects.count(), OutboxEvent.objects.count()) == (1, 1)
    assert broken() == set()


def test_control_without_the_order_s_lock_the_database_refuses_all_but_one(monkeypatch):
    customer = payer(25_000)
    order = owe_from_balance(customer=customer)
    without_the_order_s_lock(monkeypatch, count=10)

    outcomes = at_once(10, lambda n: pay_from_balance(order))

    assert kinds(outcomes) == {"Charge": 1, "IntegrityError": 9}
    assert balance_fen(customer) == 15_000


def test_control_where_each_call_is_an_attempt_of_its_own_the_constraint_refuses_the_second(monkeypatch):
    customer = payer(25_000)
    order = owe_from_balance(customer=customer)
    meet, attempts = meeting(2), itertools.count(1)
    monkeypatch.setattr(orders, "lock", lambda *, order_id: Order.objects.get(pk=order_id))
    monkeypatch.setattr(charges, "next_attempt", lambda *, order: meet() or next(attempts))

    outcomes = at_once(2, lambda n: pay_from_balance(order))

    (refused,) = (outcome for outcome in outcomes if not isinstance(outcome, Charge))
    assert "charge_balance_pays_once" in str(refused)
    assert balance_fen(customer) == 15_000


# --- one balance ------------------------------------------------------------------------------------------------------


def test_two_orders_on_a_balance_for_one_are_one():
    customer = payer(19_999)
    owed = [owe_from_balance(customer=customer, number=f"B{n}") for n in range(2)]

    outcomes = at_once(2, lambda n: pay_from_balance(owed[n]))

    assert kinds(outcomes) == {"Charge": 1, "NotEnough": 1}
    assert balance_fen(customer) == 9_999
    assert Counter(Order.objects.values_list("status", flat=True)) == {"pay_finished": 1, "unpaid": 1}
    assert (Charge.objects.count(), Transfer.objects.exclude(kind="grant").count()) == (1, 3)
    assert broken() == set()


def test_twenty_orders_on_a_balance_for_seven_are_seven():
    customer = payer(79_999)
    owed = [owe_from_balance(customer=customer, number=f"B{n}") for n in range(20)]

    outcomes = at_once(20, lambda n: pay_from_balance(owed[n]))

    assert kinds(outcomes) == {"Charge": 7, "NotEnough": 13}
    assert balance_fen(customer) == 9_999
    assert held_fen(code="sales") + held_fen(code="shipping") == 70_000
    assert broken() == set()


def test_control_with_a_balance_that_was_read_before_it_is_spent_twice(monkeypatch):
    monkeypatch.setattr(ledger, "_LOCK", f"SELECT 1 FROM {ledger._CHANGES}")
    monkeypatch.setattr(
        ledger,
        "_MOVE",
        f"""
        UPDATE payments_account account SET balance_fen = stale.balance_fen + change.by_fen
        FROM {ledger._CHANGES}, (SELECT id, balance_fen FROM payments_account) AS stale
        WHERE (account.kind, account.customer_id) = (change.kind, change.customer_id) AND stale.id = account.id
        """,
    )
    customer = payer(79_999)
    owed = [owe_from_balance(customer=customer, number=f"B{n}") for n in range(20)]

    lock = "SELECT 1 FROM payments_account WHERE customer_id = %s FOR UPDATE"
    at_once_behind(lock, customer.pk, count=20, call=lambda n: pay_from_balance(owed[n]), held_up=8)

    assert Order.objects.filter(status="pay_finished").count() > 7
    assert "I2a" in broken()


# --- against closing --------------------------------------------------------------------------------------------------


def pay(order):
    try:
        pay_from_balance(order)
    except OrderClosed:
        return "closed"
    return "paid"


def close(order):
    try:
        closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())
    except OrderNotClosable:
        return "paid"
    return "closed"


def test_paying_against_closing_ends_in_one_or_the_other_and_both_are_told_the_same():
    customer = payer(10_000 * ROUNDS)
    owed = [owe_from_balance(customer=customer, number=f"B{n}") for n in range(ROUNDS)]

    def play(n, order, late):
        time.sleep(late if n else 0)
        return close(order) if n else pay(order)

    ends = Counter()
    for turn, order in enumerate(owed):
        told = set(at_once(2, lambda n, order=order, turn=turn: play(n ^ turn % 2, order, 0.02 * (turn % 4 > 1))))
        order.refresh_from_db()
        assert told == {{"pay_finished": "paid", "closed": "closed"}[order.status]}
        ends[order.status] += 1

    assert ends["pay_finished"] > 0
    assert balance_fen(customer) == 10_000 * ends["closed"]
    assert Charge.objects.count() == ends["pay_finished"]
    assert broken() == set()


def test_control_without_the_order_s_lock_only_the_database_stops_both_from_happening(monkeypatch):
    customer = payer(25_000)
    order = owe_from_balance(customer=customer)
    without_the_order_s_lock(monkeypatch, count=2)

    outcomes = at_once(2, lambda n: pay_from_balance(order) if n else closing_itself(order))

    # They meet at the history or at the order: one is refused its place there, or is the victim of their deadlock.
    (stopped,) = (outcome for outcome in outcomes if isinstance(outcome, Exception))
    assert isinstance(stopped, IntegrityError | OperationalError)
    assert Order.objects.get().status in {"pay_finished", "closed"}


def closing_itself(order):
    """What `close` does once it holds the order."""
    with transaction():
        seen = orders.lock(order_id=order.pk)
        charges.next_attempt(order=seen)  # where paying has read that the order waits, closing has too
        assert seen.status in orders.CLOSABLE
        closing._close_locked(order_ids=[order.pk], actor="client:shop", at=timezone.now(), reason="")
