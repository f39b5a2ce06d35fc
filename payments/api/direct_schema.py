"""Document 003 for the API pages: its own examples, and ours for how an order comes about."""

from django.utils.translation import gettext_lazy as _

from payments.api.serializers import AlipayPushSerializer, DirectOrderSerializer, WechatPushSerializer
from payments.wire.openapi import described

_ORDERED = {"status_code": 0, "data": {"order_number": "20180802284116009357"}}
_GOODS = {"order_type": "Order", "user_id": "442090", "title": "DEMO", "total_amount": 0.11}
_WALLET = {**_GOODS, "order_type": "Wallet", "out_trade_no": "recharge-1", "notify_url": "https://www.example.com/paid"}
_APPOINTMENT = {
    **_GOODS,
    "order_type": "Appointment",
    "appointment_time": "2018-08-03 09:30:00",
    "appointment_for": "林小满",
    "expires_in": 900,
}
_QR_CODE = "https://qr.alipay.com/bax01098eimzy9vigelm00c7"
_ORDER_STRING = (
    "app_id=2016092200567241&biz_content=%7B%22out_trade_no%22%3A%2220180802284116009357_1%22%7D"
    "&method=alipay.trade.app.pay&sign=JP1AxixqyWqz8n4CRNAv&sign_type=RSA2"
)
_PUSHED = {"order_number": "1234", "order_type": "Order"}

ORDER = described(
    family="payments",
    name="make_order",
    document="Order",
    summary=_("Make an order for goods, for a recharge of the balance, or for an appointment"),
    request=DirectOrderSerializer,
    sent=_GOODS,
    answered=_ORDERED,
    others={"Wallet": (_WALLET, _ORDERED), "Appointment": (_APPOINTMENT, _ORDERED)},
    signed=False,
)
PUSH_WECHAT = described(
    family="payments",
    name="push_wechat",
    document="003",
    summary=_("Start a WeChat payment of an order: a code to be shown and scanned"),
    request=WechatPushSerializer,
    sent={"order_type": "Order", "order_number": "12346", "type": "NATIVE"},
    answered={
        "status_code": 0,
        "data": {
            "timeStamp": "1533188289",
            "codeUrl": "weixin://wxpay/bizpayurl?pr=bJ1XIh4",
            "package": "prepay_id=wx02133732079021563094f24c1615005248",
            "paySign": "7EEC46D61249DD469759CF598284A0DC",
            "totalFee": "11",
            "appId": "wx117676b671891683",
            "signType": "MD5",
            "title": "DEMO",
            "nonceStr": "1533188289855",
        },
    },
    signed=False,
)
PUSH_ALIPAY = described(
    family="payments",
    name="push_alipay",
    document="QRCODE",
    summary=_("Start an Alipay payment of an order: a code to be shown and scanned, or a text for its app"),
    request=AlipayPushSerializer,
    sent={**_PUSHED, "type": "QRCODE"},
    answered={"status_code": 0, "data": {"qr_code": _QR_CODE, "qrCode": _QR_CODE}},
    others={
        "APP": (
            {**_PUSHED, "type": "APP"},
            {"status_code": 0, "data": {"order_string": _ORDER_STRING, "orderString": _ORDER_STRING}},
        )
    },
    signed=False,
)
