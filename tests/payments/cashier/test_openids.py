"""Inside WeChat: how the page learns who is paying, with WeChat played by a server that answers as it is told."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from payments.gateways import registry
from payments.models import Charge, GatewayAccount
from payments.transactions import transaction
from tests.payments.cashier.conftest import place
from tests.payments.gateways import scripted
from tests.payments.gateways.scripted import ScriptedServer

WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 "
    "MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN"
)
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


@pytest.fixture
def server():
    running = ScriptedServer()
    yield running
    running.stop()


@pytest.fixture
def wechat(db, server):
    base = server.url.removesuffix("/gateway.do")
    account = GatewayAccount(
        kind="wechat_v2", name="WeChat", app_id="wx1", merchant_id="1", base_url="http://127.0.0.1:1",
        options={"oauth_page_url": "https://page.example", "oauth_api_url": base},
    )  # fmt: skip
    account.set_credentials({"api_key": "k" * 32, "app_secret": "app-secret"})
    account.save()
    return account


@pytest.fixture
def order(shop, customer, wechat):
    return place(shop)


@pytest.fixture
def reader(settings):
    """A browser inside WeChat, of nobody that the page knows."""
    settings.BASE_URL = "https://pay.example"
    return Client(HTTP_USER_AGENT=WECHAT, HTTP_ACCEPT_LANGUAGE="en")


def page(client, order, **query):
    return client.get(f"/till/{order.number}/", query)


def set_out(client, order):
    """Be led to WeChat, and return the state that it is given."""
    return parse_qs(urlsplit(page(client, order)["Location"]).query)["state"][0]


def come_back(client, order, *, state=None, code="c0de"):
    return page(client, order, code=code, state=set_out(client, order) if state is None else state)


def tells(openid=OPENID):
    return scripted.body(json.dumps({"access_token": "A", "openid": openid, "scope": "snsapi_base"}).encode())


def introduce(client, order, server):
    server.then(tells())
    come_back(client, order)


def assert_refused_in_words(response, order, *, status):
    body = " ".join(response.content.decode().split())
    assert response.status_code == status
    assert "WeChat did not tell us who is paying" in body
    assert f'href="/till/{order.number}/"' in body
    assert "openid" not in response.cookies
    assert (response.cookies["wechat_state"].value, response.cookies["wechat_state"]["max-age"]) == ("", 0)


# --- the round


def test_a_visitor_of_whom_nothing_is_known_is_led_to_wechat(reader, order, server):
    response = page(reader, order)

    url = urlsplit(response["Location"])
    query = parse_qs(url.query)
    assert response.status_code == 302
    assert (url.scheme, url.netloc, url.path) == ("https", "page.example", "/connect/oauth2/authorize")
    assert query["appid"] == ["wx1"]
    assert query["redirect_uri"] == [f"https://pay.example/till/{order.number}/"]
    assert "no-store" in response["Cache-Control"]
    assert server.requests == []
    assert Charge.objects.exclude(tender="points").count() == 0


def test_who_comes_back_with_a_code_is_known_and_sees_the_page(reader, order, server):
    server.then(tells())

    back = come_back(reader, order)
    shown = page(reader, order)

    assert (back.status_code, back["Location"]) == (302, f"/till/{order.number}/")
    assert parse_qs(urlsplit(server.requests[0].path).query)["code"] == ["c0de"]
    assert shown.status_code == 200
    assert [way.value for way in shown.context["ways"]] == ["wechat:jsapi"]
    assert OPENID not in shown.content.decode()
    assert Charge.objects.exclude(tender="points").count() == 0


def test_the_cookies_are_for_this_page_and_not_for_scripts(reader, order, server):
    server.then(tells())

    out = page(reader, order).cookies["wechat_state"]
    back = come_back(reader, order).cookies["openid"]

    for cookie, seconds in ((out, 600), (back, 7200)):
        assert cookie["path"] == f"/till/{order.number}"
        assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", seconds)
        assert not cookie["secure"]


def test_the_cookies_are_secure_where_the_site_is(reader, order, server, settings):
    settings.HTTPS = True
    server.then(tells())

    assert page(reader, order).cookies["wechat_state"]["secure"]
    assert come_back(reader, order).cookies["openid"]["secure"]


def test_the_live_status_leads_nowhere(reader, order):
    assert reader.get(f"/till/{order.number}/status").json()["state"] == "choosing"


def test_where_nothing_is_to_be_paid_nobody_is_asked(reader, order, server):
    order.status = "closed"
    order.save(update_fields=["status"])

    assert page(reader, order).status_code == 200
    assert page(reader, order, code="c", state="s").status_code == 200
    assert server.requests == []


def test_elsewhere_than_in_wechat_nobody_is_asked(order, server):
    stranger = Client(HTTP_ACCEPT_LANGUAGE="en")

    assert page(stranger, order).status_code == 200
    assert page(stranger, order, code="c", state="s").status_code == 200
    assert server.requests == []


# --- a round that fails


@pytest.mark.parametrize("state", ["", "0" * 32, "é", "x\x00"])
def test_another_state_than_this_browsers_is_refused_before_wechat_is_asked(reader, order, server, state):
    set_out(reader, order)

    assert_refused_in_words(come_back(reader, order, state=state), order, status=403)
    assert server.requests == []


def test_a_browser_that_never_set_out_is_refused(reader, order, server):
    other = Client(HTTP_USER_AGENT=WECHAT)

    assert_refused_in_words(come_back(reader, order, state=set_out(other, order)), order, status=403)
    assert server.requests == []


def test_the_state_of_another_orders_page_is_refused(reader, order, shop, server):
    other = place(shop)
    state = set_out(reader, other)
    reader.cookies["wechat_state"]["path"] = "/"

    assert_refused_in_words(come_back(reader, order, state=state), order, status=403)
    assert server.requests == []


def test_a_state_is_good_for_one_round(reader, order, server):
    server.then(scripted.body(b'{"errcode": 40029, "errmsg": "invalid code"}'))
    state = set_out(reader, order)
    come_back(reader, order, state=state)

    assert_refused_in_words(come_back(reader, order, state=state), order, status=403)
    assert len(server.requests) == 1


def test_who_comes_back_without_a_code_is_refused(reader, order, server):
    assert_refused_in_words(come_back(reader, order, code=""), order, status=403)
    assert server.requests == []


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (scripted.body(b'{"errcode": 40163, "errmsg": "code been used"}'), 403),
        (scripted.body(b'{"errcode": -1}'), 503),
        (scripted.body(b"<html>", status=502), 503),
        (scripted.body(b"[" * 16_000), 503),
        (tells(openid="<script>"), 503),
        (scripted.reset, 503),
    ],
)
def test_whatever_wechat_answers_there_are_words_and_a_button(reader, order, server, step, status):
    server.then(step)

    assert_refused_in_words(come_back(reader, order), order, status=status)


def test_after_a_failed_round_the_button_leads_on(reader, order, server):
    server.then(scripted.reset, tells())
    come_back(reader, order)

    assert come_back(reader, order).status_code == 302
    assert page(reader, order).status_code == 200


def test_a_process_without_a_free_line_says_so(reader, order, server, monkeypatch):
    state = set_out(reader, order)

    class Taken:
        def acquire(self, *, blocking):
            return False

    monkeypatch.setattr(registry, "_places", Taken())

    assert_refused_in_words(come_back(reader, order, state=state), order, status=503)
    assert server.requests == []


def test_coming_back_twice_shows_the_page(reader, order, server):
    introduce(reader, order, server)

    again = page(reader, order, code="c0de", state="gone")

    assert (again.status_code, again["Location"]) == (302, f"/till/{order.number}/")
    assert len(server.requests) == 1


def test_wechat_is_never_asked_inside_a_transaction(reader, order, server):
    state = set_out(reader, order)

    with transaction(), pytest.raises(RuntimeError, match="inside a transaction"):
        come_back(reader, order, state=state)

    assert server.requests == []


# --- what the openid is good for


def test_a_forged_openid_is_none(reader, order):
    reader.cookies["openid"] = f"{OPENID}:AAAAAA:forged"

    assert page(reader, order).status_code == 302


def test_an_openid_is_good_for_one_orders_page(reader, order, shop, server):
    introduce(reader, order, server)
    reader.cookies["openid"]["path"] = "/"

    assert page(reader, place(shop)).status_code == 302


def test_an_openid_of_another_app_is_asked_for_anew(reader, order, wechat, server):
    introduce(reader, order, server)
    wechat.app_id = "wx2"
    wechat.save()

    assert "appid=wx2" in page(reader, order)["Location"]


def test_paying_inside_wechat_without_an_openid_is_refused_in_words(reader, order):
    before = Charge.objects.count()

    response = reader.post(f"/till/{order.number}/", {"way": "wechat:jsapi"})

    assert response.status_code == 422
    assert "WeChat has not told us who is paying" in response.content.decode()
    assert Charge.objects.count() == before


def test_an_openid_is_worth_nothing_outside_wechat(reader, order, server):
    introduce(reader, order, server)
    before = Charge.objects.count()

    response = reader.post(f"/till/{order.number}/", {"way": "wechat:jsapi"}, HTTP_USER_AGENT="Mozilla/5.0 Mobi")

    assert response.status_code == 422
    assert Charge.objects.count() == before


def test_the_payment_is_bound_to_the_openid(reader, order, server):
    introduce(reader, order, server)

    response = reader.post(f"/till/{order.number}/", {"way": "wechat:jsapi"})

    charge = Charge.objects.get(tender="wechat")
    assert (response.status_code, response["Location"]) == (303, f"/till/{order.number}/#go")
    assert (charge.mode, charge.payer_id, charge.payer_address) == ("jsapi", OPENID, "127.0.0.1")
    assert charge.created_at <= timezone.now()


# --- accounts that cannot ask


@pytest.mark.parametrize(
    ("options", "credentials"),
    [
        ({}, {"api_key": "k" * 32}),
        ({}, {"api_key": "k" * 32, "app_secret": ""}),
        ({"oauth_page_url": "nowhere"}, {"api_key": "k" * 32, "app_secret": "s"}),
        ({"oauth_api_url": 5}, {"api_key": "k" * 32, "app_secret": "s"}),
    ],
)
def test_an_account_that_cannot_ask_sends_the_person_to_a_browser(reader, order, wechat, options, credentials):
    wechat.options = options
    wechat.set_credentials(credentials)
    wechat.save()

    response = page(reader, order)

    assert response.status_code == 200
    assert response.context["ways"] == []
    assert "cannot be paid inside WeChat" in response.content.decode()
    assert "No way to pay" not in response.content.decode()


def test_secrets_that_do_not_open_send_the_person_to_a_browser(reader, order, wechat):
    GatewayAccount.objects.filter(pk=wechat.pk).update(sealed_secrets="gone:AAAA")

    assert "cannot be paid inside WeChat" in page(reader, order).content.decode()


def test_a_shop_without_wechat_sends_the_person_to_a_browser(reader, order, wechat, account):
    wechat.is_active = False
    wechat.save()

    assert "cannot be paid inside WeChat" in page(reader, order).content.decode()


def test_what_else_there_is_outside_wechat_is_said_beside_the_way(reader, order, server, account):
    introduce(reader, order, server)

    response = page(reader, order)

    assert [way.value for way in response.context["ways"]] == ["wechat:jsapi"]
    assert "For another way to pay, open this page in your browser" in response.content.decode()
