"""What arrives at a receiver: signed, the same each time, at least once, and never twice on purpose."""

import datetime

import pytest
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from payments.clients import operations as clients
from payments.models import AuditRow, DeliveryAttempt, OutboxEvent, WebhookDelivery, WebhookEndpoint
from payments.outbox import deliveries, operations, schedule
from tests.payments.outbox.shop import Listener, event_of, known, listening, make_shop, paid_order, send
from tests.stillness import wait_until_the_database_rests
from tests.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def receiver():
    with Listener() as listener:
        yield listener


@pytest.fixture
def shop():
    return make_shop()


def secret_of(client):
    client.refresh_from_db()
    return clients.webhook_secrets(client=client, at=timezone.now())[0]


def state(event):
    return list(event.deliveries.order_by("pk").values_list("status", "attempts"))


def test_a_delivery_is_what_the_standards_own_library_believes(shop, receiver):
    listening(shop, receiver.url)
    event = event_of(paid_order(shop))

    assert send() == 1

    [(headers, body)] = receiver.received
    told = Webhook(secret_of(shop)).verify(body, headers)
    assert told["data"]["id"] == headers["webhook-id"] == event.uid
    assert headers["content-type"] == "application/json"
    assert body.decode() == event.body
    with pytest.raises(WebhookVerificationError):
        Webhook(secret_of(shop)).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 43 + "=").verify(body, headers)


def test_every_new_client_has_a_secret_of_its_own():
    first, second = (
        clients.create_client(name=name, families=["payments"], actor="test").webhook_secret for name in ("a", "b")
    )

    assert first != second
    assert first.startswith("whsec_")
    assert Webhook(first)


def test_after_a_rotation_both_secrets_prove_a_delivery_for_a_day(shop, receiver):
    listening(shop, receiver.url)
    old = secret_of(shop)
    new = clients.rotate_webhook_secret(name="shop", actor="user:lin", at=timezone.now())

    for at in (timezone.now(), timezone.now() + datetime.timedelta(hours=25)):
        paid_order(shop)
        send(at=at)

    (both, _body), (alone, _body) = receiver.received
    assert len(both["webhook-signature"].split()) == 2
    for secret in (old, new):
        Webhook(secret).verify(receiver.received[0][1], both)
    assert len(alone["webhook-signature"].split()) == 1
    assert not AuditRow.objects.filter(action="client.rotate_webhook_secret", detail__icontains="whsec").exists()


def test_a_try_again_is_the_same_to_the_byte_but_for_its_time_and_sign(shop, receiver):
    listening(shop, receiver.url)
    event = event_of(paid_order(shop))
    receiver.answers = [(500, b"oh"), (200, b"")]
    now = timezone.now()

    send(at=now)
    send(at=now + datetime.timedelta(seconds=6))

    (first, first_body), (second, second_body) = receiver.received
    assert (first["webhook-id"], first_body) == (second["webhook-id"], second_body)
    assert first["webhook-timestamp"] != second["webhook-timestamp"]
    assert state(event) == [("delivered", 2)]
    assert list(DeliveryAttempt.objects.order_by("pk").values_list("http_status", "answer")) == [(500, "oh"), (200, "")]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_delivered(shop, receiver, status):
    listening(shop, receiver.url)
    event = event_of(paid_order(shop))
    receiver.answers = [(status, b"")]

    send()

    assert state(event) == [("delivered", 1)]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_a_failure_and_no_redirect_is_followed(shop, receiver, status):
    listening(shop, receiver.url)
    event = event_of(paid_order(shop))
    receiver.answers = [(status, b"")]

    send()

    assert state(event) == [("due", 1)]
    assert len(receiver.received) == 1


def test_of_an_answer_without_end_a_kib_is_kept(shop, receiver):
    listening(shop, receiver.url)
    paid_order(shop)
    receiver.answers = [(200, b"a\x00" + b"b" * 5_000_000)]

    send()

    attempt = DeliveryAttempt.objects.get()
    assert attempt.http_status == 200
    assert attempt.answer == "a�" + "b" * 1_022


def test_a_receiver_that_is_silent_is_given_up_in_time_and_told_again_later(shop, receiver):
    listening(shop, receiver.url)
    event = event_of(paid_order(shop))
    receiver.answering.clear()

    send(total_s=0.5)

    assert state(event) == [("due", 1)]
    attempt = DeliveryAttempt.objects.get()
    assert attempt.http_status is None
    assert attempt.error.startswith("ReadTimeout")
    assert 400 < attempt.elapsed_ms < 5_000


def test_an_order_that_brought_an_address_is_told_of_there(shop, receiver):
    order = paid_order(shop, notify_url=f"{receiver.url}?order=1")

    send()

    assert receiver.heard == [event_of(order).uid]
    endpoint = WebhookEndpoint.objects.get()
    assert endpoint.is_from_orders
    assert endpoint.url == receiver.url.removesuffix("/notify")


def test_orders_of_one_origin_share_an_endpoint(shop, receiver):
    for n in range(3):
        paid_order(shop, notify_url=f"{receiver.url}/{n}")

    send()

    assert len(receiver.received) == 3
    assert WebhookEndpoint.objects.count() == 1
    assert set(DeliveryAttempt.objects.values_list("url", flat=True)) == {f"{receiver.url}/{n}" for n in range(3)}


@pytest.mark.parametrize(
    ("fields", "comes"),
    [
        ({}, True),
        ({"kinds": ["order.paid", "order.closed"]}, True),
        ({"kinds": ["order.refunded"]}, False),
        ({"is_active": False}, False),
    ],
    ids=str,
)
def test_an_endpoint_gets_what_it_wants(shop, receiver, fields, comes):
    listening(shop, receiver.url, **fields)
    event = event_of(paid_order(shop))

    send()

    assert (receiver.heard == [event.uid]) is comes
    assert OutboxEvent.objects.filter(dispatched_at__isnull=True).count() == 0


def test_a_client_is_told_of_its_own_orders_alone(shop, receiver):
    listening(make_shop(name="rival"), receiver.url)
    paid_order(shop)

    send()

    assert receiver.received == []


def test_fanning_out_twice_at_once_makes_one_delivery_each(shop):
    listening(shop, "https://www.example.com/")
    for _ in range(20):
        paid_order(shop)

    at_once(4, lambda n: operations.dispatch(at=timezone.now()))

    assert WebhookDelivery.objects.count() == 20


def test_two_senders_at_once_send_each_delivery_once(shop, receiver):
    expected = backlog(shop, receiver)

    at_once(2, lambda n: send())

    assert sorted(receiver.heard) == expected


def test_control_without_leases_two_senders_send_twice(shop, receiver, monkeypatch):
    expected = backlog(shop, receiver)
    wait_until_the_database_rests()

    def unleased(*, at, most, ailing):
        due = WebhookDelivery.objects.filter(status="due", due_at__lte=at, endpoint__failures_in_a_row=0)
        return [] if ailing else list(due.select_related("event", "endpoint__client")[: max(0, most)])

    monkeypatch.setattr(deliveries, "lease", unleased)

    at_once(2, lambda n: send())

    assert len(receiver.heard) > len(expected)


def backlog(shop, receiver):
    """Forty deliveries that are due; return their ids."""
    known(shop, receiver.url)
    for _ in range(40):
        paid_order(shop)
    operations.dispatch(at=timezone.now())
    secret_of(shop)
    return sorted(OutboxEvent.objects.values_list("uid", flat=True))


def test_a_lease_that_ran_out_is_taken_again(shop, receiver):
    """Its sender was killed between sending and marking: at least once, by the same id."""
    known(shop, receiver.url)
    event = event_of(paid_order(shop))
    now = timezone.now()
    operations.dispatch(at=now)
    [_taken] = deliveries.lease(at=now, most=10, ailing=False)

    assert send(at=now) == 0
    assert send(at=now + deliveries.LEASE) == 1
    assert state(event) == [("delivered", 1)]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("99999", 3_600),
        ("9" * 5_000, 3_600),
        ("0", 5),
        ("-5", 5),
        ("soon", 5),
        ("", 5),
        ("١٢٠", 5),
        ("Fri, 15 Jun 2018 04:02:00 GMT", 120),
        ("Fri, 15 Jun 2018 04:02:00", 5),
        ("Fri, 15 Jun 1018 04:02:00 GMT", 5),
        ("Mon, 01 Jan 99999999999 00:00:00 GMT", 5),
        ("Mon, 01 Jan 2018 99:00:00 GMT", 5),
        ("Mon, 01 Jan 2018 00:00:00 +999999999999", 5),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 3_600),
    ],
)
def test_a_receiver_that_names_a_time_is_given_it_up_to_an_hour(header, seconds):
    now = datetime.datetime(2018, 6, 15, 4, 0, tzinfo=datetime.UTC)

    delay = schedule.pause(failures=1, retry_after_s=schedule.retry_after_s(header, at=now))

    assert seconds * 0.9 <= delay.total_seconds() <= seconds * 1.1


def test_the_retries_last_three_days_and_then_there_are_none():
    delays = [schedule.pause(failures=n) for n in range(1, 12)]

    assert delays[10] is None
    assert 2.6 < sum(delay.total_seconds() for delay in delays[:10]) / 86_400 < 3.3
