"""
Alipay's keys and certificates, and RSA2 (SHA256withRSA, PKCS#1 v1.5), the one way of signing that is used here.

Keys are read once, when an account is opened; reading a PEM costs more than a signature does.
"""

import base64
import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

_RSA = "1.2.840.113549.1.1."  # the family of RSA's object identifiers
_RSA_DER = bytes.fromhex("2a864886f70d0101")


def sign(key: RSAPrivateKey, content: bytes) -> str:
    return base64.b64encode(key.sign(content, PKCS1v15(), hashes.SHA256())).decode()


def verify(key: RSAPublicKey, content: bytes, signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), content, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def load_private_key(text: str) -> RSAPrivateKey:
    """PKCS#1 or PKCS#8, as PEM or as the bare base64 that Alipay's key tool gives out."""
    match serialization.load_der_private_key(_der(text), password=None):
        case RSAPrivateKey() as key:
            return key
    raise ValueError("not an RSA key")


def load_public_key(text: str) -> RSAPublicKey:
    """PEM or bare base64."""
    match serialization.load_der_public_key(_der(text)):
        case RSAPublicKey() as key:
            return key
    raise ValueError("not an RSA key")


def _der(text: str) -> bytes:
    # The DER itself says what it is; header lines are often lost or wrong by the time a key has been pasted.
    return base64.b64decode(re.sub(r"-----[A-Z0-9 ]+-----|\s", "", text), validate=True)


def load_certificates(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode())


def certificate_serial(certificate: x509.Certificate) -> str:
    """The `…_cert_sn` of a certificate: MD5 over issuer (most specific name first) and decimal serial number."""
    names = [f"{name.rfc4514_attribute_name}={name.value!s}" for name in reversed(list(certificate.issuer))]
    return hashlib.md5(f"{','.join(names)}{certificate.serial_number}".encode(), usedforsecurity=False).hexdigest()


def root_serial(pem: str) -> str:
    """
    `alipay_root_cert_sn`: of the chain file's certificates those that are signed with RSA, joined.

    Alipay's file also holds SM2 certificates that strict parsers refuse, so what has no RSA in it is not parsed.
    """
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", pem, re.DOTALL)
    certificates = [x509.load_der_x509_certificate(der) for der in map(_der, blocks) if _RSA_DER in der]
    rsa_signed = [c for c in certificates if c.signature_algorithm_oid.dotted_string.startswith(_RSA)]
    return "_".join(map(certificate_serial, rsa_signed))


@dataclasses.dataclass(frozen=True)
class TrustedKeys:
    """Alipay's public keys. In certificate mode a message names the certificate that it was signed with."""

    default: RSAPublicKey
    by_serial: Mapping[str, RSAPublicKey] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_certificates(cls, pem: str) -> Self:
        """Alipay's own certificate first; its next one may follow while they are being exchanged."""
        keys: dict[str, RSAPublicKey] = {}
        for certificate in load_certificates(pem):
            if isinstance(key := certificate.public_key(), RSAPublicKey):
                keys[certificate_serial(certificate)] = key
        if not keys:
            raise ValueError("no RSA certificate")
        return cls(default=next(iter(keys.values())), by_serial=keys)

    def verify(self, content: bytes, signature: str, *, serial: str = "") -> bool:
        return verify(self.by_serial.get(serial, self.default), content, signature)
