import datetime
import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from payments.charges import operations as charges
from payments.gateways import memory
from payments.gateways.memory import Fault
from payments.models import Charge, Order


def settle(order):
    """The customer pays with their phone, and the gateway tells us."""
    charge = Charge.objects.filter(order=order, tender="memory").latest("attempt")
    memory.book("memory-app").pay(charge.number)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())


def scan(person):
    person.page.click("button[value='memory:qr']")
    expect(person.page.locator(".qr img")).to_be_visible()


def status_calls(person):
    calls = []
    person.page.on("request", lambda request: "/status" in request.url and calls.append(request.url))
    return calls


@pytest.mark.parametrize(
    "browser",
    [
        {"device": device, "language": language, "scheme": scheme}
        for device in ("desktop", "phone")
        for language, scheme in (("zh-CN", "light"), ("en", "dark"))
    ],
    ids=lambda browser: "-".join(browser.values()),
)
def test_a_customer_pays_and_is_led_back_without_touching_the_page(visitor, site, order, link, browser):
    person = visitor(**browser)

    person.page.goto(link)
    expect(person.page.locator(".amount strong")).to_have_text("¥2,012.72")
    person.picture("1-choosing")
    scan(person)
    person.picture("2-code")
    person.stay()
    settle(order)

    expect(person.page.locator(".tick")).to_be_attached()
    expect(person.heading).to_be_focused()
    person.picture("3-paid")
    person.leave()
    expect(person.page.locator(".back:not(.bad)")).to_contain_text("pay_finished")
    assert person.page.url.startswith(f"{site}/?out_trade_no=20111111111&")
    assert Order.objects.get().status == "pay_finished"


def test_without_a_script_everything_works_by_buttons_and_refreshes(visitor, order, link):
    person = visitor(script=False)

    person.page.goto(link)
    person.page.click("main .button")
    scan(person)
    person.stay()
    settle(order)

    expect(person.heading).to_have_text("Paid. Thank you!")
    person.picture("3-paid")
    person.leave()
    expect(person.page.locator(".back:not(.bad)")).to_contain_text("pay_finished")


def test_by_keyboard_alone(visitor, link):
    person = visitor()
    person.page.goto(link)
    expect(person.heading).to_have_text("How would you like to pay?")

    for _ in range(2):  # the language, the first way
        person.page.keyboard.press("Tab")
    person.page.keyboard.press("Enter")

    expect(person.page.locator(".qr img")).to_be_visible()


def test_time_runs_down_and_out_before_the_customers_eyes(visitor, site, order):
    person = visitor()
    left = charges.GATEWAY_MARGIN + charges.GATEWAY_MINIMUM + datetime.timedelta(seconds=12)
    Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() + left)

    person.page.goto(f"{site}/checkout/pay/{order.number}/")

    expect(person.page.locator("#countdown")).to_have_text(re.compile("00:(0[1-9]|1[0-2])"))
    expect(person.heading).to_have_text("The time to pay has run out")


def test_a_double_click_is_one_charge(visitor, order, link):
    person = visitor()
    person.page.goto(link)

    person.page.dblclick("button[value='memory:qr']")

    expect(person.page.locator(".qr img")).to_be_visible()
    assert Charge.objects.filter(order=order, tender="memory").count() == 1
    assert [verb for verb, _ in memory.book("memory-app").calls].count("create_payment") == 1


def test_a_silent_gateway_is_tried_again_from_the_page(visitor, order, link):
    memory.book("memory-app").script(Fault.LOST_RESPONSE, verb="create_payment")
    person = visitor()
    person.page.goto(link)

    person.page.click("button[value='memory:qr']")
    expect(person.heading).to_contain_text("has not answered yet")
    person.picture("4-asking")
    scan(person)

    assert Charge.objects.filter(order=order, tender="memory").count() == 1


def show(person, *, hidden):
    person.page.evaluate(f"Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}})")
    person.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_a_hidden_tab_asks_nothing(visitor, link):
    """The page's clock goes only when it is told to, so that what is counted does not depend on the machine's."""
    person = visitor()
    clock = person.page.clock
    clock.install()
    clock.pause_at(datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1))
    person.page.goto(link)
    scan(person)
    calls = status_calls(person)

    show(person, hidden="true")
    clock.run_for(60_000)
    while_hidden = len(calls)
    show(person, hidden="false")
    with person.page.expect_response("**/status*"):
        clock.run_for(1_000)

    assert (while_hidden, len(calls)) == (0, 1)


def test_a_lost_connection_is_told_about_and_made_up_for(visitor, order, link):
    person = visitor()
    person.page.goto(link)
    scan(person)

    person.context.set_offline(True)
    expect(person.page.locator(".connection")).to_be_visible()
    settle(order)
    person.context.set_offline(False)

    expect(person.page.locator(".tick")).to_be_attached()
    person.complaints = [complaint for complaint in person.complaints if "ERR_INTERNET_DISCONNECTED" not in complaint]


def test_the_language_is_changed_on_the_page_and_kept(visitor, link):
    person = visitor(language="zh-CN")
    person.page.goto(link)
    expect(person.page.locator("html")).to_have_attribute("lang", "zh-hans")

    person.page.click(".language button")

    expect(person.heading).to_have_text("How would you like to pay?")
    scan(person)
    expect(person.page.locator("html")).to_have_attribute("lang", "en")


def test_a_used_link_says_what_to_do(visitor, order, link):
    visitor().page.goto(link)
    Order.objects.get()
    other = visitor()
    first = visitor()
    first.page.goto(link)
    expect(first.page.locator("h1")).to_have_text("This link does not open the payment page")

    other.page.goto(link)

    other.picture("5-used-link")
    other.page.click("main .button")
    expect(other.heading).to_have_text("How would you like to pay?")
    first.complaints, other.complaints = [], []  # a browser reports the 403 itself


@pytest.mark.parametrize("device", ["desktop", "phone"])
def test_nothing_overflows_the_screen(visitor, order, link, device):
    person = visitor(device=device)
    person.page.goto(link)
    scan(person)

    width = person.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")

    assert width[0] <= width[1]
