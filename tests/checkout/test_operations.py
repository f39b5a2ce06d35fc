import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from checkout import operations
from checkout.models import CheckoutOrder
from checkout.operations import NumberReused, PayCommand
from checkout.queries import CustomerUnknown
from payments.models import AuditRow, Charge, Order, OrderTransition, Transfer
from tests.world import NOW, make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db


def command(**changes):
    fields = {
        "out_trade_no": "20111111111",
        "client_pay_id": "0000010111135",
        "total_fen": 214_400,
        "shipping_fen": 500,
        "user_id": "442090",
        "ee_no": "a09999",
        "redirect_url": "https://www.example.com",
    }
    return PayCommand(**(fields | changes))


def pay(client, **changes):
    return operations.pay(client=client, command=command(**changes), at=NOW)


def books():
    return {
        model.__name__: model.objects.count()
        for model in (Order, CheckoutOrder, OrderTransition, Charge, Transfer, AuditRow)
    }


def transfers(number):
    rows = Transfer.objects.filter(order__number=number).order_by("id")
    return [(row.debit, row.credit, row.amount_fen, row.kind) for row in rows]


def test_points_pay_first_and_cash_is_due_for_the_rest():
    client = make_client()
    customer = make_customer(client=client, points_fen=13_128)

    order = pay(client)

    assert (order.status, order.points_fen, order.cash_fen) == ("point_paid", 13_128, 201_272)
    assert points_fen(customer) == 0
    assert transfers(order.number) == [(f"points:{customer.pk}", "escrow", 13_128, "payment")]
    assert list(OrderTransition.objects.values_list("source", "event", "target")) == [
        ("unpaid", "points_settled", "point_paid")
    ]
    assert Charge.objects.get().number == f"{order.number}_1"
    assert order.number.startswith("20180615")
    assert len(order.number) == 16


def test_enough_points_finish_the_order_at_once():
    client = make_client()
    customer = make_customer(client=client, points_fen=300_000)

    order = pay(client)

    assert (order.status, order.points_fen, order.cash_fen) == ("pay_finished", 214_400, 0)
    assert points_fen(customer) == 85_600
    assert transfers(order.number) == [
        (f"points:{customer.pk}", "escrow", 214_400, "payment"),
        ("escrow", "sales", 213_900, "sale"),
        ("escrow", "shipping", 500, "shipping"),
    ]
    assert Order.objects.get().finished_at == NOW


def test_a_customer_without_points_pays_all_in_cash():
    client = make_client()
    make_customer(client=client)

    order = pay(client)

    assert (order.status, order.points_fen, order.cash_fen) == ("point_paid", 0, 214_400)
    assert not Charge.objects.exists()
    assert not Transfer.objects.filter(order__isnull=False).exists()


def test_points_last_holds_the_points_until_the_cash_is_there():
    client = make_client(points_policy="points_last")
    customer = make_customer(client=client, points_fen=13_128)

    order = pay(client)

    assert (order.status, order.points_fen) == ("unpaid", 13_128)
    assert Charge.objects.get().status == "held"
    assert points_fen(customer) == 0
    assert not OrderTransition.objects.exists()


def test_the_same_call_again_returns_the_same_order_and_writes_nothing():
    client = make_client()
    make_customer(client=client, points_fen=13_128)
    first = pay(client)
    before = books()

    again = pay(client)

    assert again == first
    assert books() == before


@pytest.mark.parametrize(
    "change",
    [
        {"total_fen": 214_401},
        {"shipping_fen": 0},
        {"client_pay_id": ""},
        {"client_pay_id": "other"},
        {"out_trade_no": "other"},
        {"redirect_url": ""},
    ],
)
def test_a_number_used_again_with_other_contents_is_refused(change):
    client = make_client()
    customer = make_customer(client=client, points_fen=13_128)
    pay(client)
    before = books()

    with pytest.raises(NumberReused):
        pay(client, **change)

    assert books() == before
    assert points_fen(customer) == 0


def test_numbers_of_two_orders_cannot_be_crossed():
    client = make_client()
    make_customer(client=client)
    pay(client)
    pay(client, out_trade_no="B", client_pay_id="b")
    before = books()

    with pytest.raises(NumberReused):
        pay(client, out_trade_no="20111111111", client_pay_id="b")

    assert books() == before


def test_another_client_may_use_the_same_numbers():
    make_customer(client=(shop := make_client()))
    make_customer(client=(mall := make_client(name="mall")))

    assert pay(shop).number != pay(mall).number


@pytest.mark.parametrize("change", [{"user_id": "1"}, {"ee_no": "wrong"}, {"ee_no": ""}])
def test_an_unknown_user_and_a_wrong_employee_number_get_one_and_the_same_answer(change):
    client = make_client()
    make_customer(client=client, points_fen=13_128)

    with pytest.raises(CustomerUnknown) as refusal:
        pay(client, **change)

    assert refusal.value.code == "customer_unknown"
    assert not Order.objects.exists()


def test_placing_an_order_takes_two_statements_and_a_repeat_one():
    client = make_client()
    make_customer(client=client, points_fen=13_128)
    with CaptureQueriesContext(connection) as placing:
        pay(client)
    with CaptureQueriesContext(connection) as repeating:
        pay(client)

    statements = [query["sql"] for query in placing if "SAVEPOINT" not in query["sql"]]
    assert len(statements) == 2
    assert len(repeating) == 1
