import datetime

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from payments.cashier import sessions
from payments.clients import login_codes
from payments.models import Order
from tests.payments.cashier.conftest import log_in, place


def is_known(client, order):
    return client.get(f"/till/{order.number}/").context["in_session"]


def code_for(order):
    return login_codes.issue(number=order.number, generation=order.checkout.login_generation, at=timezone.now())


def link(order, code=None, leads_to=None):
    return {"code": code or code_for(order), "next": leads_to or f"/till/{order.number}/"}


# --- the cookie


def test_the_cookie_is_for_one_order_and_not_for_scripts(order):
    response = HttpResponse()

    sessions.begin(response=response, order=order, path=f"/till/{order.number}/", at=timezone.now())

    cookie = response.cookies["cashier"]
    assert cookie["path"] == f"/till/{order.number}"
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")
    assert 5_390 <= cookie["max-age"] <= 5_400  # half an hour to pay, an hour of grace


@pytest.mark.parametrize("https", [True, False])
def test_the_cookie_is_secure_where_the_site_is(order, settings, https):
    settings.HTTPS = https
    response = HttpResponse()

    sessions.begin(response=response, order=order, path="/till/1/", at=timezone.now())

    assert bool(response.cookies["cashier"]["secure"]) is https


def test_another_orders_session_is_none(browser, shop, order):
    assert is_known(browser, order)
    assert not is_known(browser, place(shop))


def test_a_forged_cookie_is_no_session(order):
    client = Client()
    client.cookies["cashier"] = f"{order.number}:{order.customer_id}:AAAAAA:forged"

    assert not is_known(client, order)


def test_a_session_ends_an_hour_after_the_order(browser, order):
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - datetime.timedelta(minutes=61))

    assert not is_known(browser, order)


# --- the link


def test_opening_the_link_uses_nothing_up(stranger, order):
    shown = stranger.get("/login/", link(order))

    order.checkout.refresh_from_db()
    assert shown.status_code == 200
    assert order.checkout.login_generation == 0
    assert "cashier" not in shown.cookies
    assert shown["Referrer-Policy"] == "strict-origin"
    assert "no-store" in shown["Cache-Control"]


def test_posting_the_link_opens_the_session_and_no_account(stranger, order):
    response = stranger.post("/login/", link(order))

    assert (response.status_code, response["Location"]) == (303, f"/till/{order.number}/")
    assert is_known(stranger, order)
    assert "sessionid" not in stranger.cookies


def test_inside_wechat_the_form_ends_before_the_page_leads_to_another_site(order):
    """Chromium lets no form lead to another site (form-action), not even by a redirect of ours."""
    reader = Client(HTTP_USER_AGENT="Mozilla/5.0 (iPhone) Mobile/15E148 MicroMessenger/8.0.49")

    response = reader.post("/login/", link(order))

    assert (response.status_code, response["Refresh"]) == (200, f"0;url=/till/{order.number}/")
    assert "Location" not in response
    assert f'href="/till/{order.number}/"' in response.content.decode()
    assert is_known(reader, order)


def test_a_code_works_once(stranger, order):
    code = code_for(order)
    assert stranger.post("/login/", link(order, code)).status_code == 303
    thief = Client(HTTP_ACCEPT_LANGUAGE="en")

    response = thief.post("/login/", link(order, code))

    assert response.status_code == 403
    assert "has been used or has expired" in response.content.decode()
    assert f'href="/till/{order.number}/"' in response.content.decode()
    assert not is_known(thief, order)


def test_a_code_opens_its_own_order_alone(stranger, shop, order):
    other = place(shop)

    response = stranger.post("/login/", link(other, code=code_for(order)))

    assert response.status_code == 403
    assert not is_known(stranger, other)
    assert not is_known(stranger, order)


@pytest.mark.parametrize(
    "leads_to",
    [
        "",
        "https://evil.example/till/NUMBER/",
        "//evil.example/till/NUMBER/",
        "/\\evil.example",
        "javascript:alert(1)",
        "/till/NUMBER/status",
        "/till/NUMBER/?return",
        "/till/NUMBER/../../admin/",
        "/elsewhere/NUMBER/",
        "/other/NUMBER/",
        "http://[",
        "/till/NUMBER\x00/",
    ],
)
def test_next_leads_nowhere_but_to_the_orders_page(stranger, order, leads_to):
    fields = {"code": code_for(order), "next": leads_to.replace("NUMBER", order.number)}

    shown, posted = stranger.get("/login/", fields), stranger.post("/login/", fields)

    order.checkout.refresh_from_db()
    assert (shown.status_code, posted.status_code) == (400, 400)
    assert order.checkout.login_generation == 0
    assert "cashier" not in posted.cookies


def test_a_link_without_its_token_opens_nothing(order):
    strict = Client(enforce_csrf_checks=True)

    assert strict.post("/login/", link(order)).status_code == 403
    order.checkout.refresh_from_db()
    assert order.checkout.login_generation == 0


# --- how often


def test_a_stranger_who_asks_too_often_is_told_to_wait(stranger, order, monkeypatch):
    monkeypatch.setattr("payments.cashier.limits.REQUESTS_A_MINUTE", 3)

    statuses = [stranger.get(f"/till/{order.number}/").status_code for _ in range(5)]

    assert statuses in ([200, 200, 200, 429, 429], [200, 200, 200, 200, 429])  # a minute may turn in between
    assert stranger.get("/till/1/status").status_code == 429


def test_a_customer_in_session_is_not_counted(browser, order, monkeypatch):
    monkeypatch.setattr("payments.cashier.limits.REQUESTS_A_MINUTE", 1)

    assert [browser.get(f"/till/{order.number}/").status_code for _ in range(4)] == [200] * 4


def test_visitors_whose_address_cannot_be_told_do_not_count_as_one(stranger, order, monkeypatch):
    monkeypatch.setattr("payments.cashier.limits.REQUESTS_A_MINUTE", 0)

    assert stranger.get(f"/till/{order.number}/", REMOTE_ADDR="").status_code == 200


def test_another_orders_session_does_not_lift_the_limit(browser, order, monkeypatch):
    monkeypatch.setattr("payments.cashier.limits.REQUESTS_A_MINUTE", 0)

    assert browser.get("/till/2018061500000000/").status_code == 429


def test_a_dead_redis_keeps_nobody_from_paying(stranger, order, settings, monkeypatch):
    monkeypatch.setattr("payments.cashier.limits._counts_again_at", 0.0)
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1/0",
        }
    }

    assert [stranger.get(f"/till/{order.number}/").status_code for _ in range(3)] == [200] * 3


def test_logging_in_again_in_the_same_browser_serves_both_orders(stranger, shop, order):
    other = place(shop)
    log_in(stranger, order)
    assert is_known(stranger, order)

    log_in(stranger, other)

    assert is_known(stranger, other)
