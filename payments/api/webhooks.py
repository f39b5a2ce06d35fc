"""What a client was told, and telling it again."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api import lookup_schema as schema
from payments.api.filters import WebhookFilter
from payments.api.lookups import LookupViewSet
from payments.clients.authentication import client_of
from payments.outbox import operations, queries
from payments.wire import clock


class WebhookViewSet(LookupViewSet):
    """To look asks for the token alone; to have something sent again asks for time and sign too (`urls`)."""

    filterset_class = WebhookFilter

    @schema.WEBHOOKS
    def search(self, request: Request) -> Response:
        """List a client's deliveries, newest first."""
        found = self.filter_queryset(queries.of_client(client_id=client_of(request).pk))
        page = self.paginate_queryset(found)
        return self.get_paginated_response([delivery_shown(delivery) for delivery in page or []])

    @schema.REDELIVER
    def redeliver(self, request: Request, event_id: str) -> Response:
        """Send an event once more, to every endpoint that wants it."""
        client = client_of(request)
        operations.redeliver(uid=event_id, client_id=client.pk, actor=client.actor, at=timezone.now())
        deliveries = queries.of_client(client_id=client.pk).filter(event__uid=event_id).order_by("-pk")
        return self.success({"event_id": event_id, "deliveries": [delivery_shown(row) for row in deliveries]})


def delivery_shown(delivery: Any) -> dict[str, Any]:
    """Return a delivery of `queries.of_client` as its client sees it."""
    return {
        "event_id": delivery.event.uid,
        "kind": delivery.event.kind,
        "version": delivery.event.version,
        "order_number": delivery.order_number,
        "url": delivery.target,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "last_status": delivery.last_status or 0,
        "last_error": delivery.last_error,
        "parked_reason": delivery.endpoint.parked_reason,
        "created_at": clock(delivery.created_at),
        "next_attempt_at": clock(delivery.due_at),
        "delivered_at": clock(delivery.delivered_at),
    }
