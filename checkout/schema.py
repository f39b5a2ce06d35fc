"""Documents 000 and 001 for the API pages, their words and their own examples; refunds and closing in ours."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiViewExtension

from checkout.serializers import (
    CheckoutClosingSerializer,
    CheckoutRefundSerializer,
    NumbersSerializer,
    PaySerializer,
)
from payments.api import refund_schema
from payments.api.serializers import RefundNoSerializer
from payments.wire.openapi import described

VALUES = refund_schema.VALUES

PAY = described(
    family="checkout",
    name="pay",
    document="000",
    summary=_("Place an order and pay of it what the customer's points cover"),
    request=PaySerializer,
    values=VALUES,
    sent={
        "out_trade_no": "20111111111",
        "client_pay_id": "0000010111135",
        "total_amount": 2144,
        "shipping_fee": 5.00,
        "redirect_url": "https://www.example.com",
        "user_id": "442090",
        "ee_no": "a09999",
    },
    answered={
        "result_message": "",
        "result_code": "pay_order_created",
        "result": {
            "status": "point_paid",
            "client_pay_id": "0000010111135",
            "point_amount": 131.28,
            "cash_amount": 2012.72,
            "out_trade_no": "20111111111",
            "cash_pay_url": "http://localhost:8001/api_login/?code=mOkR5a9jH42JpQqtGGDpLw9J0H8mnn"
            "&next=/checkout/pay/2018060830000035/",
            "total_amount": 2144,
            "bb_trade_no": "2018061530000035",
        },
        "success": True,
    },
)

PAY_DETAIL = described(
    family="checkout",
    name="pay_detail",
    document="001",
    summary=_("Tell what became of an order"),
    request=NumbersSerializer,
    values=VALUES,
    sent={"client_pay_id": "0000010111123"},
    answered={
        "result_message": "",
        "result_code": "out_trade_detail",
        "result": {
            "status": "point_paid",
            "client_pay_id": "0000010111123",
            "out_trade_no": "20111111111",
            "point_amount": 0,
            "cash_amount": 21.44,
            "cash_pay_url": "http://localhost:8001/checkout/pay/2018060730000019/",
            "total_amount": 21.44,
            "bb_trade_no": "2018060730000019",
            "shipping_fee": 5,
        },
        "success": True,
    },
)


_ORDER = {
    "status": "partly_refund",
    "client_pay_id": "0000010111135",
    "out_trade_no": "20111111111",
    "point_amount": 131.28,
    "cash_amount": 2012.72,
    "cash_pay_url": "",
    "total_amount": 2144,
    "bb_trade_no": "2018061530000035",
    "shipping_fee": 5,
}
_REFUND = {"result_message": "", "result": {**_ORDER, **refund_schema.TOLD}, "success": True}

REFUND = described(
    family="checkout",
    name="refund",
    document="refund",
    summary=refund_schema.REFUND_SUMMARY,
    request=CheckoutRefundSerializer,
    values=VALUES,
    sent={"out_trade_no": "20111111111", **refund_schema.ASKED},
    answered={**_REFUND, "result_code": "order_refund_requested"},
)

REFUND_DETAIL = described(
    family="checkout",
    name="refund_detail",
    document="refund",
    summary=refund_schema.DETAIL_SUMMARY,
    request=RefundNoSerializer,
    values=VALUES,
    sent={"refund_no": refund_schema.ASKED["refund_no"]},
    answered={**_REFUND, "result_code": "refund_detail"},
)

CLOSE = described(
    family="checkout",
    name="close",
    document="closing",
    summary=refund_schema.CLOSE_SUMMARY,
    request=CheckoutClosingSerializer,
    values=VALUES,
    sent={"out_trade_no": "20111111111", "reason": "顾客不要了"},
    answered={
        "result_message": "",
        "result_code": "order_closed",
        "result": {**_ORDER, "status": "closed"},
        "success": True,
    },
)

# call of the view set: how it is described
CALLS = {"pay": PAY, "pay_detail": PAY_DETAIL, "refund": REFUND, "refund_detail": REFUND_DETAIL, "close": CLOSE}


class CheckoutCalls(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = "checkout.views.CheckoutViewSet"

    def view_replacement(self) -> type[Any]:
        calls: Any = self.target_class
        described_calls = {name: describe(getattr(calls, name)) for name, describe in CALLS.items()}
        return type("DescribedCheckout", (calls,), described_calls)
