"""What the page and its live status say of a scene: the templates' context, and a small JSON."""

import json
from collections.abc import Mapping
from typing import Any

import segno
from django.conf import settings

from payments.cashier import sandbox, ways
from payments.cashier.scenes import Scene, State
from payments.cashier.ways import Device, Way
from payments.charges import queries
from payments.errors import OnetillError
from payments.gateways.base import Mode
from payments.models import Charge
from payments.money import yuan_text

RETURN_SECONDS = 3
# What WeChat's own script takes, with the signature over it. Source: pay.weixin.qq.com/doc/v2/merchant/4011935218
CALL_FIELDS = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")


def context(
    *, scene: Scene, path: str, return_path: str, device: Device, openid: str, error: OnetillError | None
) -> dict[str, Any]:
    """Return what the templates need to show a scene on the page at `path` to whoever has that device and openid."""
    order = scene.order
    open_to = queries.ways_to_pay(order=order) if scene.is_payable else {}
    on_offer = _on_offer(open_to, device=device, openid=openid)
    attempt = scene.open_attempt
    here = _way_here(attempt, on_offer=on_offer, openid=openid)
    return {
        "scene": scene,
        "order": order,
        "error": error.sentence() if error else "",
        "yuan": {name: _grouped(getattr(order, f"{name}_fen")) for name in ("total", "points", "balance", "cash")},
        "ways": [way for way in on_offer if way != here or scene.state is not State.WAITING],
        "has_more_elsewhere": device is Device.WECHAT and _has_more(on_offer, open_to=open_to),
        "path": path,
        "live_path": f"{path}status",
        "return_path": return_path,
        "return_seconds": RETURN_SECONDS,
        "gateway": attempt.get_tender_display() if attempt else "",
        **(_lead(attempt, target=scene.target, path=path) if attempt and here else {}),
    }


def live(*, scene: Scene, return_path: str) -> dict[str, Any]:
    """Return what a page that is open asks for again and again."""
    return {
        "status": scene.order.status,
        "state": scene.state,
        "mark": scene.mark,
        "paid": scene.order.finished_at is not None,
        "is_final": scene.is_final,
        "seconds_left": scene.seconds_left,
        "next_url": return_path,
    }


def _on_offer(open_to: Mapping[str, set[str]], *, device: Device, openid: str) -> list[Way]:
    """Return the ways that can be gone here and now: inside WeChat none without the openid."""
    on_offer = ways.offered(open_to=open_to, device=device)
    return [way for way in on_offer if openid or way.mode is not Mode.JSAPI]


def _way_here(attempt: Charge | None, *, on_offer: list[Way], openid: str) -> Way | None:
    """Return the way of the open attempt, None where it was begun on another sort of device or by somebody else."""
    if attempt is None or (attempt.mode == Mode.JSAPI and attempt.payer_id != openid):
        return None
    return next((way for way in on_offer if (way.channel, way.mode) == (attempt.tender, attempt.mode)), None)


def _has_more(on_offer: list[Way], *, open_to: Mapping[str, set[str]]) -> bool:
    """Whether a phone's own browser would offer a channel that is not on offer here."""
    in_a_browser = ways.offered(open_to=open_to, device=Device.PHONE)
    return bool({way.channel for way in in_a_browser} - {way.channel for way in on_offer})


def _lead(attempt: Charge, *, target: str, path: str) -> dict[str, Any]:
    """Return what leads the person to the gateway of the open attempt."""
    found: dict[str, Any] = {"mode": attempt.mode}
    if target and attempt.mode == Mode.QR:
        found["qr"] = segno.make(target, error="m").svg_data_uri(border=0, scale=8)
        found["simulator_url"] = sandbox.scan_url(charge=attempt, code=target)
    elif target and attempt.mode == Mode.JSAPI:
        call = {name: str(attempt.payload.get(name, "")) for name in CALL_FIELDS}
        back = f"{settings.BASE_URL}{path}?returned=1"
        found["gateway_url"] = sandbox.jsapi_url(charge=attempt, call=call, return_url=back)
        found["call"] = "" if found["gateway_url"] else json.dumps(call)
    elif target.startswith(("https://", "http://")):
        found["gateway_url"] = target
    return found


def _grouped(fen: int) -> str:
    """Return yuan for people to read: `2,012.72`."""
    whole, part = yuan_text(fen).split(".")
    return f"{int(whole):,}.{part}"
