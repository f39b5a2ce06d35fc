"""
Every collected case that concerns Alipay, against our codec: signatures of Alipay's own sandbox, published examples
of other implementations, and what must be refused. A last test sees to it that no case was left out.
"""

import hashlib
import json
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from payments.gateways import keys
from payments.gateways.alipay import codec
from payments.gateways.alipay.codec import Malformed, NotSigned
from payments.gateways.alipay.keys import TrustedKeys, certificate_serial, root_serial
from tests.conformance.vectors import SKIPPED, cases, parametrize
from tests.payments.gateways import scripted

SIGN, RESPONSE, MISC = cases("alipay_sign.json"), cases("alipay_response.json"), cases("alipay_misc.json")
MD5 = {name: case for name, case in cases("md5_sign_variants.json").items() if "alipay" in name}
ANY_KEY = TrustedKeys(default=scripted.rsa_key().public_key())
seen = set()


def some(collection, test):
    """The cases that a test is for; each is noted, for the last test."""
    chosen = {name: case for name, case in collection.items() if test(name, case)}
    seen.update(chosen)
    return parametrize(chosen)


def trusted(case):
    text = case.get("alipay_public_key_pem") or case.get("public_key_pem")
    return TrustedKeys(default=keys.load_public_key(text)) if text else ANY_KEY


def form(case):
    return (case.get("form_body") or urllib.parse.urlencode(case["params"])).encode()


def contents(case):
    return [content.decode() for content in codec.notification_contents(codec.form_fields(form(case)))]


# --- requests


@some(SIGN, lambda name, _: name == "request-sign-rsa2")
def test_a_request_is_signed_as_published(case):
    key = keys.load_private_key(case["sandbox_app_private_key_pkcs1_b64"])

    assert codec.request_content(case["params"]).decode() == case["content"]
    assert keys.sign(key, codec.request_content(case["params"])) == case["expected_sign"]
    assert urllib.parse.parse_qs(codec.signed_request(case["params"], key))["sign"] == [case["expected_sign"]]


@some(SIGN, lambda name, _: name.endswith("without-sign_type-differs"))
def test_a_request_without_its_sign_type_is_signed_otherwise(case):
    whole = SIGN["request-sign-rsa2"]
    key = keys.load_private_key(whole["sandbox_app_private_key_pkcs1_b64"])
    without = {name: text for name, text in case["params"].items() if name != "sign_type"}

    assert codec.request_content(without).decode() == case["content"]
    assert keys.sign(key, codec.request_content(without)) != whole["expected_sign"]


@some(SIGN, lambda name, _: name == "hello-rsa2")
def test_rsa2_is_what_everybody_calls_rsa2(case):
    private, public = keys.load_private_key(case["private_key_pem"]), keys.load_public_key(case["public_key_pem"])
    message = case["message"].encode()

    assert keys.sign(private, message) == case["expected_signature"]
    assert keys.verify(public, message, case["expected_signature"])
    assert not keys.verify(public, message.rstrip(b"\n"), case["expected_signature"])


@some(SIGN, lambda name, _: name in {"hello-rsa", "omnipay-rsa-sha1"})
def test_rsa_with_sha1_is_genuine_and_still_not_taken(case):
    private = keys.load_private_key(case["private_key_pem"])
    message = case["message"].encode() if "message" in case else case["content"].encode()
    signature = scripted.base64.b64encode(private.sign(message, padding.PKCS1v15(), hashes.SHA1())).decode()

    assert signature == case["expected_signature"]
    assert not keys.verify(private.public_key(), message, signature)


@some(SIGN, lambda name, _: name == "omnipay-rsa-sha1")
def test_what_php_leaves_out_of_a_request_we_leave_out(case):
    php = {True: "1", False: "", None: ""}
    parameters = {
        name: php.get(value, value) if not isinstance(value, str) else value for name, value in case["params"].items()
    }

    assert codec.request_content(parameters).decode() == case["content"]


@some(MISC, lambda name, _: name == "app-order-string-prefix")
def test_an_order_string_begins_as_published(case):
    key = scripted.rsa_key()
    common = {"sign_type": "RSA2", "timestamp": "2026-01-31 12:00:00", "version": "1.0"}

    order_string = codec.signed_request(case["params"] | common, key)

    assert order_string.startswith(case["expected_prefix"])


@some(MISC, lambda name, _: name == "seed-003-order-string-shape")
def test_an_order_string_has_the_shape_of_document_003_without_its_defects(case):
    theirs = dict(urllib.parse.parse_qsl(case["example"]))
    business = json.loads(theirs["biz_content"])
    business["total_amount"] = codec.yuan_text(codec.fen(business["total_amount"]))
    ours = {**theirs, "biz_content": json.dumps(business), "notify_url": "https://shop.example/notify"}

    sent = dict(urllib.parse.parse_qsl(codec.signed_request(ours, scripted.rsa_key())))

    assert set(sent) == set(theirs) | {"sign"}
    assert json.loads(sent["biz_content"])["total_amount"] == "11.10"


# --- answers


@some(RESPONSE, lambda _, case: case["kind"] == "published" and "method" in case)
def test_what_alipays_sandbox_signed_is_believed(case):
    body, member = case["raw_response"].encode(), codec.response_member(case["method"])

    assert codec.members(case["raw_response"])[member] == case["signed_content"]
    assert codec.read_response(body, member=member, keys=trusted(case)) == json.loads(case["signed_content"])
    if case.get("reserialised_must_fail"):
        again = json.dumps(json.loads(body), separators=(",", ":")).encode()
        with pytest.raises(NotSigned):
            codec.read_response(again, member=member, keys=trusted(case))


@some(RESPONSE, lambda _, case: case["kind"] == "derived")
def test_braces_and_signatures_inside_strings_are_only_text(case):
    answer = codec.read_response(
        case["raw_response"].encode(), member="alipay_trade_query_response", keys=trusted(case)
    )

    assert answer == json.loads(case["signed_content"])


@some(RESPONSE, lambda name, _: name == "duplicate-key-attack")
def test_of_two_equal_members_the_verified_one_counts(case):
    body = case["raw_response"].encode()

    assert json.loads(body)["response"] == {"should_be_true": False}
    assert codec.read_response(body, member="response", keys=trusted(case)) == {"should_be_true": True}


@some(RESPONSE, lambda name, case: name.startswith("extract-") and "signed_content" in case)
def test_a_member_is_cut_out_to_the_byte(case):
    assert codec.members(case["raw_response"])[case["key"]] == case["signed_content"]


@some(RESPONSE, lambda name, _: name.startswith("extract-malformed"))
def test_what_cannot_be_cut_out_is_an_error_and_no_more(case):
    with pytest.raises(ValueError):
        codec.members(case["raw_response"])


@some(RESPONSE, lambda _, case: "UNKNOWN" in case.get("expect", ""))
def test_what_is_not_verified_is_unknown(case):
    raw = case["raw_response"]
    member = next(
        (name for name in ("alipay_trade_refund_response",) if name in raw), "alipay_trade_precreate_response"
    )

    with pytest.raises((NotSigned, Malformed)):
        codec.read_response(raw.encode(), member=member, keys=trusted(case))


# --- notifications


@some(SIGN, lambda name, _: name in {"notify-signed-by-alipay-sandbox", "return-url-signed-by-alipay-sandbox"})
def test_what_alipays_sandbox_sent_is_believed(case):
    body = form(case) if "url" not in case else urllib.parse.urlsplit(case["url"]).query.encode()

    assert case["content"] in [content.decode() for content in codec.notification_contents(codec.form_fields(body))]
    assert codec.read_notification(body, trusted(case)) == {name: text for name, text in case["params"].items() if text}


@some(SIGN, lambda name, _: name.startswith("neg-"))
def test_what_was_changed_on_the_way_is_refused(case):
    with pytest.raises(NotSigned):
        codec.read_notification(form(case), trusted(case))


@some(SIGN, lambda name, _: name == "sign_type-not-signed")
def test_the_sign_type_is_not_covered_so_it_may_not_choose(case):
    genuine = SIGN["notify-signed-by-alipay-sandbox"]

    assert contents(case) == contents(genuine)
    with pytest.raises(NotSigned, match="another algorithm"):
        codec.read_notification(form(case), trusted(genuine))


@some(SIGN, lambda name, _: name.startswith("omnipay-notify"))
def test_a_genuine_notice_under_sha1_is_refused(case):
    signature = scripted.base64.b64decode(case["params"]["sign"])
    trusted(case).default.verify(signature, case["content"].encode(), padding.PKCS1v15(), hashes.SHA1())

    assert case["content"] in contents(case)
    for sign_type in ("RSA", "RSA2"):
        body = urllib.parse.urlencode(case["params"] | {"sign_type": sign_type}).encode()
        with pytest.raises(NotSigned):
            codec.read_notification(body, trusted(case))


@some(SIGN, lambda name, _: name == "official-doc-notify-sample")
def test_the_sample_of_the_documentation_verifies_under_no_known_key(case):
    known = [trusted(other) for other in SIGN.values() if "alipay_public_key_pem" in other or "public_key_pem" in other]

    assert known
    for key in [*known, ANY_KEY]:
        with pytest.raises(NotSigned):
            codec.read_notification(form(case), key)


@some(MD5, lambda *_: True)
def test_alipays_old_md5_is_computed_over_the_same_parameters_and_refused(case):
    php = {True: "1", False: "", None: ""}
    fields = {name: value if isinstance(value, str) else php[value] for name, value in case["params"].items()}
    content = codec.request_content(fields).decode()
    digest = hashlib.md5((content + case["key"]).encode()).hexdigest()

    assert (content + case["key"], digest) == (case["digest_input"], case["expected_sign"])
    body = urllib.parse.urlencode(fields | {"sign_type": "MD5", "sign": digest}).encode()
    with pytest.raises(NotSigned):
        codec.read_notification(body, ANY_KEY)


# --- certificates and encryption


@some(MISC, lambda name, _: name == "app_cert_sn")
def test_the_serial_of_a_certificate_is_as_published(case):
    assert certificate_serial(keys.load_certificates(case["certificate_pem"])[0]) == case["expected"]


@some(MISC, lambda name, _: name == "alipay_root_cert_sn")
def test_the_serial_of_the_root_chain_is_as_published(case):
    assert root_serial(case["root_chain_pem"]) == case["expected"]


@some(MISC, lambda name, _: name == "aes-cbc")
def test_content_is_encrypted_as_published(case):
    assert codec.encrypt(case["plaintext"], case["key_b64"]) == case["ciphertext"]
    assert codec.decrypt(case["ciphertext"], case["key_b64"]) == case["plaintext"]


@SKIPPED
def test_no_case_was_left_out():
    assert seen == {*SIGN, *RESPONSE, *MISC, *MD5}
