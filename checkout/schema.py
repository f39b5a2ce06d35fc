"""Documents 000 and 001 for the API pages: their words and their own examples."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiViewExtension

from checkout.serializers import NumbersSerializer, PaySerializer
from payments.orders.states import Status
from payments.wire.openapi import described

VALUES = {"status": list(Status.values)}

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


class CheckoutCalls(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    target_class = "checkout.views.CheckoutViewSet"

    def view_replacement(self) -> type[Any]:
        calls: Any = self.target_class
        return type("DescribedCheckout", (calls,), {"pay": PAY(calls.pay), "pay_detail": PAY_DETAIL(calls.pay_detail)})
