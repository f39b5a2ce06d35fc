"""The start page's English buttons in a real Chromium, with Alipay played by the simulator over real HTTP."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from config import demo
from english_app import deliveries, operations
from english_app.models import EnglishOrder, Grant, OrderType
from payments.models import ApiClient, GatewayAccount
from tests.english_app.world import MONTH_FEN
from tests.world import balance_fen

HAS_FEN = demo.CUSTOMERS["english_app"].balance_fen
WAYS = {"desktop": "alipay:page", "phone": "alipay:wap"}
everywhere = pytest.mark.parametrize("device", WAYS)
both_languages = pytest.mark.parametrize("language", ["zh-CN", "en"])


@pytest.fixture
def sandbox(site, settings, simulator):
    settings.SIMULATOR_URL = simulator.url
    demo.build()
    GatewayAccount.objects.filter(kind="memory").update(is_active=False)
    return site


def press(person, sandbox, button):
    person.page.goto(f"{sandbox}/")
    person.page.click(f"button[value='{button}']")
    person.page.wait_for_url("**/app/payment/wpay/*/")


def document(kind):
    return EnglishOrder.objects.select_related("order").get(type=kind)


def pay_from_the_balance(purchase):
    operations.pay(
        client=ApiClient.objects.get(app_id=1), user_id="1", number=purchase.order.number, at=timezone.now()
    )  # fmt: skip


@everywhere
@both_languages
def test_a_month_from_the_balance_is_paid_at_once_and_delivered(visitor, sandbox, device, language):
    person = visitor(device=device, language=language)

    press(person, sandbox, "english_balance")

    expect(person.page.locator(".tick")).to_be_attached()
    expect(person.page.locator("button[name=way]")).to_have_count(0)
    person.picture("e1-paid-from-the-balance")
    deliveries.deliver_due(at=timezone.now())
    purchase = document(OrderType.PURCHASE)
    assert (purchase.order.status, purchase.delivery) == ("pay_finished", "delivered")
    assert Grant.objects.get().line.document == purchase
    assert balance_fen(demo.row("english_app")) == HAS_FEN - MONTH_FEN


@everywhere
@both_languages
def test_a_recharge_is_paid_at_alipay_and_waits_in_the_balance_for_its_purchase(visitor, sandbox, device, language):
    person = visitor(device=device, language=language)
    press(person, sandbox, "english_recharge")
    person.picture("e2-recharge")

    person.page.click(f"button[value='{WAYS[device]}']")
    person.page.wait_for_url("**/cashier/**")
    person.page.click("form[action$='/pay'] .button")

    expect(person.page.locator(".tick")).to_be_attached()
    recharge, purchase = document(OrderType.RECHARGE), document(OrderType.PURCHASE)
    assert (recharge.order.status, recharge.delivery, purchase.order.status) == ("pay_finished", "delivered", "unpaid")
    assert balance_fen(demo.row("english_app")) == HAS_FEN + MONTH_FEN
    pay_from_the_balance(purchase)
    assert balance_fen(demo.row("english_app")) == HAS_FEN


@everywhere
@both_languages
def test_the_page_of_a_purchase_offers_nothing_to_pay_and_notices_that_it_is_paid(visitor, sandbox, device, language):
    person = visitor(device=device, language=language)
    press(person, sandbox, "english_recharge")
    purchase = document(OrderType.PURCHASE)

    person.page.goto(f"{sandbox}/app/payment/wpay/{purchase.order.number}/")
    expect(person.page.locator("body")).to_contain_text("29.00")
    expect(person.page.locator("button[name=way]")).to_have_count(0)
    person.picture("e3-to-be-paid-from-the-balance")
    pay_from_the_balance(purchase)

    expect(person.page.locator(".tick")).to_be_attached()
    person.picture("e4-noticed")


def test_pressed_twice_the_recharge_is_the_same(visitor, sandbox):
    person = visitor()
    press(person, sandbox, "english_recharge")
    first = person.page.url

    press(person, sandbox, "english_recharge")

    assert person.page.url == first
    assert EnglishOrder.objects.count() == 2
