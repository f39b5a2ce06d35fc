"""Alipay: what it does not take."""

import datetime
import json

import pytest

from tests.simulator.merchant import AlipayClient, beijing
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
PRECREATE = "alipay.trade.precreate"


@pytest.mark.parametrize(
    "changed",
    [
        {"out_trade_no": "2018-1"},
        {"out_trade_no": ""},
        {"out_trade_no": "订单1"},
        {"out_trade_no": "1" * 65},
        {"out_trade_no": "1 "},
        {"total_amount": "20.123"},
        {"total_amount": "0"},
        {"total_amount": "0.00"},
        {"total_amount": "-1"},
        {"total_amount": "1e2"},
        {"total_amount": "１２"},
        {"total_amount": True},
        {"total_amount": None},
        {"subject": ""},
        {"subject": "a/b"},
        {"subject": "长" * 257},
        {"timeout_express": "16d"},
        {"timeout_express": "soon"},
        {"time_expire": "tomorrow"},
        {"product_code": "FAST_INSTANT_TRADE_PAY"},
        {"seller_id": "2088000000000001"},
        {"quit_url": "javascript:alert(1)"},
    ],
)
def test_a_malformed_order_is_refused(simulator: Simulator, alipay: AlipayClient, changed: dict[str, object]) -> None:
    answer = _ask(alipay, changed)

    assert (answer["code"], answer["sub_code"]) == ("40004", "ACQ.INVALID_PARAMETER")
    assert simulator.trades() == []


def _ask(alipay: AlipayClient, changed: dict[str, object]) -> dict[str, str]:
    return alipay.call(PRECREATE, {**alipay.goods(NUMBER), **changed})


@pytest.mark.parametrize("subject", ["\\u0000", "\\ud800"])
def test_what_no_book_can_hold_is_refused(simulator: Simulator, alipay: AlipayClient, subject: str) -> None:
    answer = alipay.call(PRECREATE, f'{{"out_trade_no": "n1", "total_amount": "1", "subject": "{subject}"}}')

    assert answer["sub_code"] == "ACQ.INVALID_PARAMETER"
    assert simulator.trades() == []


def test_more_than_alipay_can_carry_is_refused(alipay: AlipayClient) -> None:
    assert _ask(alipay, {"total_amount": "100000000.01"})["sub_code"] == "ACQ.TOTAL_FEE_EXCEED"
    assert _ask(alipay, {"total_amount": "100000000.00"})["code"] == "10000"


def test_an_amount_may_be_a_json_number(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.call(PRECREATE, '{"out_trade_no": "n1", "total_amount": 19.9, "subject": "x"}')

    assert simulator.trade("n1")["amount_fen"] == 1990


@pytest.mark.parametrize(
    ("changed", "code", "sub_code"),
    [
        ({"app_id": "2021999999999999"}, "40002", "isv.invalid-app-id"),
        ({"app_id": ""}, "40001", "isv.missing-app-id"),
        ({"sign_type": "RSA"}, "40002", "isv.invalid-signature-type"),
        ({"sign_type": ""}, "40001", "isv.missing-signature-type"),
        ({"timestamp": beijing(off=datetime.timedelta(hours=-8))}, "40002", "isv.invalid-timestamp"),
        ({"timestamp": beijing(off=datetime.timedelta(hours=2))}, "40002", "isv.invalid-timestamp"),
        ({"timestamp": "2018-06-15T12:00:00"}, "40002", "isv.invalid-timestamp"),
        ({"timestamp": ""}, "40001", "isv.missing-timestamp"),
        ({"version": "2.0"}, "40001", "isv.missing-version"),
        ({"charset": "gbk"}, "40002", "isv.invalid-charset"),
        ({"format": "XML"}, "40002", "isv.invalid-format"),
        ({"notify_url": "/rest/pub/ali/pay_notify"}, "40002", "isv.invalid-parameter"),
        ({"notify_url": "shop.example/notify"}, "40002", "isv.invalid-parameter"),
        ({"notify_url": "ftp://shop.example/notify"}, "40002", "isv.invalid-parameter"),
        ({"notify_url": "https://shop.example/" + "n" * 256}, "40002", "isv.invalid-parameter"),
        ({"return_url": "//shop.example/back"}, "40002", "isv.invalid-parameter"),
        ({"biz_content": "[1]"}, "40002", "isv.illegal-json"),
        ({"biz_content": "{"}, "40002", "isv.illegal-json"),
        ({"biz_content": '{"out_trade_no": "1", "out_trade_no": "2"}'}, "40002", "isv.illegal-json"),
        ({"method": "alipay.trade.steal"}, "40002", "isv.invalid-method"),
    ],
)
def test_a_malformed_request_is_refused_without_signature(
    simulator: Simulator, alipay: AlipayClient, changed: dict[str, str], code: str, sub_code: str
) -> None:
    parameters = alipay.parameters(PRECREATE, alipay.goods(NUMBER), notify_url=alipay.notify_url)

    answer = alipay.post(alipay.sign(parameters | changed)).json()

    (node,) = answer.values()
    assert (node["code"], node["sub_code"]) == (code, sub_code)
    assert simulator.trades() == []


def test_a_wrong_signature_is_refused_and_the_signed_text_shown(simulator: Simulator, alipay: AlipayClient) -> None:
    signed = alipay.sign(alipay.parameters(PRECREATE, alipay.goods(NUMBER)))

    answer = alipay.post(signed | {"biz_content": signed["biz_content"].replace("20.12", "0.01")}).json()

    assert list(answer) == ["alipay_trade_precreate_response"]
    assert answer["alipay_trade_precreate_response"]["sub_code"] == "isv.invalid-signature"
    assert "0.01" in answer["alipay_trade_precreate_response"]["sub_msg"]
    assert simulator.trades() == []


@pytest.mark.parametrize("sign", ["", "@@@@", "c2lnbg=="])
def test_no_signature_at_all_is_refused(simulator: Simulator, alipay: AlipayClient, sign: str) -> None:
    parameters = alipay.parameters(PRECREATE, alipay.goods(NUMBER)) | {"sign": sign}

    answer = alipay.post(parameters).json()

    expected = "isv.invalid-signature" if sign else "isv.missing-signature"
    assert answer["alipay_trade_precreate_response"]["sub_code"] == expected
    assert simulator.trades() == []


def test_sign_type_is_part_of_what_a_request_signs(alipay: AlipayClient) -> None:
    parameters = alipay.parameters(PRECREATE, alipay.goods(NUMBER))
    without = alipay.sign({name: value for name, value in parameters.items() if name != "sign_type"})

    answer = alipay.post({**without, "sign_type": "RSA2"}).json()

    assert answer["alipay_trade_precreate_response"]["sub_code"] == "isv.invalid-signature"


def test_a_parameter_sent_twice_is_refused(alipay: AlipayClient) -> None:
    signed = alipay.sign(alipay.parameters(PRECREATE, alipay.goods(NUMBER)))

    answer = alipay.http.post(f"{alipay.merchant.gateway_url}?app_id={signed['app_id']}", data=signed).json()

    assert answer["alipay_trade_precreate_response"]["sub_code"] == "isv.invalid-parameter"


def test_common_parameters_may_stand_in_the_query(simulator: Simulator, alipay: AlipayClient) -> None:
    signed = alipay.sign(alipay.parameters(PRECREATE, alipay.goods(NUMBER)))
    content = {"biz_content": signed.pop("biz_content")}

    answer = alipay.http.post(alipay.merchant.gateway_url, params=signed, data=content)

    assert alipay.verified(PRECREATE, answer.text)["code"] == "10000"


def test_deep_nesting_is_refused_without_a_crash(alipay: AlipayClient) -> None:
    deep = json.dumps({"x": 1}).replace("1", "[" * 20_000 + "]" * 20_000)

    answer = alipay.post(alipay.sign(alipay.parameters(PRECREATE, deep)))

    assert answer.json()["alipay_trade_precreate_response"]["sub_code"] == "isv.illegal-json"
