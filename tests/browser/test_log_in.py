"""The way in, as people meet it: set up an app, keep the recovery codes, log in with what the app shows."""

import base64
import time

import pytest
from django_otp.oath import TOTP
from playwright.sync_api import expect

from tests.world import make_staff

PASSWORD = "a long enough password"
LOOKS = [
    {"device": device, "language": language, "scheme": scheme}
    for device in ("desktop", "phone")
    for language, scheme in (("zh-CN", "light"), ("en", "dark"))
]


@pytest.fixture
def lin(site, settings):
    """Somebody who may ask for refunds, where that needs a second factor."""
    settings.REQUIRE_TOTP = True
    return make_staff("lin", "request_refund", "view_order")


def code(key, steps=0):
    totp = TOTP(bytes.fromhex(key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06d}"


def fill_in(someone, **fields):
    for name, value in fields.items():
        someone.page.fill(f"input[name={name}]", value)
    someone.page.press(f"input[name={name}]", "Enter")


def key_of_the_page(someone):
    text = someone.page.locator("code.key").inner_text().replace(" ", "")
    return base64.b32decode(text).hex()


def fits(someone):
    wide = someone.page.evaluate("document.documentElement.scrollWidth")
    return wide <= someone.page.viewport_size["width"]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(look.values()))
def test_staff_set_up_their_app_and_log_in_with_it(visitor, site, lin, look):
    someone = visitor(**look)
    page = someone.page

    page.goto(f"{site}/admin/")
    someone.picture("log-in")
    assert fits(someone)
    fill_in(someone, username="lin", password=PASSWORD)
    expect(page.locator("img.qr")).to_be_visible()
    someone.picture("set-up")
    assert fits(someone)
    key = key_of_the_page(someone)
    fill_in(someone, first_code=code(key), password="wrong")
    expect(page.locator("[role=alert]")).to_be_visible()
    someone.picture("set-up-refused")
    fill_in(someone, first_code=code(key), password=PASSWORD)
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    someone.picture("recovery-codes")
    assert fits(someone)
    recovery = page.locator(".recovery-codes li").first.inner_text()

    page.goto(f"{site}/admin/security/")
    expect(page.locator(".own-sessions li")).to_have_count(1)
    someone.picture("security-one")
    other = visitor(**look)
    other.page.goto(f"{site}/admin/payments/order/")
    fill_in(other, username="lin", password=PASSWORD)
    expect(other.page.locator("[role=alert]")).to_be_visible()
    other.picture("log-in-refused")
    fill_in(other, username="lin", password=PASSWORD, code=recovery)
    expect(other.page.locator("#changelist")).to_be_visible()
    page.reload()
    expect(page.locator(".own-sessions li")).to_have_count(2)
    someone.picture("security")
    assert fits(someone)
    page.locator("button[name=others]").click()
    expect(page.locator(".own-sessions li")).to_have_count(1)
    other.page.reload()
    fill_in(other, username="lin", password=PASSWORD, code=code(key, steps=1))
    expect(other.page.locator("#changelist")).to_be_visible()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(look.values()))
def test_who_guesses_is_locked_out_and_told_until_when(visitor, site, lin, look):
    someone = visitor(**look)
    someone.page.goto(f"{site}/admin/")

    for _ in range(5):
        fill_in(someone, username="lin", password="wrong")

    expect(someone.page.locator(".card.notice")).to_be_visible()
    someone.picture("locked")
    assert fits(someone)
    assert someone.complaints.pop().endswith("429 (Too Many Requests)")


def test_the_page_s_language_can_be_changed_before_log_in(visitor, site, lin):
    someone = visitor(language="zh-CN")
    someone.page.goto(f"{site}/admin/login/?next=/admin/payments/order/")

    someone.page.get_by_role("button", name="English").click()
    expect(someone.page.get_by_label("Password")).to_be_visible()
    fill_in(someone, username="lin", password=PASSWORD)

    expect(someone.page.locator("h1", has_text="Set up one-time codes")).to_be_visible()


def test_the_form_is_filled_in_by_keyboard_alone(visitor, site, lin):
    someone = visitor()
    someone.page.goto(f"{site}/admin/login/")

    expect(someone.page.locator("input[name=username]")).to_be_focused()
    someone.page.keyboard.type("lin")
    someone.page.keyboard.press("Tab")
    someone.page.keyboard.type(PASSWORD)
    someone.page.keyboard.press("Tab")
    expect(someone.page.locator("input[name=code]")).to_be_focused()
    someone.page.keyboard.press("Enter")

    expect(someone.page.locator("img.qr")).to_be_visible()
