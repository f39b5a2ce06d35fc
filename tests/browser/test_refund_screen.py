"""The refund screen in a real browser: the plan follows what is typed, and what is clicked is what was shown."""

import pytest
from playwright.sync_api import expect

from payments.models import Order, Refund
from payments.refunds import batches
from tests.payments.refunds.shop import pay, refund
from tests.world import make_client, make_customer, make_staff, place_order

PASSWORD = "a long enough password"
MAY = (
    "view_order", "view_refund", "view_refundbatch", "request_refund", "refund_many", "approve_refund", "query_gateway",
)  # fmt: skip
LOOKS = [
    {"device": "desktop", "language": "en", "scheme": "light"},
    {"device": "desktop", "language": "zh-CN", "scheme": "dark"},
    {"device": "phone", "language": "zh-CN", "scheme": "light"},
    {"device": "phone", "language": "en", "scheme": "dark"},
]


@pytest.fixture
def shop(site):
    client = make_client(approval_above_fen=8_000)
    make_customer(client=client, points_fen=3_000)
    make_staff("lin", *MAY)
    return client


@pytest.fixture
def order(shop):
    """100 yuan, 10 of them shipping: 30 paid by points, 70 at the gateway."""
    return paid(shop, "20111111111")


def paid(shop, number, total_fen=10_000):
    order = place_order(client=shop, number=number, total_fen=total_fen, shipping_fen=1_000)
    if order.cash_fen:
        pay(order)
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def lin(visitor, site, shop):
    """Return a function that gives lin a browser."""

    def arrive(**how):
        someone = visitor(**how)
        someone.page.goto(f"{site}/admin/")
        someone.page.fill("input[name=username]", "lin")
        someone.page.fill("input[name=password]", PASSWORD)
        someone.page.press("input[name=password]", "Enter")
        expect(someone.page.locator("input[name=username]")).to_have_count(0)
        return someone

    return arrive


def opened(someone, site, order):
    someone.page.goto(f"{site}/admin/payments/order/{order.pk}/refund/")
    return someone.page


def is_within_the_screen(page):
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(look.values()))
def test_the_plan_follows_what_is_typed(lin, site, order, look):
    refund(order, goods_fen=500, reason="too small")
    someone = lin(**look)
    page = opened(someone, site, order)
    cells = page.locator("#plan-table tbody tr td")
    someone.picture("refund-empty")

    page.fill("input[name=goods]", "70")
    expect(cells).to_have_text(["¥5.00", "–", "¥5.00", "¥25.00", "¥65.00", "–", "¥65.00", "¥0.00"])
    page.locator("button[name=all][value=shipping]").click()
    expect(cells).to_have_text(["¥15.00", "–", "¥15.00", "¥15.00", "¥55.00", "¥10.00", "¥65.00", "¥0.00"])
    someone.picture("refund-plan")
    page.fill("input[name=goods]", "71")
    expect(page.locator("#plan .text-orange-700")).to_be_visible()
    someone.picture("refund-second-person")
    assert is_within_the_screen(page)
    page.fill("input[name=goods]", "900")
    expect(page.locator("#plan-table")).to_have_count(0)
    expect(page.locator("#plan")).to_contain_text("¥85.00")
    someone.picture("refund-too-much")
    assert Refund.objects.count() == 1


def test_what_is_clicked_is_what_was_shown(lin, site, order):
    page = opened(lin(), site, order)
    page.fill("input[name=goods]", "12.30")
    go = page.locator("button[value=refund]")
    expect(go).to_have_text("Refund ¥12.30 to in memory ¥12.30")
    page.select_option("select[name=policy]", "points_first")
    expect(go).to_have_text("Refund ¥12.30 to points 12.30")

    page.fill("input[name=reason]", "too small")
    go.click()

    expect(page).to_have_url(f"{site}/admin/payments/refund/{Refund.objects.get().pk}/change/")
    made = Refund.objects.get()
    assert (made.goods_fen, made.reason, made.requested_by, made.status) == (
        1_230,
        "too small",
        "user:lin",
        "succeeded",
    )
    assert [leg.charge.tender for leg in made.legs.all()] == ["points"]


def test_while_the_plan_is_not_what_was_typed_nobody_can_click_it(lin, site, order):
    someone = lin()
    page = opened(someone, site, order)
    page.fill("input[name=goods]", "12")
    expect(page.locator("button[value=refund]")).to_be_enabled()
    page.route("**/refund/", lambda route: route.fulfill(status=503, body="busy"))

    page.fill("input[name=goods]", "13")

    expect(page.locator("button[value=refund]")).to_be_disabled()
    expect(page.locator("[data-without-script]")).to_be_visible()
    expect(page.locator("button[value=refund]")).to_contain_text("¥12.00")
    someone.complaints.clear()  # the browser tells of the 503


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(look.values()))
def test_many_at_once_are_foreseen_confirmed_and_followed(lin, site, shop, look):
    orders = [paid(shop, f"T{n}", 2_000 + 4_000 * n) for n in range(3)]
    refund(orders[0], goods_fen=1_000, shipping_fen=1_000)
    waiting = refund(orders[2], goods_fen=8_900, actor="user:wang", reason="too small")
    last = paid(shop, "T9", 9_000)
    someone = lin(**look)
    page = someone.page

    page.goto(f"{site}/admin/payments/refundbatch/new/")
    someone.picture("many-numbers")
    page.fill("textarea", "\n".join([*(order.number for order in orders), last.number, "4711"]))
    page.locator("#content-main button[type=submit]").click()
    expect(page.locator("#can tbody tr")).to_have_count(3)
    someone.picture("many-foreseen")
    assert is_within_the_screen(page)
    page.fill("input[name=reason]", "recalled")
    page.locator("#content-main form button[type=submit]").click()
    expect(page.locator("#progress[data-goes-on]")).to_be_visible()
    someone.picture("many-under-way")
    batches.process_due()
    expect(page.locator("#progress[data-goes-on]")).to_have_count(0)
    someone.picture("many-done")

    page.goto(f"{site}/admin/payments/refund/to-approve/")
    expect(page.locator("#queue tbody tr")).to_have_count(2)
    someone.picture("refunds-to-approve")
    assert is_within_the_screen(page)
    page.goto(f"{site}/admin/payments/refund/{waiting.pk}/approve/")
    someone.picture("refund-approve")
    waiting.legs.update(status="stuck", last_answer="ABNORMAL")
    page.goto(f"{site}/admin/payments/refund/held-up/")
    someone.picture("refunds-held-up")
    assert is_within_the_screen(page)
