"""What the races of the partner programme share: many customers, an impatient app, and the guards to take away."""

from types import SimpleNamespace

from partner_orders import operations, pricing
from payments.models import Customer
from tests.partner_orders.world import (
    NOW,
    command,
    make_address,
    make_partner,
)
from tests.threads import insist, meeting


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
