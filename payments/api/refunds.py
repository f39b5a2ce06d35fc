"""Giving money back, and ending orders that nobody paid: of any order of the client, whatever family made it."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from structlog.contextvars import bind_contextvars

from payments.api import refund_schema as schema
from payments.api.refund_answers import refund_told
from payments.api.serializers import OrderClosingSerializer, OrderRefundSerializer, RefundNoSerializer, refund_command
from payments.clients.authentication import client_of
from payments.direct import operations
from payments.models import Refund
from payments.refunds import queries
from payments.wire.views import FamilyViewSet


class RefundViewSet(FamilyViewSet):
    """Beyond document 003, and money moves: time and sign are asked for beside the token."""

    family = "payments"

    @schema.REFUND
    def refund(self, request: Request) -> Response:
        """Give back of an order, once for each refund_no."""
        given = self.validated(OrderRefundSerializer)
        refund = operations.refund(
            client=client_of(request),
            number=given["order_number"],
            command=refund_command(given),
            at=timezone.now(),
        )
        bind_contextvars(order=refund.order.number)
        return self.success(_refund_result(refund))

    @schema.REFUND_DETAIL
    def refund_detail(self, request: Request) -> Response:
        """Tell what became of a refund."""
        given = self.validated(RefundNoSerializer)
        refund = queries.detail(client_id=client_of(request).pk, refund_no=given["refund_no"])
        bind_contextvars(order=refund.order.number)
        return self.success(_refund_result(refund))

    @schema.CLOSE
    def close(self, request: Request) -> Response:
        """Close an order that nobody has paid."""
        given = self.validated(OrderClosingSerializer)
        order = operations.close(
            client=client_of(request),
            number=given["order_number"],
            reason=given.get("reason", ""),
            at=timezone.now(),
        )
        bind_contextvars(order=order.number)
        return self.success({"order_number": order.number, "status": order.status})


def _refund_result(refund: Refund) -> dict[str, Any]:
    return {"order_number": refund.order.number, "status": refund.order.status, **refund_told(refund)}
