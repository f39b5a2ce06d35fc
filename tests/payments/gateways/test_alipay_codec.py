import contextlib
import datetime
import json
import urllib.parse

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways import keys
from payments.gateways.alipay import codec
from payments.gateways.alipay.codec import Malformed, NotSigned
from payments.gateways.alipay.keys import TrustedKeys
from tests.payments.gateways import scripted

KEY = scripted.rsa_key()  # one for the properties below: Hypothesis takes no function-scoped fixtures
TRUSTED = TrustedKeys(default=KEY.public_key())
MEMBER = "alipay_trade_query_response"


# --- money and time


@given(st.integers(min_value=0, max_value=10**13))
def test_fen_become_yuan_and_fen_again(amount_fen):
    text = codec.yuan_text(amount_fen)

    assert text[-3] == "."
    assert codec.fen(text) == amount_fen


@pytest.mark.parametrize(("text", "expected_fen"), [("0.01", 1), ("9.9", 990), ("88", 8800), ("100000000.00", 10**10)])
def test_yuan_may_leave_decimals_out(text, expected_fen):
    assert codec.fen(text) == expected_fen


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.", ".5", "1.234", "1e2", "NaN", "１２", " 1", "1\n", "1,000", "9" * 13]
)
def test_anything_else_is_no_amount(text):
    with pytest.raises(Malformed):
        codec.fen(text)


def test_a_negative_amount_is_never_sent():
    with pytest.raises(ValueError, match="negative"):
        codec.yuan_text(-1)


def test_times_are_shanghais_whatever_zone_they_come_in():
    moment = datetime.datetime(2026, 1, 31, 16, 30, 5, tzinfo=datetime.UTC)

    assert codec.time_text(moment) == "2026-02-01 00:30:05"
    assert codec.moment("2026-02-01 00:30:05") == moment
    assert codec.moment("2026-02-01 00:30:05.123") == moment


def test_a_time_without_a_zone_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="zone"):
        codec.time_text(datetime.datetime(2026, 1, 31))  # noqa: DTZ001


# --- keys


@pytest.mark.parametrize("layout", [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8])
@pytest.mark.parametrize("headers", [True, False])
@pytest.mark.parametrize("one_line", [True, False])
def test_a_private_key_is_taken_however_it_was_pasted(layout, headers, one_line):
    text = KEY.private_bytes(serialization.Encoding.PEM, layout, serialization.NoEncryption()).decode()
    if not headers:
        text = "\n".join(text.splitlines()[1:-1])
    if one_line:
        text = text.replace("\n", "")

    assert keys.load_private_key(text).private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize("headers", [True, False])
def test_a_public_key_is_taken_with_and_without_header(headers):
    text = scripted.public_pem(KEY)
    if not headers:
        text = "".join(text.splitlines()[1:-1])

    assert keys.load_public_key(text).public_numbers() == KEY.public_key().public_numbers()


@pytest.mark.parametrize("text", ["", "not a key", "AAAA", "-----BEGIN PRIVATE KEY-----"])
def test_what_is_no_key_is_a_value_error(text):
    with pytest.raises(ValueError):
        keys.load_private_key(text)
    with pytest.raises(ValueError):
        keys.load_public_key(text)


# --- signing


@given(st.binary(max_size=300))
def test_what_we_sign_verifies(content):
    assert keys.verify(KEY.public_key(), content, keys.sign(KEY, content))


@given(content=st.binary(min_size=1, max_size=100), data=st.data())
def test_changing_any_byte_is_noticed(content, data):
    signature = keys.sign(KEY, content)
    place, change = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(1, 255))
    tampered = bytearray(content)
    tampered[place] ^= change

    assert not keys.verify(KEY.public_key(), bytes(tampered), signature)


@pytest.mark.parametrize("signature", ["", "%%%", "中文", "AAAA", "A" * 344])
def test_a_signature_that_is_none_is_no_error(signature):
    assert not keys.verify(KEY.public_key(), b"content", signature)


parameters = st.dictionaries(
    st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=10).filter(lambda name: name != "sign"),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=8,
)


@given(parameters)
def test_a_request_arrives_as_it_was_signed(sent):
    received = dict(urllib.parse.parse_qsl(codec.signed_request(sent, KEY), keep_blank_values=True))
    signature = received.pop("sign")

    assert received == {name: text for name, text in sent.items() if text}
    assert keys.verify(KEY.public_key(), codec.request_content(received), signature)


def test_a_request_signs_its_sign_type_and_leaves_out_what_is_empty():
    sent = {"b": "2", "a": "1&x=y 中", "sign_type": "RSA2", "empty": "", "sign": "old"}

    assert codec.request_content(sent) == "a=1&x=y 中&b=2&sign_type=RSA2".encode()


# --- answers


def answer(text, *, signature=None, **beside):
    signature = scripted.rsa2(KEY, text.encode()) if signature is None else signature
    rest = "".join(f',"{name}":{json.dumps(value)}' for name, value in beside.items())
    return f'{{"{MEMBER}":{text},"sign":"{signature}"{rest}}}'.encode()


def read(body, **options):
    return codec.read_response(body, member=MEMBER, keys=TRUSTED, **options)


@pytest.mark.parametrize(
    "text",
    [
        '{"code":"10000","qr_code":"https:\\/\\/qr.alipay.com\\/x"}',
        '{"code":"10000","subject":"a } \\" } { b"}',
        '{"code":"10000","x":"\\"sign\\":\\"fake\\""}',
        '{ "code" : "10000",\n "nested": {"a": [1, {"b": "}"}]} }',
        '{"code":"10000","subject":"中文 \\u4e2d 😀"}',
    ],
)
def test_the_very_bytes_are_verified_and_read(text):
    assert read(answer(text)) == json.loads(text, parse_int=str)


def test_space_around_the_members_does_not_matter():
    text = '{"code": "10000"}'

    body = f'\n{{ "{MEMBER}" :\t{text} , "sign" : "{scripted.rsa2(KEY, text.encode())}" }} '.encode()

    assert read(body) == {"code": "10000"}


def test_numbers_are_kept_as_text():
    assert read(answer('{"total_amount":12.10,"n":3}')) == {"total_amount": "12.10", "n": "3"}


def test_of_two_members_of_one_name_the_verified_one_is_read():
    genuine, forged = '{"trade_status":"WAIT_BUYER_PAY"}', '{"trade_status":"TRADE_SUCCESS"}'
    sign = scripted.rsa2(KEY, genuine.encode())

    assert read(f'{{"{MEMBER}":{genuine},"{MEMBER}":{forged},"sign":"{sign}"}}'.encode()) == json.loads(genuine)
    with pytest.raises(NotSigned):
        read(f'{{"{MEMBER}":{forged},"{MEMBER}":{genuine},"sign":"{sign}"}}'.encode())


def test_an_escaped_spelling_of_the_name_does_not_smuggle_anything_in():
    genuine, forged = '{"trade_status":"WAIT_BUYER_PAY"}', '{"trade_status":"TRADE_SUCCESS"}'
    sign = scripted.rsa2(KEY, genuine.encode())
    escaped = MEMBER.replace("a", "\\u0061")

    with pytest.raises(NotSigned):
        read(f'{{"{escaped}":{forged},"{MEMBER}":{genuine},"sign":"{sign}"}}'.encode())


@pytest.mark.parametrize("code", ["10000", "40004"])
@pytest.mark.parametrize("signature", ["", "AAAA", scripted.rsa2(scripted.rsa_key(), b'{"code":"10000"}')])
def test_without_alipays_signature_nothing_is_believed(code, signature):
    with pytest.raises(NotSigned):
        read(answer(f'{{"code":"{code}"}}', signature=signature))


def test_an_unsigned_error_tells_people_what_it_says():
    body = f'{{"{MEMBER}":{{"code":"40002","sub_code":"isv.invalid-app-id"}}}}'.encode()

    with pytest.raises(NotSigned, match=r"isv\.invalid-app-id"):
        read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b'{"alipay_trade_query_response":{"code":"10000","msg":"Suc',
        b'{"alipay_trade_query_response":"key1":"key2":',
        b'{"other_response":{},"sign":"x"}',
        b"{1:2}",
        b"[]",
        b"null",
        b'{"a":1}{"b":2}',
        b'\xff\xfe{"a":1}',
        b'{"a":' + b"[" * 200_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_garbage_is_malformed_and_nothing_worse(body):
    with pytest.raises(Malformed):
        read(body)


def test_a_signed_scalar_is_no_answer():
    with pytest.raises(Malformed):
        read(answer('"text"'))


@given(data=st.data())
def test_no_changed_byte_of_an_answer_is_believed(data):
    genuine = {"code": "10000", "trade_status": "WAIT_BUYER_PAY"}
    body = bytearray(answer(json.dumps(genuine)))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))

    with contextlib.suppress(NotSigned, Malformed):
        assert read(bytes(body)) == genuine  # believed: the change touched neither what is signed nor the signature


def test_an_encrypted_answer_is_verified_first_and_then_opened():
    key = "aa4BtZ4tspm2wnXLb1ThQA=="
    text = json.dumps(codec.encrypt('{"code":"10000"}', key))

    assert read(answer(text), aes_key=key) == {"code": "10000"}
    with pytest.raises(NotSigned):
        read(answer(text, signature="AAAA"), aes_key=key)


# --- notifications

FIELDS = {"app_id": "2021", "notify_id": "n1", "subject": "a+b 中文 & = %2B", "total_amount": "12.30"}


def test_a_notification_is_decoded_once():
    fields = codec.read_notification(scripted.signed_notification(KEY, FIELDS), TRUSTED)

    assert {name: fields[name] for name in FIELDS} == FIELDS


def test_a_notification_may_be_gbk():
    fields = FIELDS | {"charset": "GBK"}

    body = scripted.signed_notification(KEY, fields, charset="gbk")

    assert codec.read_notification(body, TRUSTED)["subject"] == FIELDS["subject"]


@pytest.mark.parametrize("keep_empty", [True, False])
def test_empty_fields_may_be_signed_or_not_and_count_for_nothing(keep_empty):
    signed = FIELDS | ({"body": ""} if keep_empty else {})
    body = scripted.signed_notification(KEY, signed) + (b"" if keep_empty else b"&body=")

    assert "body" not in codec.read_notification(body, TRUSTED)


def forged(body: bytes, **fields) -> bytes:
    return urllib.parse.urlencode(dict(urllib.parse.parse_qsl(body.decode())) | fields).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"total_amount": "0.01"},
        {"extra": "1"},
        {"sign": ""},
        {"sign": "%%"},
        {"sign_type": "RSA"},
        {"sign_type": "MD5"},
    ],
)
def test_a_changed_notification_is_not_believed(change):
    with pytest.raises(NotSigned):
        codec.read_notification(forged(scripted.signed_notification(KEY, FIELDS), **change), TRUSTED)


def test_the_signature_of_a_stranger_is_not_believed(strangers_key):
    with pytest.raises(NotSigned):
        codec.read_notification(scripted.signed_notification(strangers_key, FIELDS), TRUSTED)


@pytest.mark.parametrize("extra", [b"&total_amount=12.30", b"&total%5Famount=0.01", b"&sign=AAAA"])
def test_a_name_that_comes_twice_is_refused(extra):
    with pytest.raises(Malformed, match="two fields"):
        codec.read_notification(scripted.signed_notification(KEY, FIELDS) + extra, TRUSTED)


@pytest.mark.parametrize("body", [b"", b"\x00", b"a", b"%zz=%", b"\xff\xfe", b'{"a":1}', b"=&"])
def test_what_is_no_notification_is_refused(body):
    with pytest.raises((NotSigned, Malformed)):
        codec.read_notification(body, TRUSTED)


def test_an_endless_notification_is_refused():
    with pytest.raises(Malformed, match="too long"):
        codec.read_notification(b"a" * 70_000, TRUSTED)


@pytest.mark.parametrize("charset", ["utf-16", "rot13", "big5"])
def test_an_unknown_charset_is_refused(charset):
    with pytest.raises(Malformed):
        codec.read_notification(scripted.signed_notification(KEY, FIELDS | {"charset": charset}), TRUSTED)


def test_text_that_is_not_in_its_charset_is_refused():
    body = scripted.signed_notification(KEY, FIELDS | {"charset": "utf-8"}, charset="gbk")

    with pytest.raises(Malformed):
        codec.read_notification(body, TRUSTED)


@given(parameters)
def test_every_signed_notification_is_read_as_it_was(sent):
    sent.pop("sign_type", None)
    sent.pop("charset", None)
    expected = {name: text for name, text in sent.items() if text} | {"sign_type": "RSA2"}

    fields = codec.read_notification(scripted.signed_notification(KEY, sent), TRUSTED)

    fields.pop("sign")
    assert fields == expected
