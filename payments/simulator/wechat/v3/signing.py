"""What APIv3 has signed: a few lines, each ended by a line feed, the body's included."""

import dataclasses
import secrets
import time

from payments.simulator import rsa
from payments.simulator.faults import Strike

SCHEME = "WECHATPAY2-SHA256-RSA2048"
PROBE = "WECHATPAY/SIGNTEST/"  # begins the wrong signatures with which WeChat tries whether merchants verify
STALE_BY_S = 600  # merchants refuse from 300 on


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signer:
    """A key of WeChat Pay's, and the serial under which merchants know it."""

    serial: str
    private_key: str


def lines(*parts: str) -> str:
    return "".join(f"{part}\n" for part in parts)


def headers(body: str, signer: Signer, strike: Strike) -> dict[str, str]:
    """The five headers that prove `body`, or that fail to, where the fault is about proof."""
    if strike.kind == "no_sign":
        return {}
    if strike.kind in {"forged", "bad_signature", "unknown_serial"}:
        signer = dataclasses.replace(signer, private_key=rsa.new_private_key()[0])
    if strike.kind == "unknown_serial":
        signer = dataclasses.replace(signer, serial=secrets.token_hex(20).upper())
    timestamp = str(int(time.time()) - (STALE_BY_S if strike.kind == "stale" else 0))
    nonce = secrets.token_hex(16)
    signature = rsa.sign(lines(timestamp, nonce, body), private_key=signer.private_key)
    return {
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": signer.serial,
        "Wechatpay-Signature": PROBE + signature if strike.kind == "signtest" else signature,
        "Wechatpay-Signature-Type": SCHEME,
        "Wechatpay-Timestamp": timestamp,
    }
