"""
WeChat's log-in for pages: who the payer is, as JSAPI orders have to say.

A page sends the browser here and gets it back with a code, which the merchant's server exchanges once, within five
minutes, for the payer's openid. Nobody is asked, and the merchant's secret is the proof.
"""

import datetime
import secrets
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from payments.simulator.addresses import is_web_address
from payments.simulator.models import LoginCode, Merchant
from payments.simulator.wechat import merchants, payer

SCOPES = {"snsapi_base", "snsapi_userinfo"}
CODE_LIVES = datetime.timedelta(minutes=5)
TOKEN_LIVES_S = 7200
BROWSER_COOKIE = "simulator_payer"
ERRORS = {
    40002: "invalid grant_type",
    40013: "invalid appid",
    40029: "invalid code",
    40125: "invalid appsecret",
}


@require_GET
def authorize(request: HttpRequest) -> HttpResponse:
    """Back to `redirect_uri` with `code` and `state`, or a page that says what WeChat would not take."""
    merchant, back = _merchant(request.GET.get("appid", "")), request.GET.get("redirect_uri", "")
    if merchant is None:
        return _refused(request, "AppID 参数错误")
    if not is_web_address(back):
        return _refused(request, "redirect_uri 参数错误")
    if request.GET.get("response_type") != "code" or request.GET.get("scope") not in SCOPES:
        return _refused(request, "Scope 参数错误或没有 Scope 权限")
    browser = request.COOKIES.get(BROWSER_COOKIE) or secrets.token_urlsafe(16)
    LoginCode.objects.filter(made_at__lt=timezone.now() - CODE_LIVES).delete()
    made = LoginCode.objects.create(
        code=secrets.token_hex(16),
        merchant=merchant,
        openid=payer.openid(merchant.app_id, browser),
        scope=request.GET["scope"],
        made_at=timezone.now(),
    )
    parts = urlsplit(back)
    told = [*parse_qsl(parts.query, keep_blank_values=True), ("code", made.code)]
    told.append(("state", request.GET.get("state", "")))
    response = HttpResponseRedirect(urlunsplit(parts._replace(query=urlencode(told))))
    response.set_cookie(BROWSER_COOKIE, browser, max_age=31_536_000, samesite="Lax", httponly=True)
    return response


@require_GET
def access_token(request: HttpRequest) -> HttpResponse:
    """The openid for a code that was not used before. WeChat answers 200 whatever it says."""
    merchant = _merchant(request.GET.get("appid", ""))
    if merchant is None:
        return _error(40013)
    known = merchants.secret(merchant, "app_secret").encode()
    if not secrets.compare_digest(request.GET.get("secret", "").encode(), known):
        return _error(40125)
    if request.GET.get("grant_type") != "authorization_code":
        return _error(40002)
    since = timezone.now() - CODE_LIVES
    code = LoginCode.objects.filter(code=request.GET.get("code", ""), merchant=merchant, made_at__gte=since).first()
    if code is None or not LoginCode.objects.filter(pk=code.pk).delete()[0]:
        return _error(40029)
    return JsonResponse(
        {
            "access_token": secrets.token_urlsafe(48),
            "expires_in": TOKEN_LIVES_S,
            "refresh_token": secrets.token_urlsafe(48),
            "openid": code.openid,
            "scope": code.scope,
        }
    )


def _merchant(app_id: str) -> Merchant | None:
    return Merchant.objects.filter(gateway=merchants.GATEWAY, app_id=app_id).first()


def _refused(request: HttpRequest, reason: str) -> HttpResponse:
    return render(request, "simulator/refused.html", {"gateway": merchants.GATEWAY, "reason": reason}, status=400)


def _error(code: int) -> HttpResponse:
    return JsonResponse({"errcode": code, "errmsg": f"{ERRORS[code]}, rid: {secrets.token_hex(4)}"})
