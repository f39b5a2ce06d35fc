"""Reading what clients were told."""

from django.db.models import F, QuerySet

from payments.models import WebhookDelivery


def of_client(*, client_id: int) -> QuerySet[WebhookDelivery]:
    """Return a client's deliveries, each with its event and the number of its order."""
    return (
        WebhookDelivery.objects.filter(client_id=client_id)
        .select_related("event", "endpoint")
        .annotate(order_number=F("event__order__number"))
    )
