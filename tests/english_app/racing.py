"""What the races of the English app share: impatient callers, and the guards to take away."""

import time
from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

from django.db import connection

from english_app import deliveries, memberships, operations, queries
from english_app.models import EnglishOrder, Membership
from payments.models import Customer, Order
from payments.orders import operations as orders
from payments.transactions import DATABASE_TROUBLE
from tests.conftest import APPEND_ONLY
from tests.threads import at_once, meeting


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def insist(call):
    """Call as a client does: told that the system is busy, it tries again."""
    while True:
        try:
            return call()
        except DATABASE_TROUBLE:
            connection.close()


def both(first, second, *, chance=None):
    """Call the two at the same moment; by `chance` (a `Random`) one of them a little, or a lot, later."""
    calls = (first, second)
    delays = [chance.choice((0, 0.003, 0.01, 0.1)) if chance else 0 for _call in calls]

    def call(n):
        time.sleep(delays[n])
        return insist(calls[n])

    return at_once(2, call)


def without_the_order_s_lock(monkeypatch, *, count):
    """So many have read the order before any of them writes."""
    meet = meeting(count)

    def lock(*, order_id):
        order = Order.objects.get(pk=order_id)
        meet()
        return order

    monkeypatch.setattr(orders, "lock", lock)


def without_the_document_s_lock(monkeypatch, *, count):
    """So many have read the order and its document before any of them writes."""
    meet = meeting(count)

    def lock(*, order_id):
        document = EnglishOrder.objects.select_related("order").get(order_id=order_id)
        meet()
        return document.order, document

    monkeypatch.setattr(deliveries, "lock", lock)


def without_the_customer_s_lock(monkeypatch, *, count):
    """So many have looked whether the same call has been made before any of them makes its orders."""
    meet, waiting = meeting(count), queries.waiting
    unlocked = SimpleNamespace(objects=SimpleNamespace(select_for_update=lambda **_of: Customer.objects))
    monkeypatch.setattr(operations, "Customer", unlocked)

    def look(**of):
        found = waiting(**of)
        meet()
        return found

    monkeypatch.setattr(operations.queries, "waiting", look)


def without_the_membership_s_lock(monkeypatch, *, count):
    """So many have added up a customer's grants before any of them writes until when that makes a member."""
    meet, end_of = meeting(count), memberships.end_of

    class Unlocked:
        objects = SimpleNamespace(
            bulk_create=lambda *_rows, **_how: None, select_for_update=lambda **_of: Membership.objects
        )

        def __init__(self, **_of):
            pass

    def look(grants):
        ends_on = end_of(grants)
        meet()
        return ends_on

    monkeypatch.setattr(memberships, "Membership", Unlocked)
    monkeypatch.setattr(memberships, "end_of", look)


@contextmanager
def afresh():
    """Books that a control has spoilt are thrown away."""
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute("TRUNCATE payments_customer, payments_transfer, english_app_good CASCADE")
            for table in APPEND_ONLY:
                cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
