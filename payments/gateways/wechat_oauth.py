"""
Asking WeChat who a visitor is: the openid that a JSAPI payment is bound to.

OAuth 2 with the scope `snsapi_base`: the visitor sees and confirms nothing, and nothing but the openid is told.
Source: developers.weixin.qq.com/doc/offiaccount/OA_Web_Apps/Wechat_webpage_authorization.html
"""

import dataclasses
import json
import re
from urllib.parse import urlencode

from payments.gateways import limits
from payments.gateways.base import GatewayRefused, GatewayUnavailable
from payments.gateways.http import HttpClient, Limits

PAGE_URL = "https://open.weixin.qq.com"
API_URL = "https://api.weixin.qq.com"
BUSY = -1

_OPENID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_http = HttpClient(limits=Limits(total_seconds=5, body_bytes=16 * 1024))


@dataclasses.dataclass(frozen=True, kw_only=True)
class WechatOAuth:
    """
    The official account whose app id the merchant is bound to.

    :raises ValueError: an address that is none
    """

    app_id: str
    app_secret: str = dataclasses.field(repr=False)
    oauth_page_url: str = PAGE_URL
    oauth_api_url: str = API_URL

    def __post_init__(self) -> None:
        if not (limits.is_absolute(self.oauth_page_url) and limits.is_absolute(self.oauth_api_url)):
            raise ValueError("oauth_page_url and oauth_api_url must be absolute")

    def authorize_url(self, *, redirect_url: str, state: str) -> str:
        """Return where to lead the visitor. They come back to `redirect_url` with `code` and `state` in its query."""
        query = {  # in WeChat's own order, which it insists on
            "appid": self.app_id,
            "redirect_uri": redirect_url,
            "response_type": "code",
            "scope": "snsapi_base",
            "state": state,
        }
        return f"{self.oauth_page_url.rstrip('/')}/connect/oauth2/authorize?{urlencode(query)}#wechat_redirect"

    def openid(self, *, code: str) -> str:
        """
        Return the openid of the visitor who came back with `code`, which works once and for five minutes.

        :raises GatewayRefused: if WeChat says no, e.g. 40029 (no such code), 40163 (used), 40125 (wrong app secret)
        :raises GatewayUnavailable: if it says nothing that can be understood
        """
        query = {"appid": self.app_id, "secret": self.app_secret, "code": code, "grant_type": "authorization_code"}
        address = f"{self.oauth_api_url.rstrip('/')}/sns/oauth2/access_token"
        answer = _http.call("GET", f"{address}?{urlencode(query)}", headers={"Accept": "application/json"})
        try:
            content = json.loads(answer.body)
        except (ValueError, RecursionError) as error:
            raise GatewayUnavailable(f"HTTP {answer.status}: {type(error).__name__}") from error
        if answer.status != 200 or not isinstance(content, dict):
            raise GatewayUnavailable(f"HTTP {answer.status}, and no object that says who it is")
        if refusal := content.get("errcode"):
            if refusal == BUSY:
                raise GatewayUnavailable("WeChat is busy")
            raise GatewayRefused(str(refusal)[:32], str(content.get("errmsg", ""))[:160], permanent=False)
        openid = content.get("openid")
        if not isinstance(openid, str) or not _OPENID.fullmatch(openid):
            raise GatewayUnavailable("an answer without an openid")
        return openid
