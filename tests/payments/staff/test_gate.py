"""Money is behind a second factor: who has rights over it and no device gets as far as setting one up."""

import os
import subprocess
import sys

import pytest
from django.conf import settings as house
from django.contrib.auth.models import Group, Permission
from django.test import Client

from config import demo
from config.roles import ROLES
from payments.models import StaffSession
from payments.staff.rights import MONEY_PERMISSIONS
from tests.payments.staff.people import PASSWORD, code, enrol, is_in, lin, log_in
from tests.payments.staff.test_devices import SET_UP, make_up_codes, offered_key
from tests.world import make_staff

pytestmark = pytest.mark.django_db

PAGES = ["/admin/", "/admin/payments/order/", "/admin/security/", "/admin/password_change/", "/admin/jsi18n/",
         "/admin/autocomplete/", "/admin/nowhere/"]  # fmt: skip


@pytest.fixture
def strict(settings):
    settings.REQUIRE_TOTP = True


@pytest.mark.parametrize("path", PAGES)
def test_who_holds_money_is_led_to_set_up_a_device(strict, path):
    lin("request_refund")
    browser, _answer = log_in()

    assert browser.get(path)["Location"] == SET_UP
    assert browser.head(path)["Location"] == SET_UP


@pytest.mark.parametrize("path", PAGES)
def test_nothing_that_they_send_is_taken(strict, path):
    lin("request_refund")
    browser, _answer = log_in()

    for method in (browser.post, browser.put, browser.delete):
        answer = method(path)
        assert answer.status_code == 403
        assert "no-store" in answer["Cache-Control"]
        assert answer["X-Frame-Options"] == "DENY"


def test_the_page_of_setting_up_shows_no_menu_and_a_way_out(strict):
    lin("request_refund", "view_order")
    browser, _answer = log_in()

    page = browser.get(SET_UP).content.decode()

    assert "You have rights over money." in page
    assert "/admin/payments/order/" not in page
    assert 'action="/admin/logout/"' in page
    assert browser.post("/admin/logout/")["Location"] == "/admin/login/"


def test_the_pages_open_once_it_is_set_up(strict):
    lin("request_refund", "view_order")
    browser, _answer = log_in()

    _key, codes = make_up_codes(browser)

    assert browser.get("/admin/payments/order/").status_code == 200
    other, _answer = log_in(token=codes[0])
    assert other.get("/admin/payments/order/").status_code == 200
    assert not is_in(log_in()[0])


def test_who_only_looks_needs_no_device(strict):
    lin("view_order")
    browser, _answer = log_in()

    assert browser.get("/admin/payments/order/").status_code == 200


def test_every_right_of_money_is_one_that_can_be_given():
    known = {
        f"{one.content_type.app_label}.{one.codename}" for one in Permission.objects.select_related("content_type")
    }

    assert [right for right in MONEY_PERMISSIONS if right not in known] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_role_but_that_of_looking_up_needs_one(strict, role):
    lin(*(right.partition(".")[2] for right in ROLES[role]))
    browser, _answer = log_in()

    answer = browser.get("/admin/payments/order/")

    assert answer.status_code == (200 if role == "look-up" else 302)
    assert answer.headers.get("Location") == (None if role == "look-up" else SET_UP)


@pytest.mark.parametrize("right", MONEY_PERMISSIONS)
def test_each_right_of_money_needs_one(strict, right):
    lin(right.partition(".")[2])
    browser, _answer = log_in()

    assert browser.get("/admin/")["Location"] == SET_UP


def test_a_superuser_needs_one(strict):
    make_staff("lin", boss=True)
    browser, _answer = log_in()

    assert browser.get("/admin/")["Location"] == SET_UP


def test_a_right_given_after_log_in_counts_at_the_next_page(strict):
    user = lin("view_order")
    browser, _answer = log_in()
    assert browser.get("/admin/payments/order/").status_code == 200

    group = Group.objects.create(name="approvers")
    group.permissions.set(Permission.objects.filter(codename="approve_refund"))
    user.groups.add(group)

    assert browser.get("/admin/payments/order/")["Location"] == SET_UP


def test_a_session_from_before_the_device_is_closed_not_led_to_a_new_device(strict):
    user = lin("request_refund")
    browser, _answer = log_in()
    key = list(StaffSession.objects.values_list("session_key", flat=True))
    enrol(user)
    browser.force_login(user)  # as if it had been open elsewhere

    assert browser.get("/admin/")["Location"] == "/admin/login/"

    assert not is_in(browser)
    assert not StaffSession.objects.filter(session_key__in=key).exists()


def test_such_a_session_sets_up_no_device_without_the_code_of_the_first(strict):
    user = lin("request_refund")
    enrol(user)
    browser = Client(headers={"accept-language": "en"})
    browser.force_login(user)

    answer = browser.post(SET_UP, {"first_code": code(offered_key(browser)), "password": PASSWORD})

    assert "code" in answer.context["form"].errors


def test_a_device_that_is_reset_while_one_is_logged_in_leads_to_setting_up(strict):
    user = lin("request_refund")
    enrol(user)
    browser, _answer = log_in(token=code())
    assert browser.get("/admin/security/").status_code == 200

    user.authenticator_set.all().delete()

    assert browser.get("/admin/security/")["Location"] == SET_UP


def test_the_sandbox_asks_for_none():
    lin("request_refund", "view_order")
    browser, _answer = log_in()

    assert house.REQUIRE_TOTP is False
    assert browser.get("/admin/payments/order/").status_code == 200


def test_the_demonstration_s_staff_log_in_with_their_password_alone():
    demo._make_staff()

    browser, answer = log_in(demo.STAFF["username"], demo.STAFF["password"])

    assert answer["Location"] == "/admin/"
    assert browser.get("/admin/").status_code == 200


@pytest.mark.parametrize(("mode", "asked", "required"), [
    ("production", "0", True), ("production", "", True), ("sandbox", "", False), ("sandbox", "1", True),
    ("sandbox", "0", False),
])  # fmt: skip
def test_the_environment_can_ask_for_it_and_never_waive_it(mode, asked, required):
    environment = {**os.environ, "ONETILL_ENV": mode, **({"REQUIRE_TOTP": asked} if asked else {})}
    told = subprocess.run(
        [sys.executable, "-c", "from config import settings; print(settings.REQUIRE_TOTP)"],
        env=environment, capture_output=True, text=True, check=True, cwd=house.BASE_DIR,
    )  # fmt: skip

    assert told.stdout.strip() == str(required)


def test_calls_of_the_api_never_come_to_the_gate(strict, django_assert_num_queries):
    lin("request_refund")
    browser, _answer = log_in()

    with django_assert_num_queries(0):
        answer = browser.post("/api/checkout/pay/", data="{}", content_type="application/json")

    assert answer.status_code == 401
    assert not answer.cookies
