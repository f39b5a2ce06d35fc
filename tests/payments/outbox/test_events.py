"""Events are written with the change, or not at all; they say little, in order, and never change."""

import json

import pytest
from django.db import IntegrityError, connection
from django.db import transaction as django_transaction
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import settlement
from payments.gateways import memory
from payments.gateways.base import Mode, Outcome, PaymentState
from payments.models import OutboxEvent
from payments.orders import operations as orders
from payments.orders.states import Event
from payments.outbox import operations as outbox
from payments.outbox.models import EventKind
from payments.transactions import transaction
from tests.payments.outbox.shop import event_of, make_shop, paid_order
from tests.world import NOW, make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_shop()


@pytest.fixture
def waiting():
    """An order whose cash is waited for at the gateway in memory, and its open attempts."""
    memory.forget_everything()
    make_memory_account()
    client = make_client()
    make_customer(client=client)
    order = place_order(client=client, total_fen=10_000)
    attempts = [
        charges.start(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())
        for mode in (Mode.QR, Mode.PAGE)
    ]
    return order, attempts


def settle(charge, trade_no):
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no=trade_no
    )
    settlement.settle(charge_id=charge.pk, state=state, at=NOW)


def told(order):
    return list(OutboxEvent.objects.filter(order=order).order_by("version").values_list("version", "kind"))


def close(order):
    with transaction():
        orders.apply(order=orders.lock(order_id=order.pk), event=Event.CLOSED, actor="test", at=timezone.now())


def test_an_order_that_is_paid_when_it_appears_is_told_of_in_the_same_statement(shop):
    order = paid_order(shop)

    event = event_of(order)
    assert (event.kind, event.version, event.client_id) == ("order.paid", 1, shop.pk)
    assert event.dispatched_at is None
    assert event.uid.startswith("evt_")
    assert len(event.uid) == 36


def test_an_order_that_waits_for_cash_is_told_of_when_the_cash_is_there(waiting):
    order, [charge, _other] = waiting
    assert told(order) == []

    settle(charge, "trade-1")

    assert told(order) == [(1, "order.paid")]


def test_a_repeated_notice_tells_nothing_again(waiting):
    order, [charge, _other] = waiting

    settle(charge, "trade-1")
    settle(charge, "trade-1")

    assert told(order) == [(1, "order.paid")]


def test_a_second_payment_is_told_as_overpaid(waiting):
    order, [first, second] = waiting

    settle(first, "trade-1")
    settle(second, "trade-2")

    assert told(order) == [(1, "order.paid"), (2, "order.overpaid")]


def test_money_after_closing_is_told_as_late(waiting):
    order, [charge, _other] = waiting
    close(order)

    settle(charge, "trade-1")

    assert told(order) == [(1, "order.paid_late")]
    assert json.loads(event_of(order).body)["data"]["status"] == "closed"


def test_the_body_is_thin_and_names_nobody(waiting):
    order, [charge, _other] = waiting

    settle(charge, "trade-1")

    event = event_of(order)
    assert json.loads(event.body) == {
        "type": "order.paid",
        "timestamp": "2018-06-15T12:00:00+08:00",
        "data": {
            "id": event.uid,
            "version": 1,
            "order_number": order.number,
            "out_trade_no": "T1",
            "client_pay_id": "",
            "family": "checkout",
            "status": "pay_finished",
        },
    }


def test_an_event_of_a_refund_names_it_and_what_goes_back(shop):
    order = paid_order(shop)

    with transaction():
        outbox.record(
            order=orders.lock(order_id=order.pk), kind=EventKind.ORDER_REFUNDED, at=NOW,
            refund_no="r-1", refund_number="R1", amount_fen=13_128,
        )  # fmt: skip

    event = OutboxEvent.objects.get(version=2)
    assert '"refund_no":"r-1","refund_number":"R1","amount":131.28}' in event.body


def test_chinese_and_quotes_in_a_clients_number_come_out_as_they_are(shop):
    order = place_order(client=shop, number='订单"1\\')

    assert json.loads(event_of(order).body)["data"]["out_trade_no"] == '订单"1\\'
    assert '"out_trade_no":"订单\\"1\\\\"' in event_of(order).body


def test_what_is_rolled_back_was_never_told(shop):
    order = paid_order(shop)

    def close_and_fail():
        with transaction():
            outbox.record(order=orders.lock(order_id=order.pk), kind=EventKind.ORDER_CLOSED, at=NOW)
            assert told(order) == [(1, "order.paid"), (2, "order.closed")]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        close_and_fail()

    assert told(order) == [(1, "order.paid")]


def test_an_event_needs_the_transaction_of_its_change(shop):
    order = paid_order(shop)

    with pytest.raises(RuntimeError):
        outbox.record(order=order, kind=EventKind.ORDER_CLOSED, at=NOW)


def test_many_orders_are_told_of_in_one_statement_and_in_the_same_words(shop, django_assert_num_queries):
    placed = [paid_order(shop) for _ in range(3)]

    with transaction(), django_assert_num_queries(1):
        outbox.record_all(order_ids=[order.pk for order in placed], kind=EventKind.ORDER_CLOSED, at=NOW)
    with transaction():
        outbox.record(order=orders.lock(order_id=placed[0].pk), kind=EventKind.ORDER_CLOSED, at=NOW)

    assert [told(order)[1:] for order in placed[1:]] == [[(2, "order.closed")]] * 2
    together, alone = OutboxEvent.objects.filter(order=placed[0]).exclude(version=1).order_by("version")
    assert together.body.replace(together.uid, alone.uid).replace('"version":2', '"version":3') == alone.body
    assert OutboxEvent.objects.values("uid").distinct().count() == 7


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE payments_outboxevent SET body = '{}'",
        "UPDATE payments_outboxevent SET version = 7",
        "UPDATE payments_outboxevent SET dispatched_at = now(), kind = 'order.closed'",
        "DELETE FROM payments_outboxevent",
        "TRUNCATE payments_outboxevent CASCADE",
    ],
)
def test_what_was_told_never_changes(shop, change):
    paid_order(shop)

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    with pytest.raises(IntegrityError, match=r"what was told|append-only"), django_transaction.atomic():
        connection.cursor().execute(change)


def test_an_order_has_each_version_once(shop):
    event = event_of(paid_order(shop))
    event.pk, event.uid = None, "evt_other"

    with pytest.raises(IntegrityError), django_transaction.atomic():
        event.save(force_insert=True)
