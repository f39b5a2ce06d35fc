"""
WeChat Pay APIv3's wire format: what is signed, what is encrypted, what is believed. Bytes in, bytes out; no I/O, no
clock.

- A request signs method, path with query, time, nonce and body, each followed by a line feed.
- An answer and a notification sign time, nonce and body, over the exact bytes that came; nothing is ever
  re-serialised.
- What a notification tells is encrypted besides, with AES-256-GCM under the APIv3 key.

Source: wechatpay-api.gitbook.io/wechatpay-api-v3; the probes: pay.weixin.qq.com/doc/v3/merchant/4016241880
"""

import base64
import datetime
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from payments.gateways.keys import sign
from payments.gateways.wechat_v3.keys import PlatformKeys


class Malformed(ValueError):
    """Not what WeChat Pay sends."""


class NotSigned(ValueError):
    """Not proven to be WeChat Pay's: the signature is missing, wrong, stale or of an unknown key."""


class NotOurs(ValueError):
    """WeChat Pay's, but for another merchant (encrypted under another APIv3 key) or about something else."""


# --- time -----------------------------------------------------------------------------------------------------------

BEIJING = datetime.timezone(datetime.timedelta(hours=8))


def time_text(moment: datetime.datetime) -> str:
    """`2026-01-31T12:00:00+08:00`."""
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


def moment(text: str) -> datetime.datetime:
    try:
        read = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed(f"not a time: {text[:32]!r}") from error
    if read.tzinfo is None:
        raise Malformed(f"a time without a zone: {text[:32]!r}")
    return read


# --- what we sign ---------------------------------------------------------------------------------------------------

SCHEME = "WECHATPAY2-SHA256-RSA2048"


def lines(*parts: str) -> bytes:
    """What is signed, wherever WeChat signs text: each part with a line feed behind it, the last one too."""
    return "".join(f"{part}\n" for part in parts).encode()


def request_content(*, method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """`target` is the path with its query, as it stands in the request line."""
    return lines(method, target, timestamp, nonce) + body + b"\n"


def authorization(*, merchant_id: str, serial_no: str, timestamp: str, nonce: str, signature: str) -> str:
    """The header by which a request says who signed it. The order of its parts is free."""
    return (
        f'{SCHEME} mchid="{merchant_id}",serial_no="{serial_no}",timestamp="{timestamp}",'
        f'nonce_str="{nonce}",signature="{signature}"'
    )


def jsapi_parameters(key: RSAPrivateKey, *, app_id: str, package: str, timestamp: str, nonce: str) -> dict[str, str]:
    """What a page inside WeChat needs to open the payment."""
    return {
        "appId": app_id,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": sign(key, lines(app_id, timestamp, nonce, package)),
    }


def app_parameters(
    key: RSAPrivateKey, *, app_id: str, merchant_id: str, prepay_id: str, timestamp: str, nonce: str
) -> dict[str, str]:
    """What an app's SDK needs to open the payment. Unlike JSAPI it signs the bare prepay id."""
    return {
        "appid": app_id,
        "partnerid": merchant_id,
        "prepayid": prepay_id,
        "package": "Sign=WXPay",
        "noncestr": nonce,
        "timestamp": timestamp,
        "sign": sign(key, lines(app_id, timestamp, nonce, prepay_id)),
    }


# --- what WeChat signs ----------------------------------------------------------------------------------------------

FRESH_SECONDS = 300  # either way, and 300 is too much, as in WeChat's own SDKs
MAX_NOTIFICATION_BYTES = 64 * 1024
PROBE = "WECHATPAY/SIGNTEST/"  # WeChat sends wrong signatures on purpose, to see that they are refused

_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[!-~]{1,128}")  # a line feed would move the borders of what is signed


def check_signature(headers: Mapping[str, str], body: bytes, *, keys: PlatformKeys, at: datetime.datetime) -> None:
    """
    :raises NotSigned: the message is not proven to be WeChat Pay's, sent within five minutes of `at`
    """
    named = {name.lower(): text for name, text in headers.items()}
    timestamp, nonce, serial, signature = (
        named.get(f"wechatpay-{part}", "") for part in ("timestamp", "nonce", "serial", "signature")
    )
    if not signature:
        raise NotSigned("unsigned")
    if signature.startswith(PROBE):
        raise NotSigned("one of WeChat's probes, wrongly signed on purpose")
    if not _TIMESTAMP.fullmatch(timestamp) or not _NONCE.fullmatch(nonce):
        raise NotSigned("signed without a time or a nonce")
    if abs(at.timestamp() - int(timestamp)) >= FRESH_SECONDS:
        raise NotSigned(f"signed at {timestamp}, which is not now")
    if serial not in keys:
        raise NotSigned(f"signed with an unknown key, {serial[:64]!r}")
    if not keys.verify(lines(timestamp, nonce) + body + b"\n", signature, serial=serial):
        raise NotSigned("wrong signature")


def read_object(text: bytes) -> dict[str, Any]:
    """
    A JSON object in UTF-8. A name may not come twice: who reads the first and who reads the last would disagree.

    :raises Malformed: not such an object
    """
    try:
        content = json.loads(text.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except Malformed:
        raise
    except RecursionError as error:
        raise Malformed("nested too deeply") from error
    except ValueError as error:
        raise Malformed(f"not JSON: {error}") from error
    if not isinstance(content, dict):
        raise Malformed("not an object")
    return content


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise Malformed("a name comes twice")
    return content


def _no_number(word: str) -> Any:
    raise Malformed(f"{word} is not JSON")


def printable(text: str) -> str:
    """What somebody else wrote, so that it can be kept and shown: no control characters, no halves of characters."""
    return "".join(character if character.isprintable() else " " for character in text)


# --- members --------------------------------------------------------------------------------------------------------


def text(content: Mapping[str, Any], name: str, *, is_needed: bool = False) -> str:
    """A member of an object; empty where it is missing and not needed."""
    found = content.get(name)
    if found is None:
        found = ""
    if not isinstance(found, str) or not found.isprintable() or (is_needed and not found):
        raise Malformed(f"no {name}")
    return found


def member(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object inside an object; empty where it is missing."""
    found = content.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Malformed(f"{name} is not an object")
    return found


def fen(amount: Mapping[str, Any], name: str, *, is_needed: bool = False) -> int | None:
    """A sum in an `amount`: whole fen, never a float, never another currency."""
    found = amount.get(name)
    if found is None and not is_needed:
        return None
    if type(found) is not int or found < 0 or amount.get("currency", "CNY") != "CNY":
        raise Malformed(f"no {name} in fen")
    return found


# --- content encryption ---------------------------------------------------------------------------------------------

ALGORITHM = "AEAD_AES_256_GCM"
NONCE_BYTES = 12


def open_sealed(sealed: Mapping[str, Any], *, key: bytes) -> bytes:
    """
    What a notification's `resource` or a certificate's `encrypt_certificate` holds.

    :raises Malformed: not sealed as WeChat seals
    :raises NotOurs: sealed under another key, or changed
    """
    if text(sealed, "algorithm") != ALGORITHM:
        raise Malformed(f"encrypted with {text(sealed, 'algorithm')[:32]!r}")
    return decrypt(
        text(sealed, "ciphertext"),
        key=key,
        nonce=text(sealed, "nonce"),
        associated_data=text(sealed, "associated_data"),
    )


def decrypt(ciphertext: str, *, key: bytes, nonce: str, associated_data: str) -> bytes:
    """`ciphertext` is base64; its last 16 bytes are the tag. See `open_sealed` for what it raises."""
    try:
        iv, aad, sealed = nonce.encode(), associated_data.encode(), base64.b64decode(ciphertext, validate=True)
        if len(iv) != NONCE_BYTES:
            raise Malformed(f"a nonce of {len(iv)} bytes")
        return AESGCM(key).decrypt(iv, sealed, aad)
    except InvalidTag as error:
        raise NotOurs("encrypted under another APIv3 key than ours") from error
    except ValueError as error:
        raise Malformed(f"not encrypted as WeChat does: {error}") from error
