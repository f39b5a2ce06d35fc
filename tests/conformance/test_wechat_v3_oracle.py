"""
wechatpayv3 and we understand each other, both ways and in both modes; where it believes too much, we do not.

It knows one address, WeChat's own, and has no timeout: it is led to a scripted server here and never left alone.
"""

import dataclasses
import datetime
import json
import time
import warnings

import pytest

from payments.gateways import keys
from payments.gateways.base import (
    Mode,
    NotificationKind,
    NotificationRejected,
    Outcome,
    PaymentRequest,
    RawNotification,
)
from payments.gateways.wechat_v3 import codec
from payments.gateways.wechat_v3.gateway import WechatV3Account, WechatV3Gateway
from payments.gateways.wechat_v3.keys import PlatformKeys
from tests.payments.gateways import certificates, scripted, wechat_v3_samples
from tests.payments.gateways.wechat_v3_samples import (
    API_KEY,
    APP_ID,
    KEY_ID,
    MERCHANT_ID,
    NUMBER,
    PAID,
    REFUND,
    SERIAL,
    compact,
    envelope,
    signature_headers,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sdk = pytest.importorskip("wechatpayv3", reason="wechatpayv3 is not installed")
    utils = pytest.importorskip("wechatpayv3.utils")

REQUEST = PaymentRequest(
    number=NUMBER,
    mode=Mode.JSAPI,
    amount_fen=201272,
    subject="一个订单 + 1",
    expires_at=datetime.datetime(2026, 1, 31, 16, 30, tzinfo=datetime.UTC),
    notify_url="https://shop.example/notify",
    payer_id="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
    payer_address="203.0.113.7",
)
DAY = 24 * 60 * 60


@dataclasses.dataclass(frozen=True)
class Side:
    """One mode, seen from both implementations."""

    sdk: object
    account: WechatV3Account
    serial: str


@pytest.fixture(scope="module")
def merchant_key():
    return scripted.rsa_key()


@pytest.fixture(scope="module")
def wechat_key():
    return scripted.rsa_key()


@pytest.fixture
def server():
    server = scripted.ScriptedServer()
    yield server
    server.stop()


@pytest.fixture(params=["public key", "certificate"])
def side(request, merchant_key, wechat_key, server, tmp_path):
    certificate = certificates.certificate(wechat_key.public_key(), subject="Tenpay.com", issuer_key=wechat_key)
    pem, serial = certificates.pem(certificate), f"{certificate.serial_number:040X}"
    (tmp_path / f"{serial}.pem").write_text(pem)  # it would download them in its constructor otherwise
    theirs, ours = {
        "public key": (
            {"public_key": scripted.public_pem(wechat_key), "public_key_id": KEY_ID},
            {"public_key": scripted.public_pem(wechat_key), "public_key_id": KEY_ID},
        ),
        "certificate": ({"cert_dir": str(tmp_path)}, {"platform_certificates": pem}),
    }[request.param]
    base_url = server.url.removesuffix("/gateway.do")
    pay = sdk.WeChatPay(
        wechatpay_type=sdk.WeChatPayType.NATIVE,
        mchid=MERCHANT_ID,
        private_key=scripted.private_pem(merchant_key),
        cert_serial_no=SERIAL,
        apiv3_key=API_KEY,
        appid=APP_ID,
        notify_url="https://shop.example/notify",
        timeout=5,
        **theirs,
    )
    pay._core._gate_way = base_url
    account = WechatV3Account(
        app_id=APP_ID,
        merchant_id=MERCHANT_ID,
        serial_no=SERIAL,
        private_key=scripted.private_pem(merchant_key),
        api_v3_key=API_KEY,
        base_url=base_url,
        **ours,
    )
    return Side(sdk=pay, account=account, serial=KEY_ID if request.param == "public key" else serial)


def trusted(account):
    return PlatformKeys.read(
        public_key_id=account.public_key_id,
        public_key=account.public_key,
        certificates=account.platform_certificates,
    )


def authorization(request):
    """What a request says about its signature, and the text that it must have signed."""
    scheme, _, rest = request.headers["Authorization"].partition(" ")
    parts = dict(part.split("=", 1) for part in rest.split(","))
    parts = {name: text.strip('"') for name, text in parts.items()}
    content = codec.request_content(
        method=request.method,
        target=request.path,
        timestamp=parts["timestamp"],
        nonce=parts["nonce_str"],
        body=request.body,
    )
    return scheme, parts, content


def reply(server, wechat_key, content, side, **how):
    """An answer that both understand: the other one asks for the kind of signature and the type beside it."""
    body = b"" if content is None else compact(content)
    headers = signature_headers(wechat_key, body, serial=side.serial, **how)
    headers |= {"Wechatpay-Signature-Type": codec.SCHEME, "Content-Type": "application/json"}
    status = 204 if content is None else 200
    server.then(scripted.body(body, status=status, **{name.replace("-", "_"): text for name, text in headers.items()}))


def delivery(wechat_key, side, told=PAID, **how):
    body = compact(envelope(told))
    timestamp = how.pop("timestamp", int(time.time()))
    headers = signature_headers(wechat_key, body, serial=side.serial, timestamp=timestamp, **how)
    return {**headers, "Wechatpay-Signature-Type": codec.SCHEME}, body


# --- requests


def test_what_it_sends_we_would_have_signed(side, server, wechat_key, merchant_key):
    reply(server, wechat_key, {"code_url": "weixin://wxpay/bizpayurl?pr=1"}, side)
    reply(server, wechat_key, PAID, side)
    reply(server, wechat_key, None, side)

    side.sdk.pay(description="一个订单", out_trade_no=NUMBER, amount={"total": 1})
    side.sdk.query(out_trade_no=NUMBER)
    side.sdk.close(out_trade_no=NUMBER)

    assert len(server.requests) == 3
    for request in server.requests:
        scheme, parts, content = authorization(request)
        assert scheme == codec.SCHEME
        assert keys.verify(merchant_key.public_key(), content, parts["signature"])
        assert not keys.verify(merchant_key.public_key(), content + b"x", parts["signature"])


def test_what_we_send_it_would_have_signed(side, server, wechat_key, merchant_key):
    gateway = WechatV3Gateway(side.account)
    reply(server, wechat_key, {"prepay_id": "wx1"}, side)
    reply(server, wechat_key, PAID, side)
    reply(server, wechat_key, None, side)

    gateway.create_payment(REQUEST)
    assert gateway.query_payment(NUMBER).outcome is Outcome.SUCCEEDED
    assert gateway.close_payment(NUMBER).outcome is Outcome.SUCCEEDED

    for request in server.requests:
        scheme, parts, _ = authorization(request)
        text = "\n".join(
            (request.method, request.path, parts["timestamp"], parts["nonce_str"], request.body.decode(), "")
        )
        assert (scheme, parts["mchid"], parts["serial_no"]) == (codec.SCHEME, MERCHANT_ID, SERIAL)
        assert utils.rsa_sign(utils.load_private_key(scripted.private_pem(merchant_key)), text) == parts["signature"]


def test_we_ask_for_what_it_asks_for_at_the_same_addresses(side, server, wechat_key):
    gateway = WechatV3Gateway(side.account)
    for content in ({"code_url": "weixin://wxpay/bizpayurl?pr=1"}, PAID, None, wechat_v3_samples.REFUNDED):
        reply(server, wechat_key, content, side)
        reply(server, wechat_key, content, side)
    payments = (
        lambda: side.sdk.pay(
            description=REQUEST.subject,
            out_trade_no=NUMBER,
            amount={"total": 201272, "currency": "CNY"},
            time_expire="2026-02-01T00:30:00+08:00",
        ),
        lambda: gateway.create_payment(dataclasses.replace(REQUEST, mode=Mode.QR)),
        lambda: side.sdk.query(out_trade_no=NUMBER),
        lambda: gateway.query_payment(NUMBER),
        lambda: side.sdk.close(out_trade_no=NUMBER),
        lambda: gateway.close_payment(NUMBER),
        lambda: side.sdk.query_refund(out_refund_no=REFUND),
        lambda: gateway.query_refund(REFUND, charge_number=NUMBER),
    )
    for ask in payments:
        ask()

    for theirs, ours in zip(server.requests[::2], server.requests[1::2], strict=True):
        assert (ours.method, ours.path) == (theirs.method, theirs.path)
        assert json.loads(ours.body or b"{}") == json.loads(theirs.body or b"{}")
        assert ours.headers.get("Wechatpay-Serial") == theirs.headers.get("Wechatpay-Serial")


def test_it_signs_for_the_payers_page_as_we_do(side, server, wechat_key):
    reply(server, wechat_key, {"prepay_id": "wx1"}, side)
    reply(server, wechat_key, {"prepay_id": "wx1"}, side)
    gateway = WechatV3Gateway(side.account)

    page = gateway.create_payment(REQUEST).payload
    app = gateway.create_payment(dataclasses.replace(REQUEST, mode=Mode.APP)).payload

    assert page["paySign"] == side.sdk.sign([APP_ID, page["timeStamp"], page["nonceStr"], page["package"]])
    assert app["sign"] == side.sdk.sign([APP_ID, app["timestamp"], app["noncestr"], app["prepayid"]])


# --- notifications


def test_both_open_the_same_notice(side, wechat_key):
    headers, body = delivery(wechat_key, side)

    theirs = side.sdk.callback(headers, body)
    ours = WechatV3Gateway(side.account).parse_notification(RawNotification(headers=headers, body=body))

    assert (ours.kind, ours.notification_id) == (NotificationKind.PAYMENT, theirs["id"])
    told = theirs["resource"]
    assert (ours.payment.number, ours.payment.amount_fen, ours.payment.trade_no) == (
        told["out_trade_no"], told["amount"]["total"], told["transaction_id"],
    )  # fmt: skip


def test_both_refuse_what_was_changed_or_signed_by_a_stranger(side, server, wechat_key, merchant_key):
    gateway = WechatV3Gateway(side.account)
    headers, body = delivery(wechat_key, side)
    strangers, _ = delivery(merchant_key, side)

    for forged, text in ((headers, body.replace(b"EV-2018", b"EV-2019")), (strangers, body)):
        assert side.sdk.callback(forged, text) is None
        with pytest.raises(NotificationRejected, match="bad_signature"):
            gateway.parse_notification(RawNotification(headers=forged, body=text))

    assert server.requests == []


@pytest.mark.parametrize("age", [301, DAY, -DAY])
def test_it_believes_a_stale_notice_and_we_do_not(side, wechat_key, age):
    headers, body = delivery(wechat_key, side, timestamp=int(time.time()) - age)

    assert side.sdk.callback(headers, body)["resource"]["out_trade_no"] == NUMBER
    with pytest.raises(NotificationRejected, match="not now"):
        WechatV3Gateway(side.account).parse_notification(RawNotification(headers=headers, body=body))


def test_it_believes_a_stale_answer_and_we_do_not(side, server, wechat_key):
    for _ in range(2):
        reply(server, wechat_key, PAID, side, timestamp=int(time.time()) - DAY)

    assert side.sdk.query(out_trade_no=NUMBER)[0] == 200
    with pytest.raises(Exception, match="not now"):
        WechatV3Gateway(side.account).query_payment(NUMBER)


def test_it_reads_the_last_of_two_equal_names_and_we_read_neither(side, wechat_key):
    body = compact(envelope(PAID)).replace(b'{"id":', b'{"id":"EV-0","id":')
    headers = signature_headers(wechat_key, body, serial=side.serial, timestamp=int(time.time()))
    headers["Wechatpay-Signature-Type"] = codec.SCHEME

    assert side.sdk.callback(headers, body)["id"] == "EV-2018022511223320873"
    with pytest.raises(NotificationRejected, match="comes twice"):
        WechatV3Gateway(side.account).parse_notification(RawNotification(headers=headers, body=body))


def test_it_takes_the_notice_of_another_merchant_and_we_do_not(side, wechat_key):
    headers, body = delivery(wechat_key, side, told=PAID | {"mchid": "1230000110"})

    assert side.sdk.callback(headers, body)["resource"]["mchid"] == "1230000110"
    with pytest.raises(NotificationRejected, match="wrong_merchant"):
        WechatV3Gateway(side.account).parse_notification(RawNotification(headers=headers, body=body))


@pytest.mark.parametrize("serial", ["zz", "PUB_KEY_ID_0", ""])
def test_a_serial_number_that_makes_it_stumble_or_call_out_is_only_refused_here(side, server, wechat_key, serial):
    headers, body = delivery(wechat_key, side)
    headers["Wechatpay-Serial"] = serial

    if side.account.public_key:
        server.then(scripted.body(b"", status=500))
        assert side.sdk.callback(headers, body) is None
        assert [request.path for request in server.requests] == ["/v3/certificates"]
    else:
        with pytest.raises(ValueError, match="invalid literal"):
            side.sdk.callback(headers, body)

    calls = len(server.requests)
    with pytest.raises(NotificationRejected, match="unknown key"):
        WechatV3Gateway(side.account).parse_notification(RawNotification(headers=headers, body=body))
    assert len(server.requests) == calls
