"""
WeChat Pay v2's wire format: what is signed, what is sealed, what is believed. Bytes in, bytes out; no I/O, no clock.

- Every message signs its non-empty fields but `sign`, raw, sorted by the bytes of their names, with the merchant's
  key at the end. The key is WeChat's and ours alike: whoever holds it can sign as either.
- MD5 and HMAC-SHA256 are both taken from WeChat whatever `sign_type` says: notices have come signed with MD5 for
  orders that were placed with HMAC-SHA256 (about one in 1,600, says developers.weixin.qq.com).
- `return_code` FAIL comes unsigned: it is told to people and nothing follows from it.
- A refund notice is not signed but sealed (AES-256-ECB under the digest of the key).

Source: pay.weixin.qq.com/wiki/doc/api/H5.php?chapter=4_3 and /doc/v2/merchant/4011937248
"""

import base64
import datetime
import hashlib
import hmac
import re
import zoneinfo
from collections.abc import Mapping

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from payments.gateways.wechat_v2 import markup
from payments.gateways.wechat_v2.markup import Malformed

MD5, HMAC_SHA256 = "MD5", "HMAC-SHA256"
SIGN_TYPES = (MD5, HMAC_SHA256)
SUCCESS = "SUCCESS"


class NotSigned(ValueError):
    """Not proven to be WeChat's: the signature (or the seal) is missing or wrong."""


# --- money and time -------------------------------------------------------------------------------------------------

SHANGHAI = zoneinfo.ZoneInfo("Asia/Shanghai")  # WeChat's times carry no zone and mean this one
_FEN = re.compile(r"[0-9]{1,12}")
_TIMES = (
    (re.compile(r"[0-9]{14}"), "%Y%m%d%H%M%S"),  # payments
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}"), "%Y-%m-%d %H:%M:%S"),  # refunds
)


def fen(text: str) -> int:
    if not _FEN.fullmatch(text):
        raise Malformed(f"not an amount in fen: {text[:32]!r}")
    return int(text)


def time_text(moment: datetime.datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(SHANGHAI).strftime("%Y%m%d%H%M%S")


def moment(text: str) -> datetime.datetime:
    for shape, form in _TIMES:
        if shape.fullmatch(text):
            try:
                return datetime.datetime.strptime(text, form).replace(tzinfo=SHANGHAI)
            except ValueError as error:
                raise Malformed(f"not a time: {text!r}") from error
    raise Malformed(f"not a time: {text[:32]!r}")


# --- signing --------------------------------------------------------------------------------------------------------


def content(fields: Mapping[str, str], *, api_key: str) -> bytes:
    """What a message signs. It ends in the key: never to be logged."""
    covered = sorted(
        (name.encode(), text.encode()) for name, text in fields.items() if text and name != "sign"
    )  # fmt: skip
    return b"&".join(name + b"=" + text for name, text in [*covered, (b"key", api_key.encode())])


def sign(fields: Mapping[str, str], *, api_key: str, sign_type: str) -> str:
    signed = content(fields, api_key=api_key)
    if sign_type == HMAC_SHA256:
        return hmac.new(api_key.encode(), signed, hashlib.sha256).hexdigest().upper()
    return hashlib.md5(signed, usedforsecurity=False).hexdigest().upper()


def is_signed(fields: Mapping[str, str], *, api_key: str) -> bool:
    """Whether the message was signed with the key, in either way, in upper case as WeChat writes it."""
    given = fields.get("sign", "").encode()
    ways = [sign(fields, api_key=api_key, sign_type=each).encode() for each in SIGN_TYPES]
    return any([hmac.compare_digest(given, expected) for expected in ways])  # noqa: C419 - always both


def signed_request(fields: Mapping[str, str], *, api_key: str, sign_type: str) -> bytes:
    return markup.write({**fields, "sign": sign(fields, api_key=api_key, sign_type=sign_type)})


# --- reading --------------------------------------------------------------------------------------------------------


def read_signed(body: bytes, *, api_key: str) -> dict[str, str]:
    """
    The verified fields of an answer or of a payment notice.

    :raises NotSigned: the signature is wrong or missing. What an unsigned message says is in the error, for people.
    :raises Malformed: not a message of WeChat's
    """
    fields = markup.read(body)
    if not fields.get("sign"):
        told = f"{fields.get('return_code', '')} {fields.get('return_msg', '')}".strip()
        raise NotSigned(f"unsigned: {told[:200]}")
    if not is_signed(fields, api_key=api_key):
        raise NotSigned("wrong signature")
    return fields


def unseal(req_info: str, *, api_key: str) -> dict[str, str]:
    """
    What a refund notice tells. That it opens is the only proof of where it comes from.

    :raises NotSigned: it does not open, or opens to something that is not a refund notice
    """
    key = hashlib.md5(api_key.encode(), usedforsecurity=False).hexdigest().encode()
    try:
        return markup.read(decrypt(req_info, key=key), root="root")
    except ValueError as error:
        raise NotSigned(f"not sealed with our key: {error}") from error


def decrypt(text: str, *, key: bytes) -> bytes:
    """AES-256-ECB with PKCS#7, as WeChat prescribes. :raises ValueError: not encrypted under this key"""
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 - WeChat's choice
    unpadder = padding.PKCS7(128).unpadder()
    padded = decryptor.update(base64.b64decode(text, validate=True)) + decryptor.finalize()
    return unpadder.update(padded) + unpadder.finalize()
