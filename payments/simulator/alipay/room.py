"""What the rest of the simulator asks this room: status words, notifications, the way back."""

import datetime
import json
import secrets
import string
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from payments.simulator import book, rsa
from payments.simulator.alipay import signing
from payments.simulator.alipay.merchants import key_in_use, switch_key
from payments.simulator.alipay.requests import TIME_FORMAT
from payments.simulator.faults import Strike
from payments.simulator.models import Merchant, Notification, Refund, Trade
from payments.simulator.money import yuan

# Eight deliveries in all, over 25 hours.
RETRIES = tuple(datetime.timedelta(minutes=minutes) for minutes in (4, 10, 10, 60, 120, 360, 900))

BEGINS_WHEN_ASKED = False
DECLINING_CLOSES = True
TOKEN_ALPHABET = string.ascii_lowercase + string.digits
BUYER_ID, BUYER_LOGON_ID = "2088102177846880", "sim***@sandbox.com"
STATUS_WORDS = {
    Trade.Status.OFFERED: "",
    Trade.Status.WAITING: "WAIT_BUYER_PAY",
    Trade.Status.PAID: "TRADE_SUCCESS",
    Trade.Status.FINISHED: "TRADE_FINISHED",
    Trade.Status.CLOSED: "TRADE_CLOSED",
}
# What is told of beside payments and refunds, by product.
TELLS_OF_ENDS = {"app", "wap"}


def status_word(trade: Trade) -> str:
    return STATUS_WORDS[Trade.Status(trade.status)] if trade.exists else ""


def beijing(moment: datetime.datetime | None) -> str:
    return timezone.localtime(moment).strftime(TIME_FORMAT) if moment else ""


def facts(trade: Trade, event: str, refund: Refund | None) -> Mapping[str, Any] | None:
    if not trade.exists or (event in {"closed", "finished"} and trade.product not in TELLS_OF_ENDS):
        return None
    amount, merchant = yuan(trade.amount_fen), trade.merchant
    told = {
        "notify_type": "trade_status_sync",
        "charset": "utf-8",
        "version": "1.0",
        "app_id": merchant.app_id,
        "auth_app_id": merchant.app_id,
        "seller_id": merchant.seller_id,
        "out_trade_no": trade.out_trade_no,
        "trade_no": trade.trade_no,
        "trade_status": status_word(trade),
        "subject": trade.subject,
        "body": trade.body,
        "total_amount": amount,
        "gmt_create": beijing(trade.started_at),
        "gmt_payment": beijing(trade.paid_at),
        "gmt_close": beijing(trade.closed_at),
        "buyer_id": BUYER_ID,
        "buyer_logon_id": BUYER_LOGON_ID,
    }
    if trade.paid_at:
        told |= dict.fromkeys(("receipt_amount", "buyer_pay_amount", "invoice_amount"), amount)
        told["point_amount"] = "0.00"
        told["fund_bill_list"] = _compact([{"amount": amount, "fundChannel": "ALIPAYACCOUNT"}])
    if refund:
        told |= {
            "out_biz_no": refund.request_no,
            "refund_fee": yuan(trade.refunded_fen),
            "gmt_refund": beijing(refund.made_at) + f".{refund.made_at.microsecond // 1000:03d}",
        }
    return {name: value for name, value in told.items() if value}


def code_url(trade: Trade, public_url: str) -> str:
    return f"{public_url}/qr/{trade.token}" if trade.product == "precreate" else ""


def new_token(api: str) -> str:
    return "bax" + "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(21))


def new_prepay_id() -> str:
    return ""


def new_trade_no() -> str:
    return f"{timezone.localtime():%Y%m%d}22001{secrets.randbelow(10**15):015d}"


def notify_url(trade: Trade, refund: Refund | None) -> str:
    return trade.notify_url


def new_notify_id() -> str:
    return f"{timezone.localtime():%Y%m%d}00222{secrets.randbelow(10**21):021d}"


def render(notification: Notification, strike: Strike) -> tuple[Mapping[str, str], bytes]:
    merchant = notification.trade.merchant
    told = {**notification.facts, "notify_id": notification.notify_id, "notify_time": beijing(timezone.now())}
    told |= _falsehood(strike, notification)
    if strike.kind == "key_switch":
        switch_key(merchant)
    private_key = rsa.new_private_key()[0] if strike.kind == "forged" else key_in_use(merchant).private_key
    told |= {"sign": rsa.sign(signing.content(told, without=()), private_key=private_key), "sign_type": "RSA2"}
    if strike.kind == "tampered":
        told["total_amount"] = yuan(notification.trade.amount_fen + 1)
    return {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}, urlencode(told).encode()


def accepted(notification: Notification, status: int, answer: bytes) -> bool:
    return status == 200 and answer == b"success"


def refund_at_console(trade: Trade, *, request_no: str, amount_fen: int) -> Refund:
    """At once, and told like any other: the payment's notice once more, with what went back."""
    number = request_no or f"{timezone.localtime():%Y%m%d%H%M%S}{secrets.randbelow(10**10):010d}"
    made, _ = book.refund(trade_id=trade.pk, request_no=number, amount_fen=amount_fen, by_console=True)
    return made


def return_address(trade: Trade) -> str:
    """return_url with the signed parameters of the synchronous return, which proves nothing."""
    if not trade.return_url or not trade.paid_at:
        return ""
    told = {
        "charset": "utf-8",
        "out_trade_no": trade.out_trade_no,
        "method": f"alipay.trade.{trade.product}.pay.return",
        "total_amount": yuan(trade.amount_fen),
        "trade_no": trade.trade_no,
        "auth_app_id": trade.merchant.app_id,
        "version": "1.0",
        "app_id": trade.merchant.app_id,
        "seller_id": trade.merchant.seller_id,
        "timestamp": beijing(timezone.now()),
    }
    signature = _sign_for(trade.merchant, signing.content(told, without=()))
    query = urlencode({**told, "sign": signature, "sign_type": "RSA2"})
    return f"{trade.return_url}{'&' if '?' in trade.return_url else '?'}{query}"


def _falsehood(strike: Strike, notification: Notification) -> Mapping[str, str]:
    """What this delivery tells wrongly, under a right signature."""
    other_app = {"app_id": "2021000000000000", "auth_app_id": "2021000000000000"}
    other_seller = {"seller_id": "2088000000000000"}
    return {
        "wrong_amount": {"total_amount": yuan(notification.trade.amount_fen + 1)},
        "wrong_app_id": other_app,
        "wrong_seller_id": other_seller,
        "wrong_merchant": other_app | other_seller,
    }.get(strike.kind, {})


def _sign_for(merchant: Merchant, text: str) -> str:
    return rsa.sign(text, private_key=key_in_use(merchant).private_key)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
