"""
The jobs under bad circumstances: two beats at once, none for an hour, an empty Redis, a worker that wakes up late.

Nothing is done twice, nothing is forgotten: what is due is a row.
"""

import datetime
import threading

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from config.celery import app
from payments import invariants
from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.ledger.queries import balance_fen
from payments.models import Charge, InboundNotification, Order, OutboxEvent, RefundLeg, Transfer
from payments.refunds import operations as refunds
from payments.refunds import submission
from payments.refunds.operations import RefundCommand
from payments.transactions import transaction
from tests.payments.closing.test_operations import expire
from tests.payments.refunds.shop import book, pay
from tests.threads import at_once
from tests.world import make_client, make_customer, make_memory_account, place_order, points_fen

pytestmark = pytest.mark.django_db(transaction=True)

BEAT = sorted({entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} - {"payments.audit"})


@pytest.fixture(autouse=True)
def fresh_gateway():
    app.loader.import_default_modules()
    memory.forget_everything()


@pytest.fixture
def shop():
    client = make_client()
    make_customer(client=client, points_fen=1_000)
    make_memory_account()
    return client


def place(shop, number, **fields):
    return place_order(client=shop, number=number, total_fen=5_000, **fields)


@pytest.fixture
def backlog(shop):
    """
    Everything that a beat which was away has left: a stale order, one whose attempt is open, one that was paid and
    nobody asked, late money, a notification that was kept and not processed, a refund that was never told.
    """
    stale, open_attempt, paid, late, told, refunded = (place(shop, name) for name in "abcdef")
    expire(stale)
    charges.pay_by(order_id=open_attempt.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    expire(open_attempt)
    asked = charges.pay_by(order_id=paid.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    book().pay(asked.number)
    code = charges.pay_by(order_id=late.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    closing.close(order_id=late.pk, actor="client:shop", at=timezone.now())
    book().pay(code.number)
    noticed = charges.pay_by(order_id=told.pk, channel="memory", mode=Mode.PAGE, actor="test", at=timezone.now())
    book().pay(noticed.number)
    raw = book().notification(noticed.number)
    InboundNotification.objects.create(
        gateway="memory", gateway_account=noticed.gateway_account, notification_id="n1", verdict="accepted",
        charge=noticed, headers=dict(raw.headers), body=raw.body,
        received_at=timezone.now() - datetime.timedelta(hours=1), due_at=timezone.now() - datetime.timedelta(hours=1),
    )  # fmt: skip
    pay(refunded)
    refunds.request(
        order_id=refunded.pk, command=RefundCommand(goods_fen=1_000), actor="client:shop", at=timezone.now()
    )  # fmt: skip
    long_ago = timezone.now() - datetime.timedelta(hours=1)
    Charge.objects.filter(next_query_at__isnull=False).update(next_query_at=long_ago)
    RefundLeg.objects.filter(next_query_at__isnull=False).update(next_query_at=long_ago)
    return {"closed": [stale, open_attempt, late], "pay_finished": [paid, told], "partly_refund": [refunded]}


def run_beat():
    for name in BEAT:
        app.tasks[name].run()


def check(backlog):
    for status, orders in backlog.items():
        for order in orders:
            order.refresh_from_db()
            assert (order.client_order_no, order.status) == (order.client_order_no, status)
    assert balance_fen(code="suspense") == 0
    assert sum(refund.request.amount_fen for refund in book().refunds.values()) == 1_000 + 5_000
    assert len([call for call in book().calls if call[0] == "refund"]) == len(book().refunds) == 2
    assert not OutboxEvent.objects.filter(dispatched_at__isnull=True).exists()
    assert not InboundNotification.objects.filter(processed_at__isnull=True).exists()
    with transaction():
        broken = {finding.name for finding in invariants.findings() if finding.breaches}
    assert broken <= {"I15c"}  # the world's own grants leave no audit rows


def test_a_beat_that_was_away_for_an_hour_catches_up(backlog):
    for _turn in range(3):  # what one job makes due, another does in its next turn
        run_beat()

    check(backlog)


def test_two_beats_at_once_do_nothing_twice(backlog):
    for _turn in range(3):
        outcomes = at_once(2, lambda _n: run_beat())
        assert outcomes == [None, None]

    check(backlog)
    assert points_fen(backlog["closed"][0].customer) == 1_000


def test_an_emptied_redis_loses_nothing(backlog):
    cache.clear()
    with app.connection_for_write() as connection:
        connection.default_channel.client.flushdb()

    for _turn in range(3):
        run_beat()

    check(backlog)


def test_a_worker_that_slept_past_its_lease_changes_nothing_that_was_done_meanwhile(shop):
    order = place(shop, "a")
    pay(order)
    refunds.request(
        order_id=order.pk, command=RefundCommand(goods_fen=1_000), actor="client:shop", at=timezone.now()
    )  # fmt: skip
    leg = RefundLeg.objects.get()
    asleep, awake = threading.Event(), threading.Event()

    def sleep():
        asleep.set()
        assert awake.wait(timeout=60)

    book().script(sleep, verb="refund")  # the call has gone out, and its worker is stopped before it reads the answer

    def slept(_n):
        submission.submit(leg_id=leg.pk, at=timezone.now())

    worker = threading.Thread(target=at_once, args=(1, slept))
    worker.start()
    assert asleep.wait(timeout=60)
    RefundLeg.objects.filter(pk=leg.pk).update(next_query_at=timezone.now())
    submission.sweep_due()
    leg.refresh_from_db()
    assert leg.status == "succeeded"
    awake.set()
    worker.join()

    leg.refresh_from_db()
    order.refresh_from_db()
    assert (leg.status, order.status, order.refunded_fen) == ("succeeded", "partly_refund", 1_000)
    assert book().refunded_fen(leg.charge.number) == 1_000
    assert Transfer.objects.filter(reference=leg.number).count() == 1
    assert order.transitions.filter(event="refunded_in_part").count() == 1


def test_a_worker_that_slept_while_its_order_was_closed_does_not_pay_it(shop):
    order = place(shop, "a")
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    book().pay(charge.number)
    asleep, awake = threading.Event(), threading.Event()

    def sleep():
        asleep.set()
        assert awake.wait(timeout=60)

    book().script(sleep, verb="query_payment")
    worker = threading.Thread(
        target=at_once, args=(1, lambda _n: charges.reconcile(charge_id=charge.pk, at=timezone.now()))
    )  # fmt: skip
    worker.start()
    assert asleep.wait(timeout=60)
    # Meanwhile the gateway's book is read as unpaid by nobody: the order is closed behind the worker's back.
    Charge.objects.filter(pk=charge.pk).update(status="closed", next_query_at=None)
    expire(order)
    closing.close_due(at=timezone.now())
    awake.set()
    worker.join()

    charge.refresh_from_db()
    order.refresh_from_db()
    assert (order.status, order.money_flag, charge.status) == ("closed", "paid_late", "surplus")
    assert Order.objects.get(pk=order.pk).closed_at is not None
