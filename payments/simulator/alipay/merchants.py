"""The merchants of the simulated Alipay and the keys it signs with for them."""

import re

from django.db import transaction
from django.utils import timezone

from payments.simulator import rsa
from payments.simulator.alipay import certificates
from payments.simulator.models import GatewayKey, Merchant

GATEWAY = "alipay"


class UnusableMerchant(Exception):
    """What was handed in makes no merchant; the text says why."""


@transaction.atomic
def register(
    *,
    app_id: str,
    seller_id: str,
    name: str = "",
    app_public_key: str = "",
    app_certificate: str = "",
    certificate_mode: bool = False,
) -> Merchant:
    """
    Make or change a merchant.

    In key mode it hands in a public key. In certificate mode it hands in a certificate under our root, or a
    public key for which one is issued.

    :raises UnusableMerchant: a malformed id, key or certificate
    """
    if not re.fullmatch(r"[0-9]{10,32}", app_id) or not re.fullmatch(r"2088[0-9]{12}", seller_id):
        raise UnusableMerchant("app_id is 10 to 32 digits, seller_id 16 digits that begin with 2088")
    try:
        if certificate_mode and not app_certificate:
            key = rsa.load_public_key(app_public_key)
            app_certificate = certificates.issue(key, common_name=f"{seller_id}-{app_id}")
        if app_certificate:
            certificate, key = certificates.read(app_certificate)
            cert_sn = certificates.serial(certificate)
        else:
            key, cert_sn = rsa.load_public_key(app_public_key), ""
    except (rsa.UnusableKey, certificates.UnusableCertificate) as error:
        raise UnusableMerchant(str(error)) from error
    merchant, _ = Merchant.objects.update_or_create(
        gateway=GATEWAY,
        app_id=app_id,
        defaults={
            "seller_id": seller_id,
            "name": name or f"商户 {app_id[-4:]}",
            "app_public_key": rsa.public_pem(key),
            "app_certificate": app_certificate,
            "app_cert_sn": cert_sn,
        },
    )
    if not merchant.keys.exists():
        switch_key(merchant)
    return merchant


def switch_key(merchant: Merchant) -> GatewayKey:
    """From now on Alipay signs for this merchant with a new key."""
    private_pem, key = rsa.new_private_key()
    certificate = certificates.issue(key.public_key(), common_name="Simulated Alipay")
    read, _ = certificates.read(certificate)
    return GatewayKey.objects.create(
        merchant=merchant,
        private_key=private_pem,
        public_key=rsa.public_pem(key.public_key()),
        certificate=certificate,
        cert_sn=certificates.serial(read),
        made_at=timezone.now(),
    )


def key_in_use(merchant: Merchant) -> GatewayKey:
    return merchant.keys.latest("id")
