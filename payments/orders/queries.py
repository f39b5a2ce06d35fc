"""Reading orders."""

from django.utils.translation import gettext_lazy as _

from payments.errors import NotFound
from payments.orders.models import Order


class OrderUnknown(NotFound):
    code = "order_unknown"
    message = _("There is no such order. Check the number.")


def by_number(*, number: str, family: str | None = None) -> Order:
    """
    Return the order of that number, with its client.

    :raises OrderUnknown: if there is none (in that family)
    """
    orders = Order.objects.select_related("client").filter(number=number)
    order = (orders.filter(family=family) if family else orders).first()
    if order is None:
        raise OrderUnknown
    return order
