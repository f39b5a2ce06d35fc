"""Whatever a stranger answers, and whatever breaks on the way: the others are told, and in the end it is parked."""

import datetime

import pytest
from django.db import DataError
from django.utils import timezone

from payments.models import DeliveryAttempt, WebhookDelivery
from payments.outbox import deliveries, operations, schedule, sending
from payments.outbox.sender import Result
from tests.payments.outbox.shop import PostOffice, listening, make_shop, paid_order

pytestmark = pytest.mark.django_db(transaction=True)

UNREADABLE = "Mon, 01 Jan 99999999999 00:00:00 GMT"


def broken(*_args, **_kwargs):
    raise ZeroDivisionError


def answering(bad):
    """Everybody takes what comes; of the one at bad.example comes what `bad()` says."""
    return PostOffice(lambda url: bad() if "bad" in url else Result(status=200))


@pytest.fixture
def endpoint():
    """The endpoint at bad.example, which is owed a delivery; three are owed to one that works."""
    bad, shop = make_shop(name="bad"), make_shop()
    endpoint = listening(bad, "http://bad.example/")
    listening(shop, "http://live.example/")
    for _ in range(3):
        paid_order(shop)
    paid_order(bad)
    return endpoint


def statuses(host):
    return list(WebhookDelivery.objects.filter(endpoint__url__contains=host).values_list("status", "attempts"))


def test_a_time_that_cannot_be_read_is_a_failure_like_any_other(endpoint):
    sending.send_due(sender=answering(lambda: Result(status=503, retry_after=UNREADABLE)))

    assert statuses("live") == [("delivered", 1)] * 3
    assert statuses("bad") == [("due", 1)]
    assert DeliveryAttempt.objects.filter(http_status=503).count() == 1


def run_for_days(sender):
    start = timezone.now()
    for step in range(4 * 24):
        sending.send_due(sender=sender, now=lambda step=step: start + datetime.timedelta(hours=step))


def test_whoever_sends_it_each_time_is_parked_in_the_end(endpoint):
    run_for_days(answering(lambda: Result(status=503, retry_after=UNREADABLE)))

    endpoint.refresh_from_db()
    assert endpoint.parked_reason == "10 failures in a row, the last: HTTP 503"


def test_a_result_that_cannot_be_recorded_loses_no_other_and_parks_its_endpoint(endpoint, monkeypatch):
    """Of whatever kind: the next mistake in reading what a stranger sent is unknown."""
    monkeypatch.setattr(schedule, "retry_after_s", lambda header, *, at: broken() if header else 0)

    run_for_days(answering(lambda: Result(status=503, retry_after="1")))

    assert statuses("live") == [("delivered", 1)] * 3
    endpoint.refresh_from_db()
    assert endpoint.parked_reason == "10 failures in a row, the last: what came of it could not be recorded"
    assert DeliveryAttempt.objects.filter(error=sending.UNRECORDED.error).count() == deliveries.FAILURES_MAX


def test_an_attempt_that_breaks_is_a_failure(endpoint):
    sending.send_due(sender=answering(broken))

    assert statuses("live") == [("delivered", 1)] * 3
    assert statuses("bad") == [("due", 1)]
    assert WebhookDelivery.objects.get(endpoint=endpoint).last_error == "the attempt broke: ZeroDivisionError"


def test_if_nothing_at_all_can_be_recorded_the_lease_runs_out(endpoint, monkeypatch):
    note = deliveries.note

    def refusing(*, delivery, **rest):
        if delivery.endpoint_id == endpoint.pk:
            raise DataError
        note(delivery=delivery, **rest)

    monkeypatch.setattr(deliveries, "note", refusing)
    now = timezone.now()

    sending.send_due(sender=PostOffice(), now=lambda: now)

    assert statuses("live") == [("delivered", 1)] * 3
    assert WebhookDelivery.objects.get(endpoint=endpoint).leased_until == now + deliveries.LEASE


def test_what_is_due_is_sent_even_if_the_fan_out_breaks(endpoint, monkeypatch):
    operations.dispatch(at=timezone.now())
    monkeypatch.setattr(operations, "dispatch", broken)

    sending.send_due(sender=PostOffice())

    assert statuses("live") == [("delivered", 1)] * 3
