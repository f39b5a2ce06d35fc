"""WeChat Pay APIv3: what is refused, in WeChat's words, and that nothing moved."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.simulator.receiver import Receiver
from tests.simulator.wechat_v3_merchant import SCHEME, WechatV3Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
ORDERS = "/v3/pay/transactions/native"
REFUNDS = "/v3/refund/domestic/refunds"


@pytest.fixture
def paid(simulator: Simulator, wechat_v3: WechatV3Client) -> str:
    wechat_v3.create("native", NUMBER)
    simulator.pay(NUMBER)
    return NUMBER


@pytest.mark.parametrize(
    "changed",
    [
        {"signature": "AAAA"},
        {"signature": "not base64"},
        {"signature": ""},
        {"mchid": "1900009999"},
        {"mchid": ""},
        {"serial_no": "0" * 40},
        {"timestamp": str(int(time.time()) - 3600)},
        {"timestamp": str(int(time.time()) + 3600)},
        {"timestamp": "now"},
        {"timestamp": ""},
        {"nonce_str": ""},
    ],
)
def test_an_authorization_that_proves_nothing_is_refused_unsigned(
    simulator: Simulator, wechat_v3: WechatV3Client, changed: dict[str, str]
) -> None:
    answer = wechat_v3.send("POST", ORDERS, wechat_v3.order("native", NUMBER), **changed)

    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")
    assert answer.json()["message"]
    assert "Wechatpay-Signature" not in answer.headers
    assert simulator.trades() == []


@pytest.mark.parametrize("header", ["", "Bearer abc", f"{SCHEME}", f'{SCHEME} mchid="1"', f'{SCHEME} a="1",a="1"'])
def test_another_kind_of_authorization_is_refused(wechat_v3: WechatV3Client, header: str) -> None:
    answer = wechat_v3.http.get("/v3/certificates", headers={"Authorization": header} if header else {})

    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")


@pytest.mark.parametrize("name", ["nonce_str", "timestamp"])
def test_every_part_that_is_signed_matters(wechat_v3: WechatV3Client, name: str) -> None:
    said = {"nonce_str": "a" * 32, "timestamp": str(int(time.time()))}
    part = {name: {"nonce_str": "b" * 32, "timestamp": str(int(said["timestamp"]) - 1)}[name]}
    header = wechat_v3.authorization("GET", "/v3/certificates", "", **said)
    signature = header.rsplit('signature="', 1)[1].rstrip('"')

    answer = wechat_v3.send("GET", "/v3/certificates", **(said | part), signature=signature)

    assert (answer.status_code, answer.json()["message"]) == (401, "错误的签名，验签失败")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", ORDERS + "?a=1", None),
        ("POST", "/v3/pay/transactions/app", None),
        ("POST", ORDERS, "{}"),
    ],
)
def test_a_signature_over_something_else_is_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, method: str, path: str, body: str | None
) -> None:
    text = json.dumps(wechat_v3.order("native", NUMBER))
    headers = {"Authorization": wechat_v3.authorization("POST", ORDERS, text), "Content-Type": "application/json"}

    answer = wechat_v3.http.request(method, path, content=body or text, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_ERROR")
    assert simulator.trades() == []


@pytest.mark.parametrize(
    ("product", "fields"),
    [
        ("native", {"mchid": None}),
        ("native", {"appid": None}),
        ("native", {"appid": 1}),
        ("native", {"description": None}),
        ("native", {"description": "长" * 128}),
        ("native", {"description": "a\x00b"}),
        ("native", {"out_trade_no": "short"}),
        ("native", {"out_trade_no": "n" * 33}),
        ("native", {"out_trade_no": "数" * 10}),
        ("native", {"notify_url": None}),
        ("native", {"notify_url": "/notify"}),
        ("native", {"notify_url": "http://127.0.0.1/notify?a=1"}),
        ("native", {"amount": None}),
        ("native", {"amount": 2012}),
        ("native", {"amount": {"total": 0}}),
        ("native", {"amount": {"total": -1}}),
        ("native", {"amount": {"total": "2012"}}),
        ("native", {"amount": {"total": 20.12}}),
        ("native", {"amount": {"total": True}}),
        ("native", {"amount": {"total": 10**11}}),
        ("native", {"amount": {"total": 1, "currency": "USD"}}),
        ("native", {"attach": "a" * 129}),
        ("native", {"time_expire": "2030-01-01 00:00:00"}),
        ("native", {"time_expire": "2030-01-01T00:00:00"}),
        ("native", {"time_expire": "soon"}),
        ("jsapi", {"payer": None}),
        ("jsapi", {"payer": {}}),
        ("h5", {"scene_info": None}),
        ("h5", {"scene_info": {"payer_client_ip": "somewhere", "h5_info": {"type": "Wap"}}}),
        ("h5", {"scene_info": {"payer_client_ip": "127.0.0.1", "h5_info": {"type": "Fridge"}}}),
        ("h5", {"scene_info": {"payer_client_ip": "127.0.0.1"}}),
    ],
)
def test_an_order_with_a_bad_parameter_is_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, product: str, fields: dict[str, Any]
) -> None:
    answer = wechat_v3.create(product, NUMBER, **fields)

    assert wechat_v3.refused(answer) == (400, "PARAM_ERROR")
    assert simulator.trades() == []


def test_an_order_that_ends_within_a_minute_is_refused(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    answer = wechat_v3.create("native", NUMBER, time_expire="2018-06-08T10:34:56+08:00")

    assert wechat_v3.refused(answer) == (400, "INVALID_REQUEST")
    assert simulator.trades() == []


@pytest.mark.parametrize(
    ("fields", "code"), [({"appid": "wxd930ea5d5a258f4f"}, "APPID_MCHID_NOT_MATCH"), ({"mchid": "1"}, "PARAM_ERROR")]
)
def test_an_order_for_somebody_else_is_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, fields: dict[str, str], code: str
) -> None:
    assert wechat_v3.refused(wechat_v3.create("native", NUMBER, **fields)) == (400, code)
    assert simulator.trades() == []


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', '{"mchid":"1","mchid":"1"}', "[" * 100_000])
def test_a_body_that_is_no_object_is_refused(wechat_v3: WechatV3Client, body: str) -> None:
    assert wechat_v3.refused(wechat_v3.send("POST", ORDERS, body)) == (400, "PARAM_ERROR")


def test_a_form_is_refused(wechat_v3: WechatV3Client) -> None:
    body = json.dumps(wechat_v3.order("native", NUMBER))
    headers = {"Authorization": wechat_v3.authorization("POST", ORDERS, body), "Content-Type": "text/plain"}

    assert wechat_v3.refused(wechat_v3.http.post(ORDERS, content=body, headers=headers)) == (400, "PARAM_ERROR")


def test_a_caller_that_hides_what_it_is_is_refused(wechat_v3: WechatV3Client) -> None:
    path = f"/v3/pay/transactions/out-trade-no/{NUMBER}?mchid={wechat_v3.merchant.mch_id}"
    headers = {"Authorization": wechat_v3.authorization("GET", path, ""), "User-Agent": ""}

    assert wechat_v3.refused(wechat_v3.http.get(path, headers=headers)) == (400, "PARAM_ERROR")


def test_another_method_is_refused(wechat_v3: WechatV3Client) -> None:
    assert wechat_v3.http.delete("/v3/certificates").status_code == 405


@pytest.mark.parametrize("mchid", ["", "1900009999"])
def test_a_query_names_the_merchant(wechat_v3: WechatV3Client, mchid: str) -> None:
    wechat_v3.create("native", NUMBER)
    path = f"/v3/pay/transactions/out-trade-no/{NUMBER}"

    answer = wechat_v3.send("GET", f"{path}?mchid={mchid}" if mchid else path)

    assert wechat_v3.refused(answer) == (400, "PARAM_ERROR")


def test_closing_names_the_merchant(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("native", NUMBER)

    answer = wechat_v3.send("POST", f"/v3/pay/transactions/out-trade-no/{NUMBER}/close", {})

    assert wechat_v3.refused(answer) == (400, "PARAM_ERROR")
    assert simulator.trade(NUMBER)["status"] == "waiting"


def test_an_order_nobody_made_does_not_exist(wechat_v3: WechatV3Client) -> None:
    by_id = f"/v3/pay/transactions/id/4200000000000000?mchid={wechat_v3.merchant.mch_id}"

    assert wechat_v3.refused(wechat_v3.query("nobody_made_it")) == (404, "ORDER_NOT_EXIST")
    assert wechat_v3.refused(wechat_v3.send("GET", by_id)) == (404, "ORDER_NOT_EXIST")
    assert wechat_v3.refused(wechat_v3.close("nobody_made_it")) == (404, "ORDER_NOT_EXIST")
    assert wechat_v3.refused(wechat_v3.refund("nobody_made_it", "R1", 1)) == (404, "RESOURCE_NOT_EXISTS")
    assert wechat_v3.refused(wechat_v3.refund_query("nobody_made_it")) == (404, "RESOURCE_NOT_EXISTS")


@pytest.mark.parametrize(
    "fields",
    [
        {"out_trade_no": None},
        {"out_refund_no": None},
        {"out_refund_no": "R 1"},
        {"out_refund_no": "R" * 65},
        {"amount": None},
        {"amount": {"refund": 500, "total": 2012}},
        {"amount": {"refund": 500, "total": 2012, "currency": "USD"}},
        {"amount": {"refund": "500", "total": 2012, "currency": "CNY"}},
        {"amount": {"refund": 0, "total": 2012, "currency": "CNY"}},
        {"amount": {"refund": 500, "currency": "CNY"}},
        {"reason": "长" * 81},
        {"notify_url": "nowhere"},
    ],
)
def test_a_refund_with_a_bad_parameter_is_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, paid: str, fields: dict[str, Any]
) -> None:
    answer = wechat_v3.send("POST", REFUNDS, wechat_v3.refund_body(paid, "R1", 500) | fields)

    assert wechat_v3.refused(answer) == (400, "PARAM_ERROR")
    assert simulator.trade(paid)["refunds"] == []


@pytest.mark.parametrize("amount", [{"refund": 500, "total": 2013}, {"refund": 2013, "total": 2012}])
def test_a_refund_of_another_amount_than_was_paid_is_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, paid: str, amount: dict[str, int]
) -> None:
    answer = wechat_v3.refund(paid, "R1", 500, amount=amount | {"currency": "CNY"})

    assert wechat_v3.refused(answer) == (400, "INVALID_REQUEST")
    assert simulator.trade(paid)["refunds"] == []


def test_an_unpaid_order_cannot_be_refunded(simulator: Simulator, wechat_v3: WechatV3Client) -> None:
    wechat_v3.create("native", NUMBER)

    assert wechat_v3.refused(wechat_v3.refund(NUMBER, "R1", 500)) == (400, "INVALID_REQUEST")
    assert simulator.trade(NUMBER)["refunds"] == []


def test_refunds_cannot_exceed_the_order(simulator: Simulator, wechat_v3: WechatV3Client, paid: str) -> None:
    assert wechat_v3.refund(paid, "R1", 2000).status_code == 200

    assert wechat_v3.refused(wechat_v3.refund(paid, "R2", 13)) == (400, "INVALID_REQUEST")

    assert [made["request_no"] for made in simulator.trade(paid)["refunds"]] == ["R1"]


def test_a_refunds_number_belongs_to_one_order_and_amount(
    simulator: Simulator, wechat_v3: WechatV3Client, paid: str
) -> None:
    wechat_v3.create("native", "another_order")
    simulator.pay("another_order")
    wechat_v3.refund(paid, "R1", 500)

    assert wechat_v3.refused(wechat_v3.refund(paid, "R1", 501)) == (400, "INVALID_REQUEST")
    assert wechat_v3.refused(wechat_v3.refund("another_order", "R1", 500)) == (400, "INVALID_REQUEST")

    assert [made["amount_fen"] for made in simulator.trade(paid)["refunds"]] == [500]
    assert simulator.trade("another_order")["refunds"] == []


def test_a_refund_beyond_the_merchants_balance_is_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, paid: str
) -> None:
    simulator.arm("not_enough")

    assert wechat_v3.refused(wechat_v3.refund(paid, "R1", 500)) == (403, "NOT_ENOUGH")

    assert simulator.trade(paid)["refunds"] == []
    assert wechat_v3.refund(paid, "R1", 500).status_code == 200


def test_nobody_is_told_of_what_was_refused(
    simulator: Simulator, wechat_v3: WechatV3Client, receiver: Receiver
) -> None:
    wechat_v3.create("native", NUMBER, notify_url=receiver.url)
    wechat_v3.refund(NUMBER, "R1", 500, notify_url=receiver.url)

    assert simulator.notifications(NUMBER) == []


def test_the_answer_is_json_whatever_is_asked(wechat_v3: WechatV3Client) -> None:
    answer: httpx.Response = wechat_v3.query("no*such|number")

    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json()["message"] == "订单不存在"
