"""Reading orders as document 003 names them: by number, and by what kind of order the caller takes it for."""

from django.utils.translation import gettext_lazy as _

from payments.errors import OnetillError
from payments.orders import queries as orders
from payments.orders.models import Order, OrderKind


class OrderTypeWrong(OnetillError):
    """The order is the client's, and it is of another kind."""

    code = "order_type_wrong"
    message = _("The order of this number is of another type. Send the order_type that it was made with.")


def by_number(*, client_id: int, number: str, kind: OrderKind) -> Order:
    """
    Return the client's order of that number and kind, whatever family made it.

    :raises orders.OrderUnknown: if the client has none of that number
    :raises OrderTypeWrong: if the one it has is of another kind
    """
    order = orders.by_number(number=number, client_id=client_id)
    if order.kind != kind:
        raise OrderTypeWrong(field="order_type")
    return order
