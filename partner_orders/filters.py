"""What the app's lists are filtered by, in document 002's own names."""

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import ChoiceFilter, FilterSet

from partner_orders import queries
from partner_orders.models import Address, CustomerCoupon, GiftPack, PartnerOrder, PayType
from partner_orders.queries import CouponState
from partner_orders.states import Delivery, WireStatus, wire_status
from payments.api.filters import BESIDE, StrictFilters, TextFilter, TimeFilter
from payments.orders.states import Status

YES_OR_NO = [("1", _("yes")), ("0", _("no"))]


class PartnerFilters(StrictFilters):
    """Lists are one customer's: whose is not a filter."""

    beside = BESIDE | {"user_id"}


def _orders_shown_as(told: WireStatus) -> Q:
    """Return the condition for the orders that the wire tells with one status: the projection, read backwards."""
    found = Q(pk__in=[])
    for status in Status:
        for delivery in Delivery:
            if wire_status(status=status, delivery=delivery) == told:
                found |= Q(order__status=status, delivery=delivery)
    return found


class PartnerOrderFilter(FilterSet):
    order_status = ChoiceFilter(
        choices=WireStatus.choices,
        method="shown_as",
        label=_("0 unpaid, 1 paid, 2 shipped, 3 received, 4 closed, 5 partly refunded, 6 refunded."),
    )
    pay_type = ChoiceFilter(choices=PayType.choices, label=_("1: balance, 2: Alipay."))
    gift_pos_id = TextFilter(field_name="pack__uid", label=_("The gift pack."))
    order_time_from = TimeFilter(field_name="order__created_at", lookup_expr="gte", label=_("Made then or later."))
    order_time_to = TimeFilter(field_name="order__created_at", lookup_expr="lt", label=_("Made before then."))

    class Meta:
        model = PartnerOrder
        fields: list[str] = []

    def shown_as(self, found: QuerySet[PartnerOrder], name: str, value: str) -> QuerySet[PartnerOrder]:
        return found.filter(_orders_shown_as(WireStatus(int(value))))


class GiftPackFilter(FilterSet):
    in_stock = ChoiceFilter(choices=YES_OR_NO, method="with_stock", label=_("1: there is some left, 0: sold out."))

    class Meta:
        model = GiftPack
        fields: list[str] = []

    def with_stock(self, found: QuerySet[GiftPack], name: str, value: str) -> QuerySet[GiftPack]:
        return found.filter(stock__gt=0) if value == "1" else found.filter(stock=0)


class CouponFilter(FilterSet):
    coupon_status = ChoiceFilter(
        choices=[(state.value, state.name) for state in CouponState],
        method="in_state",
        label=_("usable, used (an order holds it), to_come or expired."),
    )

    class Meta:
        model = CustomerCoupon
        fields: list[str] = []

    def in_state(self, found: QuerySet[CustomerCoupon], name: str, value: str) -> QuerySet[CustomerCoupon]:
        return found.filter(queries.in_state(CouponState(value), at=timezone.now()))


class AddressFilter(FilterSet):
    is_default = ChoiceFilter(choices=YES_OR_NO, method="that_is_default", label=_("1: the default, 0: the others."))

    class Meta:
        model = Address
        fields: list[str] = []

    def that_is_default(self, found: QuerySet[Address], name: str, value: str) -> QuerySet[Address]:
        return found.filter(is_default=value == "1")
