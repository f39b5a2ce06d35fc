"""The same order made and pushed many times at once. Each race has a control: its guard taken away, it goes wrong."""

import time
from collections import Counter

import pytest
from django.db import connection
from django.utils import timezone

from payments.charges import sweep
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.gateways.models import Channel
from payments.gateways.registry import GatewayBusy
from payments.models import Charge, Order
from payments.orders import numbers
from payments.orders import operations as orders
from payments.orders.models import OrderKind
from tests.threads import at_once, meeting
from tests.world import make_client, make_customer, make_memory_account

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop():
    memory.forget_everything()
    make_memory_account()
    shop = make_client()
    make_customer(client=shop)
    return shop


def place(shop, *, total_fen=1_110, **fields):
    command = OrderCommand(kind=OrderKind.GOODS, user_id="442090", title="DEMO", total_fen=total_fen, **fields)
    return direct.place_order(client=shop, command=command, at=timezone.now())


def push(order):
    """Push as a client does: told to try again, it tries again."""
    while True:
        try:
            return direct.push(order_id=order.pk, channel=Channel.MEMORY, mode=Mode.QR, actor="test", at=timezone.now())
        except GatewayBusy:
            time.sleep(0.01)


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def test_fifty_pushes_at_once_start_one_attempt_and_get_one_answer(shop):
    order = Order.objects.get(number=place(shop))

    outcomes = at_once(50, lambda n: push(order))

    assert kinds(outcomes) == {"Charge": 50}
    assert {(charge.number, charge.payload["qr_code"]) for charge in outcomes} == {
        (f"{order.number}_1", f"memory:memory-app:{order.number}_1")
    }
    assert Charge.objects.count() == 1
    assert list(memory.book("memory-app").payments) == [f"{order.number}_1"]


def test_control_without_the_order_s_lock_the_attempts_collide(shop, monkeypatch):
    order = Order.objects.get(number=place(shop))
    monkeypatch.setattr(orders, "lock", lambda *, order_id: Order.objects.get(pk=order_id))
    # Asked for between looking which attempts there are and writing another.
    meet, due_at = meeting(20), sweep.next_query_at
    monkeypatch.setattr(sweep, "next_query_at", lambda **of: meet() or due_at(**of))

    outcomes = at_once(20, lambda n: push(order))

    assert kinds(outcomes) == {"Charge": 1, "IntegrityError": 19}


def test_fifty_calls_with_one_number_make_one_order(shop):
    outcomes = at_once(50, lambda n: place(shop, client_order_no="A1"))

    assert kinds(outcomes) == {"str": 50}
    assert len(set(outcomes)) == Order.objects.count() == 1


def test_fifty_calls_with_one_number_and_fifty_amounts_have_one_winner(shop):
    outcomes = at_once(50, lambda n: place(shop, client_order_no="A1", total_fen=100 + n))

    assert kinds(outcomes) == {"str": 1, "NumberReused": 49}
    assert Order.objects.count() == 1


def test_control_without_the_unique_number_there_would_be_several_orders(shop, monkeypatch):
    # Drawn between looking whether the client's number stands for anything and writing.
    meet, drawn = meeting(20), numbers.dated
    monkeypatch.setattr(numbers, "dated", lambda **of: meet() or drawn(**of))
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX order_client_order_no_once")
    try:
        at_once(20, lambda n: place(shop, client_order_no="A1"))

        assert Order.objects.count() == 20
    finally:
        with connection.cursor() as cursor:
            # Orders without a transition or a transfer: nothing append-only hangs on them.
            cursor.execute("DELETE FROM payments_order")
            cursor.execute(
                "CREATE UNIQUE INDEX order_client_order_no_once ON payments_order (client_id, client_order_no) "
                "WHERE NOT (client_order_no = '')"
            )
