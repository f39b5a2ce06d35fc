"""Document 002's address, and those around it: lists and details answer GET and POST alike."""

from typing import Any

from django.urls import re_path

from partner_orders.views import AddressViewSet, CouponViewSet, GiftPackViewSet, PartnerOrderViewSet, PayViewSet
from payments.wire import unknown_path
from payments.wire.views import both_slashes

SEARCH: dict[str, Any] = {"get": "search", "post": "search"}
SHIPPER = "partner_orders.ship_partnerorder"

urlpatterns = [
    both_slashes("app/partner/order/pay", PayViewSet.as_view({"post": "pay"}), name="partner-pay"),
    both_slashes("app/partner/order/list", PartnerOrderViewSet.as_view(SEARCH), name="partner-orders"),
    both_slashes(
        "app/partner/order/detail", PartnerOrderViewSet.as_view({"get": "show", "post": "show"}), name="partner-order"
    ),
    both_slashes("app/partner/order/cancel", PartnerOrderViewSet.as_view({"post": "cancel"}), name="partner-cancel"),
    both_slashes("app/partner/order/receive", PartnerOrderViewSet.as_view({"post": "receive"}), name="partner-receive"),
    both_slashes(
        "app/partner/order/ship",
        PartnerOrderViewSet.as_view({"post": "ship"}, permission_required_name=SHIPPER),
        name="partner-ship",
    ),
    both_slashes("app/partner/gift/list", GiftPackViewSet.as_view(SEARCH), name="partner-gifts"),
    both_slashes("app/partner/coupon/list", CouponViewSet.as_view(SEARCH), name="partner-coupons"),
    both_slashes("app/partner/address/list", AddressViewSet.as_view(SEARCH), name="partner-addresses"),
    both_slashes("app/partner/address/add", AddressViewSet.as_view({"post": "add"}), name="partner-address-add"),
    both_slashes(
        "app/partner/address/change", AddressViewSet.as_view({"post": "change"}), name="partner-address-change"
    ),
    both_slashes(
        "app/partner/address/delete", AddressViewSet.as_view({"post": "delete"}), name="partner-address-delete"
    ),
    re_path("^app/partner/", unknown_path, {"family": "partner_orders"}),
]
