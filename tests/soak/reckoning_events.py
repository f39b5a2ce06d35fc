"""What happened against what shops were told: each change is one event, and each event was heard by its shop."""

from collections import Counter, defaultdict

from payments.models import ApiClient, Order, OutboxEvent, Refund, WebhookDelivery
from payments.orders.states import Status as OrderStatus
from payments.outbox.models import DeliveryStatus, EventKind
from payments.refunds.models import Kind
from payments.refunds.states import Status
from tests.soak.reckoning_refunds import PAID

# Money beyond need is told of when it comes; of which kind it was depends on what its order was at that moment.
_OF_SURPLUS = (EventKind.ORDER_OVERPAID, EventKind.ORDER_PAID_LATE)


def events_tell_what_happened():
    told = defaultdict(Counter)
    for order_id, kind in OutboxEvent.objects.exclude(kind__in=_OF_SURPLUS).values_list("order_id", "kind"):
        told[order_id][kind] += 1
    happened = defaultdict(Counter)
    for order_id, status in Order.objects.values_list("pk", "status"):
        happened[order_id] += Counter({EventKind.ORDER_PAID.value: status in PAID})
        happened[order_id] += Counter({EventKind.ORDER_CLOSED.value: status == OrderStatus.CLOSED})
    for order_id, kind, status in Refund.objects.values_list("order_id", "kind", "status"):
        done = EventKind.SURPLUS_REFUNDED if kind == Kind.SURPLUS else EventKind.ORDER_REFUNDED
        happened[order_id][(done if status == Status.SUCCEEDED else EventKind.REFUND_FAILED).value] += 1
    numbers = dict(Order.objects.values_list("pk", "number"))
    for order_id in sorted(told.keys() | happened.keys()):
        if told[order_id] != happened[order_id]:
            yield f"{numbers[order_id]}: {dict(happened[order_id])} happened, and {dict(told[order_id])} were told"


def events_were_heard(heard):
    """`heard` are the ids of the events that each client took, by its name."""
    names = dict(ApiClient.objects.values_list("pk", "name"))
    written = defaultdict(set)
    for client_id, uid in OutboxEvent.objects.values_list("client_id", "uid"):
        written[names[client_id]].add(uid)
    for name in sorted(written.keys() | heard.keys()):
        for uid in sorted(written[name] - set(heard.get(name, ()))):
            yield f"event {uid}: written for {name}, which never heard of it"
        for uid in sorted(set(heard.get(name, ())) - written[name]):
            yield f"event {uid}: heard by {name}, and not in our book"
    for delivery in WebhookDelivery.objects.exclude(status=DeliveryStatus.DELIVERED).select_related("event"):
        yield f"event {delivery.event.uid}: still {delivery.status} after {delivery.attempts} attempts"
