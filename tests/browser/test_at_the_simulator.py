"""A stranger with a browser alone: from the start page to a paid order and back, through a gateway that is a server."""

import pytest
from playwright.sync_api import expect

from config import demo
from payments.models import Charge, InboundNotification, Order
from tests.simulator_process import simulator, simulator_process  # noqa: F401  fixtures
from tests.web_process import eventually


@pytest.fixture
def sandbox(site, settings, simulator):  # noqa: F811
    settings.SIMULATOR_URL = simulator.url
    demo.build()
    return site


def assert_paid(person):
    expect(person.page.locator(".back:not(.bad)")).to_contain_text("pay_finished")
    order = Order.objects.get()
    assert (order.status, order.points_fen, order.cash_fen) == ("pay_finished", 13_128, 201_272)
    assert Charge.objects.get(tender="alipay").status == "succeeded"
    eventually(lambda: InboundNotification.objects.filter(verdict="accepted").count() == 1)


@pytest.mark.parametrize(("device", "way"), [("desktop", "alipay:page"), ("phone", "alipay:wap")])
def test_a_first_order_is_made_and_paid_in_three_clicks(visitor, sandbox, device, way):
    person = visitor(device=device, language="zh-CN")
    person.page.goto(f"{sandbox}/")
    person.picture("0-start")

    person.page.click("button[value='mall_part']")
    person.page.click(f"button[value='{way}']")
    person.page.wait_for_url("**/cashier/**")
    person.picture("1-at-the-simulator")
    person.page.click("form[action$='/pay'] .button")

    assert_paid(person)
    person.picture("2-back-at-the-shop")


def test_a_code_is_scanned_in_another_window(visitor, sandbox):
    person = visitor()
    person.page.goto(f"{sandbox}/")
    person.page.click("button[value='mall_part']")
    person.page.click("button[value='alipay:qr']")
    expect(person.page.locator(".qr img")).to_be_visible()
    person.picture("3-code")

    with person.context.expect_page() as opened:
        person.page.click("a[target=_blank]")
    opened.value.click("form[action$='/pay'] .button")

    assert_paid(person)


def test_going_back_from_the_gateway_stays_on_the_page(visitor, sandbox):
    person = visitor()
    person.page.goto(f"{sandbox}/")
    person.page.click("button[value='mall_part']")
    person.page.click("button[value='alipay:page']")
    person.page.wait_for_url("**/cashier/**")

    person.page.go_back()

    expect(person.heading).to_contain_text("Go on at")
    person.picture("4-come-back")
    expect(person.page.locator("a.button").first).to_have_attribute(
        "href", Charge.objects.get(tender="alipay").payload["url"]
    )


def test_without_a_script_a_button_leads_to_the_gateway(visitor, sandbox):
    person = visitor(script=False)
    person.page.goto(f"{sandbox}/")
    person.page.click("button[value='mall_part']")
    person.page.click("main .button")
    person.page.click("button[value='alipay:page']")

    person.page.click("main a.button")
    person.page.click("form[action$='/pay'] .button")

    assert_paid(person)
