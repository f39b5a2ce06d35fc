"""
What is due, who takes it, and what came of it. Locks are taken endpoint first, then delivery.

A lease keeps two senders from sending the same delivery. An endpoint whose last attempt failed, or that never took
anything yet, is ailing: one attempt at a time, and after each failure none at all for ever longer. Failures of attempts
that were under way together count as one. The tenth in a row parks it until staff look.
"""

import datetime
from typing import Any

import structlog
from django.db import connection

from payments.outbox import schedule
from payments.outbox.models import (
    REASON_LENGTH_MAX,
    DeliveryAttempt,
    DeliveryStatus,
    WebhookDelivery,
    WebhookEndpoint,
)
from payments.outbox.sender import Result
from payments.transactions import transaction, transaction_required

log = structlog.get_logger(__name__)

IN_FLIGHT_MAX = 4  # of one endpoint
CLIENT_IN_FLIGHT_MAX = 6  # of one client's endpoints that ail, and as many of its others: a thread is left for the rest
FAILURES_MAX = 10
LEASE = datetime.timedelta(seconds=60)  # longer than any attempt: a sender that dies holds a delivery no longer

_IN_LANE = "(failures_in_a_row > 0 OR last_success_at IS NULL) = %(ailing)s"

# Whoever has the fewest under way comes first, client by client, and of a client endpoint by endpoint: nobody's backlog
# is in nobody's way, nor are one client's thousand receivers. No more endpoints are locked than may be sent to.
_LEASE = f"""
WITH under_way AS MATERIALIZED (
    SELECT delivery.client_id, endpoint_id, count(*) AS number
    FROM payments_webhookdelivery delivery JOIN payments_webhookendpoint endpoint ON endpoint.id = endpoint_id
    WHERE leased_until > %(at)s AND {_IN_LANE}
    GROUP BY delivery.client_id, endpoint_id
), client AS MATERIALIZED (
    SELECT id, coalesce((SELECT sum(number) FROM under_way WHERE client_id = client.id), 0) AS number
    FROM payments_apiclient client
), endpoint AS MATERIALIZED (
    SELECT endpoint.*, client.id AS client_id, client.number AS clients_number
    FROM client CROSS JOIN LATERAL (
        SELECT id, coalesce((SELECT number FROM under_way WHERE endpoint_id = endpoint.id), 0) AS number
        FROM payments_webhookendpoint endpoint
        WHERE client_id = client.id AND is_active AND parked_at IS NULL AND {_IN_LANE}
            AND (paused_until IS NULL OR paused_until <= %(at)s)
            AND coalesce((SELECT number FROM under_way WHERE endpoint_id = endpoint.id), 0) < %(in_flight)s
            AND EXISTS (
                SELECT FROM payments_webhookdelivery
                WHERE endpoint_id = endpoint.id AND status = 'due' AND due_at <= %(at)s
                    AND (leased_until IS NULL OR leased_until <= %(at)s)
            )
        ORDER BY number, paused_until NULLS FIRST, (
            SELECT due_at FROM payments_webhookdelivery
            WHERE endpoint_id = endpoint.id AND status = 'due' ORDER BY due_at, id LIMIT 1
        ), id
        LIMIT greatest(0, %(clients)s - client.number)
        FOR NO KEY UPDATE SKIP LOCKED
    ) endpoint
), turn AS (
    SELECT delivery.*, row_number() OVER (
        PARTITION BY client_id ORDER BY number + endpoints_turn, due_at, delivery.id
    ) + clients_number AS clients_turn
    FROM endpoint CROSS JOIN LATERAL (
        SELECT id, due_at, row_number() OVER (ORDER BY due_at, id) AS endpoints_turn FROM payments_webhookdelivery
        WHERE endpoint_id = endpoint.id AND status = 'due' AND due_at <= %(at)s
            AND (leased_until IS NULL OR leased_until <= %(at)s)
        ORDER BY due_at, id LIMIT %(in_flight)s - number
    ) delivery
), chosen AS (
    SELECT id FROM turn WHERE clients_turn <= %(clients)s ORDER BY clients_turn, due_at LIMIT %(most)s
)
UPDATE payments_webhookdelivery delivery SET leased_until = %(until)s FROM chosen
WHERE delivery.id = chosen.id AND delivery.status = 'due'
    AND (delivery.leased_until IS NULL OR delivery.leased_until <= %(at)s)
RETURNING delivery.id
"""  # noqa: S608  the last condition is read again after a wait: a sender that came first has changed the row


def lease(*, at: datetime.datetime, most: int, ailing: bool) -> list[WebhookDelivery]:
    """Take up to `most` deliveries that are due, of endpoints that ail or of those that do not."""
    if most <= 0:
        return []
    parameters: dict[str, Any] = {
        "ailing": ailing, "at": at, "in_flight": 1 if ailing else IN_FLIGHT_MAX, "clients": CLIENT_IN_FLIGHT_MAX,
        "most": most, "until": at + LEASE,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_LEASE, parameters)
        taken = [row[0] for row in cursor.fetchall()]
    if not taken:
        return []
    return list(WebhookDelivery.objects.select_related("event", "endpoint__client").filter(pk__in=taken))


def note(*, delivery: WebhookDelivery, result: Result, started_at: datetime.datetime, at: datetime.datetime) -> None:
    """Record what came of an attempt that was leased: on the delivery, on its endpoint, and as a row of its own."""
    with transaction():
        endpoint = lock_endpoint(endpoint_id=delivery.endpoint_id)
        row = WebhookDelivery.objects.select_for_update(of=("self",)).get(pk=delivery.pk)
        DeliveryAttempt.objects.create(
            delivery=row, url=delivery.target, at=started_at, elapsed_ms=result.elapsed_ms, http_status=result.status,
            error=result.error[:REASON_LENGTH_MAX], answer=result.answer,
        )  # fmt: skip
        row.attempts += 1
        row.leased_until = None
        row.last_status = result.status
        row.last_error = result.error[:REASON_LENGTH_MAX]
        if result.is_delivered:
            row.status, row.due_at, row.delivered_at = DeliveryStatus.DELIVERED, None, at
        elif row.status == DeliveryStatus.DUE:
            _try_again(row, result=result, at=at)
        row.save(
            update_fields=[
                "attempts", "leased_until", "last_status", "last_error", "status", "due_at", "delivered_at",
            ]
        )  # fmt: skip
        _judge(endpoint, result=result, started_at=started_at, at=at)


def _try_again(row: WebhookDelivery, *, result: Result, at: datetime.datetime) -> None:
    seconds = schedule.retry_after_s(result.retry_after, at=at)
    delay = schedule.pause(failures=row.attempts, retry_after_s=seconds)
    if delay is None:
        row.status, row.due_at = DeliveryStatus.FAILED, None
        log.error("webhook_given_up", delivery=row.pk, attempts=row.attempts, complaint=result.complaint)
    else:
        row.due_at = at + delay


def _judge(endpoint: WebhookEndpoint, *, result: Result, started_at: datetime.datetime, at: datetime.datetime) -> None:
    """Count an endpoint's failures in a row, and pause or park it."""
    if result.is_delivered:
        endpoint.failures_in_a_row, endpoint.paused_until, endpoint.last_success_at = 0, None, at
    elif result.is_gone:
        _park(endpoint, reason="410 Gone: the receiver wants no more of it", at=at)
        return
    elif endpoint.paused_until is None or started_at >= endpoint.paused_until:
        endpoint.failures_in_a_row += 1
        if endpoint.failures_in_a_row >= FAILURES_MAX:
            reason = f"{endpoint.failures_in_a_row} failures in a row, the last: {result.complaint}"
            _park(endpoint, reason=reason, at=at)
            return
        seconds = schedule.retry_after_s(result.retry_after, at=at)
        pause = schedule.pause(failures=endpoint.failures_in_a_row, retry_after_s=seconds)
        endpoint.paused_until = at + pause if pause else None
    endpoint.save(update_fields=["failures_in_a_row", "paused_until", "last_success_at"])


@transaction_required
def lock_endpoint(*, endpoint_id: int) -> WebhookEndpoint:
    """Load the endpoint with a row lock."""
    return WebhookEndpoint.objects.select_for_update(of=("self",), no_key=True).get(pk=endpoint_id)


def _park(endpoint: WebhookEndpoint, *, reason: str, at: datetime.datetime) -> None:
    """Send nothing more to a locked endpoint; what waits, waits for staff."""
    if endpoint.parked_at is None:
        endpoint.parked_at = at
        endpoint.parked_reason = reason[:REASON_LENGTH_MAX]
        log.error("webhook_endpoint_parked", endpoint=endpoint.pk, client=endpoint.client_id, reason=reason)
    endpoint.paused_until = None
    endpoint.save(update_fields=["failures_in_a_row", "paused_until", "parked_at", "parked_reason"])
    endpoint.deliveries.filter(status=DeliveryStatus.DUE).update(status=DeliveryStatus.PARKED, due_at=None)
