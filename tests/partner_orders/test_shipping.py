"""Where the goods of a partner order are: what the table says, what is refused, and what comes about by itself."""

import datetime
import threading

import pytest
from django.utils import timezone

from config.celery import app
from partner_orders import shipping
from partner_orders.models import PartnerOrder
from partner_orders.shipping import OrderNotReceivable, OrderNotShippable, Shipment
from partner_orders.states import TRANSITIONS, Delivery, Event, WireStatus, next_delivery, wire_status
from payments.closing import operations as closing
from payments.errors import Malformed
from payments.machine import IllegalTransition
from payments.models import AuditRow, Order
from payments.orders.states import Status
from payments.transactions import transaction
from tests.partner_orders.dealings import end_attempts, now_of, order_by_alipay, refund
from tests.partner_orders.world import NOW, PRICE_FEN, buy, make_address, make_alipay, make_pack, make_partner
from tests.threads import at_once

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)
SECOND = datetime.timedelta(seconds=1)
LONG = datetime.timedelta(days=15)
LATER = NOW + HOUR


@pytest.fixture
def document(pack, address):
    return buy(pack=pack, address=address, at=NOW)


def ship(document, *, at=LATER, shipped_at=None, **changes):
    told = {"name": "顺丰速运", "number": "SF1", "code": "SF", "address": "长沙", "at": shipped_at or at, **changes}
    return shipping.ship(order_id=document.order_id, shipment=Shipment(**told), actor="client:shop", at=at)


def receive(document, *, at=LATER + HOUR):
    return shipping.receive(order_id=document.order_id, actor="client:shop", at=at)


def deliveries(document):
    document = now_of(document)
    return document.delivery, document.express_number, document.shipped_at, document.received_at


def audited(document):
    rows = AuditRow.objects.filter(subject=document.order.subject, action__startswith="partner_order.").order_by("pk")
    return list(rows.values_list("actor", "action"))


def refused(document, verb, error, **fields):
    before = deliveries(document), audited(document)
    with pytest.raises(error) as raised:
        verb(document, **fields)
    assert (deliveries(document), audited(document)) == before
    return raised.value


# --- the tables


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize("event", Event)
def test_goods_move_as_the_table_says_and_no_other_way(delivery, event):
    moves = {
        ("waiting", "ship"): "shipped",
        ("shipped", "ship"): "shipped",
        ("shipped", "receive"): "received",
    }
    if (delivery, event) in moves:
        assert next_delivery(delivery=delivery, event=event) == moves[delivery, event]
    else:
        with pytest.raises(IllegalTransition):
            next_delivery(delivery=delivery, event=event)


def test_no_delivery_is_left_out_of_the_table():
    assert set(TRANSITIONS) == set(Delivery)


@pytest.mark.parametrize("delivery", Delivery)
@pytest.mark.parametrize("status", Status)
def test_the_wire_tells_where_the_goods_are_only_of_an_order_that_is_paid_and_nothing_else(status, delivery):
    expected = {
        "unpaid": WireStatus.UNPAID,
        "point_paid": WireStatus.UNPAID,
        "cash_paid": WireStatus.UNPAID,
        "partly_refund": WireStatus.PARTLY_REFUNDED,
        "total_refund": WireStatus.REFUNDED,
        "closed": WireStatus.CLOSED,
        "pay_finished": {
            "waiting": WireStatus.PAID, "shipped": WireStatus.SHIPPED, "received": WireStatus.RECEIVED,
        }[delivery],
    }  # fmt: skip

    assert wire_status(status=status, delivery=delivery) == expected[status]


# --- shipping


def test_a_paid_order_is_shipped_and_it_is_told_by_whom(document):
    shipped = ship(document)

    assert (shipped.delivery, shipped.shipped_at, shipped.received_at) == ("shipped", LATER, None)
    assert (shipped.express_name, shipped.express_number, shipped.express_code, shipped.express_address) == (
        "顺丰速运", "SF1", "SF", "长沙",
    )  # fmt: skip
    row = AuditRow.objects.get(action="partner_order.ship")
    assert (row.actor, row.subject) == ("client:shop", document.order.subject)
    assert row.detail == {"before": ["", ""], "after": ["顺丰速运", "SF1"]}


def test_until_it_is_received_shipping_again_corrects_the_shipment(document):
    ship(document)

    ship(document, number="SF2", at=LATER + HOUR, shipped_at=LATER + SECOND)

    assert deliveries(document) == ("shipped", "SF2", LATER + SECOND, None)
    assert AuditRow.objects.filter(action="partner_order.ship").latest("pk").detail == {
        "before": ["顺丰速运", "SF1"], "after": ["顺丰速运", "SF2"],
    }  # fmt: skip


def test_what_was_received_is_not_shipped_again(document):
    ship(document)
    receive(document)

    assert refused(document, ship, OrderNotShippable, number="SF2").status == 409


def test_what_is_not_paid_or_closed_is_not_shipped(pack, address):
    make_alipay()
    document = order_by_alipay(pack=pack, address=address, at=NOW)
    refused(document, ship, OrderNotShippable)
    end_attempts(document)
    closing.close_due(at=NOW + datetime.timedelta(days=1))
    assert now_of(document).order.status == "closed"

    refused(document, ship, OrderNotShippable)
    refused(document, receive, OrderNotReceivable)


def test_what_is_refunded_in_part_is_shipped_and_received(document):
    refund(document, 100)

    ship(document)
    receive(document)

    assert deliveries(document)[0] == "received"


def test_what_is_refunded_in_full_is_neither_shipped_nor_received(document):
    ship(document)
    refund(document, PRICE_FEN)

    refused(document, ship, OrderNotShippable, number="SF2")
    refused(document, receive, OrderNotReceivable)


@pytest.mark.parametrize("shipped_at", [NOW - SECOND, LATER + shipping.CLOCKS_APART + SECOND])
def test_nothing_is_shipped_before_its_order_or_in_the_future(document, shipped_at):
    error = refused(document, ship, Malformed, shipped_at=shipped_at)

    assert error.field == "order_express_time"


@pytest.mark.parametrize("shipped_at", [NOW, LATER + shipping.CLOCKS_APART])
def test_it_may_be_shipped_at_once_or_by_a_clock_that_is_ahead(document, shipped_at):
    assert ship(document, shipped_at=shipped_at).shipped_at == shipped_at


# --- receiving


def test_what_was_shipped_is_received_once(document):
    ship(document)

    received = receive(document)
    again = receive(document, at=LATER + 2 * HOUR)

    assert received.received_at == again.received_at == LATER + HOUR
    assert audited(document) == [("client:shop", "partner_order.ship"), ("client:shop", "partner_order.receive")]


def test_what_was_not_shipped_is_not_received(document):
    assert refused(document, receive, OrderNotReceivable).field == "order_no"


# --- by itself


def test_after_fifteen_days_an_order_is_received_by_itself_and_not_a_second_before(document):
    ship(document)

    assert shipping.receive_due(at=LATER + LONG - SECOND) == 0
    assert deliveries(document)[0] == "shipped"
    assert shipping.receive_due(at=LATER + LONG) == 1
    assert deliveries(document) == ("received", "SF1", LATER, LATER + LONG)
    assert audited(document)[-1] == ("system", "partner_order.receive")
    assert shipping.receive_due(at=LATER + LONG + HOUR) == 0
    assert deliveries(document)[3] == LATER + LONG


def test_what_is_not_shipped_is_never_received_by_itself(document):
    assert shipping.receive_due(at=NOW + 10 * LONG) == 0
    assert deliveries(document)[0] == "waiting"


def test_of_refunded_orders_those_in_part_are_received_by_themselves_and_those_in_full_are_not(pack, address):
    in_part, in_full = (buy(pack=pack, address=address, at=NOW, key=key) for key in ("a", "b"))
    ship(in_part)
    ship(in_full)
    refund(in_part, 100)
    refund(in_full, PRICE_FEN)

    assert shipping.receive_due(at=LATER + LONG) == 1

    assert (deliveries(in_part)[0], deliveries(in_full)[0]) == ("received", "shipped")


def test_the_task_that_beat_wakes_receives_what_is_due(document):
    app.loader.import_default_modules()
    ship(document)

    app.tasks["partner_orders.receive_due"].run()

    assert deliveries(document)[0] == "received"


# --- many


def shipped_orders(client, count, *, pieces=None):
    """Orders of one customer, paid and shipped: those the balance bought, all at one moment."""
    pack = make_pack(client=client, uid="2" * 32, pieces=pieces or count, price_fen=100)
    address = make_address(customer=make_partner(client=client, user_id="many", balance_fen=100 * count))
    documents = [buy(pack=pack, address=address, at=NOW, key=f"k{n}") for n in range(count)]
    PartnerOrder.objects.update(delivery="shipped", shipped_at=LATER)
    return documents


@pytest.mark.django_db(transaction=True)
def test_more_than_a_batch_is_received_batch_by_batch(client_, monkeypatch):
    monkeypatch.setattr(shipping, "BATCH", 4)
    shipped_orders(client_, 11)

    assert shipping.receive_due(at=LATER + LONG) == 11

    assert PartnerOrder.objects.filter(delivery="received").count() == 11
    assert AuditRow.objects.filter(action=shipping.RECEIVED).count() == 11


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_share_the_orders_and_receive_each_once(client_, monkeypatch):
    monkeypatch.setattr(shipping, "BATCH", 5)
    shipped_orders(client_, 60)

    received = at_once(2, lambda _n: shipping.receive_due(at=LATER + LONG))

    assert sum(received) == 60
    assert min(received) > 0
    assert AuditRow.objects.filter(action=shipping.RECEIVED).count() == 60
    assert PartnerOrder.objects.filter(delivery="received", received_at=LATER + LONG).count() == 60


@pytest.mark.django_db(transaction=True)
def test_an_order_that_somebody_else_has_locked_is_passed_over_and_received_in_the_next_turn(client_):
    (held, *_others) = shipped_orders(client_, 3)
    is_held, may_end = threading.Event(), threading.Event()

    def hold(_n):
        with transaction():
            Order.objects.select_for_update().get(pk=held.order_id)
            is_held.set()
            assert may_end.wait(60)

    holder = threading.Thread(target=at_once, args=(1, hold))
    holder.start()
    assert is_held.wait(60)
    assert shipping.receive_due(at=LATER + LONG) == 2
    may_end.set()
    holder.join()

    assert shipping.receive_due(at=LATER + LONG) == 1


@pytest.mark.django_db(transaction=True)
def test_a_customer_who_receives_while_the_sweep_does_is_recorded_once(client_):
    documents = shipped_orders(client_, 20)

    outcomes = at_once(
        2,
        lambda n: (
            shipping.receive_due(at=LATER + LONG) if n else [receive(each, at=timezone.now()) for each in documents]
        ),
    )

    assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
    assert AuditRow.objects.filter(action=shipping.RECEIVED).count() == 20
    assert PartnerOrder.objects.filter(delivery="received").count() == 20
