"""Staff look up an order and read its page: with the keyboard, on a phone, without our script."""

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import expect

from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.inbox import operations as inbox
from payments.models import Customer, DeliveryAttempt, Order, WebhookDelivery, WebhookEndpoint
from payments.outbox import operations as outbox
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.browser.conftest import place
from tests.english_app import world as learners
from tests.partner_orders import world as partners

PASSWORD = "a long enough password"
WIDE = {"width": 1440, "height": 900}


@pytest.fixture
def told(order):
    """An order that was paid and refunded in part, of which its client was told in vain."""
    Customer.objects.update(phone="13800138000", real_name="李雷")
    WebhookEndpoint.objects.create(client=order.client, url="https://www.example.com/hook")
    at = timezone.now()
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="customer:1", at=at)
    book = memory.book("memory-app")
    book.pay(charge.number)
    raw = book.notification(charge.number)
    inbox.receive(kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=at)
    command = RefundCommand(goods_fen=10_000, shipping_fen=500, refund_no="R-1", reason="the customer changed her mind")
    refunds.refund(order_id=order.pk, command=command, actor="user:lin", at=timezone.now())
    outbox.dispatch(at=timezone.now())
    for delivery in WebhookDelivery.objects.all():
        DeliveryAttempt.objects.create(
            delivery=delivery, url=delivery.target, elapsed_ms=12, http_status=502, answer='{"error": "bad gateway"}'
        )
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def boss(visitor, site):
    """Return a function that gives a superuser a browser."""
    get_user_model().objects.create_superuser(username="boss", password=PASSWORD)

    def arrive(**how):
        someone = visitor(**how)
        someone.page.goto(f"{site}/admin/")
        someone.page.fill("input[name=username]", "boss")
        someone.page.fill("input[name=password]", PASSWORD)
        someone.page.press("input[name=password]", "Enter")
        expect(someone.page.locator("input[name=username]")).to_have_count(0)
        if how.get("device", "desktop") == "desktop":
            someone.page.set_viewport_size(WIDE)
        return someone

    return arrive


def fits(someone):
    return someone.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def open_order(someone, site, order):
    someone.page.goto(f"{site}/admin/payments/order/{order.pk}/change/")


def test_a_slash_leads_into_the_box_and_a_number_to_its_order_whose_raw_body_unfolds(boss, site, told):
    someone = boss()
    someone.page.wait_for_load_state()  # the key is nothing to a page without its script

    someone.page.keyboard.press("/")
    expect(someone.page.locator("input[data-look-up]")).to_be_focused()
    someone.page.keyboard.type(f" {told.number} ")
    someone.page.keyboard.press("Enter")

    expect(someone.page.locator("#order-number")).to_have_text(told.number)
    details = someone.page.locator("details.raw", has=someone.page.locator("summary")).nth(1)
    details.locator("summary").click()
    expect(details.locator("pre").first).not_to_be_empty()
    assert someone.page.url.endswith(f"/admin/payments/order/{told.pk}/change/")


def test_without_our_script_a_link_leads_to_the_raw_body(boss, site, told):
    someone = boss()
    someone.page.route("**/back_office/order*.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
    open_order(someone, site, told)

    someone.page.locator("details.raw summary").first.click()
    someone.page.locator("details.raw a").first.click()

    expect(someone.page.locator("[data-raw] pre").first).to_be_visible()


@pytest.fixture
def shown(told):
    """Orders that look different."""
    second = place(told.client, out_trade_no="T2", client_pay_id="", redirect_url="")
    closing.close(order_id=second.pk, actor="client:shop", at=timezone.now())
    Order.objects.filter(pk=second.pk).update(money_flag="paid_late")
    bought = partners.make_something_of_every_kind(client=partners.make_partner_client(name="partner"))
    learnt = learners.make_something_of_every_kind(client=learners.make_english_client())
    return {"refunded": told, "closed": second, "partner": bought.order, "english": learnt.order}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("device", "language"), [(d, lang) for d in ("desktop", "phone") for lang in ("en", "zh-CN")])
def test_nothing_is_over_the_edge(boss, shown, device, language, scheme):
    someone = boss(device=device, language=language, scheme=scheme)
    site = someone.page.url.partition("/admin")[0]

    for name, order in shown.items():
        open_order(someone, site, order)
        if name == "refunded":
            for details in someone.page.locator("details.raw summary").all()[:3]:
                details.click()
            expect(someone.page.locator("details.raw pre").nth(1)).to_be_visible()
        someone.picture(f"order-{name}")
        assert fits(someone), name
    for name, query in (("several", "442090"), ("none", "nobody")):
        someone.page.goto(f"{site}/admin/look-up/?q={query}")
        someone.picture(f"look-up-{name}")
        assert fits(someone), name
