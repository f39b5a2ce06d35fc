"""The beat schedule and the tasks it names: each exists, and each does its one operation on a real worker."""

import pytest
from celery.contrib.testing.worker import start_worker
from django.conf import settings
from django.utils import timezone

from config.celery import app
from payments import transactions
from payments.charges import operations as charges
from payments.charges import sweep
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.models import Charge
from payments.transactions import transaction
from tests.payments.charges.test_operations import place
from tests.threads import at_once
from tests.web_process import eventually
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True, scope="module")
def loaded_tasks():
    app.loader.import_default_modules()


WOKEN_ALONE = {"payments.process_notification"}  # for one row, which `process_due_notifications` finds by itself


def test_every_entry_of_the_schedule_names_a_task_that_exists():
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} == {
        name for name in app.tasks if not name.startswith("celery.")
    } - WOKEN_ALONE


@pytest.mark.parametrize("name", sorted(entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()))
def test_a_task_may_run_with_nothing_to_do(name):
    app.tasks[name].run(of_a_later_version="is ignored")


def test_a_woken_sweep_completes_an_order_on_a_real_worker():
    memory.forget_everything()
    make_memory_account()
    order = place()
    charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
    memory.book("memory-app").pay(charge.number)
    Charge.objects.filter(pk=charge.pk).update(next_query_at=timezone.now())

    with start_worker(app, perform_ping_check=False, pool="solo"):
        with transaction():
            sweep.wake()
        eventually(lambda: type(order).objects.filter(pk=order.pk, status="pay_finished").exists())


def test_a_broker_that_is_down_neither_fails_nor_slows_the_caller(monkeypatch):
    calls = []
    monkeypatch.setattr(transactions, "_wake_resumes_at", 0.0)
    monkeypatch.setattr(transactions.current_app, "send_task", lambda *args, **kwargs: calls.append(args) or _down())

    for _committed in range(3):
        with transaction():
            transactions.wake(sweep.TASK)

    assert len(calls) == 1, "after a failure there is silence for a while"


def _down():
    raise ConnectionError("the broker is down")


def test_a_thread_of_a_web_process_wakes_tasks_through_the_configured_app():
    (broker,) = at_once(1, lambda n: transactions.current_app.conf.broker_url)

    assert broker == settings.CELERY_BROKER_URL
