"""What is not a verified, definite answer is no outcome, whichever verb was waiting for it."""

import pytest

from payments.gateways.base import GatewayRefused, GatewayUnavailable, Outcome
from tests.payments.gateways import scripted
from tests.payments.gateways.wechat_v2_samples import (
    NUMBER,
    PAID,
    REFUND,
    REFUND_ACCEPTED,
    REFUND_FOUND,
    REFUND_REQUEST,
    REQUEST,
    STARTED,
    SUCCESS,
    markup,
    no,
    signed,
)

VERBS = {
    "create": lambda gateway: gateway.create_payment(REQUEST),
    "query": lambda gateway: gateway.query_payment(NUMBER),
    "close": lambda gateway: gateway.close_payment(NUMBER),
    "refund": lambda gateway: gateway.refund(REFUND_REQUEST),
    "query_refund": lambda gateway: gateway.query_refund(REFUND, charge_number=NUMBER),
}
YES = {
    "create": STARTED, "query": PAID, "close": SUCCESS, "refund": REFUND_ACCEPTED, "query_refund": REFUND_FOUND,
}  # fmt: skip
GENUINE = signed(PAID)
FAULTS = {
    "http 500": scripted.body(b"", status=500),
    "http 502 page": scripted.body(b"<html>502 Bad Gateway</html>", status=502),
    "a page": scripted.body(b"<html>200 OK</html>"),
    "json": scripted.body(b'{"return_code":"SUCCESS"}'),
    "nothing": scripted.body(b""),
    "half an answer": scripted.body(GENUINE[: len(GENUINE) // 2]),
    "not utf-8": scripted.body("<xml><return_msg>签名错误</return_msg></xml>".encode("gbk")),
    "a redirect": scripted.body(b"", status=302, Location="http://127.0.0.1:1/"),
    "long": scripted.body(b"<xml>" + b"<a>1</a>" * 10_000 + b"</xml>"),
    "too much": scripted.body(b"x" * 300_000),
    "reset": scripted.reset,
    "cut off": scripted.hang_up,
    "not http": scripted.not_http,
}


def endless(handler):
    """100 MB, as fast as they are taken."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"x" * 1_000_000)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("verb", VERBS)
def test_no_fault_of_the_wire_is_an_outcome(wechat_v2, server, fault, verb):
    server.then(FAULTS[fault])

    with pytest.raises(GatewayUnavailable):
        VERBS[verb](wechat_v2)


@pytest.mark.parametrize("step", [scripted.drip_body, scripted.drip_head, scripted.silence, endless])
def test_an_answer_that_does_not_end_in_time_or_at_all_is_given_up(wechat_v2, server, step):
    server.then(step)

    with pytest.raises(GatewayUnavailable, match=r"ReadTimeout|more than"):
        wechat_v2.refund(REFUND_REQUEST)


@pytest.mark.parametrize("verb", VERBS)
def test_the_answers_of_these_tests_are_believed_when_nothing_is_wrong(wechat_v2, wechat_v2_answers, verb):
    wechat_v2_answers(YES[verb])

    VERBS[verb](wechat_v2)


@pytest.mark.parametrize("status", [201, 302, 404, 500])
def test_even_a_signed_answer_counts_only_under_http_200(wechat_v2, server, status):
    server.then(scripted.body(signed(PAID), status=status))

    with pytest.raises(GatewayUnavailable, match=f"HTTP {status}"):
        wechat_v2.query_payment(NUMBER)


@pytest.mark.parametrize("verb", VERBS)
def test_a_yes_nobody_signed_is_no_outcome(wechat_v2, server, verb):
    server.then(scripted.body(markup(YES[verb])))

    with pytest.raises(GatewayUnavailable, match="unsigned"):
        VERBS[verb](wechat_v2)


@pytest.mark.parametrize("code", ["ORDERNOTEXIST", "ORDERPAID", "ORDERCLOSED", "REFUNDNOTEXIST", "PARAM_ERROR"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_no_nobody_signed_is_no_outcome_either(wechat_v2, server, verb, code):
    server.then(scripted.body(markup(no(code))))

    with pytest.raises(GatewayUnavailable, match="unsigned"):
        VERBS[verb](wechat_v2)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("how", [{"key": "f" * 32}, {"key": "f" * 32, "sign_type": "HMAC-SHA256"}])
def test_what_a_stranger_signed_is_no_outcome(wechat_v2, wechat_v2_answers, verb, how):
    wechat_v2_answers(YES[verb], **how)

    with pytest.raises(GatewayUnavailable, match="wrong signature"):
        VERBS[verb](wechat_v2)


@pytest.mark.parametrize("name", sorted(PAID))
def test_no_field_of_a_signed_answer_can_be_changed(wechat_v2, server, name):
    genuine = signed(PAID)
    element = f"<{name}><![CDATA[{PAID[name]}]]></{name}>".encode()
    changed = genuine.replace(element, f"<{name}><![CDATA[1]]></{name}>".encode())
    assert changed != genuine
    server.then(scripted.body(changed), scripted.body(genuine.replace(element, b"")))

    for _ in ("changed", "left out"):
        with pytest.raises(GatewayUnavailable, match="wrong signature"):
            wechat_v2.query_payment(NUMBER)


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
def test_an_answer_may_be_signed_in_either_way(wechat_v2, wechat_v2_answers, sign_type):
    wechat_v2_answers(PAID, sign_type=sign_type)

    assert wechat_v2.query_payment(NUMBER).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("change", [{"appid": "wx0"}, {"mch_id": "1"}, {"appid": ""}, {"mch_id": ""}])
def test_the_genuine_answer_for_another_merchant_is_no_outcome(wechat_v2, wechat_v2_answers, verb, change):
    wechat_v2_answers(YES[verb] | change)

    with pytest.raises(GatewayUnavailable, match="another merchant"):
        VERBS[verb](wechat_v2)


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        ("create", {"trade_type": "JSAPI"}),
        ("query", {"out_trade_no": "another"}),
        ("query", {"out_trade_no": ""}),
        ("refund", {"out_trade_no": "another"}),
        ("refund", {"out_refund_no": "another"}),
        ("query_refund", {"out_trade_no": "another"}),
    ],
)
def test_the_genuine_answer_about_something_else_is_no_outcome(wechat_v2, wechat_v2_answers, verb, change):
    wechat_v2_answers(YES[verb] | change)

    with pytest.raises(GatewayUnavailable, match="another trade"):
        VERBS[verb](wechat_v2)


def test_a_transport_failure_is_unsigned_and_unknown_and_told_in_words(wechat_v2, server):
    server.then(scripted.body(markup({"return_code": "FAIL", "return_msg": "签名错误"})))

    with pytest.raises(GatewayUnavailable, match="签名错误"):
        wechat_v2.create_payment(REQUEST)


@pytest.mark.parametrize(
    "answer",
    [
        no("SYSTEMERROR"),
        no("SYSTEM_ERROR"),
        no("BIZERR_NEED_RETRY"),
        no(""),
        PAID | {"return_code": "FAIL"},
        PAID | {"result_code": ""},
        PAID | {"result_code": "MAYBE"},
        no("ORDERPAID") | {"result_code": "MAYBE"},
        no("ORDERNOTEXIST") | {"return_code": "FAIL"},
    ],
)
@pytest.mark.parametrize("verb", VERBS)
def test_where_wechat_does_not_know_neither_do_we(wechat_v2, wechat_v2_answers, answer, verb):
    wechat_v2_answers(answer)

    with pytest.raises(GatewayUnavailable):
        VERBS[verb](wechat_v2)


def test_a_refused_query_is_no_state(wechat_v2, wechat_v2_answers):
    wechat_v2_answers(no("SIGNERROR"))

    with pytest.raises(GatewayRefused, match="SIGNERROR"):
        wechat_v2.query_payment(NUMBER)
