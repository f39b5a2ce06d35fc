"""The look-up calls for the API pages. They go beyond the documents, so the examples are ours."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import FilterSet
from drf_spectacular.utils import OpenApiParameter, extend_schema

from payments.api.filters import ChargeFilter, OrderFilter, WebhookFilter
from payments.api.serializers import NothingSerializer
from payments.charges.models import Tender
from payments.orders.models import MoneyFlag, OrderKind
from payments.orders.states import Status
from payments.outbox.models import DeliveryStatus, EventKind
from payments.refunds.models import Kind as RefundKind
from payments.wire.openapi import described

_NUMBER = OpenApiParameter(
    "number", str, OpenApiParameter.PATH, description=_("Our number of the order."), pattern="^[^/]+$"
)
_PAGE = [
    OpenApiParameter("cursor", str, description=_("As next and previous give it.")),
    OpenApiParameter("page_size", {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
]
_ORDER = {
    "order_number": "2018061530000035",
    "family": "checkout",
    "kind": "goods",
    "status": "pay_finished",
    "money_flag": "",
    "user_id": "442090",
    "title": "20111111111",
    "out_trade_no": "20111111111",
    "client_pay_id": "0000010111135",
    "total_amount": 2144,
    "shipping_fee": 5,
    "point_amount": 131.28,
    "balance_amount": 0,
    "cash_amount": 2012.72,
    "refunded_amount": 0,
    "created_at": "2018-06-15 12:00:00",
    "expires_at": "2018-06-15 12:30:00",
    "paid_at": "2018-06-15 12:01:30",
    "closed_at": "",
}
_CHARGE = {
    "charge_number": "2018061530000035_2",
    "tender": "wechat",
    "mode": "qr",
    "status": "succeeded",
    "amount": 2012.72,
    "paid": 2012.72,
    "gateway_trade_no": "4200000109201806151234567890",
    "is_replaced": False,
    "created_at": "2018-06-15 12:00:40",
    "expires_at": "2018-06-15 12:30:00",
    "paid_at": "2018-06-15 12:01:30",
}
_DELIVERY = {
    "event_id": "evt_9f1c2c7f6f0a4b7c8f5a3d2e1b0c9d8e",
    "kind": "order.paid",
    "version": 1,
    "order_number": "2018061530000035",
    "url": "https://www.example.com/paid",
    "status": "due",
    "attempts": 2,
    "last_status": 503,
    "last_error": "",
    "parked_reason": "",
    "created_at": "2018-06-15 12:01:30",
    "next_attempt_at": "2018-06-15 12:02:36",
    "delivered_at": "",
}
_OF_DELIVERIES = {"kind": list(EventKind.values), "status": list(DeliveryStatus.values)}
_EVENT_ID = OpenApiParameter(
    "event_id", str, OpenApiParameter.PATH, description=_("The event, as webhook-id names it."), pattern="^[^/]+$"
)
_REFUND = {
    "refund_number": "2018061530000035_R1",
    "refund_no": "R20111111111",
    "kind": "order",
    "status": "pending",
    "amount": 105,
    "goods_amount": 100,
    "shipping_amount": 5,
    "reason": "少发一件",
    "requested_at": "2018-06-16 09:00:00",
    "settled_at": "",
}
_VALUES = {
    "kind": list(OrderKind.values),
    "money_flag": list(MoneyFlag.values),
    "tender": list(Tender.values),
}


def _call(
    *,
    name: str,
    summary: Any,
    data: Mapping[str, Any],
    parameters: list[OpenApiParameter],
    values: dict[str, Any],
    sent: Mapping[str, Any] | None = None,
) -> Callable[[Any], Any]:
    """Describe a call. `sent`: by a POST, with time and sign."""
    describe = described(
        family="payments", name=name, document="2018061530000035", summary=summary, request=NothingSerializer,
        sent=sent or {}, answered={"status_code": 0, "data": data}, values=_VALUES | values, signed=bool(sent),
    )  # fmt: skip
    # Filters are told here, with their words; drf-spectacular would guess them from the model.
    return lambda view: extend_schema(parameters=parameters, filters=False)(describe(view))


def _filters(filters: type[FilterSet]) -> list[OpenApiParameter]:
    known: dict[str, Any] = filters.base_filters
    return [OpenApiParameter(name, str, description=found.label, enum=_choices(found)) for name, found in known.items()]


def _choices(found: Any) -> list[str] | None:
    choices = found.extra.get("choices")
    if choices is None:
        return None
    return [value for value, _label in (choices() if callable(choices) else choices)]


def _page(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"results": [entry], "next": None, "previous": None}


ORDERS = _call(
    name="orders",
    summary=_("List your orders, newest first"),
    data=_page(_ORDER),
    parameters=[*_filters(OrderFilter), *_PAGE],
    values={"status": list(Status.values)},
)
ORDER = _call(
    name="order",
    summary=_("Tell how an order stands, with its charges and refunds"),
    data={**_ORDER, "charges": [_CHARGE], "refunds": [_REFUND]},
    parameters=[_NUMBER],
    values={"kind": [*OrderKind.values, *RefundKind.values]},
)
CHARGES = _call(
    name="charges",
    summary=_("List the charges of your orders, newest order first"),
    data=_page({"order_number": "2018061530000035", **_CHARGE}),
    parameters=[*_filters(ChargeFilter), *_PAGE],
    values={},
)
WEBHOOKS = _call(
    name="webhooks",
    summary=_("List what you were told and how its delivery stands, newest first"),
    data=_page(_DELIVERY),
    parameters=[*_filters(WebhookFilter), *_PAGE],
    values=_OF_DELIVERIES,
)
REDELIVER = _call(
    name="redeliver",
    summary=_("Have an event sent to you again"),
    data={"event_id": _DELIVERY["event_id"], "deliveries": [_DELIVERY]},
    parameters=[_EVENT_ID],
    values=_OF_DELIVERIES,
    sent={"timestamp": "1529035320", "sign": "…"},
)
