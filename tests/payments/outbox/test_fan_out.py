"""Making deliveries: of however many events and endpoints, one client's trouble its own, and nobody waits in a ring."""

import pytest
from django.db import connection, models
from django.utils import timezone

from payments import transactions
from payments.models import OutboxEvent, WebhookDelivery, WebhookEndpoint
from payments.outbox import addresses, operations
from tests.payments.outbox.shop import event_of, listening, make_shop, paid_order
from tests.threads import at_once_behind, waiters
from tests.web_process import eventually

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 600  # more than are dispatched at once


def tell(order, count):
    """Let there be `count` events more of an order."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payments_outboxevent (uid, order_id, client_id, kind, version, body, created_at)
            SELECT 'evt_' || client_id || '_' || n, id, client_id, 'order.closed', n + 10, '{}', now()
            FROM payments_order, generate_series(1, %s) n WHERE id = %s
            """,
            [count, order.pk],
        )


def waiting():
    return OutboxEvent.objects.filter(dispatched_at__isnull=True).count()


def test_a_full_batch_of_events_goes_to_any_number_of_endpoints():
    """More parameters in all than PostgreSQL takes in one statement."""
    shop = make_shop()
    for n in range(20):
        listening(shop, f"http://n{n}.example/")
    tell(paid_order(shop), MANY)

    assert operations.dispatch(at=timezone.now()) == MANY + 1

    assert WebhookDelivery.objects.count() == 20 * (MANY + 1)
    assert waiting() == 0


@pytest.fixture
def broken(monkeypatch):
    """A client whose events cannot be fanned out, more of them than one batch, before everybody else's."""
    client = make_shop(name="broken")
    tell(paid_order(client, notify_url="http://broken.example/"), MANY)
    origin = addresses.origin

    def failing(url):
        if "broken" in url:
            raise ZeroDivisionError
        return origin(url)

    monkeypatch.setattr(addresses, "origin", failing)
    return client


def test_one_clients_trouble_keeps_nobody_elses_events(broken):
    shop = make_shop()
    listening(shop, "http://live.example/")
    paid_order(shop)

    assert operations.dispatch(at=timezone.now()) == 1

    assert WebhookDelivery.objects.get().client_id == shop.pk
    assert waiting() == OutboxEvent.objects.filter(client=broken).count() == MANY + 1


def test_and_once_it_is_over_the_client_is_told_as_well(broken, monkeypatch):
    operations.dispatch(at=timezone.now())
    monkeypatch.undo()

    assert operations.dispatch(at=timezone.now()) == MANY + 1
    assert WebhookDelivery.objects.filter(client=broken).count() == MANY + 1


def test_of_a_clients_many_origins_those_alone_are_locked_that_orders_name():
    shop = make_shop()
    WebhookEndpoint.objects.bulk_create(
        WebhookEndpoint(client=shop, url=f"http://o{n}.example", is_from_orders=True) for n in range(2_000)
    )
    entered = listening(shop, "http://entered.example/")
    event = event_of(paid_order(shop, notify_url="http://o7.example/paid"))

    with transactions.transaction():
        operations._fan_out([event], client_id=shop.pk, at=timezone.now())
        with connection.cursor() as cursor:
            # A locked row has its locker in xmax.
            cursor.execute(
                "SELECT url FROM payments_webhookendpoint WHERE xmax::text = pg_current_xact_id()::text ORDER BY url"
            )
            locked = [url for [url] in cursor.fetchall()]

    assert locked == [entered.url, "http://o7.example"]
    assert {delivery.target for delivery in WebhookDelivery.objects.all()} == {entered.url, "http://o7.example/paid"}


def race(shop):
    """Redeliver an event that has no deliveries yet while it is dispatched; return what came of both."""
    endpoint = listening(shop, "http://live.example/")
    event = event_of(paid_order(shop))

    def call(n):
        if n == 0:
            return operations.redeliver(uid=event.uid, actor="test", at=timezone.now())
        eventually(lambda: waiters() == 1)  # the other is first in the queue at the endpoint
        return operations.dispatch(at=timezone.now())

    return at_once_behind(
        "SELECT FROM payments_webhookendpoint WHERE id = %s FOR NO KEY UPDATE", endpoint.pk,
        count=2, call=call, held_up=2,
    )  # fmt: skip


def test_to_redeliver_what_is_being_dispatched_waits_in_no_ring():
    assert [type(outcome) for outcome in race(make_shop())] == [OutboxEvent, int]
    assert WebhookDelivery.objects.count() == 1
    assert waiting() == 0


def test_control_with_a_stronger_lock_of_events_it_does(monkeypatch):
    shop = make_shop()
    lock = models.QuerySet.select_for_update

    def stronger(self, **options):
        return lock(self, **options | ({"no_key": False} if self.model is OutboxEvent else {}))

    monkeypatch.setattr(models.QuerySet, "select_for_update", stronger)

    first, second = race(shop)

    assert isinstance(first, Exception) or second == 0, "one of the two was the victim"
