import contextlib
import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django = get_wsgi_application()
UNREAD_MAX = 1024 * 1024  # as much as deploy/nginx.conf lets pass


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Pass a request on, without a Content-Type over which Django would fail before anybody can answer."""
    try:
        parse_header_parameters(environ.get("CONTENT_TYPE", ""))
    except ValueError:
        environ["CONTENT_TYPE"] = ""
    answer: Iterable[bytes] = django(environ, start_response)
    _read_what_is_left(environ)
    return answer


def _read_what_is_left(environ: dict[str, Any]) -> None:
    """
    Read a body on which nobody has looked to its end, up to UNREAD_MAX.

    Gunicorn reads 64 KiB itself and hangs up beyond, after an answer that promised to keep the connection: the next
    request on it, which is another caller's behind a proxy, would be lost.
    """
    if environ.get("wsgi.input_terminated"):  # else a read past the end waits for ever
        with contextlib.suppress(Exception):  # a body that cannot be read: each server has errors of its own for it
            environ["wsgi.input"].read(UNREAD_MAX)
