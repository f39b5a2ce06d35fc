"""A day at the desk, in a real browser, by people with the roles that staff have: each story from end to end."""

import re

import openpyxl
import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import expect

from english_app import returns
from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.gateways.base import Mode
from payments.models import AuditRow, Charge, Customer, Order, Refund
from tests.browser.conftest import place
from tests.english_app import world as learners
from tests.payments.refunds.shop import book, left, pay, refund
from tests.world import balance_fen, make_staff

PASSWORD = "a long enough password"


@pytest.fixture
def at_work(visitor, site):
    """Return a function that makes somebody with roles, and gives them a browser in which they are logged in."""

    def arrive(name, *roles, **how):
        user = make_staff(name)
        user.groups.set(Group.objects.get(name=role) for role in roles)
        someone = visitor(**how)
        someone.page.goto(f"{site}/admin/")
        someone.page.fill("input[name=username]", name)
        someone.page.fill("input[name=password]", PASSWORD)
        someone.page.press("input[name=password]", "Enter")
        expect(someone.page.locator("input[name=username]")).to_have_count(0)
        return someone

    return arrive


@pytest.fixture
def paid(order):
    """2144 yuan, 5 of them shipping: 131.28 paid by points, 2012.72 at the gateway."""
    Customer.objects.update(phone="13800138000")
    pay(order)
    return order


def look_up(someone, number):
    someone.page.fill("input[data-look-up]", number)
    someone.page.press("input[data-look-up]", "Enter")


def click(someone, words):
    """Follow a button of the row's page, which leads to a form."""
    someone.page.get_by_role("link", name=words).click()


def decide(someone, *, reason, button):
    someone.page.fill("input[name=reason]", reason)
    someone.page.get_by_role("button", name=button).click()


def test_any_number_leads_to_its_order(at_work, site, paid):
    made = refund(paid, goods_fen=100, refund_no="R-20111111111")
    charge = Charge.objects.get(order=paid, tender="memory")
    lin = at_work("lin", "look-up")

    for number in (
        paid.number, paid.client_order_no, paid.client_pay_no, charge.gateway_trade_no, charge.number, made.number,
        made.refund_no, "13800138000", "a09999",
    ):  # fmt: skip
        lin.page.goto(f"{site}/admin/")
        look_up(lin, f" {number} ")
        lin.page.wait_for_url(f"{site}/admin/payments/order/{paid.pk}/change/")
        expect(lin.page.locator("#order-number")).to_have_text(paid.number)

    expect(lin.page.locator("#content-main")).to_contain_text("138****8000")
    expect(lin.page.locator("#content-main")).not_to_contain_text("13800138000")
    expect(lin.page.locator(".order-deeds")).to_have_count(0)


def test_a_part_goes_back_with_the_shipping(at_work, site, paid):
    lin = at_work("lin", "refund")
    page = lin.page
    look_up(lin, paid.number)
    click(lin, "Refund…")
    page.fill("input[name=goods]", "100.10")
    page.fill("input[name=shipping]", "5")
    expect(page.locator("#plan-table tbody tr").last.locator("td")).to_have_text(
        ["¥100.10", "¥5.00", "¥105.10", "¥1907.62"]
    )
    decide(lin, reason="too small", button="Refund ¥105.10 to in memory ¥105.10")
    page.wait_for_url(re.compile("/refund/[0-9]+/change/"))
    look_up(lin, paid.number)

    tender = page.locator("table.tenders tbody tr", has_text="in memory").locator("td")
    expect(tender).to_have_text(["¥2012.72", "¥2012.72", "¥0.00", "¥105.10", "¥1907.62"])
    can_go_back = page.locator("section[aria-labelledby=card-left]")
    expect(can_go_back.locator(".big")).to_have_text("¥2038.90")
    expect(can_go_back.locator("dd")).to_have_text(["¥2038.90", "¥0.00"])
    charge = Charge.objects.get(order=paid, tender="memory")
    assert left(paid) == (0, 0, 10_010, 500)
    assert (charge.refunded_fen, charge.left_fen, book().refunded_fen(charge.number)) == (10_510, 190_762, 10_510)
    made = Refund.objects.get()
    assert (made.requested_by, made.reason, made.status) == ("user:lin", "too small", "succeeded")
    lin.picture("desk-refunded")


def test_above_the_limit_a_colleague_decides(at_work, site, paid):
    paid.client.approval_above_fen = 8_000
    paid.client.save(update_fields=["approval_above_fen"])
    lin, wang = at_work("lin", "refund", "approve"), at_work("wang", "approve")

    lin.page.goto(f"{site}/admin/payments/order/{paid.pk}/refund/")
    lin.page.fill("input[name=goods]", "90")
    decide(lin, reason="too small", button="Ask for a refund of ¥90.00 to in memory ¥90.00")
    expect(lin.page.locator("body")).to_contain_text("waits for a second person")
    made = Refund.objects.get()
    assert (made.status, left(paid), book().refunded_fen(f"{paid.number}_2")) == ("to_approve", (9_000, 0, 0, 0), 0)

    lin.page.goto(f"{site}/admin/payments/refund/to-approve/")
    expect(lin.page.locator("#queue tbody tr")).to_contain_text("You asked for it: a colleague decides.")
    expect(lin.page.locator("#queue a[href$='/approve/']")).to_have_count(0)
    lin.page.goto(f"{site}/admin/payments/refund/{made.pk}/approve/")
    decide(lin, reason="it is mine", button="Approve: the money goes")
    expect(lin.page.locator("[role=alert]")).to_be_visible()
    lin.picture("desk-own-refund")
    made.refresh_from_db()
    assert (made.status, made.decided_by, left(paid)) == ("to_approve", "", (9_000, 0, 0, 0))

    wang.page.goto(f"{site}/admin/payments/refund/to-approve/")
    click(wang, "Approve…")
    decide(wang, reason="seen the parcel", button="Approve: the money goes")
    expect(wang.page.locator("body")).to_contain_text(f"Refund {made.number} is approved: succeeded.")
    look_up(wang, made.number)
    story = wang.page.locator("#timeline")
    for words in ("staff lin", "too small", "staff wang", "seen the parcel", "Refunded in part"):
        expect(story).to_contain_text(words)
    wang.picture("desk-approved")
    made.refresh_from_db()
    assert (made.status, made.decided_by, made.decision) == ("succeeded", "user:wang", "seen the parcel")
    assert (left(paid), book().refunded_fen(f"{paid.number}_2")) == ((0, 0, 9_000, 0), 9_000)


def test_late_money_is_given_back_by_whoever_decides(at_work, site, order):
    order.client.late_money_policy = "hold"
    order.client.save(update_fields=["late_money_policy"])
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())
    book().payments[charge.number].closed_at = None  # the payer was faster than the gateway
    book().pay(charge.number)
    charges.reconcile(charge_id=charge.pk, at=timezone.now())
    lin = at_work("lin", "refund")

    look_up(lin, charge.number)
    expect(lin.page.locator(".order-labels")).to_contain_text("paid late")
    click(lin, "Decide on late money…")
    lin.picture("desk-late-money")
    decide(lin, reason="she cannot wait", button="Give back")

    made = Refund.objects.get()
    expect(lin.page.locator("body")).to_contain_text(f"¥2012.72 went back to the payer: refund {made.number}.")
    expect(lin.page.locator(".order-labels")).not_to_contain_text("paid late")
    charge.refresh_from_db()
    order.refresh_from_db()
    assert (order.status, order.money_flag, charge.status) == ("closed", "", "released")
    assert (made.requested_by, made.reason, book().refunded_fen(charge.number)) == (
        "user:lin", "she cannot wait", 201_272,
    )  # fmt: skip


def test_a_return_asked_for_is_approved(at_work, site):
    shop = learners.make_english_client()
    learner = learners.make_learner(client=shop, balance_fen=10_000)
    bought = learners.buy(client=shop, goods={learners.make_item(client=shop): 2})
    returns.ask(order_id=bought.order_id, actor="client:english", at=timezone.now())
    assert balance_fen(learner) == 10_000 - 2 * learners.ITEM_FEN
    wang = at_work("wang", "approve")

    wang.page.goto(f"{site}/admin/")
    click(wang, re.compile("Returns asked for"))
    wang.page.locator("#result_list tbody tr a").first.click()
    click(wang, "Approve the return…")
    expect(wang.page.locator("#content-main dl")).to_contain_text("¥19.80")
    wang.picture("desk-return")
    decide(wang, reason="the box is back", button="Approve the return")

    made = Refund.objects.get()
    expect(wang.page.locator("body")).to_contain_text(
        f"The return is done: refund {made.number} gave the money back, and the goods are taken back."
    )
    assert (balance_fen(learner), made.goods_fen, made.status) == (10_000, 2 * learners.ITEM_FEN, "succeeded")
    row = AuditRow.objects.get(action="english.return_approve")
    assert (row.actor, row.detail["reason"]) == ("user:wang", "the box is back")


def test_a_workbook_is_written_by_the_worker_and_opens(at_work, site, paid, worker, tmp_path):
    place(paid.client, out_trade_no="=2+5", client_pay_id="", redirect_url="")
    worker.start(with_clock=True)
    lin = at_work("lin", "finance")
    page = lin.page

    page.goto(f"{site}/admin/payments/order/")
    page.locator("a[href*='/export/ask/payments.order/']").click()
    decide(lin, reason="month's end", button="Export")
    page.wait_for_url(re.compile("/export/[0-9]+/change/"))
    expect(page.locator("a[download]")).to_be_visible()  # the page follows the worker by itself
    lin.picture("desk-export")
    with page.expect_download() as download:
        page.locator("a[download]").click()

    assert re.fullmatch("order-[0-9]+\\.xlsx", download.value.suggested_filename)
    download.value.save_as(tmp_path / "orders.xlsx")
    head, *rows = openpyxl.load_workbook(tmp_path / "orders.xlsx").active.iter_rows()
    told = [{name.value: cell for name, cell in zip(head, row, strict=True)} for row in rows]
    named = [row["client's order number"] for row in told]
    assert [(cell.value, cell.data_type) for cell in named] == [("=2+5", "s"), ("20111111111", "s")], "no formula"
    assert [row["number"].value for row in told] == list(Order.objects.order_by("-pk").values_list("number", flat=True))
    deeds = AuditRow.objects.filter(action__startswith="export").values_list("action", "actor")
    assert list(deeds.order_by("pk")) == [("export.request", "user:lin"), ("export.download", "user:lin")]
