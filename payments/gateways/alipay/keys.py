"""Which of Alipay's keys a message is verified with, and the serial numbers by which Alipay names certificates."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from payments.gateways.keys import der, load_certificates, verify

_RSA = "1.2.840.113549.1.1."  # the family of RSA's object identifiers
_RSA_DER = bytes.fromhex("2a864886f70d0101")


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
    certificates = [x509.load_der_x509_certificate(block) for block in map(der, blocks) if _RSA_DER in block]
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
