"""A client sees what it was told, and has it told again."""

import pytest
from django.utils import timezone

from payments.models import AuditRow, WebhookDelivery
from payments.outbox import operations
from tests.calls import post, signed
from tests.payments.api.look_ups import cursor, data, get, refusal
from tests.payments.outbox.shop import Listener, event_of, listening, make_shop, paid_order, send

pytestmark = pytest.mark.django_db

WEBHOOKS = "/api/webhooks/"


@pytest.fixture
def shop():
    return make_shop()


@pytest.fixture
def receiver():
    with Listener() as listener:
        yield listener


def told(**params):
    return [row["event_id"] for row in data(get(WEBHOOKS, **params))["results"]]


def redeliver(client, event, *, params=None, **keys):
    return post(client, f"{WEBHOOKS}{event.uid}/redeliver/", signed({}) if params is None else params, **keys)


def test_a_delivery_is_told_with_all_that_happened_to_it(shop, receiver):
    listening(shop, receiver.url)
    receiver.answers = [(503, b"")]
    order = paid_order(shop)
    send()

    [row] = data(get(WEBHOOKS))["results"]

    assert row.pop("next_attempt_at") > row.pop("created_at")
    assert row == {
        "event_id": event_of(order).uid, "kind": "order.paid", "version": 1, "order_number": order.number,
        "url": receiver.url, "status": "due", "attempts": 1, "last_status": 503, "last_error": "", "parked_reason": "",
        "delivered_at": "",
    }  # fmt: skip


@pytest.mark.parametrize("by", ["order_number", "event_id", "status", "kind"])
def test_a_delivery_is_found_by(shop, receiver, by):
    listening(shop, receiver.url)
    wanted, other = paid_order(shop), paid_order(shop)
    operations.dispatch(at=timezone.now())
    WebhookDelivery.objects.filter(event__order=wanted).update(status="failed", due_at=None)
    value = {
        "order_number": wanted.number, "event_id": event_of(wanted).uid, "status": "failed", "kind": "order.paid",
    }  # fmt: skip

    found = told(**{by: value[by]})

    assert found == [event_of(wanted).uid] if by != "kind" else [event_of(other).uid, event_of(wanted).uid]
    assert told(kind="order.closed") == []


@pytest.mark.parametrize("params", [{"status": "lost"}, {"kind": "paid"}, {"colour": "red"}, {"order_number": ""}])
def test_a_filter_that_cannot_be_meant_is_refused(shop, params):
    [name] = params

    assert refusal(get(WEBHOOKS, **params)) == (400, "invalid_field", name)


def test_pages_follow_each_other(shop, receiver):
    listening(shop, receiver.url)
    orders = [paid_order(shop) for _ in range(5)]
    operations.dispatch(at=timezone.now())

    first = data(get(WEBHOOKS, page_size=3))
    second = data(get(WEBHOOKS, page_size=3, cursor=cursor(first["next"])))

    seen = [row["order_number"] for row in first["results"] + second["results"]]
    assert seen == [order.number for order in reversed(orders)]


def test_a_list_costs_two_statements_however_long(shop, receiver, django_assert_num_queries):
    listening(shop, receiver.url)
    for _ in range(5):
        paid_order(shop)
    operations.dispatch(at=timezone.now())

    with django_assert_num_queries(2):
        assert len(told()) == 5


def test_another_clients_deliveries_are_nobodys(client, shop, receiver):
    rival = make_shop(name="rival")
    listening(rival, receiver.url)
    event = event_of(paid_order(rival))
    operations.dispatch(at=timezone.now())

    status, answer = redeliver(client, event)

    assert told() == told(order_number=event.order.number) == []
    assert (status, answer["error_code"]) == (404, "event_unknown")
    assert not AuditRow.objects.filter(action="webhook.redeliver").exists()


def test_redelivered_an_event_is_on_its_way_at_once(client, shop, receiver):
    listening(shop, receiver.url)
    event = event_of(paid_order(shop))
    send()

    status, answer = redeliver(client, event)
    send()

    [row] = answer["data"]["deliveries"]
    assert (status, answer["data"]["event_id"], row["status"], row["attempts"]) == (200, event.uid, "due", 0)
    assert receiver.heard == [event.uid] * 2
    assert AuditRow.objects.get(action="webhook.redeliver").actor == "client:shop"


@pytest.mark.parametrize(
    ("left_out", "refused"),
    [("timestamp", (400, "missing_field", "timestamp")), ("sign", (401, "sign_missing", "sign"))],
)
def test_redelivering_needs_time_and_sign(client, shop, left_out, refused):
    event = event_of(paid_order(shop))
    params = {name: value for name, value in signed({}).items() if name != left_out}

    status, answer = redeliver(client, event, params=params)

    assert (status, answer["error_code"], answer["message"].partition(":")[0]) == refused
    assert not WebhookDelivery.objects.exists()
