"""
Whose signature is WeChat Pay's: that of its public key (`PUB_KEY_ID_…`), of its platform certificates, or of either,
while a merchant is being moved from the ones to the other and messages come signed now so, now so.

The serial number that a message names chooses the key. An unknown one is refused and nothing is fetched: a forged
notification must not make us call out.
"""

import dataclasses
from collections.abc import Mapping
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from payments.gateways.keys import load_certificates, load_public_key, verify


@dataclasses.dataclass(frozen=True)
class PlatformKeys:
    by_serial: Mapping[str, RSAPublicKey]

    @classmethod
    def read(cls, *, public_key_id: str = "", public_key: str = "", certificates: str = "") -> Self:
        """
        :raises ValueError: one of them is not what it should be
        """
        keys: dict[str, RSAPublicKey] = {}
        if public_key:
            keys[_comparable(public_key_id)] = load_public_key(public_key)
        for certificate in load_certificates(certificates) if certificates.strip() else []:
            keys[_comparable(f"{certificate.serial_number:X}")] = _rsa_key(certificate)
        return cls(keys)

    def __or__(self, other: Self) -> Self:
        return dataclasses.replace(self, by_serial={**self.by_serial, **other.by_serial})

    def __contains__(self, serial: str) -> bool:
        return _comparable(serial) in self.by_serial

    def verify(self, content: bytes, signature: str, *, serial: str) -> bool:
        key = self.by_serial.get(_comparable(serial))
        return key is not None and verify(key, content, signature)


def _rsa_key(certificate: x509.Certificate) -> RSAPublicKey:
    match certificate.public_key():
        case RSAPublicKey() as key:
            return key
    raise ValueError("a certificate without an RSA key")


def _comparable(serial: str) -> str:
    """Hexadecimal serial numbers come in either case, with and without leading zeros."""
    return serial.upper().lstrip("0")
