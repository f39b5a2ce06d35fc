"""How a payer gets to an order of WeChat Pay's: a code, a page inside WeChat, a page in a phone's browser."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from payments.simulator.addresses import is_web_address
from payments.simulator.models import Trade
from payments.simulator.wechat import payer
from payments.simulator.wechat.merchants import GATEWAY

OK, CANCEL = "get_brand_wcpay_request:ok", "get_brand_wcpay_request:cancel"
PHONE = re.compile(r"Android|iPhone|iPad|Mobile", re.IGNORECASE)


@require_GET
def scan(request: HttpRequest) -> HttpResponse:
    """WeChat's camera, for people: `?code=weixin://…`, or a field to paste it into."""
    code = request.GET.get("code", "").strip()
    if not code:
        return render(request, "simulator/scan.html")
    try:
        trade = payer.scan(code)
    except payer.Refused as refused:
        return _refuse(request, str(refused))
    return _open(trade)


@require_GET
def jsapi(request: HttpRequest) -> HttpResponse:
    """
    WeChat called by a page: the six parameters of `getBrandWCPayRequest`, and `return_url`.

    The payer is led back to it with `err_msg` as WeChat tells the page: `get_brand_wcpay_request:ok` or `:cancel`.
    """
    parameters = {name: request.GET.get(name, "") for name in request.GET if name not in {"return_url", "prepay_id"}}
    if prepay_id := request.GET.get("prepay_id"):
        parameters.setdefault("package", f"prepay_id={prepay_id}")
    back = request.GET.get("return_url", "")
    if "paySign" not in parameters:
        return _refuse(request, "调用支付JSAPI缺少参数：paySign")
    try:
        trade = payer.called(parameters)
    except payer.Refused as refused:
        return _refuse(request, str(refused))
    if is_web_address(back):
        _keep(trade, paid=_with(back, err_msg=OK), left=_with(back, err_msg=CANCEL))
    return _open(trade)


@require_GET
def h5(request: HttpRequest) -> HttpResponse:
    """The page for phone browsers. Others are refused as WeChat refuses them, unless `any_browser=1`."""
    agent, back = request.headers.get("User-Agent", ""), request.GET.get("redirect_url", "")
    if "any_browser" not in request.GET:
        if "MicroMessenger" in agent:
            return _refuse(request, "请在微信外打开订单，进行支付", may_pass=True)
        if not PHONE.search(agent):
            return _refuse(request, "请在手机浏览器中打开订单，进行支付", may_pass=True)
    try:
        trade = payer.open_h5(request.GET.get("prepay_id", ""))
    except payer.Refused as refused:
        return _refuse(request, str(refused))
    if is_web_address(back):
        _keep(trade, paid=back, left=back)
    return _open(trade)


def _keep(trade: Trade, *, paid: str, left: str) -> None:
    """Where this visit leads on to."""
    Trade.objects.filter(pk=trade.pk).update(return_url=paid, quit_url=left)


def _open(trade: Trade) -> HttpResponse:
    return HttpResponseRedirect(reverse("cashier", args=[trade.token]))


def _with(address: str, **added: str) -> str:
    parts = urlsplit(address)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added.items()])
    return urlunsplit(parts._replace(query=query))


def _refuse(request: HttpRequest, reason: str, *, may_pass: bool = False) -> HttpResponse:
    context = {"gateway": GATEWAY, "reason": reason}
    if may_pass:
        context["passing"] = f"{request.get_full_path()}&any_browser=1"
    return render(request, "simulator/refused.html", context, status=400)
