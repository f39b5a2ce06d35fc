"""Pages as those use them who see little, hear them read aloud or have no mouse: axe-core finds nothing serious."""

import re
from pathlib import Path

import axe_playwright_python
import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import expect

from payments.days import day_of
from payments.figures import operations as figures
from payments.models import Customer, Order, Refund
from tests.browser.conftest import place
from tests.payments.refunds.shop import pay, refund
from tests.world import make_staff

PASSWORD = "a long enough password"
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
FINDINGS = """async () => {
    const {violations, incomplete} = await axe.run(document, {resultTypes: ["violations", "incomplete"]});
    return [
        ...violations.filter((found) => ["serious", "critical"].includes(found.impact)),
        ...incomplete.filter((found) => found.impact === "critical"),
    ].flatMap((found) => found.nodes.map((node) => `${found.id}: ${node.target.join(" ")}: ${node.failureSummary}`));
}"""
TABS_MAX = 80
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
def paid(order):
    """An order that was paid and refunded in part, beside one that waits: both of the same customer."""
    Customer.objects.update(phone="13800138000", real_name="李雷")
    pay(order)
    refund(order, goods_fen=10_000, shipping_fen=100, actor="user:wang", reason="too small")
    place(order.client, out_trade_no="T2", client_pay_id="", redirect_url="")
    figures.compute(day=day_of(timezone.now()), at=timezone.now())
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


def tab_to(someone, locator, key="Tab"):
    """Press the key until it is there, as somebody without a mouse does."""
    for _press in range(TABS_MAX):
        someone.page.keyboard.press(key)
        if locator.evaluate("element => element === document.activeElement"):
            return
    pytest.fail(f"{TABS_MAX} times {key} do not lead to {locator}")


@looks
def test_the_back_office_keeps_nobody_out(visitor, site, paid, lin, look):
    someone = visitor(**look)
    page, found = someone.page, {}

    def examine(name):
        someone.picture(f"axe-{name}")
        found[name] = findings(someone)

    page.goto(f"{site}/admin/login/")
    examine("log-in")
    log_in(someone, site)
    for name, path in {
        "dashboard": "", "orders": "payments/order/", "order": f"payments/order/{paid.pk}/change/",
        "look-up": f"look-up/?q={paid.customer.user_id}", "look-up-none": "look-up/?q=4711", "security": "security/",
        "refunds": "payments/refund/", "refund": f"payments/order/{paid.pk}/refund/",
    }.items():  # fmt: skip
        page.goto(f"{site}/admin/{path}")
        examine(name)
    page.fill("input[name=goods]", "12")
    expect(page.locator("#plan-table")).to_be_visible()
    examine("refund-plan")

    assert {name: each for name, each in found.items() if each} == {}


@looks
def test_the_cashier_keeps_nobody_out(visitor, link, look):
    someone = visitor(**look)
    page, found = someone.page, {}

    page.goto(link)
    expect(page.locator("button[value='memory:qr']")).to_be_visible()
    found["choosing"] = findings(someone)
    page.click("button[value='memory:qr']")
    expect(page.locator(".qr img")).to_be_visible()
    found["asking"] = findings(someone)

    assert {name: each for name, each in found.items() if each} == {}


def test_what_keeps_people_out_is_found(visitor, site):
    someone = visitor()
    someone.page.goto(f"{site}/admin/login/")
    someone.page.evaluate("""() => {
        document.querySelector("label[for=id_username]").remove();
        document.querySelector("#login-form button").style.color = "rgb(80, 130, 250)";
        document.querySelector("#id_code_helptext").id = "";
    }""")

    rules = [finding.partition(":")[0] for finding in findings(someone)]

    assert sorted(rules) == ["aria-valid-attr-value", "color-contrast", "label"]


def test_a_refund_needs_no_mouse(visitor, site, paid, lin):
    someone = visitor()
    log_in(someone, site)
    page, keys = someone.page, someone.page.keyboard

    keys.press("/")
    keys.type(paid.number)
    keys.press("Enter")
    expect(page.locator("#order-number")).to_have_text(paid.number)
    tab_to(someone, page.get_by_role("link", name="Refund…"))
    keys.press("Enter")
    expect(page.locator("form[data-live-plan]")).to_be_visible()
    tab_to(someone, page.locator("input[name=goods]"))
    keys.type("12.30")
    tab_to(someone, page.locator("button[name=all][value=shipping]"))
    keys.press("Enter")
    tab_to(someone, page.locator("input[name=reason]"))
    keys.type("too small")
    go = page.get_by_role("button", name="Refund ¥16.30 to in memory ¥16.30")
    expect(go).to_be_enabled()
    tab_to(someone, go)
    assert go.evaluate("element => getComputedStyle(element).outlineStyle") != "none", "one sees where one is"
    keys.press("Enter")

    page.wait_for_url(re.compile("/refund/[0-9]+/change/"))
    made = Refund.objects.latest("pk")
    assert (made.goods_fen, made.shipping_fen, made.reason, made.status) == (1_230, 400, "too small", "succeeded")


def test_lists_and_menus_need_no_mouse(visitor, site, paid, lin):
    someone = visitor(device="phone")
    log_in(someone, site)
    page, keys = someone.page, someone.page.keyboard

    page.goto(f"{site}/admin/payments/order/")
    expect(page.locator("h1")).to_have_text(re.compile(r"Orders\s*$"))
    tab_to(someone, page.get_by_role("button", name="Filters"))
    keys.press("Enter")
    expect(page.locator("#changelist-filter")).to_be_visible()
    page.goto(f"{site}/admin/")
    tab_to(someone, page.get_by_role("button", name="Toggle navigation"))
    keys.press("Enter")
    expect(page.locator("#nav-sidebar")).to_be_visible()
    tab_to(someone, page.locator("#nav-sidebar").get_by_role("button", name="lin"))
    someone.picture("axe-menu")
    keys.press("Enter")
    tab_to(someone, page.get_by_role("button", name="Log out"), key="Shift+Tab")
    keys.press("Enter")
    expect(page.locator("input[name=username]")).to_be_visible()
