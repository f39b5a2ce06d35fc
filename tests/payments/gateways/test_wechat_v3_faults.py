"""What is not a verified, definite answer is no outcome, whichever verb was waiting for it."""

import time

import pytest

from payments.gateways.base import GatewayUnavailable, Outcome
from tests.payments.gateways import scripted
from tests.payments.gateways.wechat_v3_samples import (
    KEY_ID,
    NUMBER,
    PAID,
    REFUND,
    REFUND_REQUEST,
    REQUEST,
    answer,
    compact,
    no,
    signature_headers,
)


def verbs(gateway):
    return {
        "create": lambda: gateway.create_payment(REQUEST),
        "query": lambda: gateway.query_payment(NUMBER),
        "close": lambda: gateway.close_payment(NUMBER),
        "refund": lambda: gateway.refund(REFUND_REQUEST),
        "query_refund": lambda: gateway.query_refund(REFUND, charge_number=NUMBER),
        "certificates": gateway.download_certificates,
    }


every_verb = pytest.mark.parametrize("verb", ["create", "query", "close", "refund", "query_refund", "certificates"])
FAULTS = {
    "http 500": scripted.body(b"", status=500),
    "http 502 page": scripted.body(b"<html>502 Bad Gateway</html>", status=502),
    "a page": scripted.body(b"<html>200 OK</html>"),
    "nothing": scripted.body(b""),
    "no content": scripted.body(b"", status=204),
    "half an answer": scripted.body(b'{"code_url":"weixin://wxp'),
    "bytes of all kinds": scripted.body(bytes(range(256)), status=400),
    "a redirect": scripted.body(b"", status=302, Location="http://127.0.0.1:1/"),
    "too much": scripted.body(b"x" * 300_000),
    "reset": scripted.reset,
    "cut off": scripted.hang_up,
}


@pytest.mark.parametrize("fault", FAULTS)
@every_verb
def test_no_fault_of_the_wire_is_an_outcome(v3_gateway, server, fault, verb):
    server.then(FAULTS[fault])

    with pytest.raises(GatewayUnavailable) as unavailable:
        verbs(v3_gateway)[verb]()

    assert str(unavailable.value).isprintable()  # it is kept: PostgreSQL takes no NUL


def test_an_answer_that_drips_in_is_given_up(v3_gateway, server):
    server.then(scripted.drip_body)

    with pytest.raises(GatewayUnavailable, match="ReadTimeout"):
        v3_gateway.refund(REFUND_REQUEST)


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, no("SYSTEM_ERROR")),
        (500, no("BANK_ERROR")),
        (503, no("ORDER_CLOSED")),
        (429, no("FREQUENCY_LIMITED")),
        (429, no("INVALID_REQUEST")),
        (400, no("SYSTEM_ERROR")),
        (403, no("RATELIMIT_EXCEEDED")),
        (202, no("USER_PAYING")),
        (201, PAID),
        (302, no("ORDER_CLOSED")),
        (400, {}),
        (400, no("")),
        (404, None),
    ],
)
@every_verb
def test_where_wechat_does_not_know_neither_do_we(v3_gateway, v3_answers, status, content, verb):
    v3_answers(content, status=status)

    with pytest.raises(GatewayUnavailable, match=f"HTTP {status}"):
        verbs(v3_gateway)[verb]()


@pytest.mark.parametrize(
    ("status", "content"),
    [(200, PAID), (404, no("ORDER_NOT_EXIST")), (401, no("SIGN_ERROR", "签名错误")), (400, no("INVALID_REQUEST"))],
)
@pytest.mark.parametrize("verb", ["create", "query", "close", "refund", "query_refund"])
def test_what_nobody_signed_is_no_outcome_and_told_to_people(v3_gateway, server, status, content, verb):
    server.then(scripted.body(compact(content), status=status))

    with pytest.raises(GatewayUnavailable, match=f"HTTP {status}, unsigned: ") as unavailable:
        verbs(v3_gateway)[verb]()

    assert compact(content).decode()[:50] in str(unavailable.value)
    assert len(server.requests) == 1


def test_what_a_stranger_signed_is_no_outcome(v3_gateway, server, strangers_key, merchant_key):
    server.then(answer(strangers_key, PAID))
    server.then(answer(merchant_key, PAID))  # who steals the merchant's key is not WeChat yet

    for _ in range(2):
        with pytest.raises(GatewayUnavailable, match="wrong signature"):
            v3_gateway.query_payment(NUMBER)


@pytest.mark.parametrize("serial", ["", "PUB_KEY_ID_0", KEY_ID + "0", "zz", "0" * 40, "中"])
def test_what_an_unknown_key_signed_is_no_outcome(v3_gateway, server, wechat_key, serial):
    body = compact(PAID)
    headers = {**signature_headers(wechat_key, body), "Wechatpay-Serial": serial}
    encoded = {name.replace("-", "_"): text.encode().decode("latin-1") for name, text in headers.items()}
    server.then(scripted.body(body, **encoded))

    with pytest.raises(GatewayUnavailable, match="unknown key"):
        v3_gateway.query_payment(NUMBER)


@pytest.mark.parametrize("seconds", [-100_000, -305, 305, 100_000])
def test_an_answer_of_another_time_is_no_outcome(v3_gateway, v3_answers, seconds):
    v3_answers(PAID, timestamp=int(time.time()) + seconds)

    with pytest.raises(GatewayUnavailable, match="not now"):
        v3_gateway.query_payment(NUMBER)


@pytest.mark.parametrize("seconds", [-290, 290])
def test_clocks_may_differ_by_less_than_five_minutes(v3_gateway, v3_answers, seconds):
    v3_answers(PAID, timestamp=int(time.time()) + seconds)

    assert v3_gateway.query_payment(NUMBER).outcome is Outcome.SUCCEEDED


def test_an_answer_changed_on_the_way_is_no_outcome(v3_gateway, server, wechat_key):
    body = compact(PAID)
    headers = {name.replace("-", "_"): text for name, text in signature_headers(wechat_key, body).items()}
    server.then(scripted.body(body.replace(b"201272", b"201273"), **headers))

    with pytest.raises(GatewayUnavailable, match="wrong signature"):
        v3_gateway.query_payment(NUMBER)
