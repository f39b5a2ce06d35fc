"""
The certificates of certificate mode: a root bundle, Alipay's own certificates, the applications' ones.

Like the real `alipayRootCert.crt` the bundle holds a root that is not RSA, which has no part in its serial number.
"""

import datetime
import functools
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from django.conf import settings

KEY_FILE, BUNDLE_FILE = "alipay_root_key.pem", "alipayRootCert.crt"
LIFETIME = datetime.timedelta(days=3650)


class UnusableCertificate(Exception):
    """Not a certificate under this root with an RSA key in it."""


@functools.cache
def root() -> tuple[rsa.RSAPrivateKey, x509.Certificate, str]:
    """The root's key, its certificate, and the bundle (PEM) that merchants keep; made at the first start."""
    key_path, bundle_path = settings.HOME / KEY_FILE, settings.HOME / BUNDLE_FILE
    if not bundle_path.exists():
        _make_root()
    key = serialization.load_pem_private_key(key_path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    bundle = bundle_path.read_text()
    return key, x509.load_pem_x509_certificates(bundle.encode())[-1], bundle


def issue(public_key: rsa.RSAPublicKey, *, common_name: str) -> str:
    """A certificate (PEM) under the root for `public_key`."""
    key, root_certificate, _ = root()
    certificate = _build(public_key, subject=_name(common_name), issuer=root_certificate.subject).sign(
        key, hashes.SHA256()
    )
    return pem(certificate)


def read(text: str) -> tuple[x509.Certificate, rsa.RSAPublicKey]:
    """
    An application's certificate and its key.

    :raises UnusableCertificate: unreadable, not RSA, or not issued under this root
    """
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
        certificate.verify_directly_issued_by(root()[1])
    except Exception as error:  # the library raises four unrelated kinds here
        raise UnusableCertificate(str(error) or type(error).__name__) from error
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise UnusableCertificate("not an RSA key")
    return certificate, key


def serial(certificate: x509.Certificate) -> str:
    """Alipay's SN: MD5 of the issuer's name, smallest unit first, followed by the decimal serial number."""
    text = certificate.issuer.rfc4514_string() + str(certificate.serial_number)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def root_serial() -> str:
    """The SN of the bundle: those of its RSA-signed roots, joined."""
    certificates = x509.load_pem_x509_certificates(root()[2].encode())
    rsa_signed = "1.2.840.113549.1.1."
    return "_".join(
        serial(each) for each in certificates if each.signature_algorithm_oid.dotted_string.startswith(rsa_signed)
    )


def pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _make_root() -> None:
    ec_key, rsa_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    bundle = []
    for key, name in ((ec_key, "Simulated Root Without RSA"), (rsa_key, "Simulated Alipay Root")):
        builder = _build(key.public_key(), subject=_name(name), issuer=_name(name), authority=True)
        bundle.append(pem(builder.sign(key, hashes.SHA256())))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (settings.HOME / KEY_FILE).write_bytes(rsa_key.private_bytes(encoding, form, serialization.NoEncryption()))
    (settings.HOME / KEY_FILE).chmod(0o600)
    (settings.HOME / BUNDLE_FILE).write_text("\n".join(bundle))


def _build(
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    *,
    subject: x509.Name,
    issuer: x509.Name,
    authority: bool = False,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )


def _name(common_name: str) -> x509.Name:
    parts = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "Gateway Simulator"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Simulated Certification Authority"),
        (NameOID.COMMON_NAME, common_name),
    )
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
