"""The history of many orders: its books are right, and what was cut goes on."""

import datetime
from itertools import islice

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db.models import Count
from django.utils import timezone

from config import volume
from config.volume import AnotherHistory
from payments import invariants
from payments.models import Account, Customer, Order, Refund, Transfer

pytestmark = pytest.mark.django_db(transaction=True)

ORDERS = 2_000


def fill(orders=ORDERS, *, chunks=None):
    steps = volume.fill(orders=orders, days=100, at=timezone.now(), chunk=500)
    return [progress.done for progress in islice(steps, chunks)]


def broken():
    return {finding.name: finding.examples for finding in invariants.check() if finding.breaches}


def test_the_books_of_a_history_are_right():
    assert fill() == [0, 500, 1_000, 1_500, 2_000]

    assert broken() == {}
    assert (Order.objects.count(), Customer.objects.count(), Account.objects.count()) == (2_000, 100, 200)


def test_a_history_has_orders_of_every_family_paid_closed_and_refunded():
    fill()

    families = dict(Order.objects.values_list("family").annotate(Count("pk")))
    assert families == {"checkout": 1_200, "payments": 300, "partner_orders": 200, "english_app": 300}
    assert {"pay_finished", "partly_refund", "total_refund", "closed", "unpaid"} <= set(
        Order.objects.values_list("status", flat=True)
    )
    assert Refund.objects.filter(status="succeeded").count() > 50


def test_what_was_cut_goes_on_where_it_was():
    assert fill(chunks=3) == [0, 500, 1_000]
    assert Order.objects.count() == 1_000
    assert "I2b" in broken(), "the control: customers without accounts, as nothing is settled yet"

    assert fill() == [1_000, 1_500, 2_000]

    assert broken() == {}
    assert Order.objects.count() == 2_000


def test_a_history_that_is_done_stays_as_it_is():
    fill()
    before = Transfer.objects.count()

    assert fill() == [2_000]
    assert Transfer.objects.count() == before


def test_orders_follow_each_other_in_time_and_end_now():
    fill()

    times = list(Order.objects.order_by("pk").values_list("created_at", flat=True))
    assert times == sorted(times)
    assert timezone.now() - times[-1] < datetime.timedelta(hours=2)
    assert times[-1] - times[0] > datetime.timedelta(days=99)


def test_another_length_is_refused():
    fill(chunks=1)

    with pytest.raises(AnotherHistory, match=r"a history of 2,000 orders"):
        fill(4_000)


def test_outside_the_sandbox_nothing_is_made(settings):
    settings.SANDBOX = False

    with pytest.raises(CommandError, match="sandbox"):
        call_command("demo_volume", orders=ORDERS)
    assert not Customer.objects.exists()


@pytest.mark.parametrize("orders", [0, -100, 150])
def test_a_number_of_orders_that_makes_no_round_is_refused(orders):
    with pytest.raises(ImproperlyConfigured, match="multiple of 100"):
        fill(orders)


def test_the_command_tells_how_far_it_is(capsys):
    call_command("demo_volume", orders=1_000, days=10, chunk=500)

    told = capsys.readouterr().out
    assert "500 orders   50.0%" in told
    assert "1,000 orders  100.0%" in told
    assert "Done in 0:" in told
