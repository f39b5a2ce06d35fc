"""What strangers send to where gateways tell us: answered no, in the gateway's own words, and never a 500."""

import itertools
import time

import pytest
from django.test import Client

from payments.models import GatewayAccount, InboundNotification, Transfer
from tests.attacks.test_routes import routes
from tests.payments.gateways import scripted

pytestmark = pytest.mark.django_db

NOTICES = [
    b"", b"sign=x", b"sign=&sign_type=RSA2", b"{}", b"\x00\xff", b"a=%00&sign=%ED%A0%80", b"a=" + b"x" * 70_000,
    b"&".join(b"a%d=1" % n for n in range(2_000)),
    b"out_trade_no=1&trade_status=TRADE_SUCCESS&sign=QQ==&sign_type=NONE",
    "notify_id=支付&sign=支付".encode(), b"sign=\xa8\xa6",
    b"<xml></xml>", b"<xml><sign>x</sign><return_code>SUCCESS</return_code><result_code>SUCCESS</result_code></xml>",
    b"<xml><req_info>QQ==</req_info></xml>",
    b'{"id":"1","resource":{"algorithm":"AEAD_AES_256_GCM","ciphertext":"QQ=="}}',
]  # fmt: skip
TYPES = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml", "", "application/json"]
NO_OF_V2 = b"<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[FAIL]]></return_msg></xml>"
NO_OF_V3 = '{"code":"FAIL","message":"失败"}'.encode()
UNPROVEN = {"wechatpay-timestamp": "1", "wechatpay-nonce": "n", "wechatpay-serial": "PUB_KEY_ID_0"}


@pytest.fixture
def wechat(db):
    """Accounts of both protocols that nobody answers for: enough to refuse notices."""
    ours, theirs = (scripted.rsa_key() for _each in range(2))
    public = {"public_key_id": "PUB_KEY_ID_0", "public_key": scripted.public_pem(theirs), "serial_no": "1"}
    v3_secrets = {"private_key": scripted.private_pem(ours), "api_v3_key": "0" * 32}
    for kind, options, secrets in (("wechat_v2", {}, {"api_key": "0" * 32}), ("wechat_v3", public, v3_secrets)):
        account = GatewayAccount(
            kind=kind, name="attacked", app_id="wx0000000000000009", merchant_id="1900000009", options=options,
            base_url="http://127.0.0.1:9",
        )  # fmt: skip
        account.set_credentials(secrets)
        account.save()


@routes("gateway")
def test_a_notice_without_a_sign_is_answered_failure(shop, alipay, wechat, route):
    client = Client(enforce_csrf_checks=True, headers={"authorization": "Token shop-token"})
    for content, content_type in itertools.product(NOTICES, TYPES):
        response = client.generic("POST", route.path, content, content_type=content_type)

        expected = (200, b"failure", "text/plain")
        if "/wx/" in route.path:
            is_v3 = content and content_type == "application/json"  # Django's client names no type of nothing
            expected = (400, NO_OF_V3, content_type) if is_v3 else (200, NO_OF_V2, "text/xml")
        assert (response.status_code, response.content) == expected[:2], content
        assert response["Content-Type"].startswith(expected[2])
    assert Transfer.objects.filter(debit__startswith="clearing").count() == 0
    assert not InboundNotification.objects.exclude(
        verdict__in=["bad_signature", "malformed", "wrong_merchant"]
    ).exists()


@pytest.mark.parametrize("signature", ["", "x", "QQ==", "WECHATPAY/SIGNTEST/QQ==", "é", "A" * 344])
def test_a_notice_under_headers_that_prove_nothing_is_answered_failure(wechat, signature):
    client = Client(enforce_csrf_checks=True)
    for content, content_type in itertools.product(NOTICES, TYPES):
        headers = UNPROVEN | {"wechatpay-timestamp": str(int(time.time())), "wechatpay-signature": signature}
        response = client.generic(
            "POST", "/rest/pub/wx/pay_notify", content, content_type=content_type, headers=headers
        )  # fmt: skip

        assert (response.status_code, response.content) == (400, NO_OF_V3), content
    assert verdicts() <= {"bad_signature", "malformed"}


def verdicts():
    return set(InboundNotification.objects.values_list("verdict", flat=True))
