"""
v2's digests. Signed are the non-empty fields in byte order, and the key behind them.

The refund notice carries no signature: what it tells is encrypted under the key's digest instead.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

MD5, HMAC_SHA256 = SIGN_TYPES = ("MD5", "HMAC-SHA256")


def sign(fields: Mapping[str, str | int], *, key: str, sign_type: str) -> str:
    """The signature over all of `fields` but `sign`, in upper-case hex."""
    names = sorted((name for name in fields if name != "sign" and str(fields[name])), key=str.encode)
    text = "&".join(f"{name}={fields[name]}" for name in names) + f"&key={key}"
    if sign_type == HMAC_SHA256:
        return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest().upper()
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def verifies(fields: Mapping[str, str], signature: str, *, key: str, sign_type: str) -> bool:
    return hmac.compare_digest(sign(fields, key=key, sign_type=sign_type).encode(), signature.encode())


def hide(text: str, *, key: str) -> str:
    """A refund notice's `req_info`: AES-256-ECB under the lower-case hex of the key's MD5, in base64."""
    secret = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest().encode()
    padder, encryptor = PKCS7(128).padder(), Cipher(algorithms.AES(secret), modes.ECB()).encryptor()  # noqa: S305
    padded = padder.update(text.encode()) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()
