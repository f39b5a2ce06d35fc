"""AEAD_AES_256_GCM: how APIv3 hides what only the holder of the APIv3 key may read."""

import base64
import secrets
import string

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALGORITHM = "AEAD_AES_256_GCM"
NONCE_ALPHABET = string.ascii_letters + string.digits


def envelope(text: str, *, api_v3_key: str, associated_data: str) -> dict[str, str]:
    """`text` encrypted, and what is needed to read it. The ciphertext ends with the 16 bytes of its tag."""
    nonce = "".join(secrets.choice(NONCE_ALPHABET) for _ in range(12))
    sealed = AESGCM(api_v3_key.encode()).encrypt(nonce.encode(), text.encode(), associated_data.encode())
    return {
        "algorithm": ALGORITHM,
        "ciphertext": base64.b64encode(sealed).decode(),
        "nonce": nonce,
        "associated_data": associated_data,
    }
