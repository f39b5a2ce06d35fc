"""One client's receivers, however many and however dead or slow, leave threads for the others'."""

import datetime
import time

import pytest
from django.utils import timezone

from payments.models import DeliveryAttempt, WebhookDelivery, WebhookEndpoint
from payments.outbox import deliveries, operations, sending
from payments.outbox.sender import Result
from tests.payments.outbox.shop import PostOffice, known, listening, make_shop, paid_order

pytestmark = pytest.mark.django_db(transaction=True)

ORIGINS = 60
PATIENCE_S = 2  # for so long a dead receiver holds a thread


@pytest.fixture
def post_office(monkeypatch):
    """Whoever is not live is silent until the deadline."""
    monkeypatch.setattr(sending, "RUN_S", 1)

    def answer(url):
        if "live" in url:
            return Result(status=200)
        time.sleep(PATIENCE_S)
        return Result(error="ReadTimeout")

    return PostOffice(answer)


def name_dead_origins(count):
    """Let a client's orders have named `count` dead origins, each of which is owed a delivery."""
    evil = make_shop(name="evil")
    for n in range(count):
        paid_order(evil, notify_url=f"http://n{n}.dead.example/")
    operations.dispatch(at=timezone.now())


def test_new_origins_that_are_dead_do_not_delay_a_new_receiver(post_office):
    name_dead_origins(ORIGINS)
    shop = make_shop()
    listening(shop, "http://live.example/")
    for _ in range(10):
        paid_order(shop)
    started = time.monotonic()

    sending.send_due(sender=post_office)

    assert len(post_office.times("live")) == 10, "its first success makes it healthy"
    assert post_office.times("live")[-1] - started < PATIENCE_S
    assert len(post_office.times("dead")) == deliveries.CLIENT_IN_FLIGHT_MAX


def test_control_without_a_bound_one_client_takes_all_threads(monkeypatch):
    monkeypatch.setattr(deliveries, "CLIENT_IN_FLIGHT_MAX", ORIGINS)
    name_dead_origins(ORIGINS)

    taken = deliveries.lease(at=timezone.now(), most=sending.AILING_MAX, ailing=True)

    assert len(taken) == sending.AILING_MAX


def test_what_never_took_anything_is_ailing_and_its_first_success_heals_it():
    shop = make_shop()
    endpoint = listening(shop, "http://live.example/")
    for _ in range(3):
        paid_order(shop)
    now = timezone.now()
    operations.dispatch(at=now)

    assert deliveries.lease(at=now, most=9, ailing=False) == []
    [first] = deliveries.lease(at=now, most=9, ailing=True)
    assert deliveries.lease(at=now, most=9, ailing=True) == []

    deliveries.note(delivery=first, result=Result(status=200), started_at=now, at=now)

    assert len(deliveries.lease(at=now, most=9, ailing=False)) == 2
    endpoint.refresh_from_db()
    assert endpoint.last_success_at == now


def owed(client, endpoints, count):
    for n in range(endpoints):
        known(client, f"http://{client.name}{n}.example/")
    for _ in range(count):
        paid_order(client)
    operations.dispatch(at=timezone.now())


def test_of_healthy_endpoints_too_a_client_has_so_many_under_way_and_each_its_share():
    shop = make_shop()
    owed(shop, 3, 5)

    taken = [len(deliveries.lease(at=timezone.now(), most=99, ailing=False)) for _ in range(2)]

    assert taken == [deliveries.CLIENT_IN_FLIGHT_MAX, 0]
    under_way = WebhookDelivery.objects.filter(leased_until__isnull=False)
    assert [under_way.filter(endpoint=endpoint).count() for endpoint in WebhookEndpoint.objects.all()] == [2, 2, 2]


def test_whoever_has_the_fewest_under_way_is_next():
    """A thread comes free: it is not for the client that has five, although its deliveries are older."""
    big, small = make_shop(name="big"), make_shop(name="small")
    owed(big, 2, 5)
    assert len(deliveries.lease(at=timezone.now(), most=5, ailing=False)) == 5
    owed(small, 1, 1)

    [next_one] = deliveries.lease(at=timezone.now(), most=1, ailing=False)

    assert next_one.client_id == small.pk


def test_a_clients_many_origins_are_all_tried_in_turn():
    """None is in the way of the next: a failure makes it wait."""
    name_dead_origins(20)
    now = timezone.now()

    for step in range(4):
        at = now + datetime.timedelta(milliseconds=step)
        for delivery in deliveries.lease(at=at, most=sending.AILING_MAX, ailing=True):
            deliveries.note(delivery=delivery, result=Result(error="dead"), started_at=at, at=at)

    assert DeliveryAttempt.objects.values("delivery").distinct().count() == 20
