"""A dead receiver delays nobody, is left alone ever longer, is parked for a reason, and comes back by staff's hand."""

import datetime
import itertools
import time

import pytest
from django.utils import timezone

from payments.models import AuditRow, DeliveryAttempt, OutboxEvent, WebhookDelivery, WebhookEndpoint
from payments.outbox import deliveries, operations, sending
from payments.outbox.operations import EventUnknown
from tests.payments.outbox.shop import Listener, days, event_of, known, listening, make_shop, paid_order, send
from tests.web_process import held_port

pytestmark = pytest.mark.django_db(transaction=True)

BACKLOG = 200


@pytest.fixture
def live():
    with Listener() as listener:
        yield listener


@pytest.fixture
def dead():
    """An address where nobody listens."""
    with held_port() as held:
        yield "http://{}:{}/".format(*held.getsockname())


def owe(client, count):
    """Let the endpoints of `client` have `count` deliveries due."""
    for _ in range(count):
        paid_order(client)
    operations.dispatch(at=timezone.now())


def statuses(endpoint):
    return set(endpoint.deliveries.values_list("status", flat=True))


def test_a_silent_receiver_with_a_backlog_does_not_delay_a_live_one(live):
    """The silent one came first and has two hundred due; each try at it takes two seconds."""
    silent, shop = make_shop(name="silent"), make_shop()
    with Listener() as mute:
        mute.answering.clear()
        known(silent, mute.url)
        owe(silent, BACKLOG)
        known(shop, live.url)
        owe(shop, 30)
        started = time.monotonic()

        send(total_s=2)

        assert len(live.heard) == 30
        assert max(live.times) - started < 2, "all of the live one's came before the first try at the silent one ended"
        assert len(mute.received) <= deliveries.IN_FLIGHT_MAX


def test_control_without_turns_the_backlog_is_in_the_way(live, monkeypatch):
    """Oldest first and no bound for one endpoint: the live one waits until the silent one has let go of a thread."""
    silent, shop = make_shop(name="silent"), make_shop()
    monkeypatch.setattr(deliveries, "IN_FLIGHT_MAX", BACKLOG)
    monkeypatch.setattr(deliveries, "CLIENT_IN_FLIGHT_MAX", BACKLOG)
    unfair = deliveries._LEASE.replace("ORDER BY clients_turn, due_at", "ORDER BY due_at")
    monkeypatch.setattr(deliveries, "_LEASE", unfair)
    with Listener() as mute:
        mute.answering.clear()
        known(silent, mute.url)
        owe(silent, BACKLOG)
        known(shop, live.url)
        owe(shop, 1)
        started = time.monotonic()

        send(total_s=2)

        assert not live.times or live.times[0] - started >= 2


def test_of_many_ailing_receivers_half_of_the_threads_are_kept_free(live, monkeypatch):
    monkeypatch.setattr(sending, "RUN_S", 1)
    shop, *others = make_shop(), make_shop(name="other"), make_shop(name="third")
    with Listener() as mute:
        mute.answering.clear()
        for other, n in itertools.product(others, range(sending.THREADS)):
            listening(other, f"{mute.url}/{n}", failures_in_a_row=1)
        known(shop, live.url)
        for client in (*others, shop):
            owe(client, 1)
        started = time.monotonic()

        send(total_s=2)

        assert len(mute.received) == sending.AILING_MAX
        assert live.times[0] - started < 1


def test_an_ailing_receiver_is_tried_once_at_a_time(dead):
    shop = make_shop()
    endpoint = listening(shop, dead, failures_in_a_row=1)
    owe(shop, 5)

    send()

    assert DeliveryAttempt.objects.count() == 1
    endpoint.refresh_from_db()
    assert endpoint.failures_in_a_row == 2
    assert endpoint.paused_until > timezone.now() + datetime.timedelta(seconds=30)


def test_failures_of_one_moment_count_as_one(dead):
    """Four at once failed: the receiver was away for a second, not four times."""
    shop = make_shop()
    endpoint = known(shop, dead)
    owe(shop, 8)

    send()

    endpoint.refresh_from_db()
    assert endpoint.failures_in_a_row == 1
    assert DeliveryAttempt.objects.count() == deliveries.IN_FLIGHT_MAX


def test_after_three_days_everything_is_delivered_or_parked_with_a_reason(live, dead):
    """The clock is moved by hand, in quarters of an hour; every six hours each of the two sells something."""
    shop, rival = make_shop(), make_shop(name="rival")
    alive, gone = listening(shop, live.url), listening(rival, dead)
    start = timezone.now()
    for step in range(3 * 96):
        now = start + datetime.timedelta(minutes=15 * step)
        if step % 24 == 0:
            paid_order(shop)
            paid_order(rival)
        send(at=now)
        assert statuses(alive) == {"delivered"}, "the live one is told at once, however dead the other"

    gone.refresh_from_db()
    assert len(live.heard) == len(set(live.heard)) == 12
    assert statuses(gone) == {"parked"}
    assert gone.deliveries.count() == 12, "what came while it was parked waits with the rest"
    assert gone.failures_in_a_row == deliveries.FAILURES_MAX
    assert gone.parked_reason.startswith("10 failures in a row, the last: ConnectError")
    assert DeliveryAttempt.objects.filter(delivery__endpoint=gone).count() < 30


def park(shop, url):
    """Return an endpoint that is parked, with three deliveries that wait."""
    endpoint = listening(shop, url, failures_in_a_row=deliveries.FAILURES_MAX - 1)
    owe(shop, 3)
    send()
    endpoint.refresh_from_db()
    assert statuses(endpoint) == {"parked"}
    return endpoint


def test_a_parked_receiver_gets_nothing_however_long_it_waits(dead):
    shop = make_shop()
    endpoint = park(shop, dead)
    tried = DeliveryAttempt.objects.count()

    owe(shop, 2)
    send(at=timezone.now() + days(30))

    assert DeliveryAttempt.objects.count() == tried
    assert statuses(endpoint) == {"parked"}


def test_unparked_by_staff_it_gets_all_that_waited(dead, live):
    shop = make_shop()
    endpoint = park(shop, dead)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(url=live.url)  # staff corrected the address
    now = timezone.now()

    due = operations.unpark(endpoint_id=endpoint.pk, actor="user:lin", reason="they moved", at=now)
    send(at=now)

    assert due == 3
    assert sorted(live.heard) == sorted(OutboxEvent.objects.values_list("uid", flat=True))
    endpoint.refresh_from_db()
    assert (endpoint.parked_at, endpoint.parked_reason, endpoint.failures_in_a_row) == (None, "", 0)
    deed = AuditRow.objects.get(action="webhook_endpoint.unpark")
    assert (deed.actor, deed.subject, deed.detail["reason"]) == ("user:lin", endpoint.subject, "they moved")
    assert deed.detail["was"].startswith("10 failures in a row")


def test_to_unpark_what_is_not_parked_does_nothing(live):
    endpoint = listening(make_shop(), live.url)

    assert operations.unpark(endpoint_id=endpoint.pk, actor="user:lin", reason="?", at=timezone.now()) == 0
    assert not AuditRow.objects.filter(action="webhook_endpoint.unpark").exists()


def test_410_parks_at_once(live):
    shop = make_shop()
    endpoint = listening(shop, live.url)
    live.answers = [(410, b"")]
    owe(shop, 1)

    send()

    endpoint.refresh_from_db()
    assert endpoint.parked_reason.startswith("410 Gone")
    assert statuses(endpoint) == {"parked"}


def test_a_success_ends_the_row_of_failures(live):
    shop = make_shop()
    endpoint = listening(shop, live.url, failures_in_a_row=deliveries.FAILURES_MAX - 1)
    owe(shop, 1)

    send()

    endpoint.refresh_from_db()
    assert endpoint.failures_in_a_row == 0
    assert endpoint.last_success_at is not None


def test_one_event_that_a_receiver_cannot_take_is_given_up_after_three_days(live):
    """All others it takes, so it is not parked."""
    shop = make_shop()
    endpoint = listening(shop, live.url)
    live.take = lambda headers, body: (500 if dict(headers)["webhook-id"] == bad.uid else 200, b"")
    bad = event_of(paid_order(shop))
    now = timezone.now()

    for _ in range(20):
        send(at=now)
        paid_order(shop)
        send(at=now + datetime.timedelta(seconds=8))
        due_at = WebhookDelivery.objects.get(event=bad).due_at
        if due_at is None:
            break
        now = max(due_at, now + datetime.timedelta(seconds=16))

    delivery = WebhookDelivery.objects.get(event=bad)
    endpoint.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.last_status) == ("failed", 11, 500)
    assert endpoint.parked_at is None
    assert set(endpoint.deliveries.exclude(event=bad).values_list("status", flat=True)) == {"delivered"}


def test_redelivered_it_goes_out_again_as_the_same_event(live):
    shop = make_shop()
    listening(shop, live.url)
    event = event_of(paid_order(shop))
    send()

    operations.redeliver(uid=event.uid, actor="user:lin", at=timezone.now())
    send()

    assert live.heard == [event.uid] * 2
    assert live.received[0][1] == live.received[1][1]
    deed = AuditRow.objects.get(action="webhook.redeliver")
    assert (deed.actor, deed.subject, deed.detail["event"]) == ("user:lin", event.order.subject, event.uid)


def test_redelivered_it_reaches_an_endpoint_that_came_since(live):
    shop = make_shop()
    event = event_of(paid_order(shop))
    send()
    listening(shop, live.url)

    operations.redeliver(uid=event.uid, actor="user:lin", at=timezone.now())
    send()

    assert live.heard == [event.uid]


def test_redelivered_to_a_parked_endpoint_nothing_goes_out(dead):
    shop = make_shop()
    endpoint = park(shop, dead)
    tried = DeliveryAttempt.objects.count()

    for event in OutboxEvent.objects.all():
        operations.redeliver(uid=event.uid, actor="user:lin", at=timezone.now())
    send()

    assert DeliveryAttempt.objects.count() == tried
    assert statuses(endpoint) == {"parked"}


def test_an_event_of_nobody_or_of_another_client_is_unknown(live):
    shop, rival = make_shop(), make_shop(name="rival")
    event = event_of(paid_order(shop))

    for uid, client in (("evt_none", shop), (event.uid, rival)):
        with pytest.raises(EventUnknown):
            operations.redeliver(uid=uid, actor="client:x", client_id=client.pk, at=timezone.now())

    assert not WebhookDelivery.objects.exists()
    assert not AuditRow.objects.filter(action="webhook.redeliver").exists()
