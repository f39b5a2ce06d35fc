"""Certificates as Alipay's console gives them out, made on the spot."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def name(common_name):
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Ant Financial test"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority test"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def certificate(public_key, *, subject="merchant", issuer="Ant test CA", issuer_key=None):
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2050, 1, 1, tzinfo=datetime.UTC))
    )
    return builder.sign(issuer_key, hashes.SHA256())


def pem(*certificates):
    return "".join(each.public_bytes(serialization.Encoding.PEM).decode() for each in certificates)


def elliptic_root():
    """A root that is not signed with RSA: it does not count for the root serial."""
    key = ec.generate_private_key(ec.SECP256R1())
    return certificate(key.public_key(), subject="EC root", issuer="EC root", issuer_key=key)
