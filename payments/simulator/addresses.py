"""How others reach this simulator."""

from django.conf import settings
from django.http import HttpRequest


def public_url(request: HttpRequest) -> str:
    """Scheme and host, no slash at the end: as configured, or as this request came."""
    return str(settings.PUBLIC_URL or request.build_absolute_uri("/").rstrip("/"))
