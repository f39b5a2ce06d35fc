"""Addresses of payments' own: document 003, refunds, closing, what gateways tell us, customers, look-ups, webhooks."""

from django.urls import re_path

from payments.api import notifications
from payments.api.customers import CustomerViewSet
from payments.api.direct import DirectOrderViewSet
from payments.api.lookups import ChargeLookupViewSet, OrderLookupViewSet
from payments.api.pushes import PushViewSet
from payments.api.refunds import RefundViewSet
from payments.api.webhooks import WebhookViewSet
from payments.cashier.wpay import WpayView
from payments.wire import unknown_path
from payments.wire.views import both_slashes

CUSTOMER = r"api/customers/(?P<user_id>[^/\x00]+)"  # no text of PostgreSQL holds a NUL

urlpatterns = [
    both_slashes(CUSTOMER, CustomerViewSet.as_view({"get": "show", "put": "save"}), name="customer"),
    both_slashes(f"{CUSTOMER}/grants", CustomerViewSet.as_view({"post": "grant"}), name="customer-grants"),
    both_slashes(f"{CUSTOMER}/statement", CustomerViewSet.as_view({"get": "statement"}), name="customer-statement"),
    both_slashes("api/orders", OrderLookupViewSet.as_view({"get": "search"}), name="orders"),
    both_slashes(r"api/orders/(?P<number>[^/\x00]+)", OrderLookupViewSet.as_view({"get": "show"}), name="order"),
    both_slashes("api/charges", ChargeLookupViewSet.as_view({"get": "search"}), name="charges"),
    both_slashes("api/webhooks", WebhookViewSet.as_view({"get": "search"}), name="webhooks"),
    both_slashes(
        r"api/webhooks/(?P<event_id>[^/\x00]+)/redeliver",
        WebhookViewSet.as_view({"post": "redeliver"}, timestamp_required=True, sign_required=True),
        name="webhook-redeliver",
    ),
    re_path("^api/(?:customers|orders|charges|webhooks)/", unknown_path, {"family": "payments"}),
    both_slashes("rest/order", DirectOrderViewSet.as_view({"post": "order"}), name="direct-order"),
    both_slashes("rest/wx/push_order", PushViewSet.as_view({"post": "wechat"}), name="push-wechat"),
    both_slashes("rest/ali/push_order", PushViewSet.as_view({"post": "alipay"}), name="push-alipay"),
    both_slashes("rest/refund", RefundViewSet.as_view({"post": "refund"}), name="refund"),
    both_slashes("rest/refund_detail", RefundViewSet.as_view({"post": "refund_detail"}), name="refund-detail"),
    both_slashes("rest/close", RefundViewSet.as_view({"post": "close"}), name="close"),
    re_path(r"^rest/pub/wx/pay_notify/?$", notifications.wechat, name="wechat-notify"),
    re_path(r"^rest/pub/ali/pay_notify/?$", notifications.alipay, name="alipay-notify"),
    re_path("^rest/", unknown_path, {"family": "payments"}),
    *WpayView.urls("app/payment/wpay/"),
]
