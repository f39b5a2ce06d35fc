"""What is not a verified, definite answer is no outcome, whichever verb was waiting for it."""

import json

import pytest

from payments.gateways.alipay import codec
from payments.gateways.base import GatewayUnavailable
from tests.payments.gateways import scripted
from tests.payments.gateways.alipay_samples import (
    CLOSE,
    NO_TRADE,
    NUMBER,
    PAID,
    PRECREATE,
    QUERY,
    REFUND,
    REFUND_REQUEST,
    REFUNDING,
    REQUEST,
    no,
)


def verbs(gateway):
    return {
        "create": lambda: gateway.create_payment(REQUEST),
        "query": lambda: gateway.query_payment(NUMBER),
        "close": lambda: gateway.close_payment(NUMBER),
        "refund": lambda: gateway.refund(REFUND_REQUEST),
        "query_refund": lambda: gateway.query_refund(REFUND, charge_number=NUMBER),
    }


def unsigned(content, method=QUERY):
    return json.dumps({codec.response_member(method): content}).encode()


FAULTS = {
    "http 500": scripted.body(b"", status=500),
    "http 502 page": scripted.body(b"<html>502 Bad Gateway</html>", status=502),
    "a page": scripted.body(b"<html>200 OK</html>"),
    "nothing": scripted.body(b""),
    "half an answer": scripted.body(b'{"alipay_trade_query_response":{"code":"10000","msg":"Suc'),
    "a redirect": scripted.body(b"", status=302, Location="http://127.0.0.1:1/"),
    "too much": scripted.body(b"x" * 300_000),
    "reset": scripted.reset,
    "cut off": scripted.hang_up,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", ["create", "query", "close", "refund", "query_refund"])
def test_no_fault_of_the_wire_is_an_outcome(gateway, server, fault, verb):
    server.then(FAULTS[fault])

    with pytest.raises(GatewayUnavailable):
        verbs(gateway)[verb]()


def test_an_answer_that_drips_in_is_given_up(gateway, server):
    server.then(scripted.drip_body)

    with pytest.raises(GatewayUnavailable, match="ReadTimeout"):
        gateway.refund(REFUND_REQUEST)


@pytest.mark.parametrize("status", [201, 302, 404, 500])
def test_even_a_signed_answer_counts_only_under_http_200(gateway, server, alipay_key, status):
    server.then(scripted.body(scripted.signed_answer(alipay_key, codec.response_member(QUERY), PAID), status=status))

    with pytest.raises(GatewayUnavailable, match=f"HTTP {status}"):
        gateway.query_payment(NUMBER)


@pytest.mark.parametrize("answer", [PAID, NO_TRADE, no("ACQ.TRADE_HAS_SUCCESS"), {"code": "40002"}])
def test_what_nobody_signed_is_no_outcome(gateway, server, answer):
    server.then(scripted.body(unsigned(answer)))

    with pytest.raises(GatewayUnavailable, match="unsigned"):
        gateway.query_payment(NUMBER)


def test_what_a_stranger_signed_is_no_outcome(gateway, server, strangers_key):
    server.then(scripted.body(scripted.signed_answer(strangers_key, codec.response_member(QUERY), PAID)))

    with pytest.raises(GatewayUnavailable, match="wrong signature"):
        gateway.query_payment(NUMBER)


def test_the_genuine_answer_about_another_trade_is_no_outcome(gateway, alipay_answers):
    alipay_answers(QUERY, PAID | {"out_trade_no": "another"})

    with pytest.raises(GatewayUnavailable, match="another trade"):
        gateway.query_payment(NUMBER)


@pytest.mark.parametrize(
    "answer",
    [
        no("ACQ.SYSTEM_ERROR"),
        no("aop.ACQ.SYSTEM_ERROR", "20000"),
        no("isp.unknow-error", "20000"),
        no("isp.unknown-error", "40004"),
        {"code": "10003"},
        {"code": "99999"},
        {},
    ],
)
@pytest.mark.parametrize("verb", ["create_payment", "query_payment", "close_payment", "refund"])
def test_where_alipay_does_not_know_neither_do_we(gateway, alipay_answers, answer, verb):
    methods = {"create_payment": PRECREATE, "query_payment": QUERY, "close_payment": CLOSE, "refund": REFUNDING}
    arguments = {"create_payment": REQUEST, "refund": REFUND_REQUEST}
    alipay_answers(methods[verb], answer)

    with pytest.raises(GatewayUnavailable):
        getattr(gateway, verb)(arguments.get(verb, NUMBER))
