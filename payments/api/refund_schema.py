"""Refunds and closing for the API pages. They go beyond the documents, so the examples are ours."""

from django.utils.translation import gettext_lazy as _

from payments.api.refund_answers import STATUSES
from payments.api.serializers import OrderClosingSerializer, OrderRefundSerializer, RefundNoSerializer
from payments.orders.states import Status
from payments.wire.openapi import described

REFUND_SUMMARY = _("Give back of an order, once for each refund_no")
DETAIL_SUMMARY = _("Tell what became of a refund")
CLOSE_SUMMARY = _("Close an order that nobody has paid")
VALUES = {"status": list(Status.values), "refund_status": STATUSES}

# What every answer about a refund says: of document 000's order, 100 yuan of its goods and its shipping.
ASKED = {"refund_no": "R20111111111", "goods_amount": 100, "shipping_amount": 5.00, "reason": "少发一件"}
TOLD = {
    "refund_no": "R20111111111",
    "refund_number": "2018061530000035_R1",
    "refund_status": "succeeded",
    "goods_amount": 100,
    "shipping_amount": 5,
    "point_refund_amount": 0,
    "balance_refund_amount": 0,
    "cash_refund_amount": 105,
    "refunded_amount": 105,
}
_ANSWER = {
    "status_code": 0,
    "data": {"order_number": "2018061530000035", "status": "partly_refund", **TOLD},
}

REFUND = described(
    family="payments",
    name="refund",
    document="refund",
    summary=REFUND_SUMMARY,
    request=OrderRefundSerializer,
    sent={"order_number": "2018061530000035", **ASKED},
    answered=_ANSWER,
    values=VALUES,
)
REFUND_DETAIL = described(
    family="payments",
    name="refund_detail",
    document="refund",
    summary=DETAIL_SUMMARY,
    request=RefundNoSerializer,
    sent={"refund_no": ASKED["refund_no"]},
    answered=_ANSWER,
    values=VALUES,
)
CLOSE = described(
    family="payments",
    name="close",
    document="closing",
    summary=CLOSE_SUMMARY,
    request=OrderClosingSerializer,
    sent={"order_number": "20180802284116009357", "reason": "顾客不要了"},
    answered={"status_code": 0, "data": {"order_number": "20180802284116009357", "status": "closed"}},
    values=VALUES,
)
