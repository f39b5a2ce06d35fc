"""
Every collected case that concerns WeChat Pay APIv3, against our codec: what WeChat's own SDKs and others publish, and
what must be refused. A last test sees to it that no case was left out.
"""

import base64
import datetime
import hashlib
import json
import urllib.parse

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from payments.gateways import keys
from payments.gateways.base import NotificationKind, NotificationRejected, Outcome, RawNotification
from payments.gateways.wechat_v3 import codec
from payments.gateways.wechat_v3.codec import Malformed, NotOurs, NotSigned
from payments.gateways.wechat_v3.gateway import WechatV3Account, WechatV3Gateway
from payments.gateways.wechat_v3.keys import PlatformKeys
from tests.conformance.vectors import SKIPPED, cases, parametrize
from tests.payments.gateways import scripted

SIGN, AEAD = cases("wechat_v3_sign.json"), cases("wechat_v3_aead.json")
seen = set()


def some(collection, test):
    """The cases that a test is for; each is noted, for the last test."""
    chosen = {name: case for name, case in collection.items() if test(name, case)}
    seen.update((id(collection), name) for name in chosen)
    return parametrize(chosen)


def clock(case):
    """When the case happens; without a time of its own, just when it was signed."""
    seconds = case.get("clock") or int(case["headers"]["Wechatpay-Timestamp"])
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def check(case):
    trusted = PlatformKeys.read(certificates=case["platform_certificate_pem"])
    codec.check_signature(case["headers"], case["body"].encode(), keys=trusted, at=clock(case))


def certified_key(case):
    return keys.load_certificates(case["certificate_pem"])[0].public_key()


def opened(case):
    return codec.decrypt(
        case["ciphertext"],
        key=case["key"].encode(),
        nonce=case["nonce"],
        associated_data=case["associated_data"],
    )


# --- what is signed


@some(SIGN, lambda name, _: name in {"go-sign-source", "java-sign-message"})
def test_a_message_is_signed_as_published(case):
    private, message = keys.load_private_key(case["private_key_pem"]), case["message"].encode()

    assert keys.sign(private, message) == case["expected_signature"]
    assert keys.verify(private.public_key(), message, case["expected_signature"])
    if "certificate_pem" in case:
        trusted = PlatformKeys.read(certificates=case["certificate_pem"])
        assert trusted.verify(message, case["expected_signature"], serial=case["serial"])


@some(SIGN, lambda name, _: name == "java-wrong-key-rejects")
def test_the_key_of_another_does_not_verify(case):
    key = keys.load_public_key(case["public_key_pem"])

    assert not keys.verify(key, case["message"].encode(), case["signature"])


@some(SIGN, lambda _, case: "method" in case)
def test_a_request_signs_five_lines(case):
    address = urllib.parse.urlsplit(case.get("url") or case["path"])
    content = codec.request_content(
        method=case["method"],
        target=urllib.parse.urlunsplit(("", "", address.path, address.query, "")),
        timestamp=str(case["timestamp"]),
        nonce=case["nonce"],
        body=case["body"].encode(),
    )

    assert content.decode() == case["expected_message"]
    if "signature_with_java_key" in case:
        private = keys.load_private_key(SIGN["java-sign-message"]["private_key_pem"])
        assert keys.sign(private, content) == case["signature_with_java_key"]


@some(SIGN, lambda name, _: name == "official-doc-authorization")
def test_the_example_of_the_documentation_signs_what_we_would_sign(case):
    timestamp, nonce = case["expected_message"].split("\n")[2:4]
    content = codec.request_content(
        method="GET", target="/v3/certificates", timestamp=timestamp, nonce=nonce, body=b""
    )  # fmt: skip

    assert content.decode() == case["expected_message"]


@some(SIGN, lambda name, _: name == "axios-authorization-header")
def test_the_authorization_is_written_as_published(case):
    written = codec.authorization(
        merchant_id=case["mchid"],
        serial_no=case["serial_no"],
        timestamp=case["timestamp"],
        nonce=case["nonce"],
        signature=case["signature"],
    )

    assert written == case["expected"]


@some(SIGN, lambda name, _: name.startswith("verify-only-"))
def test_what_a_real_merchant_and_wechat_once_signed_is_believed_under_its_certificate_only(case):
    believed = keys.verify(certified_key(case), case["message"].encode(), case["signature"])

    assert believed is (case["kind"] == "published")


# --- notifications


@some(SIGN, lambda name, _: name in {"go-notify-full", "pos-299s"})
def test_a_published_notice_is_believed_and_opened(case):
    check(case)

    resource = codec.read_object(case["body"].encode())["resource"]
    text = codec.open_sealed(resource, key=case["api_v3_key"].encode())
    assert text.decode() == SIGN["go-notify-full"]["plaintext"]


@some(SIGN, lambda _, case: case["kind"] == "negative" and "headers" in case)
def test_what_was_changed_is_stale_or_probes_us_is_refused(case):
    with pytest.raises(NotSigned):
        check(case)


def gateway(case, **change):
    told = json.loads(case["plaintext"])
    settings = {"app_id": told["appid"], "merchant_id": told["mchid"], "api_v3_key": case["api_v3_key"], **change}
    return WechatV3Gateway(
        WechatV3Account(
            serial_no="1",
            private_key=scripted.private_pem(scripted.rsa_key()),
            platform_certificates=case["platform_certificate_pem"],
            **settings,
        )
    )


@some(SIGN, lambda name, _: name == "derived-transaction-success")
def test_a_whole_notice_of_a_payment_is_believed_for_its_merchant_alone(case):
    raw = RawNotification(headers=case["headers"], body=case["body"].encode(), received_at=clock(case))

    told = gateway(case).parse_notification(raw)

    assert (told.kind, told.notification_id) == (NotificationKind.PAYMENT, json.loads(case["body"])["id"])
    assert (told.payment.outcome, told.payment.gateway_status) == (Outcome.SUCCEEDED, "SUCCESS")
    assert (told.payment.number, told.payment.amount_fen) == ("1217752501201407033233368018", 100)
    for other in ({"app_id": "wx0"}, {"merchant_id": "1"}, {"api_v3_key": "0" * 32}):
        with pytest.raises(NotificationRejected, match="wrong_merchant"):
            gateway(case, **other).parse_notification(raw)


@some(SIGN, lambda name, _: name == "go-notify-full")
def test_an_account_takes_no_key_of_half_the_length(case):
    with pytest.raises(ValueError, match="32 characters"):
        gateway(case)


# --- content encryption


@some(AEAD, lambda _, case: case["kind"] != "negative" and len(case["nonce"]) == codec.NONCE_BYTES)
def test_what_is_sealed_opens_as_published(case):
    text = opened(case)

    if "plaintext" in case:
        assert text.decode() == case["plaintext"]
    else:
        assert hashlib.sha256(text).hexdigest() == case["plaintext_sha256"]
        assert case["expected_serial"] in PlatformKeys.read(certificates=text.decode())


@some(AEAD, lambda _, case: case["kind"] != "negative" and len(case["nonce"]) != codec.NONCE_BYTES)
def test_a_nonce_of_another_length_is_sound_and_still_not_wechats(case):
    sealed, data = base64.b64decode(case["ciphertext"]), case["associated_data"].encode()

    assert AESGCM(case["key"].encode()).decrypt(case["nonce"].encode(), sealed, data).decode() == case["plaintext"]
    with pytest.raises(Malformed, match="nonce"):
        opened(case)


@some(AEAD, lambda _, case: case["kind"] == "negative")
def test_what_was_forged_does_not_open_and_does_nothing_worse(case):
    with pytest.raises((Malformed, NotOurs)):
        opened(case)


@SKIPPED
def test_no_case_was_left_out():
    assert seen == {(id(collection), name) for collection in (SIGN, AEAD) for name in collection}
