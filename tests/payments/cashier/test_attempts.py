"""One open attempt is shown: the one that no other replaced, to whom and on the sort of device where it was begun."""

import datetime
import json

import pytest
from django.test import Client
from django.utils import timezone

from payments.cashier.openids import WechatVisitor
from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.models import Charge, GatewayAccount
from tests.payments.cashier.conftest import place
from tests.payments.cashier.test_openids import OPENID, WECHAT

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
CALL = {"appId": "wx1", "timeStamp": "1533188289", "nonceStr": "n", "package": "prepay_id=wx1", "signType": "MD5",
        "paySign": "7EEC"}  # fmt: skip


@pytest.fixture
def wechat(db):
    account = GatewayAccount(
        kind="wechat_v2", name="WeChat", app_id="wx1", merchant_id="1", base_url="http://127.0.0.1:1"
    )
    account.set_credentials({"api_key": "k" * 32, "app_secret": "s"})
    account.save()
    return account


def attempt(order, wechat, mode, *, payload, number=2, payer_id=""):
    """What a WeChat account has open."""
    expires_at = timezone.now() + datetime.timedelta(minutes=20)
    return Charge.objects.create(
        order=order, attempt=number, number=f"{order.number}_{number}", tender="wechat", mode=mode, status="pending",
        gateway_account=wechat, amount_fen=order.cash_fen, expires_at=expires_at, payload=payload, payer_id=payer_id,
    )  # fmt: skip


def show(order, agent="", monkeypatch=None, openid=""):
    if openid:
        monkeypatch.setattr(WechatVisitor, "openid", openid)
        monkeypatch.setattr(WechatVisitor, "introduction", lambda _visitor: None)
    return Client(HTTP_USER_AGENT=agent, HTTP_ACCEPT_LANGUAGE="en").get(f"/till/{order.number}/")


def offered(response):
    return [way.value for way in response.context["ways"]]


def pay_by(order, mode):
    return charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())


def test_a_code_that_the_gateway_will_not_close_yet_gives_way_to_the_newest_attempt(shop, customer, account):
    order = place(shop)
    unscanned, page = pay_by(order, Mode.QR), pay_by(order, Mode.PAGE)
    unscanned.refresh_from_db()

    shown = show(order)

    assert (unscanned.status, unscanned.is_replaced) == ("pending", True)
    assert (shown.context["scene"].charge, shown.context["mode"]) == (page, "page")
    assert "data:image/svg+xml" not in shown.content.decode()


def test_the_first_code_is_shown_again_when_it_is_chosen_again(shop, customer, account):
    order = place(shop)
    first, _page, again = pay_by(order, Mode.QR), pay_by(order, Mode.PAGE), pay_by(order, Mode.QR)

    shown = show(order)

    assert again == first
    assert (shown.context["scene"].charge, shown.context["mode"]) == (first, "qr")


def test_a_code_that_an_apps_payment_replaced_is_not_shown(shop, customer, account):
    order = place(shop)
    pay_by(order, Mode.QR)
    pay_by(order, Mode.APP)

    shown = show(order)

    assert shown.context["scene"].state == "choosing"
    assert "data:image/svg+xml" not in shown.content.decode()


def test_the_page_in_another_window_hears_of_the_new_attempt(shop, customer, account):
    order, client = place(shop), Client()
    marks = []
    for mode in (Mode.QR, Mode.PAGE):
        pay_by(order, mode)
        marks.append(client.get(f"/till/{order.number}/status").json()["mark"])

    assert marks == ["waiting-point_paid-2", "waiting-point_paid-3"]


@pytest.mark.parametrize(
    ("agent", "first", "others"),
    [
        ("", ["wechat:qr", "memory:qr"], ["memory:page"]),
        (PHONE, ["wechat:wap", "memory:wap"], ["wechat:qr", "memory:qr"]),
    ],
)
def test_wechat_comes_first_with_what_the_device_can_do(order, wechat, agent, first, others):
    assert offered(show(order, agent)) == first + others


def test_wechats_code_is_drawn_as_wechat_gave_it(order, wechat):
    code = "weixin://wxpay/bizpayurl?pr=bJ1XIh4"
    attempt(order, wechat, "qr", payload={"qr_code": code, **CALL})

    response = show(order)

    assert response.context["scene"].target == code
    assert "Scan with WeChat Pay" in response.content.decode()
    assert response.context["simulator_url"] == ""
    assert "data-call" not in response.content.decode()


def test_in_the_sandbox_a_link_scans_wechats_code(order, wechat, settings):
    settings.SIMULATOR_URL = wechat.base_url
    attempt(order, wechat, "qr", payload={"qr_code": "weixin://wxpay/bizpayurl?pr=bJ1XIh4"})

    url = show(order).context["simulator_url"]

    assert url == "http://127.0.0.1:1/wechat/scan/?code=weixin%3A%2F%2Fwxpay%2Fbizpayurl%3Fpr%3DbJ1XIh4"


def test_a_real_account_in_the_sandbox_has_no_link_to_the_simulator(order, wechat, settings):
    settings.SIMULATOR_URL = "http://127.0.0.1:12"
    attempt(order, wechat, "qr", payload={"qr_code": "weixin://wxpay/bizpayurl?pr=bJ1XIh4"})

    assert show(order).context["simulator_url"] == ""


def test_inside_wechat_the_page_carries_the_six_fields_of_the_call(order, wechat, monkeypatch):
    attempt(order, wechat, "jsapi", payload={**CALL, "more": "x"}, payer_id=OPENID)

    response = show(order, WECHAT, monkeypatch, OPENID)

    assert response.context["scene"].state == "waiting"
    assert json.loads(response.context["call"]) == CALL
    assert 'data-call="{&quot;appId&quot;: &quot;wx1&quot;' in response.content.decode()
    assert f'data-called="/till/{order.number}/?returned=1"' in response.content.decode()
    assert offered(response) == []


def test_in_the_sandbox_a_page_of_the_simulator_plays_wechat(order, wechat, settings, monkeypatch):
    settings.SIMULATOR_URL, settings.BASE_URL = wechat.base_url, "http://shop.example"
    attempt(order, wechat, "jsapi", payload=CALL, payer_id=OPENID)

    response = show(order, WECHAT, monkeypatch, OPENID)

    assert response.context["gateway_url"] == (
        "http://127.0.0.1:1/wechat/jsapi/?appId=wx1&timeStamp=1533188289&nonceStr=n&package=prepay_id%3Dwx1"
        f"&signType=MD5&paySign=7EEC&return_url=http%3A%2F%2Fshop.example%2Ftill%2F{order.number}%2F%3Freturned%3D1"
    )
    assert response.context["call"] == ""


def test_a_call_without_its_signature_is_not_yet_a_payment(order, wechat, monkeypatch):
    attempt(order, wechat, "jsapi", payload={"qr_code": "x"}, payer_id=OPENID)

    assert show(order, WECHAT, monkeypatch, OPENID).context["scene"].state == "asking"


@pytest.mark.parametrize(
    ("begun", "looking"),
    [
        (("jsapi", CALL), ("", "")),
        (("jsapi", CALL), (PHONE, "")),
        (("jsapi", CALL), (WECHAT, "somebody-else")),
        (("wap", {"url": "https://wx.example/h5"}), (WECHAT, OPENID)),
        (("qr", {"qr_code": "weixin://x"}), (WECHAT, OPENID)),
    ],
)
def test_what_was_begun_elsewhere_is_said_and_can_be_paid_here(order, wechat, monkeypatch, begun, looking):
    (mode, payload), (agent, openid) = begun, looking
    attempt(order, wechat, mode, payload=payload, payer_id=OPENID if mode == "jsapi" else "")

    response = show(order, agent, monkeypatch, openid)

    body = response.content.decode()
    assert "Being paid with WeChat Pay elsewhere" in body
    assert response.context["ways"]
    for lead in ("data-call", "data-go", "data:image/svg+xml"):
        assert lead not in body


def test_the_site_and_nothing_more_is_told_to_where_the_page_leads(order, wechat):
    """WeChat's H5 page turns away whom no registered site sent."""
    assert show(order, PHONE)["Referrer-Policy"] == "strict-origin"
