"""What the races of the partner programme share: many customers, an impatient app, and the guards to take away."""

from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

from django.db import connection

from partner_orders import operations, pricing
from payments.models import Customer
from payments.transactions import DATABASE_TROUBLE
from tests.conftest import APPEND_ONLY
from tests.partner_orders.world import (
    NOW,
    command,
    make_address,
    make_partner,
)
from tests.threads import meeting


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
