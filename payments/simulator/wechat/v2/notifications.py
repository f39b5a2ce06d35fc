"""What v2 tells: payments under a signature, refunds under the key's digest."""

import secrets
from collections.abc import Mapping
from typing import Any

from payments.simulator.faults import Strike
from payments.simulator.models import Notification, Refund, Trade
from payments.simulator.wechat import merchants
from payments.simulator.wechat.v2 import messages, signing, words

HEADERS = {"Content-Type": "text/xml; charset=utf-8"}
OTHER_APP, OTHER_MERCHANT = {"appid": "wx0000000000000000"}, {"mch_id": "1000000000"}
FALSEHOODS = {
    "wrong_app_id": OTHER_APP,
    "wrong_seller_id": OTHER_MERCHANT,
    "wrong_merchant": OTHER_APP | OTHER_MERCHANT,
}


def facts(trade: Trade, event: str, refund: Refund | None) -> Mapping[str, Any] | None:
    merchant = {"appid": trade.merchant.app_id, "mch_id": trade.merchant.seller_id}
    if event == "paid":
        attach = trade.particulars.get("attach")
        return {
            "return_code": "SUCCESS",
            "result_code": "SUCCESS",
            **merchant,
            **words.paid(trade),
            "out_trade_no": trade.out_trade_no,
            **({"attach": attach} if attach else {}),
        }
    if refund is None:
        return None
    return {"return_code": "SUCCESS", **merchant, "req_info": _refund_facts(trade, refund)}


def render(notification: Notification, strike: Strike) -> tuple[Mapping[str, str], bytes]:
    trade = notification.trade
    told = {**notification.facts, "nonce_str": secrets.token_hex(16), **FALSEHOODS.get(strike.kind, {})}
    key = secrets.token_hex(16) if strike.kind == "forged" else merchants.secret(trade.merchant, "api_key")
    if "req_info" in told:
        told["req_info"] = _hidden(told["req_info"], key, strike)
    else:
        told |= _signature(told, trade.particulars["sign_type"], key, strike)
    if strike.kind == "no_sign":
        told = {name: value for name, value in told.items() if name not in {"sign", "req_info"}}
    return HEADERS, messages.write(told).encode()


def accepted(status: int, answer: bytes) -> bool:
    """Only XML that says SUCCESS ends the repetitions."""
    try:
        return status == 200 and messages.read(answer).get("return_code") == "SUCCESS"
    except messages.NotAMessage:
        return False


def _signature(told: dict[str, Any], sign_type: str, key: str, strike: Strike) -> dict[str, Any]:
    """The fields that prove it, and those that a fault falsifies before or after signing."""
    false = {"total_fee": told["total_fee"] + 1, "cash_fee": told["cash_fee"] + 1}
    added = false if strike.kind == "wrong_amount" else {}
    if sign_type != signing.MD5:
        added["sign_type"] = sign_type
    added["sign"] = signing.sign(told | added, key=key, sign_type=sign_type)
    return added | (false if strike.kind == "tampered" else {})


def _hidden(told: dict[str, Any], key: str, strike: Strike) -> str:
    if strike.kind == "wrong_amount":
        told = told | {"refund_fee": told["refund_fee"] + 1}
    text = signing.hide(messages.write(told, root="root"), key=key)
    return text[:-8] + text[:8] if strike.kind == "tampered" else text


def _refund_facts(trade: Trade, refund: Refund) -> dict[str, str | int]:
    return {
        "out_refund_no": refund.request_no,
        "out_trade_no": trade.out_trade_no,
        "refund_account": "REFUND_SOURCE_UNSETTLED_FUNDS",
        "refund_fee": refund.amount_fen,
        "refund_id": refund.refund_no,
        "refund_recv_accout": words.RECEIVED_BY,
        "refund_request_source": "VENDOR_PLATFORM" if refund.by_console else "API",
        "refund_status": words.refund_word(refund),
        "settlement_refund_fee": refund.amount_fen,
        "settlement_total_fee": trade.amount_fen,
        **({"success_time": words.second(refund.settles_at)} if refund.moved else {}),
        "total_fee": trade.amount_fen,
        "transaction_id": trade.trade_no,
    }
