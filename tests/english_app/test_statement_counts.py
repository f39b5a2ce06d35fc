"""
What document 004's calls ask PostgreSQL, statement by statement, as `tests/test_statement_counts.py` has it.

Exact on purpose: a statement more is a decision, not an accident.
"""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.calls import body
from tests.english_app import world
from tests.english_app.dealings import everything, pay

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def call(client, shop, learner):
    """Make a call of the client's, and return each statement as its verb and the first table of ours that it names."""

    def make(path, **params):
        with CaptureQueriesContext(connection) as captured:
            response = client.post(
                f"/english/order/{path}", data=body({"user_id": 1, "app_id": 1, **params}),
                content_type="application/json", headers={"authorization": "Token english-token"},
            )  # fmt: skip
        assert (response.status_code, response.json()["code"]) == (200, 0), response.json()
        return [brief(query["sql"]) for query in captured]

    return make


def brief(sql):
    table = re.search(r"\b(?:payments|english_app)_\w+", sql)
    return " ".join([sql.split()[0].strip(";"), *([table[0]] if table else [])])


def basket(month, *, money, num=1, **fields):
    price = world.MONTH_FEN * num
    return {
        "title": "会员购买", "price_total": f"{price // 100}", "money": money,
        "goods_list": [{"good_id": month.pk, "num": num}], **fields,
    }  # fmt: skip


CLIENT, CUSTOMER, DOCUMENT = "SELECT payments_apiclient", "SELECT payments_customer", "SELECT english_app_englishorder"
ACCOUNT = ["SELECT payments_gatewayaccount", "SELECT payments_gatewaydefault"]
GOOD = "SELECT english_app_good"
WAIT = ["BEGIN", CUSTOMER, GOOD, DOCUMENT]  # the customer's lock; prices; was the same call made before?
PLACE = ["WITH payments_order", DOCUMENT]
PURCHASE = [*PLACE, "INSERT english_app_orderline"]
START = [
    "SELECT payments_charge", "BEGIN", "SELECT payments_order", *ACCOUNT, "SELECT payments_charge",
    "SELECT payments_charge",
]  # fmt: skip
ATTEMPT = ["INSERT payments_charge", "UPDATE payments_charge", "COMMIT"]
SUBMIT = [
    "SELECT payments_charge", "SELECT payments_gatewayaccount", "BEGIN", "SELECT payments_charge",
    "SELECT payments_order", "SELECT payments_charge", "UPDATE payments_charge", "COMMIT",
]  # fmt: skip
FULFIL = ["SAVEPOINT", DOCUMENT, "UPDATE english_app_englishorder", "RELEASE"]


def test_init_of_a_pair_is_one_transaction_and_the_start_of_a_payment(call, month):
    statements = call("init", **basket(month, money=29, pay_way_name="alipay"))

    assert statements == [
        CLIENT, CUSTOMER, *ACCOUNT, *WAIT, *PURCHASE, *PLACE, "COMMIT", *START, *ATTEMPT, *SUBMIT,
        "SELECT payments_gatewayaccount",
    ]  # fmt: skip


def test_init_from_the_balance_is_one_transaction(call, month):
    statements = call("init", **basket(month, money=0))

    assert statements == [CLIENT, CUSTOMER, *WAIT, *PURCHASE, "COMMIT"]


def test_init_again_writes_no_row(call, month):
    told = basket(month, money=29, pay_way_name="alipay")
    call("init", **told)
    before = everything()

    statements = call("init", **told)

    assert statements == [
        CLIENT, CUSTOMER, *ACCOUNT, *WAIT, "COMMIT", *START, "UPDATE payments_charge", "COMMIT",
        "SELECT payments_charge",
    ]  # fmt: skip
    assert everything() == before


def test_pay_is_one_transaction_of_16_statements(shop, call, month):
    made = world.init(client=shop, goods={month: 1})

    statements = call("pay", order_sn=made.purchase.number)

    assert statements == [
        CLIENT, DOCUMENT, "BEGIN", "SELECT payments_order",
        "SELECT payments_charge", "INSERT payments_charge",
        "INSERT payments_transfer", "SELECT payments_account", "UPDATE payments_account", "INSERT payments_auditrow",
        "SELECT payments_ordertransition", "INSERT payments_ordertransition", "UPDATE payments_order",
        "INSERT payments_transfer", "INSERT payments_outboxevent", *FULFIL, "COMMIT",
    ]  # fmt: skip


def test_pay_again_is_two_statements_and_writes_nothing(shop, call, month):
    made = world.init(client=shop, goods={month: 1})
    pay(made.purchase)
    before = everything()

    assert call("pay", order_sn=made.purchase.number) == [CLIENT, DOCUMENT]
    assert everything() == before


@pytest.mark.parametrize("orders", [0, 1, 5])
def test_a_list_is_four_statements_however_long_it_is(shop, call, month, orders):
    agent = world.make_agent(client=shop)
    for num in range(1, orders + 1):
        world.init(client=shop, goods={month: num}, agent_id=agent.pk)

    assert call("lists") == [CLIENT, CUSTOMER, DOCUMENT, *([DOCUMENT] if orders else [])]


def test_ways_and_prices_are_two_statements_and_three(call, month):
    assert call("payWay") == [CLIENT, "SELECT payments_gatewayaccount"]
    assert call("submitGoodsOrder", goods_list=[{"good_id": month.pk, "num": 1}]) == [
        CLIENT, CUSTOMER, GOOD,
    ]  # fmt: skip
