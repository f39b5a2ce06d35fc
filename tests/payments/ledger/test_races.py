"""Many at one account. Each race has a control: the same race with its guard taken away, which must go wrong."""

import threading
from collections import Counter

import pytest
from django.db import connection
from django.db.models import F

from payments.ledger import operations as ledger
from payments.ledger.accounts import ESCROW
from payments.ledger.operations import Posting
from payments.ledger.queries import balance_fen
from payments.models import Account, Transfer
from payments.transactions import transaction
from tests.threads import at_once, at_once_behind
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db(transaction=True)


def post(*postings):
    with transaction():
        return ledger.post(*postings)


def payment(debit, credit, number):
    return Posting(debit=debit, credit=credit, amount_fen=100, kind="payment", reference=f"r{number}")


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def spending(customer):
    return lambda n: post(payment(f"points:{customer.pk}", ESCROW, n))


def test_fifty_payments_out_of_points_for_seven_are_exactly_seven():
    customer = make_customer(client=make_client(), points_fen=799)

    outcomes = at_once(50, spending(customer))

    assert kinds(outcomes) == {"set": 7, "NotEnough": 43}
    assert points_fen(customer) == 99 == balance_fen(code=f"points:{customer.pk}")
    assert Transfer.objects.filter(kind="payment").count() == 7


def test_control_with_a_balance_that_was_read_before_more_is_spent_than_there_was(monkeypatch):
    monkeypatch.setattr(ledger, "_LOCK", f"SELECT 1 FROM {ledger._CHANGES}")
    monkeypatch.setattr(
        ledger,
        "_MOVE",
        f"""
        UPDATE payments_account account SET balance_fen = stale.balance_fen + change.by_fen
        FROM {ledger._CHANGES}, (SELECT id, balance_fen FROM payments_account) AS stale
        WHERE (account.kind, account.customer_id) = (change.kind, change.customer_id)
            AND stale.id = account.id AND stale.balance_fen + change.by_fen >= 0
        """,
    )
    customer = make_customer(client=make_client(), points_fen=0)
    Account.objects.filter(customer=customer, kind="points").update(balance_fen=799)

    lock = "SELECT 1 FROM payments_account WHERE customer_id = %s FOR UPDATE"
    spend = spending(customer)
    outcomes = at_once_behind(lock, customer.pk, count=50, call=spend, held_up=8)

    assert kinds(outcomes)["set"] > 7


def test_one_reference_posted_by_fifty_at_once_is_one_transfer():
    customer = make_customer(client=make_client(), points_fen=799)

    outcomes = at_once(50, lambda _n: post(payment(f"points:{customer.pk}", ESCROW, 1)))

    assert kinds(outcomes) == {"set": 50}
    assert sum(map(len, outcomes)) == 1
    assert points_fen(customer) == 699
    assert Transfer.objects.filter(kind="payment").count() == 1


def exchange_at_once(move, *, count):
    """Half go from one customer to the other, half the other way, so that each wants both accounts."""
    client = make_client()
    codes = [f"points:{make_customer(client=client, user_id=user_id, points_fen=5_000).pk}" for user_id in "12"]
    return at_once(count, lambda n: move(payment(codes[n % 2], codes[1 - n % 2], n)))


def test_transfers_in_opposite_directions_do_not_deadlock(monkeypatch):
    slowly = ledger._MOVE.replace("FROM unnest", "FROM (SELECT pg_sleep(0.02)) AS nap, unnest")
    assert slowly != ledger._MOVE
    monkeypatch.setattr(ledger, "_MOVE", slowly)

    outcomes = exchange_at_once(post, count=20)

    assert kinds(outcomes) == {"set": 20}
    assert set(Account.objects.filter(kind="points").values_list("balance_fen", flat=True)) == {5_000}


def test_control_in_the_order_of_mention_they_deadlock():
    both_hold_one = threading.Barrier(2)

    def one_account_after_the_other(posting):
        with transaction():
            _change(posting.debit, by_fen=-100)
            both_hold_one.wait()
            _change(posting.credit, by_fen=100)
            return set()

    outcomes = exchange_at_once(one_account_after_the_other, count=2)

    assert any("deadlock detected" in str(outcome) for outcome in outcomes)
    connection.close()


def _change(code, *, by_fen):
    account = Account.objects.filter(customer_id=code.removeprefix("points:"), kind="points")
    account.update(balance_fen=F("balance_fen") + by_fen)
