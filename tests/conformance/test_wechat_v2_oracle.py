"""wechatpy and we understand each other, both ways; what it wrongly accepts, we refuse."""

import dataclasses
import warnings

import pytest

from payments.gateways.base import GatewayUnavailable, Mode, NotificationRejected, Outcome, RawNotification
from payments.gateways.wechat_v2 import codec
from payments.gateways.wechat_v2.gateway import WechatV2Account, WechatV2Gateway
from tests.payments.gateways import scripted
from tests.payments.gateways.wechat_v2_samples import (
    API_KEY,
    APP_ID,
    MERCHANT_ID,
    NOTICE,
    NUMBER,
    PAID,
    REFUND,
    REFUND_FOUND,
    REQUEST,
    SEALED,
    STARTED,
    SUCCESS,
    fields_of,
    markup,
    sealed_notice,
    sign,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    wechatpy = pytest.importorskip("wechatpy.pay", reason="wechatpy is not installed")
    from wechatpy.exceptions import InvalidSignatureException
    from wechatpy.pay import utils as theirs

FIELDS = {
    "appid": APP_ID, "body": "订单 a=b&c ]]>", "REMARK": "x", "RE_OPENID": "y", "re_openid": "z", "coupon_fee": "0",
    "empty": "",
}  # fmt: skip


@pytest.fixture
def server():
    server = scripted.ScriptedServer()
    yield server
    server.stop()


@pytest.fixture
def oracle(server):
    oracle = wechatpy.WeChatPay(appid=APP_ID, api_key=API_KEY, mch_id=MERCHANT_ID)
    oracle.API_BASE_URL = server.url + "/"
    yield oracle
    oracle._http.close()


@pytest.fixture
def gateway(server):
    account = WechatV2Account(app_id=APP_ID, merchant_id=MERCHANT_ID, api_key=API_KEY, base_url=server.url)
    return WechatV2Gateway(account)


def parse(gateway, body):
    return gateway.parse_notification(RawNotification(headers={}, body=body))


@pytest.mark.parametrize(
    ("sign_type", "their_sign"),
    [("MD5", theirs.calculate_signature), ("HMAC-SHA256", theirs.calculate_signature_hmac)],
)
def test_the_same_fields_have_the_same_signature(sign_type, their_sign):
    ours = codec.sign(FIELDS, api_key=API_KEY, sign_type=sign_type)

    assert ours == their_sign(FIELDS, API_KEY)
    assert codec.is_signed(FIELDS | {"sign": their_sign(FIELDS, API_KEY)}, api_key=API_KEY)


def test_it_verifies_the_requests_that_we_send(oracle, gateway, server):
    server.then(scripted.body(codec.signed_request(STARTED, api_key=API_KEY, sign_type="MD5")))

    gateway.create_payment(REQUEST)

    fields = fields_of(server.requests[0].body)
    assert oracle.check_signature(fields)
    assert not oracle.check_signature(fields | {"total_fee": "1"})


CALLS = {
    "unifiedorder": (
        STARTED,
        lambda oracle: oracle.order.create(
            trade_type="NATIVE", body="订单", total_fee=201272, notify_url=REQUEST.notify_url, client_ip="203.0.113.7",
            out_trade_no=NUMBER, product_id=NUMBER, time_expire=REQUEST.expires_at,
        ),
        lambda gateway: gateway.create_payment(dataclasses.replace(REQUEST, subject="订单")),
        {"time_start", "fee_type"},  # theirs alone: the time would differ in each repeat, the currency is the default
    ),
    "orderquery": (
        PAID,
        lambda oracle: oracle.order.query(out_trade_no=NUMBER),
        lambda gateway: gateway.query_payment(NUMBER),
        set(),
    ),
    "closeorder": (
        SUCCESS,
        lambda oracle: oracle.order.close(NUMBER),
        lambda gateway: gateway.close_payment(NUMBER),
        set(),
    ),
    "refundquery": (
        REFUND_FOUND,
        lambda oracle: oracle.refund.query(out_refund_no=REFUND),
        lambda gateway: gateway.query_refund(REFUND, charge_number=NUMBER),
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_we_ask_as_it_asks_and_verify_what_it_signs(oracle, gateway, server, call):
    answer, theirs_asks, ours_asks, theirs_alone = CALLS[call]
    step = scripted.body(codec.signed_request(answer, api_key=API_KEY, sign_type="MD5"))
    server.then(step, step)

    theirs_asks(oracle)
    ours_asks(gateway)

    theirs_sent, ours_sent = (fields_of(request.body) for request in server.requests)
    assert server.requests[0].path == server.requests[1].path == f"/gateway.do/pay/{call}"
    assert codec.is_signed(theirs_sent, api_key=API_KEY)
    own = {"sign", "nonce_str", "sign_type"}
    assert {name: text for name, text in theirs_sent.items() if name not in theirs_alone | own} == {
        name: text for name, text in ours_sent.items() if name not in own
    }


def test_we_both_believe_a_notice_and_read_it_alike(oracle, gateway):
    body = theirs.dict_to_xml(NOTICE, theirs.calculate_signature(NOTICE, API_KEY)).encode()

    told = oracle.parse_payment_result(body)
    payment = parse(gateway, body).payment

    assert (payment.outcome, payment.number, payment.amount_fen, payment.trade_no) == (
        Outcome.SUCCEEDED, told["out_trade_no"], told["total_fee"], told["transaction_id"],
    )  # fmt: skip


def test_we_both_refuse_a_changed_notice(oracle, gateway):
    body = markup(NOTICE | {"total_fee": "1", "sign": theirs.calculate_signature(NOTICE, API_KEY)})

    with pytest.raises(InvalidSignatureException):
        oracle.parse_payment_result(body)
    with pytest.raises(NotificationRejected, match="bad_signature"):
        parse(gateway, body)


def test_we_both_open_a_refund_notice_and_read_it_alike(oracle, gateway):
    body = sealed_notice(SEALED)

    told = oracle.parse_refund_notify_result(body)
    refund = parse(gateway, body).refund

    assert (refund.number, refund.amount_fen, refund.gateway_status) == (
        told["out_refund_no"], told["refund_fee"], told["refund_status"],
    )  # fmt: skip


@pytest.mark.parametrize("mode", [Mode.APP, Mode.JSAPI])
def test_the_payers_side_gets_what_theirs_gets(oracle, gateway, server, mode):
    answer = STARTED | {"trade_type": mode.upper()}
    server.then(scripted.body(codec.signed_request(answer, api_key=API_KEY, sign_type="MD5")))

    ours = gateway.create_payment(dataclasses.replace(REQUEST, mode=mode, payer_id="oUp")).payload

    if mode is Mode.APP:
        at, nonce = ours["timestamp"], ours["noncestr"]
        assert ours == oracle.order.get_appapi_params(STARTED["prepay_id"], timestamp=at, nonce_str=nonce)
    else:
        at, nonce = ours["timeStamp"], ours["nonceStr"]
        assert ours == oracle.jsapi.get_jsapi_params(STARTED["prepay_id"], timestamp=at, nonce_str=nonce)


# --- where it is wrong


def test_it_refuses_a_genuine_hmac_notice_that_we_take(oracle, gateway):
    body = markup(NOTICE | {"sign": sign(NOTICE, sign_type="HMAC-SHA256")})

    with pytest.raises(InvalidSignatureException):
        oracle.parse_payment_result(body)
    assert parse(gateway, body).payment.outcome is Outcome.SUCCEEDED


def test_it_takes_a_notice_for_another_merchant_and_we_do_not(oracle, gateway):
    notice = NOTICE | {"mch_id": "1"}
    body = markup(notice | {"sign": sign(notice)})

    assert oracle.parse_payment_result(body)["mch_id"] == "1"
    with pytest.raises(NotificationRejected, match="wrong_merchant"):
        parse(gateway, body)


def test_it_takes_elements_inside_a_value_and_comments_and_we_do_not(oracle, gateway):
    notice = NOTICE | {"attach": "{'a': '1'}"}
    signature = sign(notice).encode()
    genuine = markup(notice | {"sign": signature.decode()})
    nested = genuine.replace(b"<![CDATA[{'a': '1'}]]>", b"<a>1</a>")
    commented = genuine.replace(b"<attach>", b"<attach><!-- -->")

    for body in (nested, commented):
        assert oracle.parse_payment_result(body)["total_fee"] == 201272
        with pytest.raises(NotificationRejected, match="malformed"):
            parse(gateway, body)


@pytest.mark.parametrize("signature", ["", "0" * 32])
def test_it_believes_answers_that_nobody_signed_and_we_do_not(oracle, gateway, server, signature):
    step = scripted.body(markup(PAID | {"sign": signature}))
    server.then(step, step)

    assert oracle.order.query(out_trade_no=NUMBER)["trade_state"] == "SUCCESS"
    with pytest.raises(GatewayUnavailable, match=r"unsigned|wrong signature"):
        gateway.query_payment(NUMBER)
