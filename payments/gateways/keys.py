"""
RSA keys and certificates, and SHA256 with RSA (PKCS#1 v1.5), the one way of signing that gateways and we use: Alipay
calls it RSA2, WeChat Pay WECHATPAY2-SHA256-RSA2048.

Keys are read once, when an account is opened; reading a PEM costs more than a signature does.
"""

import base64
import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey


def sign(key: RSAPrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content, PKCS1v15(), hashes.SHA256())).decode()


def verify(key: RSAPublicKey, content: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), content, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def load_private_key(text: str) -> RSAPrivateKey:
    """PKCS#1 or PKCS#8, as PEM or as the bare base64 that key tools give out."""
    try:
        match serialization.load_der_private_key(der(text), password=None):
            case RSAPrivateKey() as key:
                return key
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: under a password
        raise ValueError("not an RSA private key") from error
    raise ValueError("not an RSA private key")


def load_public_key(text: str) -> RSAPublicKey:
    """PEM or bare base64."""
    try:
        match serialization.load_der_public_key(der(text)):
            case RSAPublicKey() as key:
                return key
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("not an RSA public key") from error
    raise ValueError("not an RSA public key")


def der(text: str) -> bytes:
    # The DER itself says what it is; header lines are often lost or wrong by the time a key has been pasted.
    return base64.b64decode(re.sub(r"-----[A-Z0-9 ]+-----|\s", "", text), validate=True)


def load_certificates(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode())
