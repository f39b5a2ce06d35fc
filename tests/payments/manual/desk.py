"""An order that waits for its cash at a gateway, and what the books say of it."""

from contextlib import contextmanager

import pytest
from django.utils import timezone

from payments import invariants
from payments.charges import operations as charges
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.manual import confirmations
from payments.models import Account, AuditRow, Charge, HandConfirmation, Order, Transfer, ValueRequest
from payments.transactions import transaction
from tests.world import make_client, make_customer, make_memory_account, place_order


def book():
    return memory.book("memory-app")


def waiting_order(*, mode=Mode.PAGE, total_fen=7_000, **client_fields):
    """An order of 70 yuan whose payer is at the gateway, in memory."""
    client = make_client(**client_fields)
    make_customer(client=client)
    make_memory_account()
    order = place_order(client=client, total_fen=total_fen)
    attempt(order, mode)
    return order


def attempt(order, mode=Mode.PAGE):
    return charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())


def charge_of(order):
    return Charge.objects.get(order=order)


def silence(*, times=1):
    """The gateway does not answer when it is asked."""
    book().script(*[memory.Fault.LOST_REQUEST] * times, verb="query_payment")


def approve(made, *, actor="user:wang", reason="seen"):
    return confirmations.approve(waiting_id=made.pk, actor=actor, reason=reason, at=timezone.now())


def everything():
    """What moves where a deed is done, and where it is refused does not."""
    return {
        "orders": list(Order.objects.order_by("pk").values_list("status", "money_flag")),
        "charges": list(Charge.objects.order_by("pk").values_list("status", "paid_fen", "gateway_trade_no")),
        "transfers": list(Transfer.objects.order_by("pk").values_list("reference", "kind")),
        "accounts": list(Account.objects.order_by("pk").values_list("balance_fen", flat=True)),
        "confirmations": list(HandConfirmation.objects.order_by("pk").values_list("status", "decided_by")),
        "values": list(ValueRequest.objects.order_by("pk").values_list("status", "decided_by")),
        "deeds": AuditRow.objects.count(),
    }


@contextmanager
def nothing_moves():
    before = everything()
    yield
    assert everything() == before


@contextmanager
def refused(error, **context):
    """It is refused with that error, at that field if one is named, and nothing moves."""
    with nothing_moves(), pytest.raises(error) as caught:
        yield
    assert {name: getattr(caught.value, name) for name in context} == context


def broken():
    """The invariants that the books break."""
    with transaction():
        return [finding.name for finding in invariants.findings() if finding.breaches]


def deeds(*actions):
    return [
        (row.actor, row.action, row.detail.get("reason"))
        for row in AuditRow.objects.filter(action__in=actions).order_by("pk")
    ]
