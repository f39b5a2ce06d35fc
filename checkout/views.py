"""Documents 000 and 001, `pay` and `pay-detail`, and beyond them refunds and closing, in the same envelope."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from structlog.contextvars import bind_contextvars

from checkout import operations, queries
from checkout.operations import PayCommand
from checkout.queries import Checkout
from checkout.serializers import (
    CheckoutClosingSerializer,
    CheckoutRefundSerializer,
    NumbersSerializer,
    PaySerializer,
)
from payments.api.refund_answers import refund_told
from payments.api.serializers import RefundNoSerializer, refund_command
from payments.clients import login_codes
from payments.clients.authentication import client_of
from payments.models import Order, Refund
from payments.money import yuan_number
from payments.orders.states import AWAITING_CASH
from payments.wire.views import FamilyViewSet


class CheckoutViewSet(FamilyViewSet):
    """Orders of the points mall: points first, cash for the rest."""

    family = "checkout"
    permission_required_name = "checkout.point_pay"

    def pay(self, request: Request) -> Response:
        """Place an order and pay of it what the customer's points cover."""
        given = self.validated(PaySerializer)
        at = timezone.now()
        command = PayCommand(
            out_trade_no=given["out_trade_no"],
            client_pay_id=given["client_pay_id"],
            total_fen=given["total_amount"],
            shipping_fen=given["shipping_fee"],
            user_id=given["user_id"],
            ee_no=given["ee_no"],
            redirect_url=given["redirect_url"],
            expires_in_s=given["expires_in"],
        )
        order = operations.pay(client=client_of(request), command=command, at=at)
        bind_contextvars(order=order.number)
        code = login_codes.issue(number=order.number, generation=order.login_generation, at=at)
        return self.success(_pay_result(order, code=code), result_code="pay_order_created")

    def pay_detail(self, request: Request) -> Response:
        """Tell what became of an order."""
        given = self.validated(NumbersSerializer)
        order = queries.detail(
            client_id=client_of(request).pk, order_no=given["out_trade_no"], pay_no=given["client_pay_id"]
        )
        bind_contextvars(order=order.number)
        return self.success(_detail_result(order), result_code="out_trade_detail")

    def refund(self, request: Request) -> Response:
        """Give back of an order, once for each refund_no."""
        given = self.validated(CheckoutRefundSerializer)
        refund = operations.refund(
            client=client_of(request),
            order_no=given["out_trade_no"],
            pay_no=given["client_pay_id"],
            command=refund_command(given),
            at=timezone.now(),
        )
        bind_contextvars(order=refund.order.number)
        return self.success(_refund_result(refund), result_code="order_refund_requested")

    def refund_detail(self, request: Request) -> Response:
        """Tell what became of a refund."""
        given = self.validated(RefundNoSerializer)
        refund = queries.refund_detail(client_id=client_of(request).pk, refund_no=given["refund_no"])
        bind_contextvars(order=refund.order.number)
        return self.success(_refund_result(refund), result_code="refund_detail")

    def close(self, request: Request) -> Response:
        """Close an order that nobody has paid."""
        given = self.validated(CheckoutClosingSerializer)
        order = operations.close(
            client=client_of(request),
            order_no=given["out_trade_no"],
            pay_no=given["client_pay_id"],
            reason=given.get("reason", ""),
            at=timezone.now(),
        )
        bind_contextvars(order=order.number)
        return self.success(_detail_result(order), result_code="order_closed")


def cashier_path(number: str) -> str:
    return f"/checkout/pay/{number}/"


def _cash_is_due(order: Checkout | Order) -> bool:
    return order.cash_fen > 0 and order.status in AWAITING_CASH


def _pay_result(order: Checkout, *, code: str) -> dict[str, Any]:
    query = urlencode({"code": code, "next": cashier_path(order.number)}, safe="/")
    return {
        "status": order.status,
        "client_pay_id": order.client_pay_no,
        "point_amount": yuan_number(order.points_fen),
        "cash_amount": yuan_number(order.cash_fen),
        "out_trade_no": order.client_order_no,
        "cash_pay_url": f"{settings.BASE_URL}/api_login/?{query}" if _cash_is_due(order) else "",
        "total_amount": yuan_number(order.total_fen),
        "bb_trade_no": order.number,
    }


def _detail_result(order: Checkout | Order) -> dict[str, Any]:
    return {
        "status": order.status,
        "client_pay_id": order.client_pay_no,
        "out_trade_no": order.client_order_no,
        "point_amount": yuan_number(order.points_fen),
        "cash_amount": yuan_number(order.cash_fen),
        "cash_pay_url": settings.BASE_URL + cashier_path(order.number) if _cash_is_due(order) else "",
        "total_amount": yuan_number(order.total_fen),
        "bb_trade_no": order.number,
        "shipping_fee": yuan_number(order.shipping_fen),
    }


def _refund_result(refund: Refund) -> dict[str, Any]:
    return {**_detail_result(refund.order), **refund_told(refund)}
