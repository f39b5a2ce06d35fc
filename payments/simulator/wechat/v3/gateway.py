"""The door of APIv3: one view per kind of call, and answers that are signed."""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from payments.simulator import faults, mishaps
from payments.simulator.faults import Stage, Strike
from payments.simulator.models import Merchant, wire
from payments.simulator.wechat.v3 import bills, keys, methods, pretences, requests, signing
from payments.simulator.wechat.v3.refusals import Refusal, system_error
from payments.simulator.wechat.v3.requests import Request

View = Callable[..., HttpResponse]


def endpoint(method: str, verb: str, act: methods.Call) -> View:
    """The view of one call, `verb` as the fault menu knows it."""

    @csrf_exempt  # merchants' servers call; their signature is the proof
    def view(request: HttpRequest, **path: str) -> HttpResponse:
        if request.method != method:
            return _answer(405, {"code": "INVALID_REQUEST", "message": "不支持的HTTP方法"})
        try:
            merchant = requests.merchant_of(request)
        except Refusal as refusal:
            return _answer(refusal.status, refusal.body)
        try:
            admitted = requests.read(request, merchant, path)
        except Refusal as refusal:
            return _signed_answer(request, merchant, refusal.status, refusal.body, faults.NONE)
        return _call(request, admitted, verb=verb, act=act)

    return view


@csrf_exempt
def download_bill(request: HttpRequest) -> HttpResponse:
    """The file of a bill, for the merchant alone: the request is signed like any other, the answer is not."""
    try:
        content = bills.content(requests.merchant_of(request), request.GET.get("token", ""))
    except Refusal as refusal:
        return _answer(refusal.status, refusal.body)
    return HttpResponse(content, content_type="text/plain; charset=utf-8")


def _call(request: HttpRequest, admitted: Request, *, verb: str, act: methods.Call) -> HttpResponse:
    """Do what is asked and answer, unless a fault says otherwise."""
    number = methods.number_of(admitted)
    strike = faults.take(stage=Stage.CALL, out_trade_no=number, wire=wire(admitted.merchant, "v3"), verb=verb)
    if strike.kind == "timeout_before":
        return mishaps.say_nothing(request, strike)
    if strike.kind == "http_500":
        return HttpResponse("<h1>Internal Server Error</h1>", status=500)
    if strike.kind == "unsigned_success":
        pretended = pretences.of(verb, admitted, out_trade_no=number)
        return _answer(200 if pretended else 204, pretended)
    status, body = _done(admitted, strike, act)
    if strike.kind == "timeout_after":
        return mishaps.say_nothing(request, strike)
    if strike.kind == "garbage":
        return HttpResponse("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
    if strike.kind == "slow":
        mishaps.wait(strike)
    return _signed_answer(request, admitted.merchant, status, body, strike)


def _done(admitted: Request, strike: Strike, act: methods.Call) -> tuple[int, methods.Body]:
    try:
        body = act(admitted, strike)
        answer = 204 if body is None else 200, body
    except Refusal as refusal:
        answer = refusal.status, refusal.body
    if strike.kind == "system_error_but_done":
        failure = system_error()
        return failure.status, failure.body
    return answer


def _signed_answer(
    request: HttpRequest, merchant: Merchant, status: int, body: Mapping[str, Any] | None, strike: Strike
) -> HttpResponse:
    response = _answer(status, body)
    asked_serial = request.headers.get("Wechatpay-Serial", "")
    signer = keys.for_answer(merchant, asked_serial=asked_serial, strike=strike)
    for name, value in signing.headers(response.content.decode(), signer, strike).items():
        response[name] = value
    return response


def _answer(status: int, body: Mapping[str, Any] | None) -> HttpResponse:
    text = "" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    response = HttpResponse(text, status=status, content_type="application/json; charset=utf-8")
    response["Request-ID"] = secrets.token_hex(16).upper()
    return response
