"""An order that the customer's balance pays: it appears with all that belongs to it, or not at all."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from payments.charges.placement import place
from payments.ledger.operations import NotEnough
from payments.models import Account, AuditRow, Charge, Order, OrderTransition, OutboxEvent, Transfer, WebhookEndpoint
from payments.transactions import savepoint
from tests.world import NOW, balance_fen, by_balance, make_client, make_customer, place_by_balance, points_fen

pytestmark = pytest.mark.django_db

WRITTEN = (Order, OrderTransition, Charge, Transfer, AuditRow, OutboxEvent)


def customer(fen=12_000):
    client = make_client()
    WebhookEndpoint.objects.create(client=client, url="https://www.example.com/")
    return make_customer(client=client, points_fen=700, balance_fen=fen)


def books():
    return [model.objects.count() for model in WRITTEN], list(Account.objects.order_by("pk").values())


def test_the_balance_pays_all_of_an_order_and_it_is_finished():
    payer = customer()

    order = place_by_balance(customer=payer, total_fen=10_000, shipping_fen=500)

    number = f"{order.number}_1"
    assert (order.status, order.points_fen, order.balance_fen, order.cash_fen) == ("pay_finished", 0, 10_000, 0)
    assert order.finished_at == NOW
    assert (balance_fen(payer), points_fen(payer)) == (2_000, 700)
    charge = order.charges.get()
    assert (charge.number, charge.tender, charge.mode, charge.status) == (number, "balance", "", "succeeded")
    assert (charge.amount_fen, charge.paid_fen, charge.paid_at, charge.gateway_account) == (10_000, 10_000, NOW, None)
    posted = order.transfers.order_by("id").values_list("debit", "credit", "amount_fen", "kind", "reference")
    assert list(posted) == [
        (f"balance:{payer.pk}", "escrow", 10_000, "payment", number),
        ("escrow", "sales", 9_500, "sale", number),
        ("escrow", "shipping", 500, "shipping", number),
    ]
    assert list(order.transitions.values_list("source", "event", "target", "actor")) == [
        ("unpaid", "all_settled", "pay_finished", "client:shop")
    ]
    assert OutboxEvent.objects.get(order=order).kind == "order.paid"
    row = AuditRow.objects.get(subject=f"order:{order.number}")
    assert (row.action, row.detail) == (
        "order.place", {"total_fen": 10_000, "points_fen": 0, "balance_fen": 10_000},
    )  # fmt: skip


def test_it_is_one_statement():
    placement = by_balance(customer=customer())

    with CaptureQueriesContext(connection) as asked:
        place(placement)

    assert len(asked) == 1


def test_a_balance_spent_to_the_fen_is_empty():
    payer = customer(fen=10_000)

    place_by_balance(customer=payer, total_fen=10_000)

    assert balance_fen(payer) == 0


def test_a_balance_of_a_fen_too_little_is_refused_and_nothing_is_written():
    payer = customer(fen=9_999)
    before = books()

    with pytest.raises(NotEnough), savepoint():
        place(by_balance(customer=payer, total_fen=10_000))

    assert books() == before


def test_a_number_that_is_taken_takes_nothing_of_the_balance():
    payer = customer(fen=20_000)
    place_by_balance(customer=payer, number="B1")
    before = books()

    assert place(by_balance(customer=payer, number="B1")) is None

    assert books() == before


@pytest.mark.parametrize("own", [{"balance_fen": 9_999}, {"points_fen": 1}])
def test_a_balance_that_pays_in_part_or_beside_points_is_a_mistake(own):
    payer = customer()

    with pytest.raises(AssertionError):
        by_balance(customer=payer, total_fen=10_000, **own)
