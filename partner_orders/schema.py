"""
Document 002 for the API pages, its words and its own example; what an app and a warehouse need around it, in ours.

Lists and details answer GET and POST alike, and are described once for each.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import FilterSet
from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers

from partner_orders.filters import AddressFilter, CouponFilter, GiftPackFilter, PartnerOrderFilter
from partner_orders.queries import CouponState
from partner_orders.serializers import (
    AddressChangeSerializer,
    AddressIdSerializer,
    AddressSerializer,
    CancelSerializer,
    OrderSerializer,
    PaySerializer,
    ShipSerializer,
)
from payments.api.serializers import CustomerSerializer, NothingSerializer
from payments.wire import TextField, TimestampField, WholeNumberField
from payments.wire.openapi import described

_USER_ID = "41840909af844632885424fbc20cae79"
_ORDER = {
    "order_no": "202201071757551641549475668",
    "gift_pos_id": "55fca782f55f406d94e2cecb23d0140b",
    "order_express_time_stamp": 0,
    "bill_no": "",
    "order_time": "2022-01-07 17:57:55",
    "order_name": "购买机器",
    "user_id_no": "",
    "gift_title": "拉卡拉大POS 1台装礼包 升V5",
    "order_status": 1,
    "coupon_id": "",
    "order_express_number": "",
    "user_phone": "18569557087",
    "pay_type": 1,
    "order_time_stamp": 1641549475356,
    "id": "fd85f86a959043878cf2c03d8c09f39f",
    "order_type": 1,
    "user_level_id": "",
    "order_express_name": "",
    "order_express_time": "",
    "order_receieve_phone": "18578229023",
    "receive_time": "",
    "order_price": 300,
    "order_desc": "",
    "order_express_address": "",
    "order_pay_time": "2022-01-07 17:57:55",
    "order_receieve_name": "刘德华",
    "platform_remark": "",
    "order_score": 0,
    "deduct_price": 0,
    "user_id": _USER_ID,
    "user_real_name": "张学友",
    "order_receieve_address": "湖南省长沙市德思勤城市广场b5栋",
    "third_order_no": "",
    "order_pay_time_stamp": 1641549475356,
    "order_express_no": "",
}
_PARCEL = {
    "order_express_name": "顺丰速运",
    "order_express_number": "SF1641549475356",
    "order_express_no": "SF",
    "order_express_address": "长沙仓",
    "order_express_time": "2022-01-08 10:00:00",
}
_UNPAID = {**_ORDER, "order_status": 4, "pay_type": 2, "order_pay_time": "", "order_pay_time_stamp": 0}
_SHIPPED = {**_ORDER, **_PARCEL, "order_status": 2, "order_express_time_stamp": 1641607200000}
_RECEIVED = {**_SHIPPED, "order_status": 3, "receive_time": "2022-01-10 09:30:00"}
_GIFT = {
    "gift_pos_id": "55fca782f55f406d94e2cecb23d0140b",
    "gift_title": "拉卡拉大POS 1台装礼包 升V5",
    "gift_desc": "",
    "gift_price": 300,
    "gift_stock": 10,
    "gift_score": 0,
    "user_level_id": "V5",
}
_COUPON = {
    "coupon_id": "8c5d3a1f0b6e4d0f9a7c2e4b6d8f0a1c",
    "coupon_title": "新人立减券",
    "deduct_price": 50,
    "min_price": 100,
    "valid_from": "2022-01-01",
    "valid_until": "2022-12-31",
    "coupon_status": "usable",
}
_RECIPIENT = {"name": "刘德华", "phone": "18578229023", "address": "湖南省长沙市德思勤城市广场b5栋", "is_default": 1}
_ADDRESS = {"address_id": 1, **_RECIPIENT}
_OF_ORDER = {"user_id": _USER_ID, "order_no": _ORDER["order_no"]}
_SIZE = {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
_SIGNED = [
    OpenApiParameter("timestamp", str, required=True, description=_("Now, e.g. in Unix seconds.")),
    OpenApiParameter("sign", str, required=True, description=_("Over all other parameters of the query string.")),
]
_VALUES = {"coupon_status": [state.value for state in CouponState]}

_MEANINGS = {
    "ali_pay_url": _("Where the customer pays at Alipay; empty where nothing is to be paid there."),
    "order_status": _("0 unpaid, 1 paid, 2 shipped, 3 received, 4 closed, 5 partly refunded, 6 refunded."),
    "order_price": _("List price in yuan, before the coupon."),
    "deduct_price": _("What the coupon takes off, in yuan."),
    "bill_no": _("Our payment number at Alipay; empty for the balance."),
    "third_order_no": _("Alipay's trade number, once it is paid; empty for the balance."),
    "user_level_id": _("The level: of a pack what it lifts to, of an order the customer's when it was made."),
    "user_id_no": _("Always empty: no identity card is kept here."),
    "order_type": _("Always 1."),
    "order_score": _("Points that the customer is given for it."),
    "order_express_name": _("The courier."),
    "order_express_number": _("The tracking number."),
    "order_express_no": _("The courier's short name."),
    "order_express_address": _("Where it was shipped from."),
    "coupon_status": _("usable, used (an order holds it), to_come or expired."),
    "min_price": _("Yuan; for packs of at least that price."),
}


class PartnerPaySerializer(PaySerializer):
    """`pay` alone needs no token and no time: its sign is the proof. A time that is sent must be right."""

    timestamp = TimestampField(required=False, help_text=_("Now. Whoever sends it makes the call good for 5 minutes."))
    sign = TextField(help_text=_("MD5 or HMAC-SHA256 over all other parameters, hexadecimal."))


def _call(
    *,
    name: str,
    summary: Any,
    request: type[serializers.Serializer[Any]],
    sent: Mapping[str, Any],
    result: Mapping[str, Any],
    **how: Any,
) -> Callable[[Any], Any]:
    return described(
        family="partner_orders", name=name, document=how.pop("document", "example"), summary=summary, request=request,
        sent=sent, answered={"code": 1, "errors": {}, "msg": "操作成功", "result": result}, values=_VALUES,
        meanings=_MEANINGS, **how,
    )  # fmt: skip


def _read(
    *,
    name: str,
    summary: Any,
    request: type[serializers.Serializer[Any]],
    sent: Mapping[str, Any],
    result: Mapping[str, Any],
    filters: type[FilterSet] | None = None,
) -> Callable[[Any], Any]:
    """Describe a call that answers GET, by its query string, and POST."""
    fields: dict[str, Any] = request().get_fields()
    known: dict[str, Any] = filters.base_filters if filters else {}
    if filters:
        fields |= {name: TextField(required=False, help_text=found.label) for name, found in known.items()}
        fields["cursor"] = TextField(required=False, help_text=_("As next and previous give it."))
        fields["page_size"] = WholeNumberField(required=False, min_value=1, max_value=200)
    posted = type(f"Partner{name.title()}Serializer", (serializers.Serializer,), dict(fields))  # which empties it
    by_post = _call(name=name, summary=summary, request=posted, sent=sent, result=result, methods=["POST"])
    by_get = _call(
        name=f"{name}_get", summary=summary, request=NothingSerializer, sent=sent, result=result, methods=["GET"]
    )  # fmt: skip
    parameters = [
        OpenApiParameter(
            name, _SIZE if name == "page_size" else str, required=field.required, description=field.help_text,
            enum=_choices(known.get(name)),
        )
        for name, field in fields.items()
    ]  # fmt: skip
    told = extend_schema(methods=["GET"], parameters=[*parameters, *_SIGNED], filters=False)
    return lambda view: told(extend_schema(methods=["POST"], filters=False)(by_get(by_post(view))))


def _choices(found: Any) -> list[str] | None:
    choices = found.extra.get("choices") if found else None
    return [str(value) for value, _label in choices] if choices else None


def _page(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"results": [entry], "next": None, "previous": None}


PAY = _call(
    name="pay",
    document="002",
    summary=_("Make an order for a gift pack and pay it, from the balance or at Alipay"),
    request=PartnerPaySerializer,
    sent={
        "user_id": _USER_ID, "pay_type": 1, "gift_pos_id": _ORDER["gift_pos_id"], "coupon_id": "", "address_id": 1,
        "sign": "05c098783561b6d0ce4d842f3d71cd61",
    },
    result={"ali_pay_url": "", "order_info": _ORDER},
    signed=False,
    auth=[{}, {"token": []}],
)  # fmt: skip
ORDERS = _read(
    name="orders",
    summary=_("List a customer's orders, newest first"),
    request=CustomerSerializer,
    filters=PartnerOrderFilter,
    sent={"user_id": _USER_ID, "order_status": "1"},
    result=_page(_ORDER),
)
ORDER = _read(
    name="order",
    summary=_("Tell how one order stands"),
    request=OrderSerializer,
    sent=_OF_ORDER,
    result={"order_info": _ORDER},
)
CANCEL = _call(
    name="cancel",
    summary=_("Close an order that nobody has paid"),
    request=CancelSerializer,
    sent={**_OF_ORDER, "reason": "顾客不要了"},
    result={"order_info": _UNPAID},
)
RECEIVE = _call(
    name="receive",
    summary=_("Take a shipped order as received: its customer says so"),
    request=OrderSerializer,
    sent=_OF_ORDER,
    result={"order_info": _RECEIVED},
)
SHIP = _call(
    name="ship",
    summary=_("Record who carries an order, and under which number; once more corrects it"),
    request=ShipSerializer,
    sent={"order_no": _ORDER["order_no"], **_PARCEL},
    result={"order_info": _SHIPPED},
)
GIFTS = _read(
    name="gifts",
    summary=_("List the gift packs on sale, newest first"),
    request=NothingSerializer,
    filters=GiftPackFilter,
    sent={"in_stock": "1"},
    result=_page(_GIFT),
)
COUPONS = _read(
    name="coupons",
    summary=_("List a customer's coupons, newest first"),
    request=CustomerSerializer,
    filters=CouponFilter,
    sent={"user_id": _USER_ID, "coupon_status": "usable"},
    result=_page(_COUPON),
)
ADDRESSES = _read(
    name="addresses",
    summary=_("List a customer's addresses, newest first"),
    request=CustomerSerializer,
    filters=AddressFilter,
    sent={"user_id": _USER_ID},
    result=_page(_ADDRESS),
)
ADD = _call(
    name="add_address",
    summary=_("Keep one more address of a customer"),
    request=AddressSerializer,
    sent={"user_id": _USER_ID, **_RECIPIENT},
    result={"address": _ADDRESS},
)
CHANGE = _call(
    name="change_address",
    summary=_("Make an address another one, whole; orders keep the one they were made with"),
    request=AddressChangeSerializer,
    sent={"user_id": _USER_ID, **_ADDRESS},
    result={"address": _ADDRESS},
)
DELETE = _call(
    name="delete_address",
    summary=_("Forget an address; orders keep the one they were made with"),
    request=AddressIdSerializer,
    sent={"user_id": _USER_ID, "address_id": 1},
    result={},
)

# view set: call: how it is described
CALLS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "PayViewSet": {"pay": PAY},
    "PartnerOrderViewSet": {
        "search": ORDERS, "show": ORDER, "cancel": CANCEL, "receive": RECEIVE, "ship": SHIP
    },
    "GiftPackViewSet": {"search": GIFTS},
    "CouponViewSet": {"search": COUPONS},
    "AddressViewSet": {"search": ADDRESSES, "add": ADD, "change": CHANGE, "delete": DELETE},
}  # fmt: skip


def _describe(view: str, calls: dict[str, Callable[[Any], Any]]) -> None:
    """Register the calls of one view set: making the class is enough."""

    def view_replacement(self: Any) -> type[Any]:
        described_calls = {name: describe(getattr(self.target_class, name)) for name, describe in calls.items()}
        return type(f"Described{view}", (self.target_class,), described_calls)

    target = f"partner_orders.views.{view}"
    type(f"{view}Calls", (OpenApiViewExtension,), {"target_class": target, "view_replacement": view_replacement})


for _view, _calls in CALLS.items():
    _describe(_view, _calls)
