"""The merchants of every gateway, over the control API."""

import importlib
from typing import Any, Protocol, cast

from django.http import HttpRequest

from payments.simulator.control import Body, ControlError
from payments.simulator.models import Merchant
from payments.simulator.rooms import ROOMS


class Desk(Protocol):
    """A gateway's own part of it."""

    def register(self, request: HttpRequest, body: Body) -> Merchant: ...
    def merchant(self, request: HttpRequest, row: Merchant) -> dict[str, Any]:
        """The merchant, and whatever it needs to speak with the gateway."""


def list_merchants(request: HttpRequest, body: Body) -> dict[str, Any]:
    """All, or those of one `?gateway=`."""
    rows = Merchant.objects.order_by("id")
    if gateway := request.GET.get("gateway"):
        rows = rows.filter(gateway=gateway)
    return {"merchants": [_desk(row.gateway).merchant(request, row) for row in rows]}


def register_merchant(request: HttpRequest, body: Body) -> dict[str, Any]:
    """`gateway` is `alipay` (unless told otherwise) or `wechat`; the rest is the gateway's own."""
    gateway = body.get("gateway", "alipay")
    if gateway not in ROOMS:
        raise ControlError(400, f"gateway is {' or '.join(ROOMS)}")
    desk = _desk(gateway)
    return desk.merchant(request, desk.register(request, body))


def _desk(gateway: str) -> Desk:
    return cast("Desk", importlib.import_module(f"payments.simulator.{gateway}.control"))
