"""The first page in a real browser: its charts are drawn, nothing runs over the edge, and nobody is shut out of it."""

import datetime

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from payments.days import day_of
from payments.models import DayFigure
from tests.world import make_client, make_staff

# How many points of a canvas are painted.
DRAWN = """canvas => {
    const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, n) => n % 4 === 3 && value > 0).length;
}"""


@pytest.fixture
def month(site):
    """Thirty days of orders and money."""
    shop, at = make_client(), timezone.now()
    for n in range(30):
        day = day_of(at) - datetime.timedelta(days=n)
        fields = {"day": day, "client": shop, "family": "checkout", "computed_at": at}
        DayFigure.objects.create(**fields, tender="", orders_made=90 + n, orders_paid=80 + n)
        DayFigure.objects.create(
            **fields, tender="wechat", received_fen=12_345_678, payments=80, refunded_fen=99_900, refunds=3
        )


@pytest.fixture
def first_page(visitor, site, month):
    """Return a function that opens it for somebody who sees everything."""
    client = Client()
    client.force_login(make_staff("boss", boss=True))

    def open_page(**how):
        someone = visitor(**how)
        session = client.cookies["sessionid"].value
        someone.context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
        someone.page.goto(f"{site}/admin/")
        expect(someone.page.locator("canvas")).to_have_count(2)
        return someone

    return open_page


@pytest.mark.parametrize("device", ["desktop", "phone"])
@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("zh-CN", "dark")])
def test_it_is_drawn_within_the_screen_and_legible(first_page, device, language, scheme):
    someone = first_page(device=device, language=language, scheme=scheme)

    for canvas in someone.page.locator("canvas").all():
        someone.page.wait_for_function(f"canvas => ({DRAWN})(canvas) > 500", arg=canvas.element_handle())
    assert someone.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    found = Axe().run(someone.page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in {"serious", "critical"}] == []
    someone.picture("dashboard")


def test_what_the_charts_show_is_there_as_a_table(first_page):
    someone = first_page()

    someone.page.get_by_text("Both as a table").focus()
    someone.page.keyboard.press("Enter")

    table = someone.page.get_by_role("region", name="The last 30 days")
    expect(table.get_by_role("row")).to_have_count(31)
    expect(table.get_by_role("row").nth(1)).to_contain_text("¥123,456.78")
