"""An order that appears unpaid and that its customer pays from the balance by a later call."""

import datetime

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges.from_balance import OrderNotFromBalance
from payments.charges.operations import OrderClosed, OrderExpired, OrderFromBalance, OrderPaid, OrderRefunded
from payments.charges.placement import place
from payments.closing import operations as closing
from payments.gateways.base import Mode
from payments.ledger.operations import NotEnough
from payments.models import (
    Account,
    AuditRow,
    Charge,
    Order,
    OrderTransition,
    OutboxEvent,
    Refund,
    Transfer,
    WebhookEndpoint,
)
from payments.refunds.operations import OrderNotPaid
from payments.transactions import savepoint
from tests.payments.refunds.shop import refund
from tests.world import (
    NOW,
    balance_fen,
    by_balance,
    make_client,
    make_customer,
    make_memory_account,
    owe_from_balance,
    pay_from_balance,
    place_order,
    points_fen,
)

pytestmark = pytest.mark.django_db

WRITTEN = (Order, OrderTransition, Charge, Transfer, AuditRow, OutboxEvent, Refund)
LATER = NOW + datetime.timedelta(minutes=5)


@pytest.fixture
def payer():
    client = make_client()
    WebhookEndpoint.objects.create(client=client, url="https://www.example.com/")
    return make_customer(client=client, points_fen=700, balance_fen=12_000)


def books():
    orders = list(Order.objects.order_by("pk").values())
    return orders, [model.objects.count() for model in WRITTEN], list(Account.objects.order_by("pk").values())


def money(order):
    return list(order.transfers.order_by("id").values_list("debit", "credit", "amount_fen", "kind", "reference"))


def again(order):
    order.refresh_from_db()
    return order


# --- it appears -------------------------------------------------------------------------------------------------------


def test_it_appears_unpaid_and_nothing_moves(payer):
    order = owe_from_balance(customer=payer, at=NOW)

    assert (order.status, order.points_fen, order.balance_fen, order.cash_fen) == ("unpaid", 0, 10_000, 0)
    assert order.finished_at is None
    assert (balance_fen(payer), points_fen(payer)) == (12_000, 700)
    assert not order.charges.exists()
    assert not order.transitions.exists()
    assert not OutboxEvent.objects.exists()
    assert money(order) == []
    row = AuditRow.objects.get(subject=f"order:{order.number}")
    assert (row.action, row.detail["balance_fen"]) == ("order.place", 10_000)


def test_it_appears_in_one_statement_however_small_the_balance_is(payer):
    placement = by_balance(customer=payer, total_fen=12_001, pays_later=True)

    with CaptureQueriesContext(connection) as asked:
        assert place(placement) is not None

    assert len(asked) == 1


def test_only_what_the_balance_pays_can_be_paid_later(payer):
    with pytest.raises(AssertionError):
        by_balance(customer=payer, balance_fen=0, pays_later=True)


# --- it is paid -------------------------------------------------------------------------------------------------------


def test_paying_takes_it_out_of_the_balance_and_finishes_the_order(payer):
    order = owe_from_balance(customer=payer, at=NOW)

    charge = pay_from_balance(order, at=LATER)

    number = f"{order.number}_1"
    assert (again(order).status, order.finished_at, order.money_flag) == ("pay_finished", LATER, "")
    assert (balance_fen(payer), points_fen(payer)) == (2_000, 700)
    assert order.charges.get() == charge
    assert (charge.number, charge.attempt, charge.tender, charge.mode) == (number, 1, "balance", "")
    assert (charge.status, charge.amount_fen, charge.paid_fen, charge.paid_at) == ("succeeded", 10_000, 10_000, LATER)
    assert (charge.gateway_account, charge.expires_at, charge.next_query_at) == (None, None, None)
    assert money(order) == [
        (f"balance:{payer.pk}", "escrow", 10_000, "payment", number),
        ("escrow", "sales", 9_500, "sale", number),
        ("escrow", "shipping", 500, "shipping", number),
    ]
    assert list(order.transitions.values_list("source", "event", "target", "actor", "reason", "at")) == [
        ("unpaid", "all_settled", "pay_finished", "client:shop", number, LATER)
    ]
    assert OutboxEvent.objects.get(order=order).kind == "order.paid"
    row = AuditRow.objects.get(action="charge.paid")
    assert (row.actor, row.subject) == ("client:shop", f"order:{order.number}")
    assert row.detail == {"charge": number, "paid_fen": 10_000}


def test_a_balance_spent_to_the_fen_is_empty(payer):
    pay_from_balance(owe_from_balance(customer=payer, total_fen=12_000))

    assert balance_fen(payer) == 0


def test_a_balance_of_a_fen_too_little_is_refused_and_nothing_moves(payer):
    order = owe_from_balance(customer=payer, total_fen=12_001)
    before = books()

    with pytest.raises(NotEnough):
        pay_from_balance(order)

    assert books() == before


def test_an_order_that_was_refused_is_paid_once_the_balance_is_there(payer):
    dear, cheap = owe_from_balance(customer=payer, number="B1"), owe_from_balance(customer=payer, number="B2")
    pay_from_balance(dear)
    with pytest.raises(NotEnough):
        pay_from_balance(cheap)
    refund(again(dear), goods_fen=9_500)

    assert pay_from_balance(cheap).number == f"{cheap.number}_1"

    assert (again(cheap).status, balance_fen(payer)) == ("pay_finished", 1_500)


def test_in_its_last_moment_it_is_paid_and_from_its_end_on_it_is_not(payer):
    order = owe_from_balance(customer=payer)
    before = books()

    with pytest.raises(OrderExpired):
        pay_from_balance(order, at=order.expires_at)

    assert books() == before
    pay_from_balance(order, at=order.expires_at - datetime.timedelta(microseconds=1))
    assert again(order).status == "pay_finished"


def test_a_paid_a_refunded_and_a_closed_order_are_each_refused_by_name_and_nothing_moves(payer):
    paid, partly, wholly, closed = (
        owe_from_balance(customer=payer, number=f"B{n}", total_fen=1_000, shipping_fen=0) for n in range(4)
    )
    for order in (paid, partly, wholly):
        pay_from_balance(order)
    refund(partly, goods_fen=400)
    refund(wholly, goods_fen=1_000)
    closing.close(order_id=closed.pk, actor="test", at=timezone.now())
    before = books()

    expected = ((paid, OrderPaid), (partly, OrderRefunded), (wholly, OrderRefunded), (closed, OrderClosed))
    for order, error in expected:
        with pytest.raises(error):
            pay_from_balance(order)

    assert books() == before


@pytest.mark.parametrize(
    ("policy", "status"), [("points_first", "point_paid"), ("points_last", "unpaid")], ids=["point_paid", "unpaid"]
)
def test_an_order_with_points_or_cash_due_is_refused_and_nothing_moves(policy, status):
    client = make_client(points_policy=policy)
    make_customer(client=client, points_fen=100, balance_fen=12_000)
    order = place_order(client=client, total_fen=10_000)
    assert order.status == status
    before = books()

    with pytest.raises(OrderNotFromBalance):
        pay_from_balance(order)

    assert books() == before


def test_an_attempt_at_its_cash_says_that_it_is_the_balance_s_to_pay(payer):
    make_memory_account()
    order = owe_from_balance(customer=payer)
    before = books()

    with pytest.raises(OrderFromBalance):
        charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())

    assert books() == before


def test_an_attempt_at_the_cash_of_one_that_is_paid_says_that_it_is_paid(payer):
    make_memory_account()
    order = owe_from_balance(customer=payer)
    pay_from_balance(order)

    with pytest.raises(OrderPaid):
        charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())


def test_the_database_refuses_a_second_payment_from_the_balance(payer):
    order = owe_from_balance(customer=payer, total_fen=1_000)
    charge = pay_from_balance(order)
    charge.pk, charge.attempt, charge.number = None, 2, f"{order.number}_2"

    with pytest.raises(IntegrityError, match="charge_balance_pays_once"), savepoint():
        charge.save(force_insert=True)


# --- it is not paid, or is refunded -----------------------------------------------------------------------------------


def test_one_whose_time_has_run_out_is_closed_and_nothing_is_posted(payer):
    order = owe_from_balance(customer=payer)

    assert closing.close_due(at=order.expires_at) == 1

    assert again(order).status == "closed"
    assert (money(order), order.charges.count(), balance_fen(payer)) == ([], 0, 12_000)
    assert OutboxEvent.objects.get(order=order).kind == "order.closed"


def test_a_refund_goes_back_to_the_balance(payer):
    order = owe_from_balance(customer=payer, total_fen=10_000, shipping_fen=500)
    pay_from_balance(order)

    refund(order, goods_fen=9_500)

    assert (again(order).status, balance_fen(payer)) == ("partly_refund", 11_500)


def test_what_is_not_paid_is_not_refunded(payer):
    order = owe_from_balance(customer=payer)
    before = books()

    with pytest.raises(OrderNotPaid):
        refund(order, goods_fen=100)

    assert books() == before
