"""Reading checkout orders: one statement a call."""

import dataclasses
from typing import Any

from django.db import connection
from django.utils.translation import gettext_lazy as _

from payments.customers import queries as customers
from payments.errors import NotFound
from payments.models import Refund
from payments.refunds import queries as refunds


class CustomerUnknown(customers.CustomerUnknown):
    """One and the same answer for an unknown user and a wrong employee number: no probing."""

    message = _("user_id and ee_no do not name a customer of yours. Check both, or register the customer first.")


class OrderUnknown(NotFound):
    code = "order_unknown"
    message = _("There is no order of yours with this out_trade_no or client_pay_id.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checkout:
    """A checkout order as its callers see it. Amounts in fen."""

    order_id: int
    number: str
    status: str
    client_order_no: str
    client_pay_no: str
    fingerprint: str
    total_fen: int
    shipping_fen: int
    points_fen: int
    cash_fen: int
    login_generation: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Payer:
    """Who pays, what their points are worth now, and the orders that bear the numbers of the call already."""

    customer_id: int
    is_frozen: bool
    points_fen: int
    taken: tuple[Checkout, ...]


_CHECKOUT = """o.id, o.number, o.status, o.client_order_no, o.client_pay_no, o.fingerprint,
    o.total_fen, o.shipping_fen, o.points_fen, o.cash_fen, coalesce(k.login_generation, 0)"""

_TAKEN = f"""
    SELECT {_CHECKOUT} FROM payments_order o LEFT JOIN checkout_checkoutorder k ON k.order_id = o.id
    WHERE o.client_id = %(client)s AND o.client_order_no = %(order_no)s AND o.client_order_no <> ''
    UNION
    SELECT {_CHECKOUT} FROM payments_order o LEFT JOIN checkout_checkoutorder k ON k.order_id = o.id
    WHERE o.client_id = %(client)s AND o.client_pay_no = %(pay_no)s AND o.client_pay_no <> ''
"""  # noqa: S608  two constants

_PAYER = f"""
SELECT c.id, c.is_frozen, a.balance_fen, taken.*
FROM payments_customer c
JOIN payments_account a ON a.customer_id = c.id AND a.kind = 'points'
LEFT JOIN LATERAL ({_TAKEN}) AS taken ON true
WHERE c.client_id = %(client)s AND c.user_id = %(user_id)s AND c.ee_no = %(ee_no)s
"""  # noqa: S608

_DETAIL = f"""
SELECT {_CHECKOUT} FROM payments_order o JOIN checkout_checkoutorder k ON k.order_id = o.id
WHERE o.client_id = %(client)s AND """  # noqa: S608


def payer(*, client_id: int, user_id: str, ee_no: str, order_no: str, pay_no: str) -> Payer:
    """
    Return the customer that pays and the orders of the client that have one of the two numbers.

    :raises CustomerUnknown: if the two do not name one customer of the client
    """
    rows = _rows(
        _PAYER, {"client": client_id, "user_id": user_id, "ee_no": ee_no, "order_no": order_no, "pay_no": pay_no}
    )
    if not rows:
        raise CustomerUnknown
    customer_id, is_frozen, points_fen = rows[0][:3]
    return Payer(
        customer_id=customer_id,
        is_frozen=is_frozen,
        points_fen=points_fen,
        taken=tuple(_checkout(row[3:]) for row in rows if row[3] is not None),
    )


def detail(*, client_id: int, order_no: str, pay_no: str) -> Checkout:
    """
    Return the client's order by `order_no` or, without one, by `pay_no`.

    :raises OrderUnknown: if the client has none
    """
    by = (
        "o.client_order_no = %(no)s AND o.client_order_no <> ''"
        if order_no
        else "o.client_pay_no = %(no)s AND o.client_pay_no <> ''"
    )
    rows = _rows(_DETAIL + by, {"client": client_id, "no": order_no or pay_no})
    if not rows:
        raise OrderUnknown
    return _checkout(rows[0])


def refund_detail(*, client_id: int, refund_no: str) -> Refund:
    """
    Return the client's refund of that number, of a checkout order.

    :raises refunds.RefundUnknown: if the client has none, or it is of another family's order
    """
    refund = refunds.detail(client_id=client_id, refund_no=refund_no)
    if refund.order.family != "checkout":
        raise refunds.RefundUnknown(field="refund_no")
    return refund


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


_FIELDS = tuple(field.name for field in dataclasses.fields(Checkout))


def _checkout(row: tuple[Any, ...]) -> Checkout:
    return Checkout(**dict(zip(_FIELDS, row, strict=True)))
