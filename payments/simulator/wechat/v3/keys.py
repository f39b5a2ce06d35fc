"""Which of its keys WeChat Pay signs APIv3 with."""

import secrets

from payments.simulator.faults import Strike
from payments.simulator.models import Merchant
from payments.simulator.wechat import merchants
from payments.simulator.wechat.merchants import CERTIFICATE, GREY, PUBLIC_KEY
from payments.simulator.wechat.v3.signing import Signer

PUBLIC_KEY_PREFIX = "PUB_KEY_ID_"


def for_answer(merchant: Merchant, *, asked_serial: str, strike: Strike) -> Signer:
    """A caller that names the public key (`Wechatpay-Serial`) is answered under it, others in the merchant's mode."""
    asked_mode = PUBLIC_KEY if asked_serial.startswith(PUBLIC_KEY_PREFIX) else _mode(merchant, by_chance=False)
    return _signer(merchant, asked_mode, strike)


def for_notification(merchant: Merchant, *, strike: Strike) -> Signer:
    """While a merchant moves to the public key (the grey period) either may sign, from one delivery to the next."""
    return _signer(merchant, _mode(merchant, by_chance=True), strike)


def _mode(merchant: Merchant, *, by_chance: bool) -> str:
    mode = str(merchant.particulars["mode"])
    if mode != GREY:
        return mode
    return secrets.choice([PUBLIC_KEY, CERTIFICATE]) if by_chance else CERTIFICATE


def _signer(merchant: Merchant, mode: str, strike: Strike) -> Signer:
    find = merchants.switch_key if strike.kind == "key_switch" else merchants.key_in_use
    key = find(merchant, mode=mode)
    return Signer(serial=key.cert_sn, private_key=key.private_key)
