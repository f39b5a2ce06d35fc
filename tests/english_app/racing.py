"""What the races of the English app share: impatient callers, and the guards to take away."""

import time
from types import SimpleNamespace

from english_app import deliveries, memberships, operations, queries
from english_app.models import EnglishOrder, Membership
from payments.models import Customer, Order
from payments.orders import operations as orders
from tests.threads import at_once, insist, meeting


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
