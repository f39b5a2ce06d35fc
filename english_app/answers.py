"""What goes out, key by key as document 004 has it: an empty string where nothing has happened yet."""

import datetime
import re
from typing import Any

from django.utils import timezone

from english_app.models import EnglishOrder
from english_app.states import wire_status
from payments.gateways.models import Channel
from payments.models import Charge, GatewayAccount
from payments.money import yuan_number
from payments.wire import clock

_EXACT = re.compile(r"0|[1-9][0-9]{0,14}")  # more digits than that become another number in JavaScript


def pay_way(channel: Channel) -> dict[str, Any]:
    return {"pay_way_name": channel.value, "pay_way_title": channel.label}


def row(document: EnglishOrder) -> dict[str, Any]:
    """Return the 23 keys of a row of `order/lists`."""
    order = document.order
    return {
        "id": document.pk,
        "order_sn": order.number,
        "agent_id": document.agent_id or 0,
        "agent_title": document.agent.title if document.agent else "",
        "type": document.type,
        "app_id": document.app_id,
        "title": order.title,
        "price_total": yuan_number(document.price_total_fen),
        "money": yuan_number(order.total_fen),
        "user_id": _id(order.customer.user_id),
        "user_name": document.user_name,
        "imeil": document.imeil,
        "payway_name": document.pay_way,
        "status": int(wire_status(status=order.status, delivery=document.delivery, returning=document.returning)),
        "msg": document.message,
        "ip": document.ip or "",
        "add_time": clock(order.created_at),
        "pay_time": clock(order.finished_at),
        "pay_date": _day(order.finished_at),
        "finish_time": clock(document.delivered_at),
        "finish_date": _day(document.delivered_at),
        "refunds_time": clock(document.returned_at),
        "refunds_date": _day(document.returned_at),
    }


def params(charge: Charge | None) -> dict[str, Any]:
    """
    Return what the app hands to the SDK of the way to pay. Everything is signed here.

    `privatekey` is documented and always empty: whoever held the key could sign refunds as the merchant.
    """
    if charge is None or charge.gateway_account is None:
        return {}
    account, payload = charge.gateway_account, charge.payload
    if account.channel == Channel.WECHAT:
        return _wechat(payload)
    return _alipay(account, order_string=payload["order_string"])


def _wechat(payload: dict[str, str]) -> dict[str, Any]:
    signed = sorted(name for name in payload if name != "sign")
    return {
        "partnerid": payload["partnerid"],
        "md5signstr": "&".join(f"{name}={payload[name]}" for name in signed),
        "rsmd5": payload["sign"],
        "starttime": payload["timestamp"],
    }


def _alipay(account: GatewayAccount, *, order_string: str) -> dict[str, Any]:
    return {
        "payway_account_name": account.name,
        "appid": account.app_id,
        "partnerid": account.merchant_id,
        "email": account.options.get("seller_email", ""),
        "privatekey": "",
        "order_string": order_string,
    }


def _id(text: str) -> int | str:
    """Return an id that the document has as int: as one, where every reader of JSON reads the same."""
    return int(text) if _EXACT.fullmatch(text) else text


def _day(at: datetime.datetime | None) -> str:
    return timezone.localdate(at).isoformat() if at else ""
