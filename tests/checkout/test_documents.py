"""The JSON examples of documents 000 and 001, each in a world of its own: same keys, same types, same values."""

import json
import re

import pytest

from tests.calls import Text, post, signed
from tests.world import make_client, make_customer

pytestmark = pytest.mark.django_db

PAY = {
    "out_trade_no": "20111111111",
    "client_pay_id": "0000010111135",
    "total_amount": Text("2144"),
    "shipping_fee": Text("5.00"),
    "redirect_url": "https://www.example.com",
    "user_id": "442090",
    "ee_no": "a09999",
}


@pytest.fixture(autouse=True)
def base_url(settings):
    settings.BASE_URL = "http://localhost:8001"


@pytest.mark.parametrize("path", ["/api/checkout/pay/", "/api/checkout/pay"])
def test_document_000_pays_with_points_first_and_leads_to_the_cashier(client, path):
    make_customer(client=make_client(), points_fen=13_128)

    status, answer = post(client, path, signed(PAY))

    number = answer["result"]["bb_trade_no"]
    url = answer["result"].pop("cash_pay_url")
    assert status == 200
    assert answer == {
        "result_message": "",
        "result_code": "pay_order_created",
        "result": {
            "status": "point_paid",
            "client_pay_id": "0000010111135",
            "point_amount": 131.28,
            "cash_amount": 2012.72,
            "out_trade_no": "20111111111",
            "total_amount": 2144,
            "bb_trade_no": number,
        },
        "success": True,
    }
    assert re.fullmatch(r"[0-9]{16}", number)
    code_url = rf"http://localhost:8001/api_login/\?code=[0-9A-Za-z]{{30}}&next=/checkout/pay/{number}/"
    assert re.fullmatch(code_url, url)


def test_document_001_tells_what_became_of_an_order(client):
    make_customer(client=make_client())
    paid = PAY | {"total_amount": Text("21.44"), "shipping_fee": Text("5"), "client_pay_id": "0000010111123"}
    number = post(client, "/api/checkout/pay/", signed(paid))[1]["result"]["bb_trade_no"]

    status, answer = post(client, "/api/checkout/pay-detail/", signed({"client_pay_id": "0000010111123"}))

    assert status == 200
    assert answer == {
        "result_message": "",
        "result_code": "out_trade_detail",
        "result": {
            "status": "point_paid",
            "client_pay_id": "0000010111123",
            "out_trade_no": "20111111111",
            "point_amount": 0,
            "cash_amount": 21.44,
            "cash_pay_url": f"http://localhost:8001/checkout/pay/{number}/",
            "total_amount": 21.44,
            "bb_trade_no": number,
            "shipping_fee": 5,
        },
        "success": True,
    }


def test_numbers_go_out_as_the_documents_write_them(client):
    make_customer(client=make_client(), points_fen=13_128)

    response = client.post(
        "/api/checkout/pay/",
        data=json.dumps(signed({**PAY, "total_amount": "2144.00", "shipping_fee": "5"})),
        content_type="application/json",
        headers={"authorization": "shop-token"},
    )

    assert '"point_amount": 131.28' in response.text.replace('":1', '": 1')
    assert '"total_amount": 2144,' in response.text.replace('":2', '": 2')
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-store"


def test_enough_points_finish_the_order_and_no_cash_is_due(client):
    make_customer(client=make_client(), points_fen=500_000)

    _status, answer = post(client, "/api/checkout/pay/", signed(PAY))

    assert answer["result"] | {"bb_trade_no": ""} == {
        "status": "pay_finished",
        "client_pay_id": "0000010111135",
        "point_amount": 2144,
        "cash_amount": 0,
        "out_trade_no": "20111111111",
        "cash_pay_url": "",
        "total_amount": 2144,
        "bb_trade_no": "",
    }


def test_the_same_call_again_gives_the_same_answer_but_for_the_login_code(client):
    make_customer(client=make_client(), points_fen=13_128)

    first, again = (post(client, "/api/checkout/pay/", signed(PAY)) for _call in range(2))

    for _status, answer in (first, again):
        answer["result"]["cash_pay_url"] = re.sub("code=[0-9A-Za-z]+", "", answer["result"]["cash_pay_url"])
    assert first == again


def test_the_same_call_written_otherwise_is_still_the_same_call(client):
    make_customer(client=make_client(), points_fen=13_128)
    first = post(client, "/api/checkout/pay/", signed(PAY))[1]

    rewritten = PAY | {"total_amount": "2144.00", "shipping_fee": Text("5"), "user_id": Text("442090")}
    status, again = post(client, "/api/checkout/pay/", signed(rewritten))

    assert (status, again["result"]["bb_trade_no"]) == (200, first["result"]["bb_trade_no"])


def test_out_trade_no_is_preferred_when_both_are_given(client):
    make_customer(client=make_client())
    first = post(client, "/api/checkout/pay/", signed(PAY))[1]["result"]["bb_trade_no"]
    post(client, "/api/checkout/pay/", signed(PAY | {"out_trade_no": "B", "client_pay_id": "b"}))

    both = {"out_trade_no": "20111111111", "client_pay_id": "b"}
    _status, answer = post(client, "/api/checkout/pay-detail/", signed(both))

    assert answer["result"]["bb_trade_no"] == first
