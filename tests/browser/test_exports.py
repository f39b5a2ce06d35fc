"""From a narrowed list to a file on one's own disk, at a desk and on a phone."""

import csv
import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from payments.exports import writing
from payments.models import Order
from tests.world import make_staff

PASSWORD = "a long enough password"


@pytest.mark.parametrize("how", [{}, {"device": "phone", "language": "zh-CN"}], ids=["desktop", "phone"])
def test_an_export_is_asked_for_seen_growing_and_downloaded(visitor, site, order, how):
    make_staff("lin", "export_rows", "view_order")
    someone = visitor(**how)
    page = someone.page
    page.goto(f"{site}/admin/login/?next=/admin/payments/order/%3Fq={order.client_order_no}")
    page.fill("input[name=username]", "lin")
    page.fill("input[name=password]", PASSWORD)
    page.press("input[name=password]", "Enter")

    page.locator("a[href*='/export/ask/payments.order/']").click()
    expect(page.locator("dl")).to_contain_text(order.client_order_no)
    page.locator("input[value=csv]").check()
    page.fill("input[name=reason]", "月结")
    someone.picture("export-ask")
    page.locator("#content-main button[type=submit]").click()
    page.wait_for_url(re.compile(r"/change/"))
    claimed = writing.claim(at=timezone.now())
    expect(page.locator("[data-export-rows]")).to_have_text("0")
    someone.picture("export-running")
    writing.write(export=claimed)
    with page.expect_download() as download:
        page.locator("a[download]").click()

    assert download.value.suggested_filename == f"order-{claimed.pk}.csv"
    with download.value.path().open(encoding="utf-8-sig", newline="") as file:
        _head, row = csv.reader(file)
    assert row[0] == Order.objects.get().number
