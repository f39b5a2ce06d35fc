"""The first page of the back-office: what the day brought, what waits for a person, and whether all is well."""

import datetime
import json
import re
import time

import pytest
from django.conf import settings as house
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config import jobs
from config.dashboard import shown
from config.logging import LAST_RUN_KEY
from payments import invariants
from payments.charges import operations as charges
from payments.days import day_of
from payments.figures import operations as figures
from payments.gateways import calls, memory
from payments.gateways.base import Mode
from payments.gateways.calls import End
from payments.models import Charge, DayFigure, Order
from tests.payments.admin.test_pages import text
from tests.payments.refunds.shop import book, paid_order, refund
from tests.world import make_client, make_customer, make_memory_account, make_staff, place_order

pytestmark = pytest.mark.django_db

MONEY = ("view_dayfigure", "view_order")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    memory.forget_everything()
    cache.clear()
    monkeypatch.setattr(calls, "_resumes_at", 0.0)


@pytest.fixture
def redis_down(settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"


def answer(*permissions, name="lin", boss=False, clients=None):
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(make_staff(name, *permissions, boss=boss, clients=clients))
    response = client.get(reverse("admin:index"))
    assert response.status_code == 200
    return response


def index(*permissions, **who):
    return " ".join(text(answer(*permissions, **who)).split())


def figure(client, *, days=0, family="checkout", tender="", at=None, **sums):
    at = at or timezone.now()
    day = day_of(at) - datetime.timedelta(days=days)
    return DayFigure.objects.create(day=day, client=client, family=family, tender=tender, computed_at=at, **sums)


def received(client, fen, *, tender="wechat", **fields):
    return figure(client, tender=tender, received_fen=fen, payments=1, **fields)


# --- the books, and what waits ----------------------------------------------------------------------------------------


def test_where_nothing_waits_it_says_so():
    assert "Nothing waits for a person." in index(boss=True)


def test_a_refund_that_waits_for_a_second_person_is_counted():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)

    page = index(boss=True)

    assert "Refunds to approve 1" in page
    assert "Deliveries that failed 0" in page
    assert "Nothing waits for a person." not in page


def test_a_refund_that_is_stuck_is_counted_once():
    order = paid_order()
    book().refunds_take_time = True
    refund(order, goods_fen=1_000).legs.update(status="stuck")

    assert "Refunds stuck at a gateway 1" in index(boss=True)


def test_nobody_sees_a_queue_whose_rows_they_may_not_see():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)

    assert "Refunds to approve" not in index("view_order")


def test_in_a_queue_are_the_rows_of_ones_own_clients_alone():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)
    other = make_client(name="other")

    assert "Refunds to approve 0" in index("view_refund", clients=[other])


def test_every_queue_leads_to_the_list_of_its_rows(client):
    client.force_login(make_staff("boss", boss=True))
    page = client.get(reverse("admin:index")).content.decode()
    (queues,) = re.findall(r'<ul class="board-list board-queues">(.*?)</ul>', page, re.DOTALL)

    answers = {link: client.get(link.replace("&amp;", "&")).status_code for link in re.findall(r'href="(.*?)"', queues)}

    assert len(answers) == 8
    assert set(answers.values()) == {200}


def test_a_breach_of_the_last_audit_is_told():
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 3, "I4": 0})

    page = index(boss=True)

    assert "The last audit found the books wrong. I2a: 3" in page
    assert "I4" not in page


def test_books_that_are_right_are_told_with_the_time_of_the_audit():
    at = datetime.datetime(2018, 6, 15, 4, 5, tzinfo=datetime.UTC)
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 0})
    cache.set(invariants.LAST_CHECKED_KEY, int(at.timestamp()))

    assert "The last audit found the books right. June 15, 2018, 12:05 p.m." in index(boss=True)


def test_the_audit_is_about_every_client_and_shown_to_who_sees_every_client():
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 3})

    assert "The last audit" not in index("view_transfer", clients=[make_client()])


# --- what the day brought ---------------------------------------------------------------------------------------------


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
    assert money["datasets"][0]["data"] == ["0", *[None] * 28, "123.45"]
    assert orders["datasets"][0]["data"] == [5, *[None] * 28, 0]
    (table,) = re.findall(r"<details.*?<tbody>(.*?)</tbody>", response.content.decode(), re.DOTALL)
    assert re.findall(r"<t[hd].*?>(.*?)</t[hd]>", table) == [
        *(str(today), "¥123.45", "¥0.00", "0", "0"),
        *(str(today - datetime.timedelta(days=29)), "¥0.00", "¥0.00", "5", "0"),
    ]


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
    assert "Waiting for payment" not in index("view_dayfigure", name="wang")


def test_more_than_the_bound_is_at_least_so_many(monkeypatch):
    monkeypatch.setattr(shown, "COUNT_MAX", 2)
    client = make_client()
    make_customer(client=client)
    for n in range(3):
        place_order(client=client, number=f"T{n}")

    assert "Waiting for payment 2+" in index(boss=True)


# --- whether somebody adds up -----------------------------------------------------------------------------------------


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


# --- gateways and jobs ------------------------------------------------------------------------------------------------


def count_calls(account, **ends):
    hour = int(time.time()) // 3_600
    for end, number in ends.items():
        cache.set(calls._count_key(account.pk, hour, End(end)), number)


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ({}, "no calls lately never 0 0"),
        ({"answered": 200}, "well never 200 200"),
        ({"answered": 182, "unknown": 18, "refused": 0}, "well never 200 9% unanswered 200 9% unanswered"),
        ({"answered": 90, "unknown": 10}, "answers in part never 100 10% unanswered 100 10% unanswered"),
        ({"answered": 2, "unknown": 2}, "does not answer never 4 50% unanswered 4 50% unanswered"),
        ({"answered": 1, "refused": 3}, "well never 4 75% refused 4 75% refused"),
    ],
)
def test_a_gateway_is_as_well_as_it_answers(ends, told):
    count_calls(make_memory_account(), **ends)

    assert f"in memory memory {told}" in index("view_gatewayaccount")


def test_a_gateways_last_success_is_its_last_answer_or_the_last_payment():
    account = make_memory_account()
    client = make_client()
    make_customer(client=client)
    charge = charges.pay_by(
        order_id=place_order(client=client).pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now()
    )
    cache.clear()
    ago = timezone.now() - datetime.timedelta(hours=2, minutes=1)
    Charge.objects.filter(pk=charge.pk).update(paid_at=ago, paid_fen=100)
    assert "no calls lately 2 hours ago" in index("view_gatewayaccount")

    cache.set(calls._answered_key(account.pk), int(time.time()) - 200)

    assert "no calls lately 3 minutes ago" in index("view_gatewayaccount", name="wang")


def test_a_gateway_that_is_switched_off_is_left_out():
    make_memory_account(is_active=False)

    assert "No gateway account is active." in index("view_gatewayaccount")


def ran(task, seconds_ago):
    cache.set(LAST_RUN_KEY.format(task), int(time.time()) - seconds_ago)


@pytest.mark.parametrize(
    ("seconds_ago", "told"),
    [(3, "Send webhooks just now"), (65, "Send webhooks 1 minute ago"), (75, "Send webhooks overdue 1 minute ago")],
)
def test_a_job_that_should_have_run_twice_by_now_is_overdue(seconds_ago, told):
    ran("payments.send_due_webhooks", seconds_ago)

    assert told in index("view_gatewayaccount")


def test_a_job_that_never_ran_is_told():
    assert "Audit the books has not run yet" in index("view_gatewayaccount")


def test_what_a_job_has_to_do_is_counted():
    client = make_client()
    make_customer(client=client)
    Order.objects.filter(pk=place_order(client=client).pk).update(
        fulfil_due_at=timezone.now() - datetime.timedelta(seconds=1)
    )
    ran("payments.fulfil_due_orders", 1)
    ran("payments.close_stale_orders", 1)

    page = index("view_gatewayaccount")

    assert "Fulfil orders whose fulfilment failed just now 1 due" in page
    assert "Close orders whose time has run out just now 0 due" in page


def test_every_job_of_the_schedule_has_a_title():
    assert set(jobs.TITLES) == {entry["task"] for entry in house.CELERY_BEAT_SCHEDULE.values()}


def test_jobs_are_the_house_s_and_shown_to_who_sees_every_client():
    shop = make_client()
    make_memory_account(client=shop)

    page = index("view_gatewayaccount", clients=[shop])

    assert "in memory memory no calls lately" in page
    assert "Send webhooks" not in page


def test_who_may_not_see_gateway_accounts_sees_neither_them_nor_jobs():
    make_memory_account()

    page = index("view_order")

    assert "no calls lately" not in page
    assert "Send webhooks" not in page


def test_without_redis_the_page_is_there_and_says_what_is_not_known(redis_down):
    make_memory_account()
    received(make_client(), 30_000)

    page = index(boss=True)

    assert "Received ¥300.00" in page
    assert "in memory memory not known never not known not known" in page
    assert "Send webhooks not known" in page
    assert "The last audit" not in page


# --- its cost ---------------------------------------------------------------------------------------------------------


def test_its_queries_are_bounded_and_their_number_does_not_grow(django_assert_max_num_queries):
    boss = make_staff("lin", boss=True)
    client = Client()
    client.force_login(boss)

    def statements():
        with django_assert_max_num_queries(28) as captured:
            client.get(reverse("admin:index"))
        return [query["sql"] for query in captured.captured_queries]

    empty = statements()
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)
    for n in range(3):
        make_memory_account(app_id=f"app{n}")
        received(make_client(name=f"shop{n}"), 100, days=n)
    figures.compute(day=day_of(timezone.now()), at=timezone.now())

    full = statements()

    assert len(full) == len(empty)
    waiting = [sql for sql in full if 'FROM "payments_' in sql or 'FROM "english_app_' in sql]
    assert len(waiting) > 20
    assert all("LIMIT" in sql or 'FROM "payments_dayfigure"' in sql for sql in waiting)


def test_its_scripts_and_styles_are_files_of_our_own():
    received(make_client(), 100)

    page = answer(boss=True).content.decode()

    assert re.findall(r"<script(?![^>]*src=)", page) == []
    assert 'href="/static/back_office/dashboard.css"' in page


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (150, 100, "+50%"), (50, 100, "−50%"), (0, 100, "−100%"), (100, 100, "±0%"), (1_001, 1_000, "±0%"),
        (1_005, 1_000, "+1%"), (99_500, 100, ">+999%"), (5, 0, ""), (0, 0, ""), (5, -3, ""),
    ],
)  # fmt: skip
def test_a_change_is_told_in_per_cent_rounded(now, before, told):
    assert shown.change(now, before) == told


@pytest.mark.parametrize(
    ("fen", "told"), [(0, "¥0.00"), (5, "¥0.05"), (123_456_789, "¥1,234,567.89"), (-5_050, "−¥50.50")]
)
def test_money_is_told_to_the_fen(fen, told):
    assert shown.yuan(fen) == told
