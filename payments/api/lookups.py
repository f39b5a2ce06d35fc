"""Look-up: a client finds its own orders, charges and refunds, whatever family made them. To look moves nothing."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response

from payments.api import lookup_schema as schema
from payments.api.filters import ChargeFilter, OrderFilter, StrictFilters
from payments.api.refund_answers import refund_status
from payments.charges import queries as charges
from payments.charges.states import Status
from payments.clients.authentication import client_of
from payments.money import yuan_number
from payments.orders import queries as orders
from payments.wire import CursorPagination, clock
from payments.wire.views import FamilyViewSet


class OrderPages(CursorPagination):
    """Newest first: by id, or by time where a time of making is asked for, which is where that time's index ends."""

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        is_of_a_time = request.query_params.keys() & {"created_from", "created_to"}
        return ("-created_at", "-id") if is_of_a_time else ("-id",)


class ChargePages(CursorPagination):
    """The newest order first, its attempts as they were made: a new one never shifts a page that was read."""

    ordering = ("-order_key", "attempt")  # type: ignore[assignment]  # rest_framework takes a tuple as well

    def beyond(self, ordering: Sequence[str], position: Sequence[str]) -> Q:
        """Bound the charge's side too by what is said of its order's: PostgreSQL does not conclude that itself."""
        bound = "lte" if ordering[0].startswith("-") else "gte"
        return super().beyond(ordering, position) & Q(**{f"order_id__{bound}": position[0]})


class LookupViewSet(FamilyViewSet):
    """Document 003 asks for a token. What moves money or state needs time and sign beside it; looking needs neither."""

    family = "payments"
    timestamp_required = False
    sign_required = False
    filter_backends = [StrictFilters]


class OrderLookupViewSet(LookupViewSet):
    filterset_class = OrderFilter
    pagination_class = OrderPages

    @schema.ORDERS
    def search(self, request: Request) -> Response:
        """List a client's orders, newest first."""
        found = self.filter_queryset(orders.of_client(client_id=client_of(request).pk))
        page = self.paginate_queryset(found)
        return self.get_paginated_response([order_shown(order) for order in page or []])

    @schema.ORDER
    def show(self, request: Request, number: str) -> Response:
        """Tell how one order stands, with its charges and refunds."""
        order = orders.detail(client_id=client_of(request).pk, number=number)
        attempts = [charge_shown(charge) for charge in order.charges.all()]
        refunds = [refund_shown(refund) for refund in order.refunds.all()]
        return self.success({**order_shown(order), "charges": attempts, "refunds": refunds})


class ChargeLookupViewSet(LookupViewSet):
    filterset_class = ChargeFilter
    pagination_class = ChargePages

    @schema.CHARGES
    def search(self, request: Request) -> Response:
        """List the charges of a client's orders, newest order first."""
        found = self.filter_queryset(charges.of_client(client_id=client_of(request).pk))
        page = self.paginate_queryset(found)
        return self.get_paginated_response([charge_found(charge) for charge in page or []])


def order_shown(order: Any) -> dict[str, Any]:
    """Return an order of `orders.of_client` as its client sees it."""
    return {
        "order_number": order.number,
        "family": order.family,
        "kind": order.kind,
        "status": order.status,
        "money_flag": order.money_flag,
        "user_id": order.user_id,
        "title": order.title,
        "out_trade_no": order.client_order_no,
        "client_pay_id": order.client_pay_no,
        "total_amount": yuan_number(order.total_fen),
        "shipping_fee": yuan_number(order.shipping_fen),
        "point_amount": yuan_number(order.points_fen),
        "balance_amount": yuan_number(order.balance_fen),
        "cash_amount": yuan_number(order.cash_fen),
        "refunded_amount": yuan_number(order.refunded_fen),
        "created_at": clock(order.created_at),
        "expires_at": clock(order.expires_at),
        "paid_at": clock(order.finished_at),
        "closed_at": clock(order.closed_at),
    }


def charge_found(charge: Any) -> dict[str, Any]:
    """Return a charge of `charges.of_client`, with the number of its order."""
    return {"order_number": charge.order_number, **charge_shown(charge)}


def charge_shown(charge: Any) -> dict[str, Any]:
    """Return a charge as its client sees it: nothing of who pays. `paid` is 0 until something is."""
    paid_fen = charge.paid_fen
    if paid_fen is None:  # no gateway says it: points, or nothing paid
        paid_fen = charge.amount_fen if charge.status == Status.SUCCEEDED else 0
    return {
        "charge_number": charge.number,
        "tender": charge.tender,
        "mode": charge.mode,
        "status": charge.status,
        "amount": yuan_number(charge.amount_fen),
        "paid": yuan_number(paid_fen),
        "gateway_trade_no": charge.gateway_trade_no,
        "is_replaced": charge.is_replaced,
        "created_at": clock(charge.created_at),
        "expires_at": clock(charge.expires_at),
        "paid_at": clock(charge.paid_at),
    }


def refund_shown(refund: Any) -> dict[str, Any]:
    """Return a refund as its client sees it. Why is the client's own word alone: what staff write is for staff."""
    return {
        "refund_number": refund.number,
        "refund_no": refund.refund_no,
        "kind": refund.kind,
        "status": refund_status(refund),
        "amount": yuan_number(refund.amount_fen),
        "goods_amount": yuan_number(refund.goods_fen),
        "shipping_amount": yuan_number(refund.shipping_fen),
        "reason": refund.reason if refund.refund_no else "",
        "requested_at": clock(refund.requested_at),
        "settled_at": clock(refund.settled_at),
    }
