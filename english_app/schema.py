"""
Document 004 for the API pages, in its words and keys; the values are ours, it shows none.

Every call answers GET and POST alike, and is described once for each.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.extensions import OpenApiViewExtension
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from english_app.serializers import PAGE_SIZE_MAX, GoodsSerializer, InitSerializer, ListSerializer, OrderSerializer
from payments.api.serializers import NothingSerializer
from payments.wire import ObjectListField, TextField, TimestampField, WholeNumberField
from payments.wire.openapi import described

_ROW = {
    "id": 2,
    "order_sn": "20180615483920571846",
    "agent_id": 0,
    "agent_title": "",
    "type": 1,
    "app_id": 1,
    "title": "会员购买",
    "price_total": 29,
    "money": 29,
    "user_id": 1,
    "user_name": "小明",
    "imeil": "866000000000001",
    "payway_name": "balance",
    "status": 4,
    "msg": "",
    "ip": "203.0.113.7",
    "add_time": "2018-06-15 12:00:00",
    "pay_time": "2018-06-15 12:01:30",
    "pay_date": "2018-06-15",
    "finish_time": "2018-06-15 12:01:32",
    "finish_date": "2018-06-15",
    "refunds_time": "",
    "refunds_date": "",
}
_GOODS = {"user_id": 1, "goods_list": [{"good_id": 1, "num": 1}]}
_INIT = {
    **_GOODS,
    "user_name": "小明",
    "app_id": 1,
    "title": "会员购买",
    "price_total": 29,
    "money": 29,
    "imeil": "866000000000001",
    "pay_way_name": "alipay",
}
_ALIPAY = {
    "payway_account_name": "支付宝",
    "appid": "2016092200567241",
    "partnerid": "2088102146225135",
    "email": "",
    "privatekey": "",
    "order_string": "app_id=2016092200567241&biz_content=%7B%22out_trade_no%22%3A%2220180615730184629513_1%22%7D"
    "&method=alipay.trade.app.pay&sign=JP1AxixqyWqz8n4CRNAv&sign_type=RSA2",
}
_WECHAT = {
    "partnerid": "1900000109",
    "md5signstr": "appid=wx117676b671891683&noncestr=1533188289855&package=Sign=WXPay&partnerid=1900000109"
    "&prepayid=wx02133732079021563094f24c1615005248&timestamp=1529035200",
    "rsmd5": "7EEC46D61249DD469759CF598284A0DC",
    "starttime": "1529035200",
}
_MADE = {"charge_order_sn": "20180615730184629513", "params": _ALIPAY, "pay_order_sn": _ROW["order_sn"]}
_OF_ORDER = {"user_id": 1, "order_sn": _ROW["order_sn"], "app_id": 1}

_MEANINGS = {
    "pay_way_name": _("What pay_way_name of init takes."),
    "type": _("0 a recharge, 1 a purchase."),
    "price_total": _("What the goods cost, in yuan."),
    "money": _("What this order is over, in yuan: of a recharge what comes in, of a purchase what its goods cost."),
    "payway_name": _("wechat or alipay; balance of a purchase."),
    "status": _(
        "0 waiting for its payment, 1 not paid, 2 paid, 3 delivery failed, 4 done, 5 return asked for, 6 return "
        "failed, 7 returned."
    ),
    "finish_time": _("When the goods were delivered, or the money was in the balance."),
    "charge_order_sn": _("Our number of the recharge; empty where nothing is to be paid in."),
    "pay_order_sn": _("Our number of the purchase: the order_sn of pay and cancel."),
    "params": _("What the SDK of the way to pay needs; empty where nothing is to be paid in any more."),
    "order_string": _("The whole text for Alipay's SDK, signed."),
    "privatekey": _("Always empty: no private key leaves the server."),
    "md5signstr": _("The parameters for WeChat's SDK; sign is rsmd5."),
}
# A call without a token is the client's of that app, by these.
_PROOF: dict[str, serializers.Field[Any, Any, Any, Any]] = {
    "app_id": WholeNumberField(
        required=False, min_value=0, max_value=10**9 - 1, help_text=_("Your app; 1 if it is not sent.")
    ),
    "timestamp": TimestampField(required=False, help_text=_("Now. Asked for without a token.")),
    "sign": TextField(
        required=False,
        help_text=_("MD5 or HMAC-SHA256 over all other parameters, hexadecimal. Asked for without a token."),
    ),
}


def _call(
    *,
    name: str,
    summary: Any,
    request: type[serializers.Serializer[Any]],
    sent: Mapping[str, Any],
    data: Any,
    others: Mapping[str, tuple[Mapping[str, Any], Any]] | None = None,
) -> Callable[[Any], Any]:
    """Describe a call by POST, and by GET with its query string. `others`: further pairs of parameters and data."""
    fields: dict[str, Any] = request().get_fields() | _PROOF
    in_query = {label: _in_query(field) for label, field in fields.items()}
    posted, got = (
        type(f"English{name.title().replace('_', '')}{method}Serializer", (serializers.Serializer,), dict(taken))
        for method, taken in (("", fields), ("Query", in_query))
    )  # fmt: skip
    told: dict[str, Any] = {
        "family": "english_app", "document": "004", "summary": summary, "sent": sent, "answered": _envelope(data),
        "others": {label: (asked, _envelope(other)) for label, (asked, other) in (others or {}).items()},
        "meanings": _MEANINGS, "signed": False, "auth": [{}, {"token": []}], "answers_a_list": isinstance(data, list),
    }  # fmt: skip
    by_post = described(name=name, request=posted, methods=["POST"], **told)
    by_get = described(name=f"{name}_get", request=NothingSerializer, methods=["GET"], **told)
    by_query = extend_schema(methods=["GET"], parameters=[got], filters=False)
    return lambda view: by_query(extend_schema(methods=["POST"], filters=False)(by_get(by_post(view))))


def _envelope(data: Any) -> dict[str, Any]:
    return {"code": 0, "msg": "ok", "data": data}


def _in_query(field: Any) -> Any:
    """Return what a field is in a query string: a list stands there as the text of its JSON."""
    return TextField(help_text=field.help_text) if isinstance(field, ObjectListField) else field


# call: how it is described
CALLS = {
    "pay_way": _call(
        name="pay_way",
        summary=_("List the ways to pay that the shop has set up"),
        request=NothingSerializer,
        sent={},
        data=[
            {"pay_way_name": "wechat", "pay_way_title": "微信支付"},
            {"pay_way_name": "alipay", "pay_way_title": "支付宝"},
        ],
    ),
    "lists": _call(
        name="lists",
        summary=_("List a customer's orders, newest first"),
        request=ListSerializer,
        sent={"user_id": 1, "app_id": 1, "page": 1, "limit": PAGE_SIZE_MAX},
        data=[_ROW],
    ),
    "submit_goods_order": _call(
        name="submit_goods_order",
        summary=_("Tell what goods cost; nothing is kept"),
        request=GoodsSerializer,
        sent=_GOODS,
        data={"price_total": 29},
    ),
    "init": _call(
        name="init",
        summary=_("Make a purchase and the recharge that pays for it, and start the payment of that"),
        request=InitSerializer,
        sent=_INIT,
        data=_MADE,
        others={
            "WeChat": ({**_INIT, "pay_way_name": "wechat"}, {**_MADE, "params": _WECHAT}),
            "balance": (
                {**_INIT, "money": 0, "pay_way_name": ""},
                {**_MADE, "charge_order_sn": "", "params": {}},
            ),
        },
    ),
    "pay": _call(
        name="pay",
        summary=_("Pay a purchase from the balance; once more changes nothing"),
        request=OrderSerializer,
        sent=_OF_ORDER,
        data={},
    ),
    "cancel": _call(
        name="cancel",
        summary=_("Ask for the return of a paid purchase; once more changes nothing"),
        request=OrderSerializer,
        sent=_OF_ORDER,
        data={},
    ),
}


class EnglishCalls(OpenApiViewExtension):  # type: ignore[no-untyped-call]
    """Making the class registers it."""

    target_class = "english_app.views.EnglishViewSet"

    def view_replacement(self: Any) -> type[Any]:
        calls = {name: describe(getattr(self.target_class, name)) for name, describe in CALLS.items()}
        return type("DescribedEnglishViewSet", (self.target_class,), calls)
