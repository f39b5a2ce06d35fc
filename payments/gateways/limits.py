"""What no gateway takes, refused before anything is sent."""

import re
from urllib.parse import urlsplit

from payments.gateways.base import GatewayRefused, PaymentRequest

_NUMBER = re.compile(r"[0-9A-Za-z_]{1,32}")


def check_payment(request: PaymentRequest, *, most_fen: int) -> None:
    """
    :raises GatewayRefused: permanently, with code INVALID_REQUEST
    :raises ValueError: an expiry without a time zone, which only a programmer can mend
    """
    check_number(request.number)
    if not 1 <= request.amount_fen <= most_fen:
        raise _invalid(f"an amount of {request.amount_fen} fen")
    if not request.subject.strip():
        raise _invalid("no subject")
    if request.expires_at.tzinfo is None:
        raise ValueError("expires_at without a time zone")
    if not is_absolute(request.notify_url):
        raise _invalid(f"notify_url must be absolute: {request.notify_url!r}")
    if request.return_url and not is_absolute(request.return_url):
        raise _invalid(f"return_url must be absolute: {request.return_url!r}")


def check_number(number: str) -> None:
    if not _NUMBER.fullmatch(number):
        raise _invalid(f"number {number!r}: 1 to 32 letters, digits and underscores")


def is_absolute(url: str) -> bool:
    """Whether this is an http(s) address that a gateway can call or lead to; at most 256 characters, as they take."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= 256


def _invalid(message: str) -> GatewayRefused:
    return GatewayRefused("INVALID_REQUEST", message)
