"""Document 003's page before three sorts of browser, with WeChat played by the simulator over real HTTP."""

import json

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from config import demo
from payments.charges import operations as charges
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.models import ApiClient, Charge, GatewayAccount, InboundNotification, Order
from payments.orders.models import OrderKind

# The demonstration's shop has a v2 account of its own, its mall uses the APIv3 account of every client.
CLIENTS = {"v2": ("payments", "1001"), "v3": ("checkout", "442092")}
# WeChat's own browser gives a page this. What it does when it is called is the test's.
BRIDGE = """
window.WeixinJSBridge = { invoke: (name, call, done) =>
  window.wechat(name, call).then((answer) => done({ err_msg: `get_brand_wcpay_request:${answer}` })) };
document.dispatchEvent(new Event("WeixinJSBridgeReady"));
"""


@pytest.fixture
def sandbox(site, settings, simulator):
    settings.SIMULATOR_URL = simulator.url
    demo.build()
    GatewayAccount.objects.filter(kind="memory").update(is_active=False)
    return site


@pytest.fixture(params=CLIENTS)
def order(sandbox, request):
    return place(request.param)


@pytest.fixture
def real_wechat(settings):
    """As outside the sandbox: no page of the simulator is shown, though it is whom the accounts speak to."""

    def begin():
        settings.SIMULATOR_URL = ""

    return begin


def place(version="v3"):
    key, user_id = CLIENTS[version]
    command = OrderCommand(kind=OrderKind.GOODS, user_id=user_id, title="中秋月饼礼盒", total_fen=12_800)
    client = ApiClient.objects.get(name=demo.CLIENTS[key].name)
    return Order.objects.get(number=direct.place_order(client=client, command=command, at=timezone.now()))


def page(site, order):
    return f"{site}/app/payment/wpay/{order.number}"


def pay_at_the_simulator(page):
    page.click("form[action$='/pay'] .button")


def assert_paid(person, order, *, mode):
    expect(person.page.locator(".tick")).to_be_attached()
    order.refresh_from_db()
    charge = Charge.objects.get(order=order, status="succeeded")
    assert (order.status, charge.tender, charge.mode, charge.paid_fen) == ("pay_finished", "wechat", mode, 12_800)
    assert InboundNotification.objects.filter(verdict="accepted").count() == 1


def fits(person):
    width = person.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return width[0] <= width[1]


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_inside_wechat_the_order_is_paid_and_the_page_says_so(visitor, sandbox, order, language):
    person = visitor(device="wechat", language=language)

    person.page.goto(page(sandbox, order))
    person.page.wait_for_url(f"{page(sandbox, order)}/#wechat_redirect")  # WeChat's fragment stays
    assert fits(person)
    person.picture("w1-choosing")
    person.page.click("button[value='wechat:jsapi']")
    person.page.wait_for_url("**/cashier/**")
    person.picture("w2-at-the-simulator")
    pay_at_the_simulator(person.page)

    assert_paid(person, order, mode="jsapi")
    assert fits(person)
    person.picture("w3-paid")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_on_a_phone_wechat_opens_and_leads_back(visitor, sandbox, order, language):
    person = visitor(device="iphone", language=language)

    person.page.goto(page(sandbox, order))
    assert fits(person)
    person.picture("w1-choosing")
    person.page.click("button[value='wechat:wap']")
    person.page.wait_for_url("**/cashier/**")
    pay_at_the_simulator(person.page)

    assert_paid(person, order, mode="wap")
    person.picture("w3-paid")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_on_a_desktop_a_code_is_scanned(visitor, sandbox, order, language):
    person = visitor(language=language)

    person.page.goto(f"{sandbox}/app/payment/wpay/order-number?order_number={order.number}")
    person.picture("w1-choosing")
    person.page.click("button[value='wechat:qr']")
    expect(person.page.locator(".qr img")).to_be_visible()
    person.picture("w2-code")
    with person.context.expect_page() as opened:
        person.page.click("a[target=_blank]")
    pay_at_the_simulator(opened.value)

    assert_paid(person, order, mode="qr")
    person.picture("w3-paid")


def test_coming_back_from_wechat_unpaid_the_person_can_go_on(visitor, sandbox, order):
    person = visitor(device="iphone")
    person.page.goto(page(sandbox, order))
    person.page.click("button[value='wechat:wap']")
    person.page.wait_for_url("**/cashier/**")
    person.page.goto(f"{page(sandbox, order)}/?returned=1")

    expect(person.heading).to_have_text("Checking your payment")
    person.picture("w4-returned")
    person.page.click("a.button.quiet")
    pay_at_the_simulator(person.page)

    assert_paid(person, order, mode="wap")


class TestWechatsOwnBrowser:
    """WeixinJSBridge is what the page calls, and whatever it answers is believed by nobody."""

    @pytest.fixture(params=CLIENTS)
    def order(self, sandbox, request, real_wechat):
        real_wechat()
        return place(request.param)

    @pytest.fixture
    def calls(self):
        return []

    @pytest.fixture
    def person(self, visitor, sandbox, order, calls):
        def arrive(answer, *, late=False):
            person = visitor(device="wechat")
            person.context.expose_function("wechat", lambda name, call: calls.append((name, call)) or answer(call))
            person.context.add_init_script(f"setTimeout(() => {{ {BRIDGE} }}, 1000)" if late else BRIDGE)
            person.page.goto(page(sandbox, order))
            return person

        return arrive

    @pytest.mark.parametrize("late", [False, True])
    def test_the_signed_call_is_taken_and_the_page_waits_for_the_servers_word(
        self, simulator, person, order, calls, late
    ):
        somebody = person(lambda call: simulator.use_wechat(call)["result"], late=late)

        somebody.page.click("button[value='wechat:jsapi']")

        assert_paid(somebody, order, mode="jsapi")
        ((name, call),) = calls
        assert name == "getBrandWCPayRequest"
        assert list(call) == ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"]

    def test_stepping_back_leaves_the_button(self, simulator, person, order, calls):
        somebody = person(lambda call: simulator.use_wechat(call, pay=bool(calls[1:]))["result"])
        somebody.page.click("button[value='wechat:jsapi']")
        expect(somebody.page.locator("#call-wechat")).to_be_visible()
        somebody.picture("w2-call")
        somebody.page.wait_for_timeout(500)
        expect(somebody.page.locator("#call-failed")).to_be_hidden()

        somebody.page.click("#call-wechat")

        assert_paid(somebody, order, mode="jsapi")
        assert len(calls) == 2

    def test_a_call_that_fails_is_told_about(self, person, order):
        somebody = person(lambda _call: "fail")

        somebody.page.click("button[value='wechat:jsapi']")

        expect(somebody.page.locator("#call-failed")).to_be_visible()
        somebody.picture("w5-failed")
        assert Order.objects.get(pk=order.pk).status == "unpaid"

    def test_an_ok_of_wechats_pays_nothing(self, person, order):
        somebody = person(lambda _call: "ok")

        somebody.page.click("button[value='wechat:jsapi']")

        expect(somebody.heading).to_have_text("Checking your payment")
        somebody.picture("w4-returned")
        assert Order.objects.get(pk=order.pk).status == "unpaid"
        somebody.page.click("a.button.quiet")
        expect(somebody.page.locator("#call-wechat")).to_be_visible()

    def test_reloading_the_page_calls_nobody(self, person, calls):
        somebody = person(lambda _call: "cancel")
        somebody.page.click("button[value='wechat:jsapi']")
        expect(somebody.page.locator("#call-wechat")).to_be_visible()
        somebody.page.wait_for_timeout(500)

        somebody.page.reload()
        somebody.page.wait_for_timeout(500)

        assert len(calls) == 1


def test_a_browser_that_only_says_it_is_wechat_is_told(visitor, sandbox, real_wechat):
    real_wechat()
    person = visitor(device="wechat")
    person.page.goto(page(sandbox, place()))

    person.page.click("button[value='wechat:jsapi']")

    expect(person.page.locator("#call-impossible")).to_be_visible()
    person.picture("w5-no-bridge")


def test_a_failed_round_through_wechat_ends_in_words_and_the_button_leads_on(visitor, sandbox, order):
    person = visitor(device="wechat")
    secret = GatewayAccount.objects.filter(kind="wechat_v3").get().credentials()
    for account in GatewayAccount.objects.filter(kind__startswith="wechat"):
        account.set_credentials(account.credentials() | {"app_secret": "wrong"})
        account.save()
    answered = []
    person.page.on("response", lambda response: answered.append(response.status))

    person.page.goto(page(sandbox, order))
    expect(person.page.locator("h1")).to_have_text("WeChat did not tell us who is paying")
    person.picture("w6-unknown")
    assert answered.count(302) == 2  # to WeChat and back, once
    for account in GatewayAccount.objects.filter(kind__startswith="wechat"):
        account.set_credentials(account.credentials() | {"app_secret": secret["app_secret"]})
        account.save()
    person.page.click("main .button")

    expect(person.page.locator("button[value='wechat:jsapi']")).to_be_visible()
    person.complaints = []  # a browser reports the 403 itself


def test_an_account_that_cannot_ask_who_is_paying_sends_them_to_a_browser(visitor, sandbox):
    order = place()
    account = GatewayAccount.objects.get(kind="wechat_v3")
    account.set_credentials({name: each for name, each in account.credentials().items() if name != "app_secret"})
    account.save()
    person = visitor(device="wechat", language="zh-CN")

    person.page.goto(page(sandbox, order))

    expect(person.page.locator(".alert")).to_be_visible()
    person.picture("w7-no-secret")
    assert person.page.locator(".way").count() == 0


def test_of_two_codes_that_are_open_only_the_newest_is_to_be_seen(visitor, sandbox, order):
    """WeChat closes nothing within five minutes of its making: the code stays open at WeChat, but not on the screen."""
    desk, phone = visitor(), visitor(device="iphone")
    desk.page.goto(page(sandbox, order))
    desk.page.click("button[value='wechat:qr']")
    expect(desk.page.locator(".qr img")).to_be_visible()

    phone.page.goto(page(sandbox, order))
    expect(phone.page.locator(".qr img")).to_be_visible()
    phone.page.click("summary")
    phone.picture("w2-code-and-ways")
    phone.page.click("button[value='wechat:wap']")
    phone.page.wait_for_url("**/cashier/**")

    expect(desk.heading).to_have_text("Being paid with WeChat Pay elsewhere")
    expect(desk.page.locator(".qr img")).to_have_count(0)
    desk.picture("w8-elsewhere")
    assert list(Charge.objects.order_by("attempt").values_list("mode", "status", "is_replaced")) == [
        ("qr", "pending", True), ("wap", "pending", False),
    ]  # fmt: skip
    pay_at_the_simulator(phone.page)
    assert_paid(phone, order, mode="wap")
    expect(desk.heading).to_have_text("Paid. Thank you!")


def test_a_friend_who_opens_the_page_in_wechat_pays_as_themselves(visitor, sandbox):
    order = place()
    first = charges.pay_by(
        order_id=order.pk, channel="wechat", mode="jsapi", actor="test", at=timezone.now(),
        payer=charges.Payer(payer_id="o" + "a" * 27),
    )  # fmt: skip
    friend = visitor(device="wechat")

    friend.page.goto(page(sandbox, order))
    expect(friend.heading).to_have_text("Being paid with WeChat Pay elsewhere")
    friend.page.click("button[value='wechat:jsapi']")
    friend.page.wait_for_url("**/cashier/**")
    pay_at_the_simulator(friend.page)

    assert_paid(friend, order, mode="jsapi")
    assert Charge.objects.get(order=order, status="succeeded").payer_id != first.payer_id


def test_without_a_script_the_sandbox_is_paid_by_links(visitor, sandbox, order):
    person = visitor(device="wechat", script=False)
    person.page.goto(page(sandbox, order))
    person.page.click("button[value='wechat:jsapi']")

    person.page.click("main a.button")
    pay_at_the_simulator(person.page)

    assert_paid(person, order, mode="jsapi")


def test_the_checkout_cashier_pays_inside_wechat_too(visitor, sandbox):
    person = visitor(device="wechat", language="zh-CN")
    person.page.goto(f"{sandbox}/")
    person.page.click("button[value='mall_part']")
    person.page.click("button[value='wechat:jsapi']")
    person.page.wait_for_url("**/cashier/**")
    pay_at_the_simulator(person.page)

    expect(person.page.locator(".back:not(.bad)")).to_contain_text("pay_finished")
    charge = Charge.objects.get(tender="wechat")
    assert (charge.status, charge.mode, json.dumps(charge.payload).count("paySign")) == ("succeeded", "jsapi", 1)
