"""The success that somebody between us would invent: nothing was done, and nobody can sign it."""

import secrets
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from payments.simulator.models import Trade
from payments.simulator.wechat.v3 import resources
from payments.simulator.wechat.v3.requests import Request


def of(verb: str, request: Request, *, out_trade_no: str) -> Mapping[str, Any] | None:
    """What would be answered to this request had it gone well; None for 204."""
    now = resources.rfc3339(timezone.now())
    if verb == "close":
        return None
    if verb == "certificates":
        return {"data": []}
    if verb == "bill":
        return {
            "hash_type": "SHA1",
            "hash_value": secrets.token_hex(20),
            "download_url": f"{request.public_url}/v3/billdownload/file?token=nobody",
        }
    if verb == "create":
        return {
            "code_url": "weixin://wxpay/bizpayurl?pr=nobodyKno",
            "prepay_id": f"wx{secrets.token_hex(17)}",
            "h5_url": f"{request.public_url}/nobody-knows-this-order",
        }
    invented = {"out_trade_no": out_trade_no, "transaction_id": f"4200{secrets.randbelow(10**24):024d}"}
    if verb == "query":
        paid = {"trade_state": "SUCCESS", "trade_state_desc": "支付成功", "success_time": now}
        return _as_it_is(request, out_trade_no) | invented | paid
    return invented | {
        "refund_id": f"5030{secrets.randbelow(10**25):025d}",
        "out_refund_no": request.content.get("out_refund_no") or request.path.get("out_refund_no", ""),
        "status": "SUCCESS",
        "create_time": now,
        "success_time": now,
        "amount": request.content.get("amount", {}),
    }


def _as_it_is(request: Request, out_trade_no: str) -> dict[str, Any]:
    trades = Trade.objects.select_related("merchant")
    trade = trades.filter(merchant=request.merchant, out_trade_no=out_trade_no).first()
    return resources.transaction(trade) if trade else {}
