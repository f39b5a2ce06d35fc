"""
Alipay's wire format: what is signed, what is sent, what is believed. Bytes in, bytes out; no I/O, no clock.

- A request signs every non-empty parameter but `sign`, raw, sorted by name; `sign_type` is signed.
- An answer is signed over the exact bytes of one member of a JSON object, so those bytes are what is verified and
  what is parsed; nothing is ever re-serialised.
- A notification leaves out `sign` and `sign_type`. As `sign_type` is not covered, the message must not choose the
  algorithm: RSA2 is the only one here.
"""

import base64
import datetime
import itertools
import json
import re
import zoneinfo
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from payments.gateways.alipay.keys import TrustedKeys
from payments.gateways.keys import sign


class Malformed(ValueError):
    """Not what Alipay sends."""


class NotSigned(ValueError):
    """Not proven to be Alipay's: the signature is missing or wrong."""


# --- money and time -------------------------------------------------------------------------------------------------

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")  # Alipay's times carry no zone and mean this one
_TIME = "%Y-%m-%d %H:%M:%S"
_YUAN = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?")


def yuan_text(amount_fen: int) -> str:
    """1234 → `12.34`."""
    if amount_fen < 0:
        raise ValueError("Alipay knows no negative amounts")
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def fen(yuan: str) -> int:
    """`12.34`, `12.3`, `12` → integer fen."""
    if not (match := _YUAN.fullmatch(yuan)):
        raise Malformed(f"not an amount in yuan: {yuan[:32]!r}")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def time_text(moment: datetime.datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(SHANGHAI).strftime(_TIME)


def moment(text: str) -> datetime.datetime:
    try:  # refunds tell milliseconds, too
        return datetime.datetime.strptime(text.partition(".")[0], _TIME).replace(tzinfo=SHANGHAI)
    except ValueError as error:
        raise Malformed(f"not a time: {text[:32]!r}") from error


# --- requests -------------------------------------------------------------------------------------------------------


def request_content(parameters: Mapping[str, str]) -> bytes:
    """What a request signs."""
    return "&".join(f"{name}={text}" for name, text in sorted(parameters.items()) if text and name != "sign").encode()


def signed_request(parameters: Mapping[str, str], key: RSAPrivateKey) -> str:
    """
    The request, form-encoded: the body of a POST, the query of a payment page, the order string of an app.

    An app passes the order string on to Alipay's SDK byte for byte.
    """
    sent = {name: text for name, text in parameters.items() if text}
    return urlencode(sorted({**sent, "sign": sign(key, request_content(sent))}.items()))


# --- answers --------------------------------------------------------------------------------------------------------

_decode_value = json.JSONDecoder().raw_decode
_space = re.compile(r"[ \t\r\n]*")


def response_member(method: str) -> str:
    """`alipay.trade.query` → `alipay_trade_query_response`."""
    return method.replace(".", "_") + "_response"


def read_response(body: bytes, *, member: str, keys: TrustedKeys, aes_key: str = "") -> dict[str, Any]:
    """
    The verified content of an answer, numbers as their text.

    :raises NotSigned: the signature is wrong or missing. Alipay leaves many errors unsigned; what they say is in
        the message, for people: it may be true, but nothing may follow from it.
    :raises Malformed: not an answer of Alipay's
    """
    try:
        parts = members(body.decode())
        name = member if member in parts else "error_response"
        signature, serial = (json.loads(parts.get(part, '""')) for part in ("sign", "alipay_cert_sn"))
        if not signature:
            raise NotSigned(f"unsigned answer: {parts[name][:200]}")
        if not keys.verify(parts[name].encode(), str(signature), serial=str(serial)):
            raise NotSigned(f"wrong signature on {name}")
        return _content(parts[name], aes_key)
    except KeyError as error:
        raise Malformed(f"neither {member} nor error_response in the answer") from error
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except (NotSigned, Malformed):
        raise
    except ValueError as error:
        raise Malformed(f"not JSON: {error}") from error


def _content(verified: str, aes_key: str) -> dict[str, Any]:
    content = json.loads(verified, parse_float=str, parse_int=str)
    if aes_key and isinstance(content, str):
        content = json.loads(decrypt(content, aes_key), parse_float=str, parse_int=str)
    if not isinstance(content, dict):
        raise Malformed("the answer is not an object")
    return content


def members(text: str) -> dict[str, str]:
    """
    The members of a JSON object, each as the exact text that came. The first of two equal names counts.

    :raises ValueError: not a JSON object
    """
    found: dict[str, str] = {}
    position, mark = _skip(text, 0, "{")
    while mark != "}":
        name, position = _decode_value(text, position)
        position, _ = _skip(text, position, ":")
        value_start = position
        _, position = _decode_value(text, value_start)
        found.setdefault(str(name), text[value_start:position])
        position, mark = _skip(text, position, ",}")
    if position != len(text):
        raise Malformed("something follows the answer")
    return found


def _skip(text: str, position: int, expected: str) -> tuple[int, str]:
    """Step over one of the expected marks and the space around it."""
    position = _space_end(text, position)
    mark = text[position : position + 1]
    if not mark or mark not in expected:
        raise Malformed(f"expected one of {expected} at {position}")
    return _space_end(text, position + 1), mark


def _space_end(text: str, position: int) -> int:
    match = _space.match(text, position)
    return match.end() if match else position


# --- notifications --------------------------------------------------------------------------------------------------

MAX_NOTIFICATION_BYTES = 64 * 1024
CHARSETS = {b"utf-8", b"gbk", b"gb2312", b"gb18030"}


def read_notification(body: bytes, keys: TrustedKeys) -> dict[str, str]:
    """
    The verified fields of a notification; an empty field is no field.

    :raises NotSigned: the signature is missing, wrong or not RSA2
    :raises Malformed: not a form, a name comes twice, or the text is not in the charset it names
    """
    fields = form_fields(body)
    signature, serial = (fields.get(name, b"").decode("latin-1") for name in (b"sign", b"alipay_cert_sn"))
    if fields.get(b"sign_type", b"RSA2") != b"RSA2":
        raise NotSigned("signed with another algorithm than RSA2")
    if not any(keys.verify(content, signature, serial=serial) for content in notification_contents(fields)):
        raise NotSigned("wrong or missing signature")
    charset = fields.get(b"charset", b"utf-8").lower()
    if charset not in CHARSETS:
        raise Malformed("unknown charset")
    try:
        return {name.decode("ascii"): value.decode(charset.decode()) for name, value in fields.items() if value}
    except UnicodeDecodeError as error:
        raise Malformed(f"not {charset.decode()}") from error


def form_fields(body: bytes) -> dict[bytes, bytes]:
    """A form, decoded exactly once and kept as bytes: a signature covers bytes, in whatever charset."""
    if len(body) > MAX_NOTIFICATION_BYTES:
        raise Malformed("too long")
    fields: dict[bytes, bytes] = {}
    for pair in body.split(b"&"):
        name, value = (unquote_to_bytes(part.replace(b"+", b" ")) for part in pair.partition(b"=")[::2])
        if name in fields:
            raise Malformed(f"two fields named {name[:32]!r}")
        fields[name] = value
    return fields


def notification_contents(fields: Mapping[bytes, bytes]) -> Iterator[bytes]:
    """
    What a notification's signature may cover.

    Alipay's Java side keeps empty values where its PHP side drops them, and accounts differ on `alipay_cert_sn`.
    Whichever verifies was signed with Alipay's key; none of the variants lets anyone else change what we read.
    """
    for dropped, keep_empty in itertools.product(((), (b"alipay_cert_sn",)), (True, False)):
        covered = {
            name: value
            for name, value in sorted(fields.items())
            if name not in (b"sign", b"sign_type", *dropped) and (value or keep_empty)
        }
        yield b"&".join(name + b"=" + value for name, value in covered.items())


# --- content encryption ---------------------------------------------------------------------------------------------


def encrypt(text: str, aes_key: str) -> str:
    """AES-CBC with PKCS#7 under a base64 key and a zero vector, as Alipay prescribes. Integrity is the signature's."""
    padder = padding.PKCS7(128).padder()
    encryptor = _aes(aes_key).encryptor()
    padded = padder.update(text.encode()) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt(text: str, aes_key: str) -> str:
    """:raises ValueError: not encrypted under this key"""
    decryptor = _aes(aes_key).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    padded = decryptor.update(base64.b64decode(text, validate=True)) + decryptor.finalize()
    return (unpadder.update(padded) + unpadder.finalize()).decode()


def _aes(aes_key: str) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(base64.b64decode(aes_key, validate=True)), modes.CBC(bytes(16)))
