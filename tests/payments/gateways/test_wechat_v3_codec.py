import base64
import contextlib
import datetime
import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways import keys
from payments.gateways.wechat_v3 import codec
from payments.gateways.wechat_v3.codec import Malformed, NotOurs, NotSigned
from payments.gateways.wechat_v3.keys import PlatformKeys
from tests.payments.gateways import certificates, scripted
from tests.payments.gateways.wechat_v3_samples import BEIJING, KEY_ID, signature_headers

KEY = scripted.rsa_key()  # one for the properties below: Hypothesis takes no function-scoped fixtures
TRUSTED = PlatformKeys.read(public_key_id=KEY_ID, public_key=scripted.public_pem(KEY))
NOW = datetime.datetime(2026, 1, 31, 4, tzinfo=datetime.UTC)
API_KEY = b"0123456789abcdef0123456789abcdef"


def signed(body, **change):
    return {**signature_headers(KEY, body, timestamp=int(NOW.timestamp())), **change}


# --- time


def test_times_are_sent_as_beijings_whatever_zone_they_come_in():
    moment = datetime.datetime(2026, 1, 31, 16, 30, 5, 999_999, tzinfo=datetime.UTC)

    assert codec.time_text(moment) == "2026-02-01T00:30:05+08:00"


@pytest.mark.parametrize(
    "text", ["2026-02-01T00:30:05+08:00", "2026-01-31T16:30:05Z", "2026-01-31T16:30:05.000+00:00"]
)  # fmt: skip
def test_times_are_read_with_their_zone(text):
    assert codec.moment(text) == datetime.datetime(2026, 2, 1, 0, 30, 5, tzinfo=BEIJING)


@pytest.mark.parametrize("text", ["", "2026-02-01T00:30:05", "2026-02-01", "20260201003005", "yesterday"])
def test_a_time_without_a_zone_is_no_time(text):
    with pytest.raises(Malformed):
        codec.moment(text)


# --- signatures


@given(st.binary(max_size=300))
def test_whatever_wechat_signed_is_believed(body):
    codec.check_signature(signed(body), body, keys=TRUSTED, at=NOW)


@given(st.binary(min_size=1, max_size=100), st.data())
def test_changing_any_byte_is_noticed(body, data):
    position = data.draw(st.integers(min_value=0, max_value=len(body) - 1))
    changed = bytearray(body)
    changed[position] ^= data.draw(st.integers(min_value=1, max_value=255))

    with pytest.raises(NotSigned, match="wrong signature"):
        codec.check_signature(signed(body), bytes(changed), keys=TRUSTED, at=NOW)


@given(
    st.fixed_dictionaries(
        {}, optional={f"Wechatpay-{name}": st.text() for name in ("Timestamp", "Nonce", "Serial", "Signature")}
    )
)
def test_no_header_does_worse_than_be_refused(headers):
    with pytest.raises(NotSigned):
        codec.check_signature(headers, b"{}", keys=TRUSTED, at=NOW)


@pytest.mark.parametrize(("late", "is_fresh"), [(299.9, True), (300, False), (-299.9, True), (-300, False)])
def test_five_minutes_are_too_much_to_the_second(late, is_fresh):
    headers = signed(b"")

    with contextlib.nullcontext() if is_fresh else pytest.raises(NotSigned, match="not now"):
        codec.check_signature(headers, b"", keys=TRUSTED, at=NOW + datetime.timedelta(seconds=late))


def test_a_request_signs_its_five_lines():
    content = codec.request_content(method="POST", target="/v3/a?b=c", timestamp="1", nonce="n", body="中\n".encode())

    assert content.decode() == "POST\n/v3/a?b=c\n1\nn\n中\n\n"


def test_serial_numbers_are_compared_as_numbers_and_key_ids_as_words():
    certificate = certificates.certificate(KEY.public_key(), issuer_key=KEY)
    trusted = PlatformKeys.read(certificates=certificates.pem(certificate))
    spellings = [f"{certificate.serial_number:{form}}" for form in ("X", "x", "040X", "048x")]

    assert all(spelling in trusted for spelling in spellings)
    assert all(trusted.verify(b"x", keys.sign(KEY, b"x"), serial=spelling) for spelling in spellings)
    assert f"1{spellings[0]}" not in trusted
    assert "" not in trusted
    assert "" not in TRUSTED


# --- JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON))
def test_every_json_object_is_read_as_it_is(content):
    assert codec.read_object(json.dumps(content).encode()) == content


@given(st.binary(max_size=200) | st.text().map(str.encode))
def test_anything_else_is_malformed_and_nothing_worse(text):
    with contextlib.suppress(Malformed):
        assert isinstance(codec.read_object(text), dict)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":1,"a":1}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b"[{}]",
        b'"{}"',
        b"{}{}",
        b'{"a":' * 20_000,
        b'{"a":' + b"1" * 5_000 + b"}",
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_json_is_read_strictly(text):
    with pytest.raises(Malformed):
        codec.read_object(text)


@pytest.mark.parametrize("total", ["1", 1.0, True, -1, None, [1], {"total": 1}])
def test_a_sum_is_whole_fen(total):
    with pytest.raises(Malformed, match="no total in fen"):
        codec.fen({"total": total}, "total", is_needed=True)


# --- content encryption


@given(st.binary(max_size=300), st.text(max_size=50), st.text("0123456789abcdef", min_size=12, max_size=12))
def test_what_was_sealed_opens_and_what_was_changed_does_not(content, associated_data, nonce):
    sealed = AESGCM(API_KEY).encrypt(nonce.encode(), content, associated_data.encode())
    ciphertext = base64.b64encode(sealed).decode()

    assert codec.decrypt(ciphertext, key=API_KEY, nonce=nonce, associated_data=associated_data) == content
    for key, data in ((API_KEY[::-1], associated_data), (API_KEY, f"{associated_data}x")):
        with pytest.raises(NotOurs):
            codec.decrypt(ciphertext, key=key, nonce=nonce, associated_data=data)


@pytest.mark.parametrize("nonce", ["01234567", "0123456789abcdef", "中" * 5])
def test_a_nonce_has_twelve_bytes(nonce):
    sealed = base64.b64encode(AESGCM(API_KEY).encrypt(nonce.encode(), b"{}", b"")).decode()

    with pytest.raises(Malformed, match="a nonce of"):
        codec.decrypt(sealed, key=API_KEY, nonce=nonce, associated_data="")


@given(st.text(max_size=100), st.text(max_size=20), st.text(max_size=20))
def test_nonsense_does_no_worse_than_not_open(ciphertext, nonce, associated_data):
    with pytest.raises((Malformed, NotOurs)):
        codec.decrypt(ciphertext, key=API_KEY, nonce=nonce, associated_data=associated_data)
