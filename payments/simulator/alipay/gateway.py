"""POST /alipay/gateway.do: one door for every call, and for the links that payers bring."""

import datetime
import json
from collections.abc import Mapping

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from payments.simulator import bills, book, faults, mishaps, rsa
from payments.simulator.addresses import public_url
from payments.simulator.alipay import methods, requests
from payments.simulator.alipay.merchants import GATEWAY, key_in_use, switch_key
from payments.simulator.alipay.refusals import Refusal, invalid
from payments.simulator.alipay.requests import Request
from payments.simulator.faults import Stage, Strike
from payments.simulator.models import Merchant, Trade

BILL_ADDRESS_LIVES = datetime.timedelta(seconds=30)


@csrf_exempt  # merchants' servers and pages post here; their signature is the proof
@require_http_methods(["GET", "POST"])
def gateway(request: HttpRequest) -> HttpResponse:
    method = request.POST.get("method") or request.GET.get("method", "")
    if method in methods.LINKS:
        return _follow_link(request, product=methods.LINKS[method])
    try:
        if method and method not in methods.CALLS:
            raise invalid("isv.invalid-method", "不存在的方法名")
        admitted = requests.admit(_parameters(request.GET, request.POST))
    except Refusal as refusal:
        return _reply(_document(method, refusal.node))
    return _call(request, admitted)


def open_order_string(order_string: str) -> Trade:
    """
    What the Alipay app does with the string that a merchant's app hands it.

    :raises Refusal: as for any other request
    """
    parameters = _parameters(QueryDict(order_string))
    if parameters.get("method") != methods.APP_METHOD:
        raise invalid("isv.invalid-method", "不存在的方法名")
    return methods.offer(requests.admit(parameters, link=True), product="app")


@require_GET
def download_bill(request: HttpRequest) -> HttpResponse:
    """The file of a bill, for whoever has its address while that lives."""
    kept = bills.file(request.GET.get("token", ""), lives=BILL_ADDRESS_LIVES)
    if kept is None:
        return HttpResponse("下载链接已失效", status=404, content_type="text/html;charset=utf-8")
    return HttpResponse(bytes(kept.content), content_type="application/zip")


def signed_node(merchant: Merchant, node: Mapping[str, str]) -> tuple[str, str]:
    """The node's text and Alipay's signature over exactly that text."""
    text = _text(node)
    return text, rsa.sign(text, private_key=key_in_use(merchant).private_key)


def _call(request: HttpRequest, admitted: Request) -> HttpResponse:
    """Do what is asked and answer, unless a fault says otherwise."""
    book.close_expired()
    verb, act = methods.CALLS[admitted.method]
    number = str(admitted.content.get("out_trade_no", ""))
    strike = faults.take(stage=Stage.CALL, out_trade_no=number, wire=GATEWAY, verb=verb)
    if strike.kind == "timeout_before":
        return mishaps.say_nothing(request, strike)
    if strike.kind == "http_500":
        return HttpResponse("<h1>Internal Server Error</h1>", status=500)
    if strike.kind == "unsigned_success":
        return _reply(_document(admitted.method, _success(methods.pretended(admitted))))
    try:
        node = _success(act(admitted, strike, public_url(request)))
    except Refusal as refusal:
        node = refusal.node
    if strike.kind == "system_error_but_done":
        node = Refusal("20000", "aop.ACQ.SYSTEM_ERROR", "系统异常").node
    if strike.kind == "timeout_after":
        return mishaps.say_nothing(request, strike)
    if strike.kind == "garbage":
        return HttpResponse("<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>")
    if strike.kind == "slow":
        mishaps.wait(strike)
    return _reply(_signed(admitted, node, strike))


def _follow_link(request: HttpRequest, *, product: str) -> HttpResponse:
    try:
        trade = methods.offer(requests.admit(_parameters(request.GET, request.POST), link=True), product=product)
    except Refusal as refusal:
        return render(request, "simulator/refused.html", refusal.for_people, status=400)
    return HttpResponseRedirect(reverse("cashier", args=[trade.token]))


def _parameters(*sources: QueryDict) -> dict[str, str]:
    """Query and body as one, each name once."""
    pairs = [(name, value) for source in sources for name, values in source.lists() for value in values]
    if len(dict(pairs)) != len(pairs):
        raise invalid("isv.invalid-parameter", "参数重复")
    return dict(pairs)


def _signed(admitted: Request, node: Mapping[str, str], strike: Strike) -> str:
    merchant = admitted.merchant
    key = switch_key(merchant) if strike.kind == "key_switch" else key_in_use(merchant)
    private_key = rsa.new_private_key()[0] if strike.kind == "bad_signature" else key.private_key
    signature = rsa.sign(_text(node), private_key=private_key)
    return _document(admitted.method, node, cert_sn=key.cert_sn if merchant.app_cert_sn else "", signature=signature)


def _document(method: str, node: Mapping[str, str], *, cert_sn: str = "", signature: str = "") -> str:
    """Put together by hand, so that the signed text stands in it to the letter."""
    name = f"{method.replace('.', '_')}_response" if method in methods.CALLS else "error_response"
    parts = [f'"{name}":{_text(node)}']
    parts += [f'"alipay_cert_sn":"{cert_sn}"'] if cert_sn else []
    parts += [f'"sign":"{signature}"'] if signature else []
    return "{" + ",".join(parts) + "}"


def _text(node: Mapping[str, str]) -> str:
    """Compact, Chinese as it is, and slashes escaped as the real gateway escapes them."""
    return json.dumps(node, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def _success(fields: Mapping[str, str]) -> dict[str, str]:
    return {"code": "10000", "msg": "Success", **fields}


def _reply(document: str) -> HttpResponse:
    return HttpResponse(document, content_type="text/html;charset=utf-8")
