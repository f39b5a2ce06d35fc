"""Reading orders."""

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from payments.errors import NotFound
from payments.orders.models import Order


class OrderUnknown(NotFound):
    code = "order_unknown"
    message = _("There is no such order. Check the number.")


def by_number(*, number: str, family: str | None = None, client_id: int | None = None) -> Order:
    """
    Return the order of that number, with its client.

    :raises OrderUnknown: if there is none (in that family, of that client)
    """
    orders = Order.objects.select_related("client").filter(number=number)
    if client_id is not None:
        orders = orders.filter(client_id=client_id)
    order = (orders.filter(family=family) if family else orders).first()
    if order is None:
        raise OrderUnknown
    return order


def by_client_order_no(*, client_id: int, client_order_no: str) -> Order | None:
    """Return what a client's own number stands for already, in any family; None for an empty number."""
    if not client_order_no:
        return None
    # The index knows no empty numbers: only a look-up that says so as well can use it.
    return Order.objects.filter(~Q(client_order_no=""), client_id=client_id, client_order_no=client_order_no).first()


def of_client(*, client_id: int) -> QuerySet[Order]:
    """Return a client's orders, each with the `user_id` of its customer."""
    return Order.objects.filter(client_id=client_id).annotate(user_id=F("customer__user_id"))


def detail(*, client_id: int, number: str) -> Order:
    """
    Return a client's order with its `user_id`, its charges and its refunds.

    :raises OrderUnknown: if the client has none of that number
    """
    order = of_client(client_id=client_id).filter(number=number).prefetch_related("charges", "refunds").first()
    if order is None:
        raise OrderUnknown
    return order
