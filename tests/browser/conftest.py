"""
A real Chromium against a live server, with the in-memory gateway on the other side.

ONETILL_SCREENSHOTS names a directory to leave pictures in, for people to look at.
"""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.core.cache import cache
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from checkout import operations as checkout
from checkout.operations import PayCommand
from config import demo
from payments.clients import login_codes
from payments.gateways import memory
from payments.models import Order
from tests.stillness import wait_until_all_have_left
from tests.world import make_client, make_customer, make_memory_account

CHROMIUM = Path("/usr/bin/chromium")
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
AGENTS = {
    "phone": (
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/126.0.0.0 Mobile Safari/537.36"
    ),
    "iphone": f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1",
    "wechat": f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN",
}
PATIENCE_MS = 60_000  # a page is waited for, however slow the machine is
WAY_BACK = re.compile(r"\?return$")
SIZES = {"desktop": {"width": 1280, "height": 860}, **{phone: {"width": 390, "height": 844} for phone in AGENTS}}


def pytest_collection_modifyitems(items):
    if not CHROMIUM.exists():
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(reason=f"{CHROMIUM} is not installed"))


@pytest.fixture(scope="package")
def chromium():
    # Playwright runs its loop in this thread, which Django takes for an async context; the server has its own threads.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox"], timeout=2 * PATIENCE_MS
        )
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Visitor:
    """One person's browser. Whatever their console complains about fails the test."""

    def __init__(self, browser: Browser, *, device: str, language: str, scheme: str, script: bool) -> None:
        self.name = f"{device}-{language}-{scheme}{'' if script else '-noscript'}"
        self.context: BrowserContext = browser.new_context(
            viewport=SIZES[device],
            user_agent=AGENTS.get(device),
            is_mobile=device in AGENTS,
            has_touch=device in AGENTS,
            device_scale_factor=2 if device in AGENTS else 1,
            locale=language,
            color_scheme=scheme,
            java_script_enabled=script,
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.held_up: list[Route] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def stay(self) -> None:
        """The page leads back to the shop after three seconds. Hold that up until `leave`, to see it first."""
        self.page.route(WAY_BACK, lambda route: self.held_up.append(route))  # noqa: PLW0108 -- it must be a function

    def leave(self) -> None:
        while not self.held_up:
            self.page.wait_for_timeout(50)
        self.held_up.pop().continue_()
        self.page.unroute(WAY_BACK)

    def picture(self, name: str) -> None:
        if directory := os.environ.get("ONETILL_SCREENSHOTS"):
            self.page.screenshot(path=Path(directory) / f"{name}-{self.name}.png", full_page=True)

    @property
    def heading(self):
        return self.page.locator("h2")


@pytest.fixture
def visitor(chromium, site):
    """Return a function that gives a person a browser. All leave before the site is asked whether they have."""
    visitors = []

    def arrive(*, device="desktop", language="en", scheme="light", script=True):
        visitors.append(Visitor(chromium, device=device, language=language, scheme=scheme, script=script))
        return visitors[-1]

    yield arrive
    for each in visitors:
        each.context.close()
    assert [complaint for each in visitors for complaint in each.complaints] == []


@pytest.fixture
def site(live_server, settings, transactional_db):
    """The address of the running site, with a shop and a gateway. It is quiet before the tables are cleared."""
    settings.BASE_URL = live_server.url
    memory.forget_everything()
    cache.clear()
    make_memory_account()
    yield live_server.url
    wait_until_all_have_left(urlsplit(live_server.url).port)


@pytest.fixture
def order(site):
    client = make_client(secret=demo.CLIENTS["checkout"].secret)  # so that the start page can play its shop
    make_customer(client=client, points_fen=13_128)
    return place(client, redirect_url=f"{site}/")


def place(client, **changes):
    fields = {"out_trade_no": "20111111111", "client_pay_id": "0000010111135", "total_fen": 214_400,
              "shipping_fen": 500, "user_id": "442090", "ee_no": "a09999"}  # fmt: skip
    placed = checkout.pay(client=client, command=PayCommand(**(fields | changes)), at=timezone.now())
    return Order.objects.get(pk=placed.order_id)


@pytest.fixture
def link(site, order):
    code = login_codes.issue(number=order.number, generation=0, at=timezone.now())
    return f"{site}/api_login/?code={code}&next=/checkout/pay/{order.number}/"
