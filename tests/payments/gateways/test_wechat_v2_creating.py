"""What WeChat Pay v2 is asked when a payment is created, and what the payer's side gets of its answer."""

import dataclasses
import datetime
import json

import pytest

from payments.gateways.base import GatewayRefused, GatewayUnavailable, Mode
from payments.gateways.wechat_v2.codec import SHANGHAI
from payments.gateways.wechat_v2.gateway import WechatV2Gateway
from tests.payments.gateways.wechat_v2_samples import (
    APP_ID,
    MERCHANT_ID,
    NUMBER,
    REQUEST,
    STARTED,
    fields_of,
    no,
    sent,
    sign,
)


def started(mode, **answer):
    trade_type = {Mode.QR: "NATIVE", Mode.JSAPI: "JSAPI", Mode.WAP: "MWEB", Mode.APP: "APP"}[mode]
    return {name: text for name, text in STARTED.items() if name != "code_url"} | {"trade_type": trade_type, **answer}


def test_a_qr_code_is_asked_for(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(STARTED)

    payload = wechat_v2.create_payment(REQUEST).payload

    path, fields = sent(server)
    assert path == "/pay/unifiedorder"
    assert fields == {
        "body": "订单 a=b&c <1>]]>",
        "out_trade_no": NUMBER,
        "total_fee": "201272",
        "spbill_create_ip": "203.0.113.7",
        "time_expire": "20260202003000",
        "notify_url": "https://shop.example/notify",
        "trade_type": "NATIVE",
        "product_id": NUMBER,
    }
    assert payload["qr_code"] == "weixin://wxpay/bizpayurl?pr=bJ1"
    assert server.requests[-1].headers["Content-Type"] == "text/xml; charset=utf-8"


@pytest.mark.parametrize("sign_type", ["MD5", "HMAC-SHA256"])
@pytest.mark.parametrize("mode", [Mode.QR, Mode.JSAPI])
def test_what_jsapi_needs_is_signed_as_document_003_shows(
    wechat_v2_account, wechat_v2_answers, server, mode, sign_type
):
    wechat_v2_answers(started(mode, code_url="weixin://x"), sign_type=sign_type)
    account = dataclasses.replace(wechat_v2_account, sign_type=sign_type)
    gateway = WechatV2Gateway(account, now=lambda: datetime.datetime.fromtimestamp(1533188289.9, datetime.UTC))

    payload = dict(gateway.create_payment(dataclasses.replace(REQUEST, mode=mode, payer_id="oUp")).payload)

    assert payload.pop("qr_code", None) == ("weixin://x" if mode is Mode.QR else None)
    signature, nonce = payload.pop("paySign"), payload["nonceStr"]
    assert payload == {
        "appId": APP_ID, "timeStamp": "1533188289", "nonceStr": nonce, "package": "prepay_id=wx02133732",
        "signType": sign_type,
    }  # fmt: skip
    assert 0 < len(nonce) <= 32
    assert signature == sign(payload, sign_type=sign_type)
    assert fields_of(server.requests[-1].body)["sign_type"] == sign_type


def test_an_app_gets_what_its_sdk_needs_and_no_key(wechat_v2, server, wechat_v2_account, wechat_v2_answers):
    wechat_v2_answers(started(Mode.APP))

    payload = dict(wechat_v2.create_payment(dataclasses.replace(REQUEST, mode=Mode.APP)).payload)

    signature = payload.pop("sign")
    assert set(payload) == {"appid", "partnerid", "prepayid", "package", "noncestr", "timestamp"}
    assert (payload["partnerid"], payload["prepayid"], payload["package"]) == (MERCHANT_ID, "wx02133732", "Sign=WXPay")
    assert signature == sign(payload)
    assert sent(server)[1]["trade_type"] == "APP"
    assert wechat_v2_account.api_key not in str(payload)


@pytest.mark.parametrize(
    ("return_url", "tail"),
    [
        (
            "https://shop.example/back?a=1&b=中",
            "&redirect_url=https%3A%2F%2Fshop.example%2Fback%3Fa%3D1%26b%3D%E4%B8%AD",
        ),
        ("", ""),
    ],
)
def test_on_a_phone_the_payer_is_led_to_wechats_page_and_back(wechat_v2, server, wechat_v2_answers, return_url, tail):
    wechat_v2_answers(started(Mode.WAP, mweb_url="https://wx.tenpay.com/checkmweb?prepay_id=wx1&package=2"))

    payload = wechat_v2.create_payment(dataclasses.replace(REQUEST, mode=Mode.WAP, return_url=return_url)).payload

    fields = sent(server)[1]
    assert payload == {"url": "https://wx.tenpay.com/checkmweb?prepay_id=wx1&package=2" + tail}
    assert json.loads(fields["scene_info"]) == {
        "h5_info": {"type": "Wap", "wap_url": "https://shop.example", "wap_name": "shop.example"}
    }
    assert (fields["trade_type"], "openid" in fields) == ("MWEB", False)


def test_inside_wechat_the_payer_is_named(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(started(Mode.JSAPI))

    wechat_v2.create_payment(dataclasses.replace(REQUEST, mode=Mode.JSAPI, payer_id="oUp"))

    assert sent(server)[1]["openid"] == "oUp"


@pytest.mark.parametrize("mode", [Mode.QR, Mode.JSAPI, Mode.WAP, Mode.APP])
def test_a_repeat_under_one_number_repeats_every_parameter(wechat_v2_account, server, wechat_v2_answers, mode):
    request = dataclasses.replace(REQUEST, mode=mode, payer_id="oUp", payer_address="")
    for day in (1, 2):
        wechat_v2_answers(started(mode, code_url="weixin://x", mweb_url="https://wx.example/?a"))
        gateway = WechatV2Gateway(
            wechat_v2_account, now=lambda day=day: datetime.datetime(2026, 1, day, tzinfo=SHANGHAI)
        )
        gateway.create_payment(request)

    first, second = (fields_of(each.body) for each in server.requests)
    assert {name for name in first | second if first.get(name) != second.get(name)} == {"nonce_str", "sign"}
    assert first["spbill_create_ip"] == "127.0.0.1"


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
    ],
)
def test_what_wechat_would_refuse_is_refused_before_it_is_sent(wechat_v2, server, change):
    with pytest.raises(GatewayRefused) as refused:
        wechat_v2.create_payment(dataclasses.replace(REQUEST, **change))

    assert (refused.value.code, refused.value.permanent, server.requests) == ("INVALID_REQUEST", True, [])


def test_alipays_mode_is_not_wechats(wechat_v2, server):
    with pytest.raises(GatewayRefused, match="MODE_NOT_SUPPORTED"):
        wechat_v2.create_payment(dataclasses.replace(REQUEST, mode=Mode.PAGE))

    assert server.requests == []


def test_a_title_is_cut_to_127_bytes_of_whole_characters_that_xml_can_hold(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(STARTED)

    wechat_v2.create_payment(dataclasses.replace(REQUEST, subject="\x01a\r\n\x0b" + "中" * 60))

    assert sent(server)[1]["body"] == "a " + "中" * 41


@pytest.mark.parametrize(
    ("code", "permanent"),
    [
        ("OUT_TRADE_NO_USED", True),
        ("INVALID_REQUEST", True),  # 201 商户订单号重复
        ("ORDERPAID", True),
        ("ORDERCLOSED", True),
        ("PARAM_ERROR", True),
        ("LACK_PARAMS", True),
        ("NOTENOUGH", False),
        ("NOAUTH", False),
        ("APPID_NOT_EXIST", False),
        ("APPID_MCHID_NOT_MATCH", False),
        ("SIGNERROR", False),
        ("FREQUENCY_LIMITED", False),
        ("SOMETHING_NEW", False),
    ],
)
def test_a_signed_no_is_a_no_and_only_a_known_one_is_for_ever(wechat_v2, wechat_v2_answers, code, permanent):
    wechat_v2_answers(no(code, "201 商户订单号重复"))

    with pytest.raises(GatewayRefused) as refused:
        wechat_v2.create_payment(REQUEST)

    assert (refused.value.code, refused.value.permanent) == (code, permanent)
    assert refused.value.message == "201 商户订单号重复"


@pytest.mark.parametrize("missing", ["code_url", "prepay_id"])
def test_a_yes_without_what_the_payer_needs_is_unknown(wechat_v2, wechat_v2_answers, missing):
    wechat_v2_answers(STARTED | {missing: ""})

    with pytest.raises(GatewayUnavailable, match=f"no {missing}"):
        wechat_v2.create_payment(REQUEST)
