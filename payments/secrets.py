"""
Secrets at rest: AES-256-GCM under a key ring, bound to where they belong.

A sealed text is `key_id:base64(nonce + ciphertext)`. The context (model, field and a UUID minted in Python before
the row exists) is authenticated with it, so that a ciphertext moved to another row or field does not open.
"""

import base64
import functools
import hashlib
import os
import uuid

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NONCE_BYTES = 12


class CannotUnseal(Exception):
    """The text was not sealed for this place, or by a key that is no longer on the ring."""


@functools.lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> dict[str, AESGCM]:
    if not keys:
        raise ImproperlyConfigured("ENCRYPTION_KEYS is empty: set id:base64 of 32 random bytes")
    pairs = (entry.split(":", 1) for entry in keys)
    return {key_id: AESGCM(base64.b64decode(key)) for key_id, key in pairs}


def context(*, model: str, field: str, uid: uuid.UUID) -> bytes:
    return f"{model}:{field}:{uid}".encode()


def seal(*, text: str, context: bytes) -> str:
    """Encrypt `text` for `context` under the first key of the ring."""
    ring = _ring(tuple(settings.ENCRYPTION_KEYS))
    key_id = next(iter(ring))
    nonce = os.urandom(NONCE_BYTES)
    sealed = nonce + ring[key_id].encrypt(nonce, text.encode(), context)
    return f"{key_id}:{base64.b64encode(sealed).decode()}"


def unseal(*, sealed: str, context: bytes) -> str:
    """
    Return the text that was sealed for `context`.

    :raises CannotUnseal: if it was sealed elsewhere, tampered with, or its key is gone
    """
    key_id, _, body = sealed.partition(":")
    try:
        raw = base64.b64decode(body, validate=True)
        return (
            _ring(tuple(settings.ENCRYPTION_KEYS))[key_id]
            .decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context)
            .decode()
        )
    except (KeyError, ValueError, InvalidTag):
        raise CannotUnseal(key_id) from None


def fingerprint(text: str) -> str:
    """What staff may see of a secret: the last eight characters of its SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[-8:]
