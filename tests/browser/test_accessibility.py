"""Pages as those use them who see little, hear them read aloud or have no mouse: axe-core finds nothing serious."""

from pathlib import Path

import axe_playwright_python
import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import expect

from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.models import Customer, Order, Refund
from tests.browser.conftest import place
from tests.payments.refunds.shop import pay, refund
from tests.world import make_staff

PASSWORD = "a long enough password"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
FINDINGS = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .filter((found) => ["serious", "critical"].includes(found.impact))
    .flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.target.join(" ")}: ${node.failureSummary}`))"""
LOOKS = [
    {"device": device, "language": language, "scheme": scheme}
    for device, language, scheme in [
        ("desktop", "en", "light"), ("desktop", "zh-CN", "dark"), ("phone", "zh-CN", "light"), ("phone", "en", "dark"),
    ]
]  # fmt: skip
looks = pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(look.values()))


def findings(someone):
    """What axe-core finds on the page as it is, of what keeps people out. No script of the page's is needed for it."""
    someone.page.evaluate(f"() => {{ {AXE}; window.axe = axe; }}")
    return someone.page.evaluate(FINDINGS)


@pytest.fixture
def order(order):
    """An order that was paid and refunded in part, beside one that waits: both of the same customer."""
    Customer.objects.update(phone="13800138000", real_name="李雷")
    pay(order)
    refund(order, goods_fen=10_000, shipping_fen=100, actor="user:wang", reason="too small")
    place(order.client, out_trade_no="T2", client_pay_id="", redirect_url="")
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def lin(site):
    user = make_staff("lin")
    user.groups.set(Group.objects.all())
    return user


def log_in(someone, site):
    someone.page.goto(f"{site}/admin/login/")
    someone.page.fill("input[name=username]", "lin")
    someone.page.fill("input[name=password]", PASSWORD)
    someone.page.press("input[name=password]", "Enter")
    expect(someone.page.locator("input[name=username]")).to_have_count(0)


@looks
def test_the_back_office_keeps_nobody_out(visitor, site, order, lin, look):
    someone = visitor(**look)
    page, found = someone.page, {}

    def examine(name):
        someone.picture(f"axe-{name}")
        found[name] = findings(someone)

    page.goto(f"{site}/admin/login/")
    examine("log-in")
    log_in(someone, site)
    for name, path in {
        "dashboard": "", "orders": "payments/order/", "order": f"payments/order/{order.pk}/change/",
        "look-up": f"look-up/?q={order.customer.user_id}", "look-up-none": "look-up/?q=4711", "security": "security/",
        "refund": f"payments/order/{order.pk}/refund/", "refunds": "payments/refund/",
    }.items():  # fmt: skip
        page.goto(f"{site}/admin/{path}")
        examine(name)
    page.goto(f"{site}/admin/payments/order/{order.pk}/refund/")
    page.fill("input[name=goods]", "12")
    expect(page.locator("#plan-table")).to_be_visible()
    examine("refund-plan")

    assert {name: each for name, each in found.items() if each} == {}
