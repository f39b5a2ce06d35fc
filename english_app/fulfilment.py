"""What the order book asks of the English app: a recharge is done, paid goods are delivered, and taken back again."""

from collections.abc import Iterable
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from english_app import deliveries, memberships
from english_app.invariants import breaches
from english_app.models import EnglishOrder, Grant, OrderType
from english_app.states import NOT_RETURNING, Delivery, DeliveryEvent, ReturnEvent, next_delivery, next_return
from payments.models import Order, Refund
from payments.orders.states import Status
from payments.transactions import transaction_required

LABELS = {
    "type": _("type"),
    "goods_list": _("goods"),
    "delivery": pgettext_lazy("English app", "delivery"),
    "returning": _("return"),
    "agent_title": _("agent"),
    "english.deliver": _("delivered"),
    "english.deliver_again": _("delivery tried again"),
    "english.return_ask": _("return asked for"),
    "english.return_approve": _("return approved"),
    "english.return_refuse": _("return refused"),
    "english.return_fail": _("return failed"),
}
PERSONAL = ()


@transaction_required
def fulfil(*, order: Order) -> None:
    """A recharge is in the balance by its postings. A purchase is delivered by a task, which this wakes."""
    document = EnglishOrder.objects.select_for_update(of=("self",)).get(order=order)
    is_under_way = document.delivery != Delivery.WAITING or document.deliver_due_at is not None
    if is_under_way or document.returning not in NOT_RETURNING:  # a return that is refused starts the delivery
        return
    at = order.finished_at or timezone.now()
    if document.type == OrderType.PURCHASE:
        deliveries.start(document=document, at=at)
        return
    document.delivery = next_delivery(delivery=document.delivery, event=DeliveryEvent.DELIVER)
    document.delivered_at = at
    document.save(update_fields=["delivery", "delivered_at"])


@transaction_required
def release(*, order_ids: list[int]) -> None:
    """Orders closed: nothing was kept for them."""


@transaction_required
def take_back(*, order: Order, refund: Refund) -> None:
    """When all is refunded, the goods are the customer's no more. A refund in part leaves them."""
    if order.status != Status.TOTAL_REFUND:
        return
    document = EnglishOrder.objects.select_for_update(of=("self",)).get(order=order)
    if document.returned_at is not None:
        return
    at = timezone.now()
    document.returning = next_return(returning=document.returning, event=ReturnEvent.RETURN)
    document.returned_at, document.deliver_due_at, document.message, document.refund = at, None, "", refund
    document.save(update_fields=["returning", "returned_at", "deliver_due_at", "message", "refund"])
    standing = Grant.objects.filter(line__document=document, taken_back_at__isnull=True)
    if standing.update(taken_back_at=at):
        memberships.recount(customer_id=document.customer_id)


def describe(*, order: Order) -> dict[str, str]:
    """Return what the order page shows of this family's document."""
    document = order.english
    return {
        "type": str(document.get_type_display()),
        "goods_list": ", ".join(str(line) for line in document.lines.all()),
        "delivery": str(document.get_delivery_display()),
        "returning": str(document.get_returning_display()),
        "agent_title": document.agent.title if document.agent else "",
    }


def look_up(*, term: str) -> Iterable[tuple[Any, Any]]:
    """Yield what of this family carries `term`: what people call the number, and the ids of the orders."""
    yield _("phone's serial number"), EnglishOrder.objects.filter(imeil=term).exclude(imeil="").values("order")


def audit() -> list[str]:
    """Return the breaches of this family's invariants."""
    return breaches()
