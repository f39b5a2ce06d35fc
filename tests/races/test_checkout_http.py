"""The same races over real HTTP, on two gunicorn workers: what clients see of them."""

import re
from collections import Counter

import httpx
import pytest

from payments.models import Order, Transfer
from tests.calls import Text, body, signed
from tests.checkout.test_documents import PAY
from tests.threads import at_once
from tests.world import make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db(transaction=True)

HEADERS = {"authorization": "Token shop-token", "content-type": "application/json"}


def pay(web, params):
    content = body(signed(params))
    return lambda: httpx.post(
        f"{web.url}/api/checkout/pay/", content=content, headers=HEADERS, timeout=60, trust_env=False
    )  # fmt: skip


def test_a_hundred_equal_calls_at_once_get_a_hundred_equal_answers_but_for_the_login_code(web):
    customer = make_customer(client=make_client(), points_fen=13_128)
    call = pay(web, PAY)

    answers = at_once(100, lambda n: call())

    assert Counter(answer.status_code for answer in answers) == {200: 100}
    assert len({re.sub("code=[0-9A-Za-z]{30}", "code=", answer.text) for answer in answers}) == 1
    assert Order.objects.count() == 1
    assert points_fen(customer) == 0


def test_a_hundred_calls_with_one_number_and_a_hundred_amounts_get_one_200_and_99_409(web):
    customer = make_customer(client=make_client(), points_fen=13_128)
    calls = [pay(web, PAY | {"total_amount": Text(str(2144 + n))}) for n in range(100)]

    answers = at_once(100, lambda n: calls[n]())

    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 99}
    assert {answer.json()["result_code"] for answer in answers} == {"pay_order_created", "number_reused"}
    assert points_fen(customer) == 0


def test_fifty_calls_on_points_for_seven_finish_seven_and_leave_cash_due_on_the_rest(web):
    customer = make_customer(client=make_client(), points_fen=70_000)
    calls = [
        pay(web, PAY | {"out_trade_no": f"T{n}", "client_pay_id": "", "total_amount": Text("100")}) for n in range(50)
    ]  # fmt: skip

    answers = at_once(50, lambda n: calls[n]())

    results = [answer.json()["result"] for answer in answers]
    assert Counter((result["status"], result["point_amount"]) for result in results) == {
        ("pay_finished", 100): 7,
        ("point_paid", 0): 43,
    }
    assert points_fen(customer) == 0
    assert Transfer.objects.filter(credit="sales").count() == 7
