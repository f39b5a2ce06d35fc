import datetime
import re
import subprocess
import sys

import pytest
from django.conf import settings as house
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from config import metrics
from payments import invariants
from payments.charges import operations as charges
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.inbox import operations as inbox
from payments.models import Charge, Difference, GatewayBill, InboundNotification, Order, WebhookEndpoint
from payments.outbox import operations as outbox
from tests.world import make_client, make_customer, make_memory_account, place_order

pytestmark = pytest.mark.django_db


def scrape(**extra):
    response = Client().get("/metrics", **extra)
    assert response.status_code == 200
    return dict(re.findall(r"^(onetill_\S+(?:\{[^}]*\})?) (\S+)$", response.content.decode(), re.MULTILINE))


def number(scraped, name):
    return float(scraped[name])


@pytest.fixture
def charge():
    """An order whose cash is waited for at the gateway in memory."""
    memory.forget_everything()
    make_memory_account()
    client = make_client()
    make_customer(client=client)
    placed = place_order(client=client)
    return charges.pay_by(order_id=placed.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())


def test_an_empty_book_shows_every_series_at_zero():
    scraped = scrape()

    for name in (
        'onetill_orders_waiting{status="unpaid"}',
        'onetill_orders_waiting{status="cash_paid"}',
        'onetill_orders_of_the_last_hour{status="closed"}',
        'onetill_orders_flagged{money_flag="overpaid"}',
        'onetill_charges_waiting{status="unknown"}',
        "onetill_charges_query_overdue_seconds",
        "onetill_charges_surplus",
        "onetill_charges_surplus_fen",
        "onetill_notifications_due",
        "onetill_notifications_oldest_due_seconds",
        "onetill_orders_fulfilment_due",
        "onetill_orders_closing_overdue_seconds",
        'onetill_refunds_waiting{status="to_approve"}',
        'onetill_refunds_waiting{status="pending"}',
        "onetill_refunds_stuck",
        "onetill_refunds_query_overdue_seconds",
        'onetill_webhooks_waiting{status="due"}',
        'onetill_webhooks_waiting{status="parked"}',
        "onetill_webhooks_oldest_undispatched_seconds",
        "onetill_webhook_endpoints_parked",
        'onetill_reconciliation_differences{kind="ours_missing"}',
        "onetill_bills_missing",
    ):
        assert number(scraped, name) == 0


def test_what_waits_is_counted(charge):
    ago = timezone.now() - datetime.timedelta(seconds=90)
    Charge.objects.filter(pk=charge.pk).update(status="unknown", next_query_at=ago)
    Order.objects.update(money_flag="overpaid", fulfil_due_at=ago)

    scraped = scrape()

    assert number(scraped, 'onetill_orders_waiting{status="point_paid"}') == 1
    assert number(scraped, 'onetill_orders_of_the_last_hour{status="point_paid"}') == 1
    assert number(scraped, 'onetill_orders_flagged{money_flag="overpaid"}') == 1
    assert number(scraped, "onetill_orders_fulfilment_due") == 1
    assert number(scraped, 'onetill_charges_waiting{status="unknown"}') == 1
    assert 90 <= number(scraped, "onetill_charges_query_overdue_seconds") < 120


def test_surplus_money_is_counted_in_fen(charge):
    Charge.objects.filter(pk=charge.pk).update(status="surplus", paid_fen=37)

    scraped = scrape()

    assert number(scraped, "onetill_charges_surplus") == 1
    assert number(scraped, "onetill_charges_surplus_fen") == 37


def test_a_notification_left_unprocessed_is_due(charge):
    memory.book("memory-app").pay(charge.number)
    raw = memory.book("memory-app").notification(charge.number)
    inbox.receive(kind="memory", headers=raw.headers, body=raw.body, remote_address="127.0.0.1", at=timezone.now())
    InboundNotification.objects.update(processed_at=None, received_at=timezone.now() - datetime.timedelta(seconds=60))

    scraped = scrape()

    assert number(scraped, "onetill_notifications_due") == 1
    assert 60 <= number(scraped, "onetill_notifications_oldest_due_seconds") < 90


def test_refused_notifications_of_the_last_hour_are_counted_by_what_was_wrong():
    for raw in (b"junk", b"junk", b"old"):
        inbox.receive(kind="memory", headers={}, body=raw, remote_address="192.0.2.1", at=timezone.now())
    InboundNotification.objects.filter(body=b"old").update(received_at=timezone.now() - datetime.timedelta(hours=2))

    scraped = scrape()

    name = "onetill_notifications_refused_of_the_last_hour"
    assert number(scraped, f'{name}{{verdict="wrong_merchant"}}') == 2  # there is no account that it could be for
    assert number(scraped, f'{name}{{verdict="bad_signature"}}') == 0


def test_webhooks_that_wait_are_counted():
    now = timezone.now()
    client = make_client()
    make_customer(client=client, points_fen=1_000)
    WebhookEndpoint.objects.create(client=client, url="https://a.example.com/")
    WebhookEndpoint.objects.create(client=client, url="https://b.example.com/", parked_at=now, parked_reason="410 Gone")
    place_order(client=client)
    outbox.dispatch(at=now)
    place_order(client=client, number="T2")

    scraped = scrape()

    assert number(scraped, 'onetill_webhooks_waiting{status="due"}') == 1
    assert number(scraped, 'onetill_webhooks_waiting{status="parked"}') == 1
    assert number(scraped, "onetill_webhook_endpoints_parked") == 1
    assert 0 < number(scraped, "onetill_webhooks_oldest_undispatched_seconds") < 60


def test_open_differences_and_missing_bills_are_counted(charge):
    day = datetime.date(2018, 6, 15)
    GatewayBill.objects.create(account=charge.gateway_account, day=day)
    fields = {
        "account": charge.gateway_account, "day": day, "kind": "ours_missing", "entry": "payment", "theirs_fen": 1,
        "remedy": "check_by_hand", "found_at": timezone.now(),
    }  # fmt: skip
    Difference.objects.create(number="X1", status="open", **fields)
    Difference.objects.create(number="X2", status="pooled", pooled_until=timezone.now(), **fields)

    scraped = scrape()

    assert number(scraped, 'onetill_reconciliation_differences{kind="ours_missing"}') == 1
    assert number(scraped, 'onetill_reconciliation_differences{kind="amount"}') == 0
    assert number(scraped, "onetill_bills_missing") == 1


def test_numbers_stop_at_the_bound(charge, monkeypatch):
    monkeypatch.setattr(metrics, "COUNT_MAX", 3)
    order = Order.objects.get()
    for n in range(5):
        order.pk, order.number, order.client_order_no = None, f"N{n}", f"T{n + 2}"
        order.save(force_insert=True)

    assert number(scrape(), 'onetill_orders_waiting{status="point_paid"}') == 3


def test_a_scrape_costs_a_fixed_number_of_bounded_queries(charge, django_assert_num_queries):
    with django_assert_num_queries(18) as captured:
        scrape()

    assert all("LIMIT" in query["sql"] for query in captured.captured_queries)


def test_the_last_run_of_a_scheduled_task_is_shown():
    task = next(iter(house.CELERY_BEAT_SCHEDULE.values()))["task"]
    cache.set(f"last_run:{task}", 1_529_035_200, timeout=30)

    name = f'onetill_task_last_success_timestamp_seconds{{task="{task}"}}'
    assert number(scrape(), name) == 1_529_035_200


@pytest.mark.django_db(transaction=True)  # the audit opens a transaction of its own kind
def test_the_last_audit_is_shown(charge):
    Charge.objects.filter(pk=charge.pk).update(next_query_at=None)
    cache.delete(invariants.LAST_BREACHES_KEY)
    assert "onetill_invariant_breaches{" not in metrics.exposition().decode()

    invariants.check()

    assert 'onetill_invariant_breaches{invariant="I12"} 1.0' in metrics.exposition().decode()


def test_without_redis_the_book_is_still_shown(settings):
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}

    assert number(scrape(), "onetill_notifications_due") == 0


def test_requests_are_measured_by_route_not_by_path():
    Client().get("/healthz")

    assert number(scrape(), 'onetill_http_request_seconds_count{method="GET",route="^healthz/?$",status="200"}') >= 1


class TestWhoMayAsk:
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "192.168.7.7", "fd00::1"])
    def test_private_networks(self, address):
        assert Client().get("/metrics", REMOTE_ADDR=address).status_code == 200

    @pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::1", "", "rubbish"])
    def test_nobody_else(self, address):
        response = Client().get("/metrics", REMOTE_ADDR=address)

        assert response.status_code == 404
        assert b"onetill_" not in response.content

    def test_nobody_else_behind_our_proxy(self, settings):
        settings.TRUSTED_PROXIES = ["127.0.0.1/32"]

        response = Client().get("/metrics", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.9")

        assert response.status_code == 404

    def test_nobody_behind_a_proxy_that_is_not_ours(self):
        response = Client().get("/metrics", REMOTE_ADDR="10.1.2.3", HTTP_X_FORWARDED_FOR="10.1.2.4")

        assert response.status_code == 404

    def test_a_stranger_cannot_claim_to_forward_for_us(self):
        response = Client().get("/metrics", REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR="127.0.0.1")

        assert response.status_code == 404


def test_processes_add_up_their_requests(tmp_path, monkeypatch):
    """Two processes that share PROMETHEUS_MULTIPROC_DIR, each with one request; asked by a third."""
    code = (
        "import os; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'\n"
        "from config.logging import REQUEST_SECONDS\n"
        "REQUEST_SECONDS.labels('GET', '^x$', 200).observe(0.5)\n"
    )
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for _process in range(2):
        subprocess.run([sys.executable, "-c", code], check=True, cwd=house.BASE_DIR)

    scraped = scrape()

    assert number(scraped, 'onetill_http_request_seconds_count{method="GET",route="^x$",status="200"}') == 2
    assert number(scraped, "onetill_notifications_due") == 0
