"""What WeChat Pay v2 and APIv3 have in common: the words of a trade's state, and what neither takes."""

import re
from urllib.parse import urlsplit

from payments.gateways import limits
from payments.gateways.base import GatewayRefused, Mode, Outcome, PaymentRequest, RefundRequest

MOST_FEN = 100_000_000_00
SUBJECT_BYTES = 127  # v2 counts bytes, v3 characters: the stricter one serves both
REASON_BYTES = 80
NUMBER_LENGTH_MIN = 6
MODES = (Mode.QR, Mode.JSAPI, Mode.WAP, Mode.APP)

# Source: pay.weixin.qq.com/doc/v2/merchant/4011937035 (orderquery) and /doc/v3/merchant/4012791880
PAYMENT_OUTCOMES = {
    "SUCCESS": Outcome.SUCCEEDED,
    "REFUND": Outcome.SUCCEEDED,  # as a payment it succeeded; what went back is the refunds' to tell
    "NOTPAY": Outcome.PENDING,
    "USERPAYING": Outcome.PENDING,
    "ACCEPT": Outcome.PENDING,
    "CLOSED": Outcome.FAILED,
    "REVOKED": Outcome.FAILED,
    "PAYERROR": Outcome.FAILED,
}

# Wider than ours: a refund may have been made, and numbered, at WeChat's own console.
_REFUND_NUMBER = re.compile(r"[0-9A-Za-z_\-|*@]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")  # no XML may hold them, and no title needs them


def check_payment(request: PaymentRequest) -> None:
    """
    :raises GatewayRefused: permanently, before anything is sent
    """
    if request.mode not in MODES:
        raise GatewayRefused("MODE_NOT_SUPPORTED", request.mode)
    limits.check_payment(request, most_fen=MOST_FEN)
    if len(request.number) < NUMBER_LENGTH_MIN:
        raise GatewayRefused("INVALID_REQUEST", f"number {request.number!r}: WeChat takes 6 characters or more")
    _check_notify_url(request.notify_url)
    if request.mode is Mode.JSAPI and not request.payer_id:
        raise GatewayRefused("INVALID_REQUEST", "inside WeChat the payer's openid is needed")


def check_refund(request: RefundRequest) -> None:
    """
    :raises GatewayRefused: permanently, before anything is sent
    """
    limits.check_number(request.number)
    limits.check_number(request.charge_number)
    if request.notify_url:
        _check_notify_url(request.notify_url)


def check_refund_number(number: str) -> None:
    """
    :raises GatewayRefused: permanently; no refund, whoever made it, has such a number
    """
    if not _REFUND_NUMBER.fullmatch(number):
        raise GatewayRefused("INVALID_REQUEST", f"refund number {number!r}")


def _check_notify_url(url: str) -> None:
    if not limits.is_absolute(url) or urlsplit(url).query:
        raise GatewayRefused("INVALID_REQUEST", f"notify_url must be absolute and without a query: {url!r}")


def subject(text: str) -> str:
    """Return a title as WeChat takes it: at most 127 bytes of whole characters, no line breaks."""
    return _cut(text, most_bytes=SUBJECT_BYTES)


def reason(text: str) -> str:
    """Return the reason for a refund as WeChat takes it: at most 80 bytes of whole characters."""
    return _cut(text, most_bytes=REASON_BYTES)


def _cut(text: str, *, most_bytes: int) -> str:
    printable = _CONTROL.sub("", " ".join(text.split()))
    return printable.encode()[:most_bytes].decode(errors="ignore")
