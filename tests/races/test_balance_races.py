"""Many orders on one balance. The control is the same race with the guard taken away, which must go wrong."""

from collections import Counter

import pytest

from payments import invariants
from payments.charges import placement
from payments.charges.placement import place
from payments.models import Charge, Order, Transfer
from payments.transactions import transaction
from tests.threads import at_once, at_once_behind
from tests.world import balance_fen, by_balance, make_client, make_customer

pytestmark = pytest.mark.django_db(transaction=True)

CROWD = 20


def buy(customer):
    return lambda n: place(by_balance(customer=customer, number=f"B{n}"))


def broken():
    with transaction():
        return {found.name for found in invariants.findings() if found.breaches}


def test_twenty_orders_on_a_balance_for_seven_are_exactly_seven():
    customer = make_customer(client=make_client(), balance_fen=79_999)

    outcomes = at_once(CROWD, buy(customer))

    assert Counter(type(outcome).__name__ for outcome in outcomes) == {"int": 7, "NotEnough": 13}
    assert balance_fen(customer) == 9_999
    assert (Order.objects.count(), Charge.objects.count()) == (7, 7)
    assert Transfer.objects.filter(debit=f"balance:{customer.pk}").count() == 7
    assert broken() == {"I15c"}  # the world's own grants leave no audit rows


def test_control_with_a_balance_that_was_read_before_it_is_spent_twice(monkeypatch):
    monkeypatch.setattr(
        placement,
        "_SPEND",
        """
        UPDATE payments_account account SET balance_fen = stale.balance_fen - %(own_fen)s
        FROM placed, (SELECT id, balance_fen FROM payments_account) AS stale
        WHERE account.customer_id = %(customer_id)s AND account.kind = %(tender)s AND stale.id = account.id
            AND %(own_fen)s > 0
        """,
    )
    customer = make_customer(client=make_client(), balance_fen=79_999)

    lock = "SELECT 1 FROM payments_account WHERE customer_id = %s FOR UPDATE"
    at_once_behind(lock, customer.pk, count=CROWD, call=buy(customer), held_up=8)

    assert Order.objects.count() > 7
    assert "I2a" in broken()
