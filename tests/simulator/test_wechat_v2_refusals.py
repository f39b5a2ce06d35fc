"""WeChat Pay v2: what it refuses, in its words, and that nothing comes of it."""

import pytest

from tests.simulator.test_wechat_v2_trades import OTHERWISE, beijing
from tests.simulator.wechat_v2_merchant import WechatV2Client, fields
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
ORDER = "pay/unifiedorder"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "post数据为空"),
        (b"appid=wx1&mch_id=1", "XML格式错误"),
        (b"<xml><appid>1</appid>", "XML格式错误"),
        (b"<xml><appid>1</appid><appid>2</appid></xml>", "XML格式错误"),
        (b"<xml><appid><b>1</b></appid></xml>", "XML格式错误"),
        (b"\xff\xfe<\x00x\x00m\x00l\x00/\x00>\x00", "编码格式错误，请使用UTF-8编码"),
        (b'<!DOCTYPE xml [<!ENTITY e "x">]><xml><appid>&e;</appid></xml>', "XML格式错误"),
        (b'<?xml version="1.0"?><!DOCTYPE xml SYSTEM "file:///etc/passwd"><xml/>', "XML格式错误"),
    ],
)
def test_what_is_no_message_is_turned_away(
    simulator: Simulator, wechat_v2: WechatV2Client, body: bytes, message: str
) -> None:
    response = wechat_v2.http.post(f"/{ORDER}", content=body)

    assert response.status_code == 200
    assert fields(response.text) == {"return_code": "FAIL", "return_msg": message}
    assert simulator.trades() == []


def test_only_post_is_taken(wechat_v2: WechatV2Client) -> None:
    assert fields(wechat_v2.http.get(f"/{ORDER}").text)["return_msg"] == "请使用post方法"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"appid": ""}, "缺少参数appid"),
        ({"mch_id": ""}, "缺少参数mch_id"),
        ({"nonce_str": ""}, "缺少参数nonce_str"),
        ({"nonce_str": "x" * 33}, "nonce_str参数长度有误"),
        ({"mch_id": "1000000000"}, "商户号mch_id不存在"),
        ({"appid": "wx0000000000000000"}, "商户号mch_id与appid不匹配"),
        ({"sign_type": "RSA"}, "sign_type参数错误"),
        ({"body": ""}, "缺少参数body"),
        ({"out_trade_no": ""}, "缺少参数out_trade_no"),
        ({"total_fee": ""}, "缺少参数total_fee"),
        ({"spbill_create_ip": ""}, "缺少参数spbill_create_ip"),
        ({"notify_url": ""}, "缺少参数notify_url"),
        ({"trade_type": ""}, "缺少参数trade_type"),
        ({"product_id": ""}, "NATIVE支付必须传product_id"),
        ({"trade_type": "JSAPI"}, "JSAPI支付必须传openid"),
        ({"trade_type": "MWEB"}, "MWEB支付必须传scene_info"),
        ({"trade_type": "WAP"}, "trade_type参数不正确"),
        ({**OTHERWISE["h5"], "scene_info": "{}"}, "scene_info参数格式错误"),
        ({**OTHERWISE["h5"], "scene_info": "Wap"}, "scene_info参数格式错误"),
        ({"body": "衣" * 42 + "xx"}, "body参数长度有误"),
        ({"attach": "衣" * 43}, "attach参数长度有误"),
        ({"fee_type": "USD"}, "fee_type参数错误，仅支持CNY"),
        ({"spbill_create_ip": "shop.example"}, "spbill_create_ip参数错误"),
        ({"notify_url": "https://shop.example/notify?x=1"}, "notify_url参数错误，须为不带参数的完整地址"),
        ({"notify_url": "/notify"}, "notify_url参数错误，须为不带参数的完整地址"),
        ({"time_expire": "2026-11-25"}, "time_expire参数格式错误，格式为yyyyMMddHHmmss"),
        ({"time_expire": "20261340000000"}, "time_expire参数格式错误，格式为yyyyMMddHHmmss"),
        *[
            ({"total_fee": fee}, "total_fee参数格式错误，须为大于0的整数，单位为分")
            for fee in ("0", "-1", "20.12", "01", "1e3", "10000000001")
        ],
    ],
)
def test_a_wrong_form_is_turned_away_unsigned(
    simulator: Simulator, wechat_v2: WechatV2Client, changed: dict[str, str], message: str
) -> None:
    answer = wechat_v2.call(ORDER, **wechat_v2.goods(NUMBER, **changed))

    assert answer == {"return_code": "FAIL", "return_msg": message}
    assert simulator.trades() == []


@pytest.mark.parametrize("number", ["short", "x" * 33, "2018 0615", "2018.0615", "订单20180615"])
def test_a_number_that_wechat_does_not_take_is_refused(
    simulator: Simulator, wechat_v2: WechatV2Client, number: str
) -> None:
    answer = wechat_v2.order(number)

    assert (answer["result_code"], answer["err_code"]) == ("FAIL", "PARAM_ERROR")
    assert simulator.trades() == []


@pytest.mark.parametrize("number", ["123456", "a-b_c|d*e", "x" * 32])
def test_a_number_at_the_edge_is_taken(wechat_v2: WechatV2Client, number: str) -> None:
    assert wechat_v2.order(number)["result_code"] == "SUCCESS"


def test_a_body_of_127_bytes_is_taken(wechat_v2: WechatV2Client) -> None:
    assert wechat_v2.order(NUMBER, body="衣" * 42 + "x")["result_code"] == "SUCCESS"


def test_an_end_within_a_minute_is_refused(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    for ahead_s in (-3600, 0, 55):
        assert wechat_v2.order(NUMBER, time_expire=beijing(ahead_s=ahead_s))["err_code"] == "INVALID_REQUEST"

    assert simulator.trades() == []


@pytest.mark.parametrize("path", [ORDER, "pay/orderquery", "pay/closeorder", "secapi/pay/refund", "pay/refundquery"])
def test_a_wrong_signature_is_turned_away_everywhere(
    simulator: Simulator, wechat_v2: WechatV2Client, path: str
) -> None:
    wechat_v2.order(NUMBER)
    signed = wechat_v2.signed(wechat_v2.goods(NUMBER))

    for false in (signed["sign"][::-1], signed["sign"].lower(), "签名"):
        answer = fields(wechat_v2.post(path, {**signed, "sign": false}).text)
        assert answer == {"return_code": "FAIL", "return_msg": "签名错误，请检查后再试"}

    assert simulator.trade(NUMBER)["status"] == "waiting"


def test_each_field_is_covered_by_the_signature(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    signed = wechat_v2.signed(wechat_v2.goods(NUMBER))

    for changed in ({"total_fee": "1"}, {"out_trade_no": "another_1"}, {"unknown": "x"}):
        assert fields(wechat_v2.post(ORDER, {**signed, **changed}).text)["return_code"] == "FAIL"

    assert simulator.trades() == []


def test_an_empty_field_is_not_signed_and_a_zero_is(wechat_v2: WechatV2Client) -> None:
    assert wechat_v2.order(NUMBER, device_info="", attach="0")["result_code"] == "SUCCESS"
    assert wechat_v2.query(NUMBER)["attach"] == "0"


def test_the_way_to_sign_must_be_the_one_named(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    told = wechat_v2.signed({**wechat_v2.goods(NUMBER), "sign_type": "HMAC-SHA256"})

    turned = fields(wechat_v2.post(ORDER, told).text)

    assert turned["return_msg"] == "签名错误，请检查后再试", "named HMAC, signed MD5"
    told["sign"] = wechat_v2.sign(told, sign_type="HMAC-SHA256")
    assert fields(wechat_v2.post(ORDER, told).text)["return_code"] == "SUCCESS"


def test_a_front_that_ends_tls_tells_which_certificate_was_shown(
    simulator: Simulator, wechat_v2: WechatV2Client
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    signed = wechat_v2.signed(wechat_v2.refund_goods(NUMBER, "R1", 500))

    stranger = fields(wechat_v2.post("secapi/pay/refund", signed, **{"X-Client-Cert-Serial": "0" * 40}).text)
    none = fields(wechat_v2.post("secapi/pay/refund", signed, **{"X-Client-Cert-Serial": ""}).text)

    assert (stranger["return_msg"], none["return_msg"]) == ("证书验证失败", "证书验证失败")
    assert simulator.trade(NUMBER)["refunds"] == []
    shown = {"X-Client-Cert-Serial": wechat_v2.merchant.app_cert_sn}
    assert fields(wechat_v2.post("secapi/pay/refund", signed, **shown).text)["result_code"] == "SUCCESS"
