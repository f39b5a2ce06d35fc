"""
Cashier sessions: proof that a browser came through the login link of one order.

A signed cookie that names the order and its customer, sent to that order's pages alone. It logs no Django user in and
is kept nowhere on the server.
"""

import datetime

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from payments.models import Order

COOKIE = "cashier"
GRACE = datetime.timedelta(hours=1)  # after the order's expiry: time to read what became of it and go back


def begin(*, response: HttpResponse, order: Order, path: str, at: datetime.datetime) -> None:
    """Let the browser that gets `response` act as the customer of `order` on `path` and below."""
    response.set_signed_cookie(
        COOKIE,
        _value(order),
        max_age=int((order.expires_at + GRACE - at).total_seconds()),
        path=path.rstrip("/"),  # browsers match whole segments, so this covers the page with and without its slash
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def is_open(*, request: HttpRequest, order: Order, at: datetime.datetime) -> bool:
    return _read(request) == _value(order) and at < order.expires_at + GRACE


def names(*, request: HttpRequest, number: str) -> bool:
    """Whether the browser's cookie is for the order of that number, before the order has been looked up."""
    return _read(request).startswith(f"{number}:")


def _value(order: Order) -> str:
    return f"{order.number}:{order.customer_id}"


def _read(request: HttpRequest) -> str:
    """Return what the cookie says, or "" without one that we signed."""
    return request.get_signed_cookie(COOKIE, default="") or ""
