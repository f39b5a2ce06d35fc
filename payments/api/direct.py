"""Document 003: orders of its three types. The document tells how they are paid; this is how they are made."""

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from structlog.contextvars import bind_contextvars

from payments.api import direct_schema as schema
from payments.api.serializers import ORDER_TYPES, DirectOrderSerializer
from payments.clients.authentication import client_of
from payments.direct import operations
from payments.direct.operations import Booking, OrderCommand
from payments.wire.views import FamilyViewSet


class DirectOrderViewSet(FamilyViewSet):
    """The token is enough, as for every call of document 003: an order moves no money."""

    family = "payments"
    timestamp_required = False
    sign_required = False

    @schema.ORDER
    def order(self, request: Request) -> Response:
        """Make an order for goods, for a recharge of the balance, or for an appointment."""
        given = self.validated(DirectOrderSerializer)
        booking = None
        if "appointment_time" in given:
            booking = Booking(time=given["appointment_time"], subject=given["appointment_for"])
        command = OrderCommand(
            kind=ORDER_TYPES[given["order_type"]],
            user_id=given["user_id"],
            title=given["title"],
            total_fen=given["total_amount"],
            booking=booking,
            client_order_no=given.get("out_trade_no", ""),
            notify_url=given.get("notify_url", ""),
            expires_in_s=given["expires_in"],
        )
        number = operations.place_order(client=client_of(request), command=command, at=timezone.now())
        bind_contextvars(order=number)
        return self.success({"order_number": number})
