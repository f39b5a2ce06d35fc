"""What the gateway asks of WeChat Pay APIv3 and makes of its answers. The other side is scripted, over real HTTP."""

import dataclasses
import datetime
import json
import re
import urllib.parse

import pytest

from payments.gateways import keys
from payments.gateways.base import CloseResult, GatewayRefused, GatewayUnavailable, Mode, Outcome
from payments.gateways.wechat_v3.gateway import WechatV3Gateway
from tests.payments.gateways import scripted
from tests.payments.gateways.wechat_v3_samples import (
    APP_ID,
    BEIJING,
    KEY_ID,
    MERCHANT_ID,
    NUMBER,
    PAID,
    REFUND_REQUEST,
    REQUEST,
    SERIAL,
    UNPAID,
    answer,
    no,
)

AUTHORIZATION = re.compile(
    r'WECHATPAY2-SHA256-RSA2048 mchid="(?P<mchid>[0-9]+)",serial_no="(?P<serial_no>[0-9A-F]+)",'
    r'timestamp="(?P<timestamp>[0-9]+)",nonce_str="(?P<nonce_str>[0-9a-f]{32})",signature="(?P<signature>[^"]+)"'
)
CODE_URL, PREPAY_ID = "weixin://wxpay/bizpayurl?pr=p4lpSuKzz", "wx26112221580621e9b071c00d9e093b0000"
H5_URL = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx2016&package=2150917749"
GIVEN = {Mode.QR: {"code_url": CODE_URL}, Mode.WAP: {"h5_url": H5_URL}}


def verified(key, text, signature):
    """Whether the merchant's key signed this text, each line with a line feed behind it."""
    return keys.verify(key.public_key(), "".join(f"{line}\n" for line in text).encode(), signature)


def sent(server):
    request = server.requests[-1]
    return request.method, request.path, json.loads(request.body) if request.body else None


@pytest.fixture
def create(v3_gateway, v3_answers):
    def create(mode, **change):
        v3_answers(GIVEN.get(mode, {"prepay_id": PREPAY_ID}))
        return v3_gateway.create_payment(dataclasses.replace(REQUEST, mode=mode, **change)).payload

    return create


# --- asking


@pytest.mark.parametrize("prefix", ["", "/wechat/prefix", "/slash/"])
def test_a_request_is_signed_as_it_goes_over_the_wire(v3_account, server, v3_answers, merchant_key, prefix):
    gateway = WechatV3Gateway(dataclasses.replace(v3_account, base_url=v3_account.base_url + prefix))
    v3_answers(UNPAID)
    v3_answers({"code_url": CODE_URL})

    gateway.query_payment(NUMBER)
    gateway.create_payment(REQUEST)

    for request in server.requests:
        signed = AUTHORIZATION.fullmatch(request.headers["Authorization"])
        text = (request.method, request.path, signed["timestamp"], signed["nonce_str"], request.body.decode())
        assert (signed["mchid"], signed["serial_no"]) == (MERCHANT_ID, SERIAL)
        assert verified(merchant_key, text, signed["signature"])
        assert request.path.startswith(prefix.rstrip("/") + "/v3/")
        assert request.headers["Accept"] == "application/json"
        assert request.headers["Wechatpay-Serial"] == KEY_ID
    assert len({AUTHORIZATION.fullmatch(each.headers["Authorization"])["nonce_str"] for each in server.requests}) == 2


def test_the_time_of_a_request_is_the_clocks(v3_account, server, v3_answers):
    now = datetime.datetime(2026, 1, 31, 16, 30, 5, tzinfo=datetime.UTC)
    v3_answers(UNPAID, timestamp=int(now.timestamp()))

    WechatV3Gateway(v3_account, now=lambda: now).query_payment(NUMBER)

    signed = AUTHORIZATION.fullmatch(server.requests[0].headers["Authorization"])
    assert int(signed["timestamp"]) == now.timestamp()


# --- creating


def test_a_qr_code_is_asked_for(create, server, merchant_key):
    payload = create(Mode.QR)

    assert sent(server) == (
        "POST",
        "/v3/pay/transactions/native",
        {
            "appid": APP_ID,
            "mchid": MERCHANT_ID,
            "description": "一个订单 a=b&c/d",
            "out_trade_no": NUMBER,
            "time_expire": "2026-02-02T00:30:00+08:00",
            "notify_url": "https://shop.example/notify",
            "amount": {"total": 201272, "currency": "CNY"},
        },
    )
    assert set(payload) == {"qr_code", "appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert (payload["qr_code"], payload["package"], payload["signType"]) == (CODE_URL, "", "RSA")
    assert verified(merchant_key, (APP_ID, payload["timeStamp"], payload["nonceStr"], ""), payload["paySign"])


def test_inside_wechat_the_payer_is_named_and_the_page_gets_six_parameters(create, server, merchant_key):
    payload = create(Mode.JSAPI)

    _, path, content = sent(server)
    assert (path, content["payer"]) == ("/v3/pay/transactions/jsapi", {"openid": REQUEST.payer_id})
    assert set(payload) == {"appId", "timeStamp", "nonceStr", "package", "signType", "paySign"}
    assert (payload["package"], payload["signType"]) == (f"prepay_id={PREPAY_ID}", "RSA")
    assert verified(
        merchant_key, (APP_ID, payload["timeStamp"], payload["nonceStr"], payload["package"]), payload["paySign"]
    )


def test_an_app_gets_what_its_sdk_needs_and_no_key(create, server, merchant_key, v3_account):
    payload = create(Mode.APP)

    assert sent(server)[1] == "/v3/pay/transactions/app"
    assert set(payload) == {"appid", "partnerid", "prepayid", "package", "noncestr", "timestamp", "sign"}
    assert (payload["appid"], payload["partnerid"], payload["prepayid"], payload["package"]) == (
        APP_ID, MERCHANT_ID, PREPAY_ID, "Sign=WXPay",
    )  # fmt: skip
    assert verified(merchant_key, (APP_ID, payload["timestamp"], payload["noncestr"], PREPAY_ID), payload["sign"])
    assert v3_account.private_key.splitlines()[1] not in str(payload)


def test_a_phones_page_tells_the_payers_address_and_leads_back(create, server):
    payload = create(Mode.WAP)

    _, path, content = sent(server)
    assert path == "/v3/pay/transactions/h5"
    assert content["scene_info"] == {"payer_client_ip": "203.0.113.7", "h5_info": {"type": "Wap"}}
    assert list(payload) == ["url"]
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(payload["url"]).query, strict_parsing=True))
    assert query == {"prepay_id": "wx2016", "package": "2150917749", "redirect_url": REQUEST.return_url}


def test_a_phones_page_without_a_way_back_is_wechats_own_address(create):
    assert create(Mode.WAP, return_url="") == {"url": H5_URL}


@pytest.mark.parametrize("mode", [Mode.QR, Mode.JSAPI, Mode.WAP, Mode.APP])
def test_a_repeated_request_is_the_same_to_the_byte(create, server, mode):
    create(mode)
    create(mode)

    assert server.requests[0].body == server.requests[1].body


@pytest.mark.parametrize(
    "change",
    [
        {"number": "2018-1"},
        {"number": "12345"},
        {"number": "x" * 33},
        {"amount_fen": 0},
        {"amount_fen": 100_000_000_01},
        {"subject": " "},
        {"notify_url": "/rest/pub/wx/pay_notify"},
        {"notify_url": "https://shop.example/notify?account=1"},
        {"return_url": "//evil.example"},
        {"mode": Mode.JSAPI, "payer_id": ""},
        {"mode": Mode.WAP, "payer_address": ""},
    ],
)
def test_what_wechat_would_refuse_is_refused_before_it_is_sent(v3_gateway, server, change):
    with pytest.raises(GatewayRefused) as refused:
        v3_gateway.create_payment(dataclasses.replace(REQUEST, **change))

    assert (refused.value.code, refused.value.permanent, server.requests) == ("INVALID_REQUEST", True, [])


def test_a_desktop_page_is_not_wechats(v3_gateway, server):
    with pytest.raises(GatewayRefused, match="MODE_NOT_SUPPORTED"):
        v3_gateway.create_payment(dataclasses.replace(REQUEST, mode=Mode.PAGE))

    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "code", "permanent"),
    [
        (400, "PARAM_ERROR", True),
        (400, "INVALID_REQUEST", True),
        (403, "OUT_TRADE_NO_USED", True),
        (400, "ORDER_CLOSED", True),
        (400, "ORDERPAID", True),
        (400, "ORDER_PAID", True),
        (401, "SIGN_ERROR", False),
        (403, "NO_AUTH", False),
        (400, "APPID_MCHID_NOT_MATCH", False),
        (403, "RULE_LIMIT", False),
        (404, "RESOURCE_NOT_EXISTS", False),
        (400, "SOMETHING_NEW", False),
    ],
)
def test_a_signed_no_is_a_no_and_only_a_known_one_is_for_ever(v3_gateway, v3_answers, status, code, permanent):
    v3_answers(no(code, "不行"), status=status)

    with pytest.raises(GatewayRefused) as refused:
        v3_gateway.create_payment(REQUEST)

    assert (refused.value.code, refused.value.message, refused.value.permanent) == (code, "不行", permanent)


@pytest.mark.parametrize("answer", [{}, {"code_url": ""}, {"code_url": None}, {"code_url": 1}, {"prepay_id": "x"}])
def test_a_yes_that_leads_nowhere_is_no_outcome(v3_gateway, v3_answers, answer):
    v3_answers(answer)

    with pytest.raises(GatewayUnavailable, match="no code_url"):
        v3_gateway.create_payment(REQUEST)


# --- querying


def test_a_paid_trade_tells_everything(v3_gateway, server, v3_answers):
    v3_answers(PAID)

    state = v3_gateway.query_payment(NUMBER)

    assert sent(server) == ("GET", f"/v3/pay/transactions/out-trade-no/{NUMBER}?mchid={MERCHANT_ID}", None)
    assert (state.outcome, state.number, state.amount_fen) == (Outcome.SUCCEEDED, NUMBER, 201272)
    assert state.paid_at == datetime.datetime(2026, 1, 31, 12, 0, 1, tzinfo=BEIJING)
    assert (state.trade_no, state.gateway_status) == ("1217752501201407033233368018", "SUCCESS")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("SUCCESS", Outcome.SUCCEEDED),
        ("REFUND", Outcome.SUCCEEDED),
        ("NOTPAY", Outcome.PENDING),
        ("USERPAYING", Outcome.PENDING),
        ("ACCEPT", Outcome.PENDING),
        ("CLOSED", Outcome.FAILED),
        ("REVOKED", Outcome.FAILED),
        ("PAYERROR", Outcome.FAILED),
        ("SOMETHING_NEW", Outcome.UNKNOWN),
    ],
)
def test_each_trade_state_has_its_outcome(v3_gateway, v3_answers, status, outcome):
    v3_answers(PAID | {"trade_state": status})

    state = v3_gateway.query_payment(NUMBER)

    assert (state.outcome, state.gateway_status) == (outcome, status)


@pytest.mark.parametrize("status", ["NOTPAY", "CLOSED"])
def test_an_unpaid_trade_needs_no_amount(v3_gateway, v3_answers, status):
    v3_answers(UNPAID | {"trade_state": status})

    state = v3_gateway.query_payment(NUMBER)

    assert (state.amount_fen, state.trade_no, state.paid_at) == (None, "", None)


@pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"])
def test_a_trade_wechat_has_not_heard_of_is_not_found(v3_gateway, v3_answers, code):
    v3_answers(no(code), status=404)

    assert v3_gateway.query_payment(NUMBER).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"payer_total": 201272}},
        {"amount": None},
        {"amount": 201272},
        {"amount": {"total": "201272"}},
        {"amount": {"total": 2012.72}},
        {"amount": {"total": True}},
        {"amount": {"total": -1}},
        {"amount": {"total": 201272, "currency": "USD"}},
        {"transaction_id": ""},
        {"success_time": None},
        {"success_time": "yesterday"},
        {"success_time": "2026-01-31T12:00:01"},
        {"transaction_id": "1\x00"},
        {"trade_state": None},
        {"trade_state": ["SUCCESS"]},
    ],
)
def test_a_signed_answer_that_cannot_be_read_is_no_outcome(v3_gateway, v3_answers, change):
    v3_answers(PAID | change)

    with pytest.raises(GatewayUnavailable):
        v3_gateway.query_payment(NUMBER)


@pytest.mark.parametrize("change", [{"mchid": "1230000110"}, {"appid": "wx0"}, {"out_trade_no": "x"}, {"appid": None}])
def test_the_genuine_answer_about_another_trade_is_no_outcome(v3_gateway, v3_answers, change):
    v3_answers(PAID | change)

    with pytest.raises(GatewayUnavailable, match="about another"):
        v3_gateway.query_payment(NUMBER)


@pytest.mark.parametrize("number", ["", "../../certificates", "a?mchid=1", "a/close", "订单"])
def test_a_number_that_cannot_be_ours_never_becomes_part_of_an_address(v3_gateway, server, number):
    calls = (
        lambda: v3_gateway.query_payment(number),
        lambda: v3_gateway.close_payment(number),
        lambda: v3_gateway.query_refund(number, charge_number=NUMBER),
        lambda: v3_gateway.refund(dataclasses.replace(REFUND_REQUEST, number=number)),
        lambda: v3_gateway.refund(dataclasses.replace(REFUND_REQUEST, charge_number=number)),
    )
    for call in calls:
        with pytest.raises(GatewayRefused, match="INVALID_REQUEST"):
            call()

    assert server.requests == []


# --- closing


def test_a_waiting_trade_is_closed(v3_gateway, server, v3_answers):
    v3_answers(None, status=204)

    assert v3_gateway.close_payment(NUMBER) == CloseResult(outcome=Outcome.SUCCEEDED, gateway_status="CLOSED")
    assert sent(server) == (
        "POST", f"/v3/pay/transactions/out-trade-no/{NUMBER}/close", {"mchid": MERCHANT_ID},
    )  # fmt: skip


def test_a_close_that_nobody_signed_is_no_close(v3_gateway, server, strangers_key):
    server.then(scripted.body(b"", status=204))
    server.then(answer(strangers_key, None, status=204))

    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            v3_gateway.close_payment(NUMBER)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("ORDER_CLOSED", Outcome.SUCCEEDED),
        ("ORDERCLOSED", Outcome.SUCCEEDED),
        ("ORDERPAID", Outcome.FAILED),
        ("ORDER_PAID", Outcome.FAILED),
        ("ORDER_NOT_EXIST", Outcome.NOT_FOUND),
        ("RESOURCE_NOT_EXISTS", Outcome.NOT_FOUND),
    ],
)
def test_a_refused_close_may_say_why(v3_gateway, server, v3_answers, code, outcome):
    v3_answers(no(code), status=404 if outcome is Outcome.NOT_FOUND else 400)

    assert v3_gateway.close_payment(NUMBER) == CloseResult(outcome=outcome, gateway_status=code)
    assert len(server.requests) == 1


@pytest.mark.parametrize("code", ["INVALID_REQUEST", "TRADE_ERROR", "RULE_LIMIT"])
@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (PAID, Outcome.FAILED),
        (UNPAID | {"trade_state": "CLOSED"}, Outcome.SUCCEEDED),
        (UNPAID, Outcome.PENDING),  # younger than five minutes
        (UNPAID | {"trade_state": "USERPAYING"}, Outcome.PENDING),
    ],
)
def test_where_it_does_not_a_query_tells(v3_gateway, v3_answers, code, found, outcome):
    v3_answers(no(code), status=400)
    v3_answers(found)

    assert v3_gateway.close_payment(NUMBER) == CloseResult(outcome=outcome, gateway_status=code)


def test_a_close_that_is_forbidden_stays_a_no(v3_gateway, server, v3_answers):
    v3_answers(no("NO_AUTH"), status=403)

    with pytest.raises(GatewayRefused, match="NO_AUTH"):
        v3_gateway.close_payment(NUMBER)

    assert len(server.requests) == 1
