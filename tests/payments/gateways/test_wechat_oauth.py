import json
from urllib.parse import parse_qs, urlsplit

import pytest

from payments.gateways import wechat_oauth
from payments.gateways.base import GatewayRefused, GatewayUnavailable
from payments.gateways.http import HttpClient, Limits
from payments.gateways.wechat_oauth import WechatOAuth
from tests.payments.gateways import scripted
from tests.payments.gateways.scripted import ScriptedServer

OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
TOLD = {"access_token": "A", "expires_in": 7200, "refresh_token": "R", "openid": OPENID, "scope": "snsapi_base"}


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.stop()


@pytest.fixture
def oauth(server):
    base = server.url.removesuffix("/gateway.do")
    return WechatOAuth(app_id="wx1", app_secret="s&cret", oauth_page_url="https://page.example", oauth_api_url=base)


def said(content, **kind):
    return scripted.body(json.dumps(content).encode(), **kind)


def test_the_visitor_is_led_to_wechat_with_the_parameters_in_its_own_order(oauth):
    url = oauth.authorize_url(redirect_url="https://shop.example/app/payment/wpay/1/?a=b", state="abc")

    assert url == (
        "https://page.example/connect/oauth2/authorize?appid=wx1"
        "&redirect_uri=https%3A%2F%2Fshop.example%2Fapp%2Fpayment%2Fwpay%2F1%2F%3Fa%3Db"
        "&response_type=code&scope=snsapi_base&state=abc#wechat_redirect"
    )


def test_a_code_becomes_an_openid(oauth, server):
    server.then(said(TOLD, Content_Type="text/plain"))

    assert oauth.openid(code="c/1") == OPENID

    (request,) = server.requests
    assert (request.method, urlsplit(request.path).path) == ("GET", "/sns/oauth2/access_token")
    assert parse_qs(urlsplit(request.path).query) == {
        "appid": ["wx1"], "secret": ["s&cret"], "code": ["c/1"], "grant_type": ["authorization_code"],
    }  # fmt: skip


@pytest.mark.parametrize("code", [40029, 40163, 40125, "x" * 1000, [1]])
def test_a_refusal_is_told_with_wechats_own_code(oauth, server, code):
    server.then(said({"errcode": code, "errmsg": "invalid code, rid: 1"}))

    with pytest.raises(GatewayRefused) as caught:
        oauth.openid(code="c")

    assert caught.value.code == str(code)[:32]
    assert caught.value.message == "invalid code, rid: 1"


@pytest.mark.parametrize(
    "step",
    [
        said({"errcode": -1, "errmsg": "system error"}),
        said(TOLD, status=502),
        said({"errcode": 0}),
        said({**TOLD, "openid": ""}),
        said({**TOLD, "openid": 7}),
        said({**TOLD, "openid": "o" * 65}),
        said({**TOLD, "openid": "<b>"}),
        said({**TOLD, "openid": f"{OPENID}\n"}),
        said([TOLD]),
        said(None),
        scripted.body(b""),
        scripted.body(b"<html>"),
        scripted.body(b"\xff\xfe"),
        scripted.body(b"[" * 16_000),
        scripted.body(b" " * 17_000),
        scripted.reset,
        scripted.hang_up,
        scripted.not_http,
    ],
)
def test_what_cannot_be_understood_is_no_openid(oauth, server, step):
    server.then(step)

    with pytest.raises(GatewayUnavailable) as caught:
        oauth.openid(code="c")

    assert "s&cret" not in str(caught.value)
    assert "s%26cret" not in str(caught.value)


@pytest.mark.parametrize("step", [scripted.drip_body, scripted.drip_head, scripted.silence])
def test_a_slow_answer_has_one_deadline(oauth, server, step, monkeypatch):
    assert wechat_oauth._http._limits.total_seconds == 5
    monkeypatch.setattr(wechat_oauth, "_http", HttpClient(limits=Limits(total_seconds=0.3)))
    server.then(step)

    with pytest.raises(GatewayUnavailable, match="Timeout"):
        oauth.openid(code="c")


def test_the_secret_is_not_shown():
    assert "s3cret" not in repr(WechatOAuth(app_id="wx1", app_secret="s3cret"))


@pytest.mark.parametrize("url", ["", "open.weixin.qq.com", "http://[::1", "javascript:alert(1)"])
@pytest.mark.parametrize("option", ["oauth_page_url", "oauth_api_url"])
def test_an_address_that_is_none_is_told_at_once(option, url):
    with pytest.raises(ValueError, match="must be absolute"):
        WechatOAuth(app_id="wx1", app_secret="s", **{option: url})


def test_wechats_own_addresses_are_taken_where_none_are_given():
    oauth = WechatOAuth(app_id="wx1", app_secret="s")

    assert oauth.authorize_url(redirect_url="https://a.example/", state="1").startswith("https://open.weixin.qq.com/")
    assert oauth.oauth_api_url == "https://api.weixin.qq.com"
