"""
What a call of the hot path asks PostgreSQL, statement by statement (DESIGN §8, P2 and P3).

Exact on purpose: a statement more is a decision, not an accident. `make bench` counts the same at the wire.
"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from checkout.models import CheckoutOrder
from payments.models import Account, AuditRow, Charge, Order, OrderTransition, Transfer
from tests.calls import Text, post, signed
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db(transaction=True)

PAY = {
    "out_trade_no": "20111111111",
    "client_pay_id": "0000010111135",
    "total_amount": Text("2144"),
    "shipping_fee": Text("5.00"),
    "redirect_url": "https://www.example.com",
    "user_id": "442090",
    "ee_no": "a09999",
}
CLIENT = "SELECT payments_apiclient"
CUSTOMER = "SELECT payments_customer"
PLACE = "WITH payments_order"
DETAIL = "SELECT payments_order"
TABLES = ("payments_apiclient", "payments_customer", "payments_order", "checkout_checkoutorder", "payments_account")


@pytest.fixture
def customer():
    return make_customer(client=make_client(), points_fen=500_000)


def asked(call):
    """Return each statement of `call` as its verb and the first table that it names."""
    with CaptureQueriesContext(connection) as captured:
        status, answer = call()
    assert (status, answer["success"]) == (200, True)
    return [_brief(query["sql"]) for query in captured]


def _brief(sql):
    tables = [word.strip("(),") for word in sql.split() if word.strip("(),") in TABLES]
    return " ".join([sql.split()[0].strip(";"), *tables[:1]])


@pytest.mark.parametrize(
    ("points_fen_before", "status"),
    [(500_000, "pay_finished"), (13_128, "point_paid")],
    ids=["points alone", "cash due"],
)
def test_pay_is_three_statements_and_one_of_them_writes(client, points_fen_before, status):
    customer = make_customer(client=make_client(), points_fen=points_fen_before)

    statements = asked(lambda: post(client, "/api/checkout/pay/", signed(PAY)))

    assert statements == [CLIENT, CUSTOMER, PLACE]
    assert Order.objects.get().status == status
    assert points_fen(customer) == max(0, points_fen_before - 214_400)


def test_pay_without_points_touches_no_account(client):
    make_customer(client=make_client())

    statements = asked(lambda: post(client, "/api/checkout/pay/", signed(PAY)))

    assert statements == [CLIENT, CUSTOMER, PLACE]


def test_pay_repeated_is_two_statements_and_writes_nothing(client, customer):
    post(client, "/api/checkout/pay/", signed(PAY))
    before = _written()

    statements = asked(lambda: post(client, "/api/checkout/pay/", signed(PAY)))

    assert statements == [CLIENT, CUSTOMER]
    assert _written() == before


def test_pay_detail_is_two_statements(client, customer):
    post(client, "/api/checkout/pay/", signed(PAY))
    before = _written()

    statements = asked(lambda: post(client, "/api/checkout/pay-detail/", signed({"out_trade_no": "20111111111"})))

    assert statements == [CLIENT, DETAIL]
    assert _written() == before


def test_a_refused_sign_is_one_statement(client, customer):
    with CaptureQueriesContext(connection) as captured:
        status, _answer = post(client, "/api/checkout/pay/", signed(PAY, secret="wrong"))

    assert status == 401
    assert [_brief(query["sql"]) for query in captured] == [CLIENT]


def _written():
    """Return how many rows the books have, and what the accounts hold."""
    books = (Order, OrderTransition, Charge, Transfer, AuditRow, CheckoutOrder)
    return [book.objects.count() for book in books], list(Account.objects.values_list("pk", "balance_fen"))
