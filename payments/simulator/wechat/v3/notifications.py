"""What APIv3 tells a merchant: an encrypted resource inside a signed body."""

import json
from collections.abc import Mapping
from typing import Any

from payments.simulator.faults import Strike
from payments.simulator.models import Notification, Refund, Trade
from payments.simulator.wechat import merchants
from payments.simulator.wechat.v3 import aead, keys, resources, signing
from payments.simulator.wechat.v3.resources import rfc3339

OTHER_APP, OTHER_MERCHANT = "wx0000000000000000", "1900000000"
SUMMARIES = {
    "TRANSACTION.SUCCESS": "支付成功",
    "REFUND.SUCCESS": "退款成功",
    "REFUND.ABNORMAL": "退款异常",
    "REFUND.CLOSED": "退款关闭",
}


def facts(trade: Trade, event: str, refund: Refund | None) -> Mapping[str, Any] | None:
    """The resource, as it will be encrypted. Closing an unpaid order is not told."""
    if event == "paid":
        return resources.transaction(trade)
    return resources.refund_told(refund) if event == "refunded" and refund else None


def render(notification: Notification, strike: Strike) -> tuple[Mapping[str, str], bytes]:
    merchant, told = notification.trade.merchant, dict(notification.facts)
    told |= _falsehood(strike, notification)
    kind = "transaction" if "trade_state" in told else "refund"
    event_type = f"REFUND.{told['refund_status']}" if kind == "refund" else "TRANSACTION.SUCCESS"
    resource = aead.envelope(_compact(told), api_v3_key=merchants.secret(merchant, "api_v3_key"), associated_data=kind)
    body = _compact(
        {
            "id": notification.notify_id,
            "create_time": rfc3339(notification.made_at),
            "resource_type": "encrypt-resource",
            "event_type": event_type,
            "summary": SUMMARIES[event_type],
            "resource": {"original_type": kind, **resource},
        }
    )
    headers = signing.headers(body, keys.for_notification(merchant, strike=strike), strike)
    if strike.kind == "tampered":
        body = body.replace(resource["ciphertext"], _changed(resource["ciphertext"]))
    return {"Content-Type": "application/json", **headers}, body.encode()


def accepted(status: int, answer: bytes) -> bool:
    """The status alone decides: a FAIL in the body of a 200 is not read."""
    return status in {200, 204}


def _falsehood(strike: Strike, notification: Notification) -> Mapping[str, Any]:
    """What this delivery tells wrongly, under a right signature. A refund's resource names no app."""
    told: Mapping[str, Any] = notification.facts
    other_app = {"appid": OTHER_APP} if "appid" in told else {}
    other_merchant = {"mchid": OTHER_MERCHANT}
    one_more = {name: value + 1 if isinstance(value, int) else value for name, value in told["amount"].items()}
    falsehoods: Mapping[str, Mapping[str, Any]] = {
        "wrong_amount": {"amount": one_more},
        "wrong_app_id": other_app,
        "wrong_seller_id": other_merchant,
        "wrong_merchant": other_app | other_merchant,
    }
    return falsehoods.get(strike.kind, {})


def _changed(ciphertext: str) -> str:
    return ("B" if ciphertext[0] == "A" else "A") + ciphertext[1:]


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
