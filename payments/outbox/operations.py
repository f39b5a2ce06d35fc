"""
Telling clients what became of their orders.

record    writes an event in the transaction of the change
dispatch  makes its deliveries: one for each endpoint that wants it
redeliver, unpark   what staff and clients may do by hand

Sending is `sending`'s, what came of it `deliveries`'.
"""

import datetime
import time
from collections.abc import Collection, Sequence

import structlog
from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from payments import audit, transactions
from payments.errors import NotFound
from payments.models import Order
from payments.money import yuan_number
from payments.outbox import addresses, deliveries, events
from payments.outbox.models import DeliveryStatus, EventKind, OutboxEvent, WebhookDelivery, WebhookEndpoint
from payments.transactions import transaction, transaction_required

log = structlog.get_logger(__name__)

TASK = "payments.send_due_webhooks"
DISPATCHED_AT_ONCE = 500
BATCH = 1_000  # rows of one statement: PostgreSQL takes 65,535 parameters
WAKE_PAUSE_S = 1  # a process wakes no oftener: one run takes all that is there, and the sweep comes anyway
_woken_at = -1.0

_ORDERS = f"(SELECT {', '.join(events.COLUMNS)} FROM payments_order WHERE id = ANY (%(order_ids)s))"  # noqa: S608


class EventUnknown(NotFound):
    code = "event_unknown"
    message = _("There is no such event. Check its id.")


@transaction_required
def record(
    *,
    order: Order,
    kind: EventKind,
    at: datetime.datetime,
    refund_no: str | None = None,
    refund_number: str | None = None,
    amount_fen: int | None = None,
) -> None:
    """
    Tell the client of `order`, which is locked and saved as it is to be told. Nothing is told if the caller rolls back.

    The last three are for events of a refund: the client's number, ours, and what goes back.
    """
    refund = {"refund_no": refund_no, "refund_number": refund_number,
              "amount": None if amount_fen is None else yuan_number(amount_fen)}  # fmt: skip
    known = {name: value for name, value in refund.items() if value is not None}
    with connection.cursor() as cursor:
        cursor.execute(
            events.telling(source=_ORDERS),
            {"order_ids": [order.pk], **events.parameters(kind=kind, at=at, refund=known)},
        )
    _wake()


def _wake() -> None:
    global _woken_at  # noqa: PLW0603  one pause for the whole process
    if time.monotonic() - _woken_at >= WAKE_PAUSE_S:
        _woken_at = time.monotonic()
        transactions.wake(TASK)


@transaction_required
def record_all(*, order_ids: Sequence[int], kind: EventKind, at: datetime.datetime) -> None:
    """Tell of many orders, which are locked, in one statement. The sweep finds them: nothing is woken."""
    with connection.cursor() as cursor:
        cursor.execute(
            events.telling(source=_ORDERS), {"order_ids": list(order_ids), **events.parameters(kind=kind, at=at)}
        )


def dispatch(*, at: datetime.datetime) -> int:
    """
    Make the deliveries of events that have none yet. Returns how many events there were.

    A client whose events cannot be fanned out is left for the next time, and in nobody's way.
    """
    dispatched = 0
    troubled: set[int] = set()
    while True:
        with transaction():
            waiting = OutboxEvent.objects.select_for_update(of=("self",), no_key=True, skip_locked=True)
            waiting = waiting.filter(dispatched_at__isnull=True).exclude(client_id__in=troubled).select_related("order")
            told = list(waiting.order_by("pk")[:DISPATCHED_AT_ONCE])
            for client_id in sorted({event.client_id for event in told}):
                theirs = [event for event in told if event.client_id == client_id]
                if _dispatched(theirs, client_id=client_id, at=at):
                    dispatched += len(theirs)
                else:
                    troubled.add(client_id)
        if len(told) < DISPATCHED_AT_ONCE:
            return dispatched


@transaction_required
def _dispatched(told: Collection[OutboxEvent], *, client_id: int, at: datetime.datetime) -> bool:
    """Whether the events of a client could be fanned out. If not, nothing of them is written."""
    try:
        with transactions.savepoint():
            _fan_out(told, client_id=client_id, at=at)
            OutboxEvent.objects.filter(pk__in=[event.pk for event in told]).update(dispatched_at=at)
    except Exception:
        log.exception("webhooks_of_client_not_dispatched", client=client_id)
        return False
    return True


@transaction_required
def _fan_out(told: Collection[OutboxEvent], *, client_id: int, at: datetime.datetime) -> None:
    """Write a delivery for each event of a client and endpoint that wants it, if there is none."""
    origins = {event.pk: addresses.origin(event.order.notify_url) for event in told if event.order.notify_url}
    WebhookEndpoint.objects.bulk_create(
        [WebhookEndpoint(client_id=client_id, url=url, is_from_orders=True) for url in sorted(set(origins.values()))],
        batch_size=BATCH,
        ignore_conflicts=True,
    )
    endpoints = _locked_endpoints(client_id=client_id, origins=set(origins.values()))
    entered = [endpoint for endpoint in endpoints if not endpoint.is_from_orders]
    by_origin = {endpoint.url: endpoint for endpoint in endpoints if endpoint.is_from_orders}
    ways = [(event, endpoint) for event in told for endpoint in entered if _wants(endpoint, event)]
    ways += [(event, by_origin[origins[event.pk]]) for event in told if origins.get(event.pk) in by_origin]
    WebhookDelivery.objects.bulk_create(
        [_delivery(event, endpoint, at=at) for event, endpoint in ways], batch_size=BATCH, ignore_conflicts=True
    )


def _locked_endpoints(*, client_id: int, origins: Collection[str]) -> list[WebhookEndpoint]:
    """
    Lock those of a client's endpoints in use that staff entered or that are among `origins`, of which there may be
    very many; in the order in which everybody does, so that none is parked meanwhile.
    """
    endpoints = WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True)
    meant = Q(is_from_orders=False) | Q(is_from_orders=True, url__in=origins)
    return list(endpoints.filter(meant, client_id=client_id, is_active=True).order_by("pk"))


def _wants(endpoint: WebhookEndpoint, event: OutboxEvent) -> bool:
    return not endpoint.kinds or event.kind in endpoint.kinds


def _delivery(event: OutboxEvent, endpoint: WebhookEndpoint, *, at: datetime.datetime) -> WebhookDelivery:
    is_parked = endpoint.parked_at is not None
    return WebhookDelivery(
        event=event,
        endpoint=endpoint,
        client_id=event.client_id,
        url=event.order.notify_url if endpoint.is_from_orders else "",
        status=DeliveryStatus.PARKED if is_parked else DeliveryStatus.DUE,
        due_at=None if is_parked else at,
    )


def redeliver(
    *,
    uid: str,
    actor: str,
    at: datetime.datetime,
    client_id: int | None = None,
    endpoint_id: int | None = None,
    reason: str = "",
) -> OutboxEvent:
    """
    Have an event sent once more: to every endpoint that wants it, one that came since included, or to one of them.

    Same id, same body. A delivery that is under way is left alone; to a parked endpoint nothing is sent.

    :raises EventUnknown: if there is none of that id (of that client)
    """
    with transaction():
        event = OutboxEvent.objects.select_related("order").filter(uid=uid).first()
        if event is None or client_id not in {None, event.client_id}:
            raise EventUnknown(field="event_id")
        _fan_out([event], client_id=event.client_id, at=at)
        again = event.deliveries.exclude(leased_until__gt=at).exclude(status=DeliveryStatus.PARKED)
        if endpoint_id is not None:
            again = again.filter(endpoint_id=endpoint_id)
        again.filter(endpoint__parked_at__isnull=True).update(status=DeliveryStatus.DUE, due_at=at, attempts=0)
        audit.record(
            actor=actor, action="webhook.redeliver", subject=event.order.subject,
            event=uid, endpoint=endpoint_id, reason=reason,
        )  # fmt: skip
        transactions.wake(TASK)
    return event


def unpark(*, endpoint_id: int, actor: str, reason: str, at: datetime.datetime) -> int:
    """Send to a parked endpoint again: what waited is due now, as if never tried. Returns how many deliveries."""
    with transaction():
        endpoint = deliveries.lock_endpoint(endpoint_id=endpoint_id)
        if endpoint.parked_at is None:
            return 0
        was = endpoint.parked_reason
        endpoint.parked_at, endpoint.parked_reason, endpoint.failures_in_a_row = None, "", 0
        endpoint.save(update_fields=["parked_at", "parked_reason", "failures_in_a_row"])
        waiting = endpoint.deliveries.filter(status=DeliveryStatus.PARKED)
        due = waiting.update(status=DeliveryStatus.DUE, due_at=at, attempts=0)
        audit.record(
            actor=actor, action="webhook_endpoint.unpark", subject=endpoint.subject,
            reason=reason, was=was, deliveries=due,
        )  # fmt: skip
        transactions.wake(TASK)
    return due
