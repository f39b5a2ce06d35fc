"""SHA-256 with RSA, PKCS#1 v1.5, in base64: what Alipay calls RSA2 and WeChat Pay SHA256-RSA2048."""

import base64
import binascii
import functools

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class UnusableKey(Exception):
    """Not an RSA public key of 2048 bits or more."""


def sign(text: str, *, private_key: str) -> str:
    signature = _load_private_key(private_key).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode()


def verifies(text: str, signature: str, *, public_key: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
        load_public_key(public_key).verify(raw, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def load_public_key(text: str) -> rsa.RSAPublicKey:
    """
    A PEM public key, or its bare base64 as the gateways' consoles show it.

    :raises UnusableKey: anything else
    """
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
        else:
            key = serialization.load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except ValueError as error:
        raise UnusableKey(str(error)) from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
        raise UnusableKey("the gateways take RSA keys of 2048 bits or more")
    return key


def public_pem(key: rsa.RSAPublicKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(encoding, form).decode()


def new_private_key() -> tuple[str, rsa.RSAPrivateKey]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode(), key


@functools.lru_cache(maxsize=64)  # reading one costs more than signing with it
def _load_private_key(text: str) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(text.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key
