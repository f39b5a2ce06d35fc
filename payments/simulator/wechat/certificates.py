"""
X.509 as WeChat Pay uses it: a certificate per merchant, and its own ("platform") certificates.

Nobody checks a chain here: a merchant's is known by its serial number, a platform certificate comes under the
APIv3 key.
"""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

LIFETIME = datetime.timedelta(days=5 * 365)


class UnusableCertificate(Exception):
    """Not a certificate with an RSA key in it."""


def issue(public_key: rsa.RSAPublicKey, *, signed_with: rsa.RSAPrivateKey, common_name: str) -> str:
    """A certificate (PEM) for `public_key`."""
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name(common_name))
        .issuer_name(_name("Simulated Tenpay.com Root CA"))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .sign(signed_with, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def read(text: str) -> tuple[x509.Certificate, rsa.RSAPublicKey]:
    """
    A certificate and its key.

    :raises UnusableCertificate: unreadable or not RSA
    """
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
        key = certificate.public_key()
    except ValueError as error:
        raise UnusableCertificate(str(error)) from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise UnusableCertificate("not an RSA key")
    return certificate, key


def serial(certificate: x509.Certificate) -> str:
    """The serial number as WeChat writes it: upper-case hex, 40 digits."""
    return f"{certificate.serial_number:040X}"


def _name(common_name: str) -> x509.Name:
    parts = ((NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, "Simulated Tenpay.com"))
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in (*parts, (NameOID.COMMON_NAME, common_name))])
