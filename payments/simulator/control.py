"""
The control API: JSON, for tests and demonstrations to play the payer and to arrange mishaps.

It asks for no credentials, the simulator being a sandbox's; it refuses what a browser sends from another site.
"""

import datetime
import functools
import json
import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from payments.simulator import book, console, courier, faults, shapes
from payments.simulator.addresses import public_url
from payments.simulator.models import BillDifference, BillFile, Fault, Notification, Trade

Body = dict[str, Any]
View = Callable[..., dict[str, Any]]
MOST_AT_ONCE = 50


class ControlError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def endpoint(**views: View) -> Callable[..., HttpResponse]:
    """A path of the API, a function for each method. The function gets the request, its body and the path's parts."""

    @csrf_exempt
    def dispatch(request: HttpRequest, **parts: Any) -> HttpResponse:
        try:
            _refuse_other_sites(request)
            view = views.get(request.method or "")
            if view is None:
                raise ControlError(405, f"use {' or '.join(views)}")
            answer, status = view(request, _body(request), **parts), 200
        except ControlError as error:
            answer, status = {"error": error.message}, error.status
        return JsonResponse(answer, status=status, json_dumps_params={"ensure_ascii": False})

    functools.update_wrapper(dispatch, next(iter(views.values())), updated=())
    return csrf_exempt(dispatch)


def list_trades(request: HttpRequest, body: Body) -> dict[str, Any]:
    """The newest first; `?out_trade_no=`, `?app_id=`."""
    trades = Trade.objects.select_related("merchant").prefetch_related("refunds").order_by("-id")
    for parameter, field in (("out_trade_no", "out_trade_no"), ("app_id", "merchant__app_id")):
        if value := request.GET.get(parameter):
            trades = trades.filter(**{field: value})
    return {"trades": [shapes.trade(trade, public_url=public_url(request)) for trade in trades[:500]]}


def show_trade(request: HttpRequest, body: Body, out_trade_no: str) -> dict[str, Any]:
    return shapes.trade(_trade(request, out_trade_no), public_url=public_url(request))


def act_on_trade(request: HttpRequest, body: Body, out_trade_no: str, action: str) -> dict[str, Any]:
    """`open` (the payer scans), `pay` (with another `amount_fen` if given), `close`, `finish`, `age` (`seconds`)."""
    trade = _trade(request, out_trade_no)
    try:
        if action == "pay":
            book.pay(trade_id=trade.pk, amount_fen=whole(body, "amount_fen", default=None))
        elif action == "age":
            book.age(trade_id=trade.pk, by=datetime.timedelta(seconds=whole(body, "seconds", default=300) or 300))
        else:
            {"open": book.open_trade, "close": book.close, "finish": book.finish}[action](trade_id=trade.pk)
    except book.NotWaiting as error:
        raise ControlError(409, f"{action} is not possible: the trade is {trade.status}") from error
    return show_trade(request, body, out_trade_no)


def refund_trade(request: HttpRequest, body: Body, out_trade_no: str) -> dict[str, Any]:
    """The merchant's staff give `amount_fen` back at the gateway's console, under its number or `request_no`."""
    amount_fen = whole(body, "amount_fen", default=None)
    request_no = body.get("request_no", "")
    if amount_fen is None:
        raise ControlError(400, "amount_fen is needed")
    if not isinstance(request_no, str) or not re.fullmatch(r"[0-9A-Za-z_]{0,64}", request_no):
        raise ControlError(400, "request_no is at most 64 letters, digits and underscores")
    trade = _trade(request, out_trade_no)
    try:
        console.refund(trade=trade, amount_fen=amount_fen, request_no=request_no)
    except console.Refused as refused:
        raise ControlError(409, f"{out_trade_no} is not refunded: {refused}") from refused
    return show_trade(request, body, out_trade_no)


def list_notifications(request: HttpRequest, body: Body) -> dict[str, Any]:
    """The oldest first; `?out_trade_no=`."""
    rows = Notification.objects.select_related("trade__merchant").prefetch_related("deliveries").order_by("id")
    if number := request.GET.get("out_trade_no"):
        rows = rows.filter(trade__out_trade_no=number)
    return {"notifications": [shapes.notification(row) for row in rows[:500]]}


def resend_notification(request: HttpRequest, body: Body, notification_id: int) -> dict[str, Any]:
    """Send it again now, `times` times, `at_once` of them side by side; returns what was answered."""
    if not Notification.objects.filter(pk=notification_id).exists():
        raise ControlError(404, "there is no such notification")
    times = whole(body, "times", default=1) or 1
    at_once = min(whole(body, "at_once", default=1) or 1, MOST_AT_ONCE)
    sent = courier.resend(notification_id=notification_id, times=min(times, 1000), at_once=at_once)
    return {"deliveries": [shapes.delivery(delivery) for delivery in sent]}


def list_faults(request: HttpRequest, body: Body) -> dict[str, Any]:
    """The armed ones, and the menu: what each does, when it strikes, and in which protocols (none named: any)."""
    menu = [
        {"fault": kind.name, "what": str(kind.label), "stages": list(kind.stages), "wires": list(kind.wires)}
        for kind in faults.MENU.values()
    ]
    return {"faults": [shapes.fault(fault) for fault in Fault.objects.order_by("id")], "menu": menu}


def arm_fault(request: HttpRequest, body: Body) -> dict[str, Any]:
    """`fault`, and optionally `times`, `match` (an out_trade_no), `delay_ms`."""
    try:
        fault = faults.arm(
            kind=str(body.get("fault", "")),
            times=whole(body, "times", default=1) or 1,
            match=str(body.get("match", "")),
            delay_ms=whole(body, "delay_ms", default=None, least=0),
        )
    except faults.UnknownFault as error:
        raise ControlError(400, f"fault must be one of {', '.join(faults.MENU)}") from error
    return shapes.fault(fault)


def clear_faults(request: HttpRequest, body: Body) -> dict[str, Any]:
    return {"deleted": Fault.objects.all().delete()[0]}


def clear_book(request: HttpRequest, body: Body) -> dict[str, Any]:
    """Forget all trades, what belongs to them, their bills, and the faults. Merchants and their keys stay."""
    for noted in (Fault, BillDifference, BillFile):
        noted.objects.all().delete()
    return {"deleted": Trade.objects.all().delete()[1].get("simulator.Trade", 0)}


def _trade(request: HttpRequest, out_trade_no: str) -> Trade:
    trades = Trade.objects.select_related("merchant").filter(out_trade_no=out_trade_no)
    if app_id := request.GET.get("app_id"):
        trades = trades.filter(merchant__app_id=app_id)
    trade = trades.order_by("-id").first()
    if trade is None:
        raise ControlError(404, f"no merchant has asked for payment under {out_trade_no}")
    return trade


def _refuse_other_sites(request: HttpRequest) -> None:
    origin = request.headers.get("Origin")
    if origin and origin not in {public_url(request), request.build_absolute_uri("/").rstrip("/")}:
        raise ControlError(403, "the control API takes no calls from pages of other sites")


def _body(request: HttpRequest) -> Body:
    if not request.body:
        return {}
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise ControlError(400, "the body is not JSON") from error
    if not isinstance(body, dict):
        raise ControlError(400, "the body is not a JSON object")
    return body


def whole(body: Body, name: str, *, default: int | None, least: int = 1) -> int | None:
    """A whole number of the body."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= 10**10:
        raise ControlError(400, f"{name} is a whole number, {least} or more")
    return value
