"""Addresses of payments' own: what gateways tell us, customers, look-ups."""

from django.urls import re_path

from payments.api import notifications
from payments.api.customers import CustomerViewSet
from payments.wire import unknown_path
from payments.wire.views import both_slashes

CUSTOMER = r"api/customers/(?P<user_id>[^/\x00]+)"  # no text of PostgreSQL holds a NUL

urlpatterns = [
    both_slashes(CUSTOMER, CustomerViewSet.as_view({"get": "show", "put": "save"}), name="customer"),
    both_slashes(f"{CUSTOMER}/grants", CustomerViewSet.as_view({"post": "grant"}), name="customer-grants"),
    both_slashes(f"{CUSTOMER}/statement", CustomerViewSet.as_view({"get": "statement"}), name="customer-statement"),
    re_path("^api/customers/", unknown_path, {"family": "payments"}),
    re_path(r"^rest/pub/wx/pay_notify/?$", notifications.wechat, name="wechat-notify"),
    re_path(r"^rest/pub/ali/pay_notify/?$", notifications.alipay, name="alipay-notify"),
]
