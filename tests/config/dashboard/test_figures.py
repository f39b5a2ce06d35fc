"""What the day brought, against other days, and as of when."""

import datetime
import json
import re

import pytest
from django.utils import timezone

from config.dashboard import shown
from payments.days import day_of
from payments.figures import operations as figures
from payments.models import DayFigure
from tests.config.dashboard.page import answer, figure, index, received
from tests.payments.admin.test_pages import text
from tests.payments.refunds.shop import paid_order, refund
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db

MONEY = ("view_dayfigure", "view_order")


def test_todays_money_and_orders_stand_against_yesterday_and_a_week_ago():
    shop = make_client()
    figure(shop, orders_made=1_234, orders_paid=1_000)
    received(shop, 1_234_567, released_fen=34_567, releases=1, refunded_fen=1_050, refunds=2)
    figure(shop, days=1, orders_made=2_468, orders_paid=1_000)
    received(shop, 800_049, days=1)
    received(shop, 2_400_050, days=7)

    page = index(boss=True)

    assert "Received ¥12,000.00 Yesterday ¥8,000 +50% A week ago ¥24,001 −50%" in page
    assert "Refunded ¥10.50 Yesterday ¥0 A week ago ¥0" in page
    assert "Orders made 1,234 Yesterday 2,468 −50% A week ago 0" in page
    assert "Orders paid 1,000 Yesterday 1,000 ±0% A week ago 0" in page


def test_a_day_that_was_never_added_up_is_missing_and_not_zero():
    figure(make_client(), orders_made=3)

    assert "Orders made 3 Yesterday – A week ago –" in index(boss=True)


def test_the_day_is_told_by_family_and_by_tender():
    shop = make_client()
    figure(shop, orders_made=7)
    received(shop, 30_000)
    received(shop, 10_000, tender="points", refunded_fen=500, refunds=1)
    figure(shop, family="english_app", orders_made=2)
    received(shop, 90_000, family="english_app")
    received(shop, 99, days=1, tender="alipay")

    page = index(boss=True)

    assert (
        "Today by family Orders made Received Refunded "
        "English app 2 ¥900.00 ¥0.00 Points mall checkout 7 ¥400.00 ¥5.00" in page
    )
    assert "Today by tender Payments Received Refunded WeChat Pay 2 ¥1,200.00 ¥0.00 Points 1 ¥100.00 ¥5.00" in page


def test_what_the_book_says_is_what_the_page_says():
    order = paid_order()
    refund(order, goods_fen=1_000)
    figures.compute(day=day_of(timezone.now()), at=timezone.now())

    page = index(boss=True)

    assert "Received ¥100.00" in page
    assert "Refunded ¥10.00" in page
    assert "In memory 1 ¥70.00 ¥10.00 Points 1 ¥30.00 ¥0.00" in page


def test_the_charts_and_their_table_show_thirty_days_and_leave_out_what_is_missing():
    shop = make_client()
    received(shop, 12_345)
    figure(shop, days=29, orders_made=5)
    figure(shop, days=30, orders_made=99)

    response = answer(boss=True)

    money, orders = (
        json.loads(chart.replace("&quot;", '"'))
        for chart in re.findall(r'data-value="(.*?)"', response.content.decode())
    )
    today = day_of(timezone.now())
    assert money["labels"] == [f"{today - datetime.timedelta(days=n):%m-%d}" for n in range(29, -1, -1)]
    assert money["datasets"][0]["data"] == ["0.00", *[None] * 28, "123.45"]
    assert orders["datasets"][0]["data"] == [5, *[None] * 28, 0]
    (table,) = re.findall(r"<details.*?<tbody>(.*?)</tbody>", response.content.decode(), re.DOTALL)
    assert re.findall(r"<t[hd].*?>(.*?)</t[hd]>", table) == [
        *(str(today), "¥123.45", "¥0.00", "0", "0"),
        *(str(today - datetime.timedelta(days=29)), "¥0.00", "¥0.00", "5", "0"),
    ]


def test_a_day_that_gave_back_more_than_it_took_is_below_zero():
    shop = make_client()
    figure(shop, tender="points", released_fen=50, releases=1)

    response = answer(boss=True)

    assert "Received −¥0.50" in " ".join(text(response).split())
    assert "&quot;-0.50&quot;" in response.content.decode()


def test_a_family_that_is_not_there_any_more_is_called_by_its_key():
    shop = make_client()
    received(shop, 100, family="mail_order")

    assert "Mail_order 0 ¥1.00" in index(boss=True)


def test_staff_of_a_client_see_its_figures_alone():
    shop, other = make_client(), make_client(name="other")
    received(shop, 30_000)
    received(other, 50_000)

    page = index(*MONEY, clients=[other])

    assert "Received ¥500.00" in page
    assert "¥300.00" not in page


def test_a_client_younger_than_a_day_had_nothing_on_it():
    shop, other = make_client(), make_client(name="other")
    for days in (0, 1, 7):
        received(shop, 30_000, days=days)

    assert "Received ¥0.00 Yesterday ¥0 A week ago ¥0" in index(*MONEY, clients=[other])


def test_who_may_not_see_figures_sees_none():
    received(make_client(), 30_000)

    page = index("view_order", "view_charge")

    assert "Received" not in page
    assert "What waits for a person" in page


def test_who_may_see_nothing_is_told_so():
    assert "You don’t have permission to view or edit anything." in index()


def test_orders_that_wait_for_payment_are_counted_now():
    client = make_client()
    make_customer(client=client)
    for n in range(3):
        place_order(client=client, number=f"T{n}")

    assert "Waiting for payment 3" in index(*MONEY)
    assert (
        'href="/admin/payments/order/?status__in=unpaid,point_paid"' in answer(boss=True, name="zhao").content.decode()
    )
    assert "Waiting for payment" not in index("view_dayfigure", name="wang")


def test_more_than_the_bound_is_at_least_so_many(monkeypatch):
    monkeypatch.setattr(shown, "COUNT_MAX", 2)
    client = make_client()
    make_customer(client=client)
    for n in range(3):
        place_order(client=client, number=f"T{n}")

    assert "Waiting for payment 2+" in index(boss=True)


def test_it_says_as_of_when():
    figure(make_client())

    assert f"as of {timezone.localtime():%H:%M}" in index(boss=True)


def test_figures_that_stand_still_for_ten_minutes_are_told():
    shop = make_client()
    row = figure(shop)
    assert "stand still" not in index(boss=True)
    ago = timezone.now() - datetime.timedelta(minutes=11)
    DayFigure.objects.filter(pk=row.pk).update(computed_at=ago, day=day_of(ago))

    assert "These figures stand still since" in index("view_dayfigure", name="wang")


def test_figures_that_were_never_added_up_are_told():
    page = index(boss=True)

    assert "No day was added up yet." in page
    assert "Received –" in page
