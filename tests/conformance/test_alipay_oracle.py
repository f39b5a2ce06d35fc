"""python-alipay-sdk and we understand each other, both ways."""

import dataclasses
import datetime
import json
import urllib.parse
import warnings

import pytest

from payments.gateways import keys
from payments.gateways.alipay import codec
from payments.gateways.alipay.gateway import AlipayAccount, AlipayGateway
from payments.gateways.alipay.keys import TrustedKeys, certificate_serial, root_serial
from payments.gateways.base import Mode, PaymentRequest
from tests.payments.gateways import certificates, scripted

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    sdk = pytest.importorskip("alipay", reason="python-alipay-sdk is not installed")

APP_ID = "2021000000000001"


@pytest.fixture(scope="module")
def merchant_key():
    return scripted.rsa_key()


@pytest.fixture(scope="module")
def alipay_key():
    return scripted.rsa_key()


@pytest.fixture(scope="module")
def oracle(merchant_key, alipay_key):
    return sdk.AliPay(
        appid=APP_ID,
        app_notify_url="https://shop.example/notify",
        app_private_key_string=scripted.private_pem(merchant_key),
        alipay_public_key_string=scripted.public_pem(alipay_key),
        sign_type="RSA2",
    )


@pytest.fixture(scope="module")
def account(merchant_key, alipay_key):
    return AlipayAccount(
        app_id=APP_ID,
        seller_id="2088000000000001",
        private_key=scripted.private_pem(merchant_key),
        alipay_public_key=scripted.public_pem(alipay_key),
    )


REQUEST = PaymentRequest(
    number="2018061530000035_1",
    mode=Mode.APP,
    amount_fen=201272,
    subject="一个订单 + 1 %2B",
    expires_at=datetime.datetime(2026, 1, 31, 16, 30, tzinfo=datetime.UTC),
    notify_url="https://shop.example/notify?x=1&y=中",
    return_url="https://shop.example/back",
)


@pytest.mark.parametrize(("mode", "key"), [(Mode.APP, "order_string"), (Mode.PAGE, "url"), (Mode.WAP, "url")])
def test_it_verifies_what_we_sign(account, merchant_key, alipay_key, mode, key):
    text = AlipayGateway(account).create_payment(dataclasses.replace(REQUEST, mode=mode)).payload[key]
    parameters = dict(urllib.parse.parse_qsl(text.rpartition("?")[2], strict_parsing=True))
    signature = parameters.pop("sign")
    receiver = sdk.AliPay(  # it verifies with Alipay's key: here it stands on Alipay's side
        appid=APP_ID,
        app_notify_url=None,
        app_private_key_string=scripted.private_pem(alipay_key),
        alipay_public_key_string=scripted.public_pem(merchant_key),
    )

    content = "&".join(f"{name}={value}" for name, value in sorted(parameters.items()))

    assert receiver._verify(content, signature)
    assert not receiver._verify(content.replace("2012.72", "0.01"), signature)


def test_we_verify_what_it_signs(oracle, merchant_key):
    text = oracle.api_alipay_trade_app_pay(out_trade_no="a_1", total_amount="20.10", subject="订单 + 1")
    parameters = dict(urllib.parse.parse_qsl(text, strict_parsing=True))

    assert keys.verify(merchant_key.public_key(), codec.request_content(parameters), parameters["sign"])
    parameters["app_id"] = "another"
    assert not keys.verify(merchant_key.public_key(), codec.request_content(parameters), parameters["sign"])


def test_we_sign_the_same_parameters_to_the_same_signature(oracle, merchant_key):
    theirs = dict(
        urllib.parse.parse_qsl(oracle.api_alipay_trade_app_pay(out_trade_no="a_1", total_amount="1.00", subject="中"))
    )
    signature = theirs.pop("sign")

    ours = dict(urllib.parse.parse_qsl(codec.signed_request(theirs, merchant_key)))

    assert ours == theirs | {"sign": signature}


FIELDS = {"app_id": APP_ID, "notify_id": "n1", "subject": "a+b 中文 & =", "total_amount": "12.30", "charset": "utf-8"}


def test_we_both_believe_a_notification_of_alipay(oracle, alipay_key):
    body = scripted.signed_notification(alipay_key, FIELDS)
    fields = dict(urllib.parse.parse_qsl(body.decode()))

    ours = codec.read_notification(body, TrustedKeys(default=alipay_key.public_key()))

    assert ours == fields
    assert oracle.verify(dict(fields), fields["sign"]) is False  # it takes the dictionary without its sign
    assert oracle.verify({name: text for name, text in fields.items() if name != "sign"}, fields["sign"])


def test_we_both_read_an_answer_of_alipay_alike(oracle, alipay_key):
    member = "alipay_trade_query_response"
    content = {"code": "10000", "out_trade_no": "a_1", "qr_code": "https://qr.alipay.com/x", "subject": "中文"}
    body = scripted.signed_answer(alipay_key, member, content)

    ours = codec.read_response(body, member=member, keys=TrustedKeys(default=alipay_key.public_key()))

    assert ours == oracle._verify_and_return_sync_response(body.decode(), member) == content


@pytest.mark.filterwarnings("ignore:X509:DeprecationWarning")  # the oracle's own affair
def test_certificate_serials_are_equal(merchant_key, alipay_key):
    root_key = scripted.rsa_key()
    root = certificates.certificate(root_key.public_key(), subject="Ant test CA", issuer_key=root_key)
    app = certificates.certificate(merchant_key.public_key(), issuer_key=root_key)
    alipay = certificates.certificate(alipay_key.public_key(), subject="alipay", issuer_key=root_key)
    # an empty line between two certificates, as in Alipay's own file: the oracle needs it
    chain = "\n".join(certificates.pem(each) for each in (certificates.elliptic_root(), root, app))

    oracle = sdk.DCAliPay(
        appid=APP_ID,
        app_notify_url=None,
        app_private_key_string=scripted.private_pem(merchant_key),
        app_public_key_cert_string=certificates.pem(app),
        alipay_public_key_cert_string=certificates.pem(alipay),
        alipay_root_cert_string=chain,
    )

    assert certificate_serial(app) == oracle.app_cert_sn
    assert root_serial(chain) == oracle.alipay_root_cert_sn


def test_our_page_url_carries_what_theirs_does(oracle, account):
    theirs = dict(
        urllib.parse.parse_qsl(
            oracle.api_alipay_trade_page_pay(
                out_trade_no=REQUEST.number, total_amount="2012.72", subject="x", return_url=REQUEST.return_url
            )
        )
    )
    url = AlipayGateway(account).create_payment(dataclasses.replace(REQUEST, mode=Mode.PAGE)).payload["url"]
    ours = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))

    assert set(ours) >= set(theirs)
    assert set(json.loads(ours["biz_content"])) >= set(json.loads(theirs["biz_content"]))
