"""
Who stands before the page inside WeChat: its JSAPI payment is for one openid, and only WeChat can say whose.

The page leads to WeChat's OAuth and WeChat leads back with a code, which becomes an openid in a signed cookie of this
page alone. Nothing is kept on the server and no charge is started. A round that fails ends in words and a button:
nobody is sent round by themselves twice.
"""

import functools
import secrets

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from payments.charges import queries
from payments.errors import OnetillError
from payments.gateways import registry
from payments.gateways.base import GatewayRefused, GatewayUnavailable, Mode
from payments.gateways.models import Channel, GatewayAccount
from payments.gateways.wechat_oauth import WechatOAuth
from payments.models import Order
from payments.secrets import CannotUnseal
from payments.transactions import outside_transaction

OPENID_COOKIE, OPENID_SECONDS = "openid", 2 * 60 * 60
STATE_COOKIE, STATE_SECONDS = "wechat_state", 10 * 60

log = structlog.get_logger(__name__)


class OpenidUnknown(OnetillError):
    """WeChat has not said who is paying, or to another account of ours."""

    code = "openid_unknown"
    message = _("WeChat has not told us who is paying. Open this page anew inside WeChat.")


class OpenidRefused(OnetillError):
    """The round through WeChat came to nothing."""

    status = 403
    code = "openid_refused"
    message = _("Nothing was paid. Try again, or open this page in your browser and pay there.")


class OpenidUnavailable(OpenidRefused):
    """WeChat did not answer, or nothing that can be understood."""

    status = 503
    code = "openid_unavailable"


class WechatVisitor:
    """A browser inside WeChat on the page of one order."""

    def __init__(self, *, request: HttpRequest, order: Order, path: str) -> None:
        self._request, self._order, self._path = request, order, path

    @functools.cached_property
    def _oauth(self) -> WechatOAuth | None:
        return _oauth(self._order)

    @property
    def openid(self) -> str:
        """Return who WeChat said this is, "" where it has not (yet)."""
        if self._oauth is None:
            return ""
        return self._cookie(OPENID_COOKIE, max_age=OPENID_SECONDS)

    def introduction(self) -> HttpResponse | None:
        """Return the next step towards the openid; None where it is known, or the account cannot ask for it."""
        if self._oauth is None:
            return None
        has_come_back = "state" in self._request.GET
        if self.openid:
            return HttpResponseRedirect(self._path) if has_come_back else None
        return self._come_back(self._oauth) if has_come_back else self._set_out(self._oauth)

    def _set_out(self, oauth: WechatOAuth) -> HttpResponse:
        state = secrets.token_hex(16)  # WeChat takes letters and digits
        url = oauth.authorize_url(redirect_url=f"{settings.BASE_URL}{self._path}", state=state)
        response = HttpResponseRedirect(url)
        self._set_cookie(response, STATE_COOKIE, state, max_age=STATE_SECONDS)
        return response

    def _come_back(self, oauth: WechatOAuth) -> HttpResponse:
        """Trade the code for the openid. The state goes with the answer, whatever it is: it is good for one round."""
        response: HttpResponse
        try:
            openid = self._exchange(oauth)
        except OnetillError as error:
            context = {
                "title": _("WeChat did not tell us who is paying"),
                "sentence": error.sentence(),
                "link": self._path,
                "link_text": _("Try again"),
            }
            response = render(self._request, "onetill/message.html", context, status=error.status)
        else:
            response = HttpResponseRedirect(self._path)
            self._set_cookie(response, OPENID_COOKIE, openid, max_age=OPENID_SECONDS)
        response.delete_cookie(STATE_COOKIE, path=self._cookie_path, samesite="Lax")
        return response

    @outside_transaction
    def _exchange(self, oauth: WechatOAuth) -> str:
        """:raises OnetillError: if there was no round of this browser's, or WeChat does not say who it is"""
        expected, code = self._cookie(STATE_COOKIE, max_age=STATE_SECONDS), self._request.GET.get("code", "")
        if not expected or not constant_time_compare(expected, self._request.GET["state"]) or not code:
            raise OpenidRefused
        try:
            with registry.place_for_a_call():
                return oauth.openid(code=code)
        except GatewayUnavailable as error:
            log.warning("openid_unavailable", app_id=oauth.app_id, error=str(error))
            raise OpenidUnavailable from error
        except GatewayRefused as error:
            log.warning("openid_refused", app_id=oauth.app_id, error=str(error))
            raise OpenidRefused from error

    @property
    def _cookie_path(self) -> str:
        return self._path.rstrip("/")  # browsers match whole segments, so this covers the page with and without it

    def _salt(self) -> str:
        """Bind what is signed to the page and to the app: an openid means nothing to another app."""
        return f"{self._cookie_path} {self._oauth.app_id if self._oauth else ''}"

    def _cookie(self, name: str, *, max_age: int) -> str:
        return self._request.get_signed_cookie(name, default="", salt=self._salt(), max_age=max_age) or ""

    def _set_cookie(self, response: HttpResponse, name: str, value: str, *, max_age: int) -> None:
        response.set_signed_cookie(
            name,
            value,
            salt=self._salt(),
            max_age=max_age,
            path=self._cookie_path,
            secure=settings.HTTPS,
            httponly=True,
            samesite="Lax",  # the way back from WeChat is a link from another site
        )


def _oauth(order: Order) -> WechatOAuth | None:
    """Return how the account that would take the JSAPI payment asks for openids, None where it cannot."""
    try:
        account = queries.account_for(
            client_id=order.client_id, channel=Channel.WECHAT, mode=Mode.JSAPI, family=order.family
        )
    except queries.NoGatewayAccount:
        return None
    try:
        given = _settings(account)
        return WechatOAuth(app_id=account.app_id, **given) if given.get("app_secret") else None
    except (ValueError, CannotUnseal):
        log.exception("wechat_oauth_misconfigured", account=account.pk)
        return None


def _settings(account: GatewayAccount) -> dict[str, str]:
    found = {**account.options, **account.credentials()}
    return {name: str(found[name]) for name in registry.OAUTH_SETTINGS if found.get(name)}
