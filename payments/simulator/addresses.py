"""How others reach this simulator, and where it may lead them."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def public_url(request: HttpRequest) -> str:
    """Scheme and host, no slash at the end: as configured, or as this request came."""
    return str(settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/"))


def is_web_address(text: str) -> bool:
    """Whether a browser can be sent there: absolute, http or https."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
