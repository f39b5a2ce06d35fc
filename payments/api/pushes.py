"""Document 003: a payment of any order of the client is started at WeChat or Alipay, for its own screen or app."""

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from structlog.contextvars import bind_contextvars

from payments.api import direct_schema as schema
from payments.api.serializers import (
    ALIPAY_TYPES,
    ORDER_TYPES,
    WECHAT_TYPES,
    AlipayPushSerializer,
    PushSerializer,
    WechatPushSerializer,
)
from payments.clients.authentication import client_of
from payments.direct import operations, queries
from payments.gateways.base import Mode
from payments.gateways.models import Channel
from payments.models import Charge
from payments.wire.views import FamilyViewSet


class PushViewSet(FamilyViewSet):
    """The token is enough: the document shows nothing else, and to be asked for money harms nobody."""

    family = "payments"
    timestamp_required = False
    sign_required = False

    @schema.PUSH_WECHAT
    def wechat(self, request: Request) -> Response:
        """Start a payment at WeChat: a code to be shown and scanned."""
        charge = self._push(WechatPushSerializer, channel=Channel.WECHAT, modes=WECHAT_TYPES)
        return self.success(_wechat_result(charge))

    @schema.PUSH_ALIPAY
    def alipay(self, request: Request) -> Response:
        """Start a payment at Alipay: a code to be shown and scanned, or a text for its app."""
        charge = self._push(AlipayPushSerializer, channel=Channel.ALIPAY, modes=ALIPAY_TYPES)
        return self.success(_alipay_result(charge))

    def _push(self, serializer_class: type[PushSerializer], *, channel: Channel, modes: dict[str, Mode]) -> Charge:
        given = self.validated(serializer_class)
        client = client_of(self.request)
        order = queries.by_number(
            client_id=client.pk, number=given["order_number"], kind=ORDER_TYPES[given["order_type"]]
        )
        bind_contextvars(order=order.number)
        return operations.push(
            order_id=order.pk, channel=channel, mode=modes[given["type"]], actor=client.actor, at=timezone.now()
        )


def _wechat_result(charge: Charge) -> dict[str, Any]:
    payload = charge.payload
    return {
        "timeStamp": payload["timeStamp"],
        "codeUrl": payload["qr_code"],
        "package": payload["package"],
        "paySign": payload["paySign"],
        "totalFee": str(charge.amount_fen),
        "appId": payload["appId"],
        "signType": payload["signType"],
        "title": charge.order.title,
        "nonceStr": payload["nonceStr"],
    }


def _alipay_result(charge: Charge) -> dict[str, Any]:
    """Both spellings: the document's example has one, its prose the other."""
    if charge.mode == Mode.APP:
        return {"order_string": charge.payload["order_string"], "orderString": charge.payload["order_string"]}
    return {"qr_code": charge.payload["qr_code"], "qrCode": charge.payload["qr_code"]}
