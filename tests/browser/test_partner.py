"""Document 002's Alipay path as an app's customer goes it, with Alipay played by the simulator over real HTTP."""

import datetime

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from config import demo, demo_partner
from partner_orders.models import CustomerLevel, GiftPack, PartnerOrder
from payments.charges import operations as charges
from payments.closing import late_money
from payments.closing import operations as closing
from payments.models import Charge, GatewayAccount, Order
from payments.refunds import submission
from tests.browser.conftest import AGENTS
from tests.faults.gateways import let_its_time_run_out
from tests.partner_orders.calls import PAY_PATH, post, signed
from tests.simulator_process import simulator, simulator_process  # noqa: F401  fixtures
from tests.web_process import eventually


@pytest.fixture
def sandbox(site, settings, simulator):  # noqa: F811
    settings.SIMULATOR_URL = simulator.url
    demo.build()
    GatewayAccount.objects.filter(kind="memory").update(is_active=False)
    return site


@pytest.fixture
def bought(sandbox, client):
    """Return a function that calls document 002 from a device and returns `ali_pay_url` and the order."""

    def call(*, device="desktop", coupon_id=demo_partner.COUPON_UID):
        params = {
            "user_id": demo.CUSTOMERS["partner_orders"].user_id, "pay_type": 2, "gift_pos_id": demo_partner.PACK_UID,
            "coupon_id": coupon_id,
            "address_id": demo_partner.address_id(customer=demo.row("partner_orders")),
        }  # fmt: skip
        call_ = signed(params, secret=demo.CLIENTS["partner_orders"].secret)
        status, answer = post(client, PAY_PATH, call_, form=True, headers={"user-agent": AGENTS.get(device, "")})
        assert (status, answer["code"]) == (200, 1), answer
        number = answer["result"]["order_info"]["order_no"]
        return answer["result"]["ali_pay_url"], Order.objects.get(number=number)

    return call


def pay(page):
    page.click("form[action$='/pay'] .button")


def stands(order):
    """How the order stands, whether it holds stock and coupon, the pack's stock and the customer's level."""
    order.refresh_from_db()
    standing = CustomerLevel.objects.select_related("level").filter(customer=order.customer).first()
    return (
        order.status,
        PartnerOrder.objects.get(order=order).holds,
        GiftPack.objects.get(uid=demo_partner.PACK_UID).stock,
        standing.level.code if standing and standing.level else "",
    )


@pytest.mark.parametrize(("device", "mode"), [("desktop", "page"), ("phone", "wap")])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_the_customer_pays_at_alipay_and_is_led_back_to_a_page_that_says_so(visitor, bought, device, mode, language):
    url, order = bought(device=device)
    assert stands(order) == ("unpaid", True, demo_partner.STOCK - 1, "")
    person = visitor(device=device, language=language)

    person.page.goto(url)
    person.page.wait_for_url("**/cashier/**")
    person.picture("p1-at-the-simulator")
    pay(person.page)

    expect(person.page.locator(".tick")).to_be_attached()
    person.picture("p2-paid")
    assert stands(order) == ("pay_finished", True, demo_partner.STOCK - 1, "V5")
    charge = Charge.objects.get(order=order)
    assert (charge.mode, charge.status, charge.paid_fen) == (mode, "succeeded", 25_000)


def test_what_is_paid_after_a_cancel_goes_back_and_takes_no_stock(visitor, bought, simulator):  # noqa: F811
    url, order = bought()
    person = visitor(language="zh-CN")
    person.page.goto(url)
    person.page.wait_for_url("**/cashier/**")
    simulator.arm("close_refused")
    closing.close(order_id=order.pk, actor="client:demo-partner", at=timezone.now(), reason="改主意了")
    assert stands(order) == ("closed", False, demo_partner.STOCK, "")

    pay(person.page)  # the page at Alipay has been open all the time

    eventually(lambda: stands(order) and order.money_flag == "paid_late")
    late_money.refund_due(at=timezone.now())
    eventually(lambda: submission.sweep_due() is not None and stands(order) and order.money_flag == "")
    assert stands(order) == ("closed", False, demo_partner.STOCK, "")
    assert Charge.objects.get(order=order).refunded_fen == 25_000


def test_an_order_whose_time_runs_out_is_closed_by_the_job(visitor, bought):
    url, order = bought()
    person = visitor(language="zh-CN")
    person.page.goto(url)
    person.page.wait_for_url("**/cashier/**")
    let_its_time_run_out(order)
    Charge.objects.update(next_query_at=timezone.now())

    charges.sweep_due()
    assert closing.close_due(at=timezone.now() + datetime.timedelta(minutes=2)) == 1

    assert stands(order) == ("closed", False, demo_partner.STOCK, "")
    person.page.goto(f"{person.page.url.split('/cashier/')[0]}/")
    again, other = bought()
    assert (again != url, other.pk != order.pk) == (True, True)
