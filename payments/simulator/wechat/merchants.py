"""
The merchants of the simulated WeChat Pay: an app id bound to a merchant number, and the secrets they share with it.

WeChat Pay signs APIv3 for a merchant either with a public key (`PUB_KEY_ID_…`, the newer way) or under a platform
certificate; every merchant here has one of each, and `mode` says which one speaks unless the caller asks. In `grey`,
which is how merchants are moved from certificates to the public key, notifications come under either.
"""

import re
import secrets

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from django.db import transaction
from django.utils import timezone

from payments.simulator import rsa
from payments.simulator.models import GatewayKey, Merchant
from payments.simulator.wechat import certificates

GATEWAY = "wechat"
PUBLIC_KEY, CERTIFICATE, GREY = MODES = ("public_key", "certificate", "grey")
CLOSABLE_AFTER_S = 300  # WeChat: no sooner than five minutes after the order was made
SECRETS = ("api_key", "api_v3_key", "app_secret")


class UnusableMerchant(Exception):
    """What was handed in makes no merchant; the text says why."""


@transaction.atomic
def register(
    *,
    app_id: str,
    mch_id: str,
    name: str = "",
    app_public_key: str = "",
    app_certificate: str = "",
    mode: str = PUBLIC_KEY,
    closable_after_s: int = CLOSABLE_AFTER_S,
    **shared: str,
) -> Merchant:
    """
    Make or change a merchant. It hands in its API certificate, or a public key for which one is issued.

    `shared` are the SECRETS; those left out or empty are kept, or made at first.

    :raises UnusableMerchant: a malformed id, key, certificate or secret; an id that is bound to another one
    """
    known = Merchant.objects.filter(gateway=GATEWAY, app_id=app_id).first()
    _check(known, app_id=app_id, mch_id=mch_id, mode=mode, shared=shared)
    certificate, key = _certificate(known, app_certificate, app_public_key, mch_id)
    kept = known.particulars if known else {name: secrets.token_hex(16) for name in SECRETS}
    given = {name: value for name, value in shared.items() if value}
    merchant, _ = Merchant.objects.update_or_create(
        gateway=GATEWAY,
        app_id=app_id,
        defaults={
            "seller_id": mch_id,
            "name": name or f"商户 {mch_id[-4:]}",
            "app_public_key": rsa.public_pem(key),
            "app_certificate": certificate,
            "app_cert_sn": certificates.serial(certificates.read(certificate)[0]),
            "particulars": {**kept, **given, "mode": mode, "closable_after_s": closable_after_s},
        },
    )
    for each in (PUBLIC_KEY, CERTIFICATE):
        if not _keys(merchant, each):
            switch_key(merchant, mode=each)
    return merchant


def find(mch_id: str) -> Merchant | None:
    return Merchant.objects.filter(gateway=GATEWAY, seller_id=mch_id).first()


def secret(merchant: Merchant, name: str) -> str:
    """One of the SECRETS."""
    return str(merchant.particulars[name])


def key_in_use(merchant: Merchant, *, mode: str = "") -> GatewayKey:
    """What WeChat Pay signs with for this merchant: in its own mode, or in the one asked for."""
    return _keys(merchant, mode or merchant.particulars["mode"])[-1]


def switch_key(merchant: Merchant, *, mode: str = "") -> GatewayKey:
    """From now on WeChat Pay signs for this merchant with a new key of its mode. The old ones stay known."""
    private_pem, key = rsa.new_private_key()
    if (mode or merchant.particulars["mode"]) != PUBLIC_KEY:
        certificate = certificates.issue(key.public_key(), signed_with=key, common_name="Simulated Tenpay.com sign")
        serial = certificates.serial(certificates.read(certificate)[0])
    else:
        number = f"{merchant.seller_id}{timezone.localtime():%Y%m%d}{secrets.randbelow(10**10):010d}"
        certificate, serial = "", f"PUB_KEY_ID_0{number}"
    return GatewayKey.objects.create(
        merchant=merchant,
        private_key=private_pem,
        public_key=rsa.public_pem(key.public_key()),
        certificate=certificate,
        cert_sn=serial,
        made_at=timezone.now(),
    )


def platform_certificates(merchant: Merchant) -> list[GatewayKey]:
    """The oldest first."""
    return _keys(merchant, CERTIFICATE)


def _keys(merchant: Merchant, mode: str) -> list[GatewayKey]:
    keys = merchant.keys.order_by("id")
    return list(keys.filter(certificate="") if mode == PUBLIC_KEY else keys.exclude(certificate=""))


def _certificate(
    known: Merchant | None, app_certificate: str, app_public_key: str, mch_id: str
) -> tuple[str, RSAPublicKey]:
    """The merchant's certificate as handed in, kept, or issued anew for another key."""
    try:
        if app_certificate:
            return app_certificate, certificates.read(app_certificate)[1]
        key = rsa.load_public_key(app_public_key)
    except (rsa.UnusableKey, certificates.UnusableCertificate) as error:
        raise UnusableMerchant(str(error)) from error
    if known and known.app_public_key == rsa.public_pem(key):
        return known.app_certificate, key
    return certificates.issue(key, signed_with=rsa.new_private_key()[1], common_name=mch_id), key


def _check(known: Merchant | None, *, app_id: str, mch_id: str, mode: str, shared: dict[str, str]) -> None:
    if not re.fullmatch(r"wx[0-9a-z]{16}", app_id) or not re.fullmatch(r"[0-9]{8,10}", mch_id):
        raise UnusableMerchant("app_id is wx and 16 of 0-9 a-z, mch_id 8 to 10 digits")
    bound = find(mch_id)
    if bound != known and (bound or known):
        raise UnusableMerchant("here an app_id is bound to one mch_id, and the reverse")
    if mode not in MODES:
        raise UnusableMerchant(f"mode is {' or '.join(MODES)}")
    if unknown := set(shared) - set(SECRETS):
        raise UnusableMerchant(f"unknown: {', '.join(sorted(unknown))}")
    for name in ("api_key", "api_v3_key"):
        if shared.get(name) and not re.fullmatch(r"[0-9A-Za-z]{32}", shared[name]):
            raise UnusableMerchant(f"{name} is 32 letters and digits")
