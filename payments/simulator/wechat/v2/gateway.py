"""POST /pay/… and /secapi/pay/refund: XML in, XML out (a bill: text), always HTTP 200 where WeChat itself answers."""

import secrets
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from payments.simulator import faults, mishaps
from payments.simulator.addresses import public_url
from payments.simulator.faults import Stage, Strike
from payments.simulator.wechat import merchants, trades
from payments.simulator.wechat.v2 import messages, methods, requests, signing
from payments.simulator.wechat.v2.methods import Fields
from payments.simulator.wechat.v2.refusals import Refusal, Turned, system_error
from payments.simulator.wechat.v2.requests import Request

WIRE = "wechat/v2"


@csrf_exempt  # merchants' servers post here; their signature is the proof
def gateway(request: HttpRequest, call: str) -> HttpResponse:
    verb, act, certified = methods.CALLS[call]
    try:
        admitted = requests.admit(request, public_url=public_url(request), certified=certified)
    except Turned as turned:
        return _reply(turned.fields)
    number = trades.number_of(admitted.merchant, admitted.content)
    strike = faults.take(stage=Stage.CALL, out_trade_no=number, wire=WIRE, verb=verb)
    if strike.kind == "timeout_before":
        return mishaps.say_nothing(request, strike)
    if strike.kind == "http_500":
        return HttpResponse("<h1>Internal Server Error</h1>", status=500)
    if strike.kind == "unsigned_success":
        return _reply(_succeeded(admitted, methods.pretended(admitted)))
    try:
        done = act(admitted, strike)
        told = done if isinstance(done, bytes) else _succeeded(admitted, done)
    except Refusal as refusal:
        told = _common(admitted) | refusal.fields
    except Turned as turned:
        return _reply(turned.fields)
    return _answer(request, admitted, told, strike)


def _answer(request: HttpRequest, admitted: Request, told: Fields | bytes, strike: Strike) -> HttpResponse:
    """Say what was done, unless a fault says otherwise."""
    if strike.kind == "system_error_but_done":
        told = _common(admitted) | system_error().fields
    if strike.kind == "timeout_after":
        return mishaps.say_nothing(request, strike)
    if strike.kind == "garbage":
        return HttpResponse("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
    if strike.kind == "slow":
        mishaps.wait(strike)
    if isinstance(told, bytes):
        return HttpResponse(told, content_type="text/plain; charset=utf-8")
    stranger = strike.kind == "bad_signature"
    key = secrets.token_hex(16) if stranger else merchants.secret(admitted.merchant, "api_key")
    return _reply({**told, "sign": signing.sign(told, key=key, sign_type=admitted.sign_type)})


def _common(admitted: Request) -> Fields:
    return {
        "return_code": "SUCCESS",
        "return_msg": "OK",
        "appid": admitted.merchant.app_id,
        "mch_id": admitted.merchant.seller_id,
        "nonce_str": secrets.token_hex(8),
    }


def _succeeded(admitted: Request, fields: Mapping[str, str | int]) -> Fields:
    return {**_common(admitted), "result_code": "SUCCESS", **fields}


def _reply(fields: Mapping[str, str | int]) -> HttpResponse:
    return HttpResponse(messages.write(fields), content_type="text/plain; charset=utf-8")
