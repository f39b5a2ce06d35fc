"""Whether gateways answer and jobs run."""

import datetime
import time

import pytest
from django.conf import settings as house
from django.core.cache import cache
from django.utils import timezone

from config import jobs
from config.logging import LAST_RUN_KEY
from payments.charges import operations as charges
from payments.gateways import calls
from payments.gateways.base import Mode
from payments.gateways.calls import End
from payments.models import Charge, Order
from tests.config.dashboard.page import index, received
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


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
