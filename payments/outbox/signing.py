"""Standard Webhooks: what proves to a receiver that a delivery is ours, fresh and whole."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from payments.clients.models import WEBHOOK_SECRET_PREFIX


def headers(*, uid: str, timestamp: int, body: str, secrets: Iterable[str]) -> dict[str, str]:
    """Return the headers of a delivery, signed under each of `secrets`: two while one is being replaced."""
    content = f"{uid}.{timestamp}.{body}".encode()
    return {
        "webhook-id": uid,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(content, secret=secret) for secret in secrets),
    }


def _signature(content: bytes, *, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(WEBHOOK_SECRET_PREFIX))
    return f"v1,{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}"
