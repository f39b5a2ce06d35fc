"""Staff see every attempt, may send again and unpark, and only those who may."""

import datetime

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from payments.models import AuditRow, OutboxEvent, WebhookDelivery, WebhookEndpoint
from payments.outbox import operations
from tests.payments.admin.test_pages import page, text
from tests.payments.admin.test_search import cost
from tests.payments.outbox.shop import event_of, listening, make_shop, paid_order
from tests.world import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint():
    """A parked endpoint with a delivery that waits, and beside it one that works and was told already."""
    shop = make_shop()
    parked = listening(shop, "https://a.example.com/", parked_at=timezone.now(), parked_reason="410 Gone")
    listening(shop, "https://b.example.com/")
    paid_order(shop)
    operations.dispatch(at=timezone.now())
    WebhookDelivery.objects.filter(status="due").update(status="delivered", due_at=None)
    return parked


def act(client, model, action, rows, **data):
    chosen = [row.pk for row in rows]
    return client.post(page(model, "changelist"), {"action": action, "_selected_action": chosen, **data}, follow=True)


def statuses():
    return list(WebhookDelivery.objects.order_by("endpoint__url").values_list("status", flat=True))


def someone(client, *codenames):
    user = make_staff("lin", *codenames)
    client.force_login(user)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"


def test_unparking_takes_a_reason(boss, endpoint):
    answer = act(boss, WebhookEndpoint, "unpark", [endpoint])

    assert "Give a reason" in text(answer)
    assert statuses() == ["parked", "delivered"]

    answer = act(boss, WebhookEndpoint, "unpark", [endpoint], reason="they are back")

    assert "1 delivery is due again." in text(answer)
    assert statuses() == ["due", "delivered"]
    deed = AuditRow.objects.get(action="webhook_endpoint.unpark")
    assert (deed.actor, deed.detail["reason"]) == ("user:boss", "they are back")


@pytest.mark.parametrize("model", [OutboxEvent, WebhookDelivery])
def test_sent_again_is_due_again_but_where_it_is_parked(boss, endpoint, model):
    answer = act(boss, model, "send_again", model.objects.all(), reason="they lost it")

    assert "on its way again" in text(answer) or "on their way again" in text(answer)
    assert statuses() == ["parked", "due"]
    deeds = AuditRow.objects.filter(action="webhook.redeliver")
    assert set(deeds.values_list("actor", "detail__reason")) == {("user:boss", "they lost it")}


@pytest.mark.parametrize("model", [OutboxEvent, WebhookDelivery])
def test_without_a_reason_nothing_is_sent_again(boss, endpoint, model):
    answer = act(boss, model, "send_again", model.objects.all(), reason=" ")

    assert "Give a reason" in text(answer)
    assert statuses() == ["parked", "delivered"]
    assert not AuditRow.objects.filter(action="webhook.redeliver").exists()


def test_a_delivery_is_sent_again_to_its_own_endpoint_alone(boss, endpoint):
    third = listening(endpoint.client, "https://c.example.com/")
    operations.redeliver(uid=OutboxEvent.objects.get().uid, actor="test", at=timezone.now())
    WebhookDelivery.objects.filter(status="due").update(status="delivered", due_at=None)

    act(boss, WebhookDelivery, "send_again", [WebhookDelivery.objects.get(endpoint=third)], reason="they lost it")

    assert statuses() == ["parked", "delivered", "due"]


def test_who_may_only_look_can_neither_send_again_nor_unpark(client, endpoint):
    someone(client, "view_webhookendpoint", "view_webhookdelivery", "view_outboxevent", "change_webhookendpoint")

    act(client, WebhookEndpoint, "unpark", [endpoint], reason="please")
    act(client, WebhookDelivery, "send_again", WebhookDelivery.objects.all(), reason="they lost it")
    act(client, OutboxEvent, "send_again", OutboxEvent.objects.all(), reason="they lost it")

    assert statuses() == ["parked", "delivered"]
    assert not AuditRow.objects.exclude(action="order.place").exists()


def test_who_may_does(client, endpoint):
    someone(
        client, "view_webhookendpoint", "view_webhookdelivery", "unpark_webhookendpoint", "redeliver_webhookdelivery"
    )

    act(client, WebhookEndpoint, "unpark", [endpoint], reason="they are back")
    act(client, WebhookDelivery, "send_again", WebhookDelivery.objects.all(), reason="they lost it")

    assert statuses() == ["due", "due"]


def test_an_endpoint_is_added_and_that_is_written_down(boss):
    shop = make_shop()
    form = {"client": shop.pk, "url": "https://www.example.com/hook", "kinds": ["order.paid"], "is_active": "on"}

    boss.post(page(WebhookEndpoint, "add"), form)

    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.url, endpoint.kinds, endpoint.is_from_orders) == (form["url"], ["order.paid"], False)
    assert AuditRow.objects.get(action="webhook_endpoint.add").actor == "user:boss"


@pytest.mark.parametrize("url", ["http://10.0.0.1/", "http://2852039166/", "ftp://www.example.com/", "https://u:p@x/"])
def test_an_endpoint_that_leads_inside_is_refused(boss, url):
    shop = make_shop()

    answer = boss.post(page(WebhookEndpoint, "add"), {"client": shop.pk, "url": url, "is_active": "on"})

    assert "Must " in text(answer)
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize("term", ["event", "order"])
@pytest.mark.parametrize("model", [OutboxEvent, WebhookDelivery])
def test_it_is_found_by_any_of_its_numbers(boss, endpoint, model, term):
    wanted = event_of(paid_order(endpoint.client))
    operations.dispatch(at=timezone.now())

    answer = boss.get(page(model, "changelist"), {"q": wanted.uid if term == "event" else wanted.order.number})

    first = OutboxEvent.objects.exclude(pk=wanted.pk).get()
    assert wanted.uid in answer.content.decode()
    assert first.uid not in answer.content.decode()


def test_what_sending_writes_while_staff_fill_in_the_form_is_kept(boss, endpoint, monkeypatch):
    form = {"client": endpoint.client_id, "url": endpoint.url, "description": "theirs", "is_active": "on"}
    full_clean = WebhookEndpoint.full_clean

    def meanwhile(row, *args, **kwargs):
        WebhookEndpoint.objects.filter(pk=row.pk).update(failures_in_a_row=7)
        full_clean(row, *args, **kwargs)

    monkeypatch.setattr(WebhookEndpoint, "full_clean", meanwhile)

    boss.post(page(WebhookEndpoint, "change", endpoint.pk), form)

    endpoint.refresh_from_db()
    assert (endpoint.description, endpoint.failures_in_a_row, endpoint.parked_reason) == ("theirs", 7, "410 Gone")


def test_the_parked_are_one_filter_away(boss, endpoint):
    answer = boss.get(reverse("admin:payments_webhookendpoint_changelist"), {"parked_at__isempty": "0"})

    assert "https://a.example.com/" in answer.content.decode()
    assert "https://b.example.com/" not in answer.content.decode()


@pytest.fixture
def many(endpoint):
    """Twenty thousand events of one kind and one day, all delivered, known to the planner."""
    event = OutboxEvent.objects.get()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_outboxevent (uid, order_id, client_id, kind, version, body, created_at)"
            " SELECT 'evt_' || n, %s, %s, 'order.paid', n + 1, '', now() FROM generate_series(1, 20000) n",
            [event.order_id, event.client_id],
        )
        cursor.execute(
            "INSERT INTO payments_webhookdelivery (event_id, endpoint_id, client_id, url, status, attempts, last_error)"
            " SELECT id, %s, client_id, '', 'delivered', 1, '' FROM payments_outboxevent WHERE id <> %s",
            [endpoint.pk, event.pk],
        )
        cursor.execute("ANALYZE payments_outboxevent, payments_webhookdelivery")


def test_each_filter_of_the_lists_is_answered_by_an_index(many):
    """Of what is rare or long ago: what is frequent is found on the way from the newest anyway."""
    long_ago = timezone.now() - datetime.timedelta(days=300)
    rare = [
        OutboxEvent.objects.filter(kind="refund.failed"),
        OutboxEvent.objects.filter(created_at__gte=long_ago, created_at__lt=long_ago + datetime.timedelta(days=1)),
        *(WebhookDelivery.objects.filter(status=status) for status in ("due", "parked", "failed")),
    ]

    assert max(cost(rows) for rows in rare) < 100
    assert cost(OutboxEvent.objects.filter(body="x")) > 400, "the control: no index, and the planner says so"
