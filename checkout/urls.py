"""Documents 000 and 001, refunds, closing, and the pages that their `cash_pay_url` leads to."""

from django.urls import path, re_path

from checkout.cashier import CheckoutCashier, CheckoutLogin
from checkout.views import CheckoutViewSet
from payments.wire import unknown_path
from payments.wire.views import both_slashes

urlpatterns = [
    both_slashes("api/checkout/pay", CheckoutViewSet.as_view({"post": "pay"}), name="checkout-pay"),
    both_slashes(
        "api/checkout/pay-detail", CheckoutViewSet.as_view({"post": "pay_detail"}), name="checkout-pay-detail"
    ),
    both_slashes("api/checkout/refund", CheckoutViewSet.as_view({"post": "refund"}), name="checkout-refund"),
    both_slashes(
        "api/checkout/refund-detail", CheckoutViewSet.as_view({"post": "refund_detail"}), name="checkout-refund-detail"
    ),
    both_slashes("api/checkout/close", CheckoutViewSet.as_view({"post": "close"}), name="checkout-close"),
    re_path("^api/checkout/", unknown_path, {"family": "checkout"}),
    path("api_login/", CheckoutLogin.as_view(), name="checkout-login"),
    path("api_login", CheckoutLogin.as_view()),
    *CheckoutCashier.urls("checkout/pay/"),
]
