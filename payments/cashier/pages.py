"""What the page and its live status say of a scene: the templates' context, and a small JSON."""

from typing import Any

import segno
from django.conf import settings

from payments.cashier import ways
from payments.cashier.scenes import Scene, State
from payments.cashier.ways import Device, Way
from payments.charges import queries
from payments.errors import OnetillError
from payments.gateways.base import Mode
from payments.money import yuan_text

RETURN_SECONDS = 3


def context(*, scene: Scene, path: str, return_path: str, device: Device, error: OnetillError | None) -> dict[str, Any]:
    """Return what the templates need to show a scene on the page at `path`."""
    order = scene.order
    query = f"?attempt={scene.charge.attempt}" if scene.charge else ""
    return {
        "scene": scene,
        "order": order,
        "error": error.sentence() if error else "",
        "yuan": {name: _grouped(getattr(order, f"{name}_fen")) for name in ("total", "points", "cash")},
        "ways": _ways(scene, device=device),
        "path": path,
        "live_path": f"{path}status{query}",
        "return_path": return_path,
        "return_seconds": RETURN_SECONDS,
        **_gateway(scene),
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


def _ways(scene: Scene, *, device: Device) -> list[Way]:
    """Return the ways on offer: beside the one that the person is being led on, where one is."""
    if not scene.is_payable:
        return []
    attempt = scene.open_attempt if scene.state is State.WAITING else None
    taken = f"{attempt.tender}:{attempt.mode}" if attempt else ""
    on_offer = ways.offered(open_to=queries.ways_to_pay(order=scene.order), device=device)
    return [way for way in on_offer if way.value != taken]


def _gateway(scene: Scene) -> dict[str, Any]:
    """Return what leads the person to the gateway of the open attempt."""
    if scene.open_attempt is None:
        return {}
    target, mode = scene.target, scene.open_attempt.mode
    found: dict[str, Any] = {"gateway": scene.open_attempt.get_tender_display(), "mode": mode}
    if target and mode == Mode.QR:
        found["qr"] = segno.make(target, error="m").svg_data_uri(border=0, scale=8)
        # In the sandbox nobody has a phone that could scan: the simulator plays it.
        if settings.SIMULATOR_URL and target.startswith(f"{settings.SIMULATOR_URL}/"):
            found["simulator_url"] = target
    elif target.startswith(("https://", "http://")):
        found["gateway_url"] = target
    return found


def _grouped(fen: int) -> str:
    """Return yuan for people to read: `2,012.72`."""
    whole, part = yuan_text(fen).split(".")
    return f"{int(whole):,}.{part}"
