"""Orders and refunds as APIv3 shows them: answering a question, and inside a notification."""

import datetime
from typing import Any

from django.utils import timezone

from payments.simulator.models import Refund, Trade
from payments.simulator.wechat import payer, terms
from payments.simulator.wechat.room import refund_word, status_word

STATE_WORDS = {
    "NOTPAY": "订单未支付",
    "USERPAYING": "用户支付中",
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "CLOSED": "订单已关闭",
}
RECEIVED_ACCOUNT = "支付用户零钱"


def transaction(trade: Trade, *, state: str = "") -> dict[str, Any]:
    """An order; `state` where it is to be told as another than it is."""
    state = state or status_word(trade)
    told = {
        "appid": trade.merchant.app_id,
        "mchid": trade.merchant.seller_id,
        "out_trade_no": trade.out_trade_no,
        "trade_state": state,
        "trade_state_desc": STATE_WORDS[state],
        **({"attach": trade.particulars["attach"]} if trade.particulars.get("attach") else {}),
    }
    if not trade.paid_at:
        return told | {"amount": {"total": trade.amount_fen, "currency": "CNY", "payer_currency": "CNY"}}
    return told | {
        "transaction_id": trade.trade_no,
        "trade_type": terms.TRADE_TYPES[trade.product],
        "bank_type": payer.BANK_TYPE,
        "success_time": rfc3339(trade.paid_at),
        "payer": {"openid": payer.openid_of(trade)},
        "amount": {
            "total": trade.amount_fen,
            "payer_total": trade.amount_fen,
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }


def refund(made: Refund) -> dict[str, Any]:
    """A refund as the calls answer it."""
    trade = made.trade
    told = {
        "refund_id": made.refund_no,
        "out_refund_no": made.request_no,
        "transaction_id": trade.trade_no,
        "out_trade_no": trade.out_trade_no,
        "channel": "ORIGINAL",
        "user_received_account": RECEIVED_ACCOUNT,
        "create_time": rfc3339(made.made_at),
        "status": refund_word(made),
        "funds_account": "AVAILABLE",
        "promotion_detail": [],
        "amount": {
            "total": trade.amount_fen,
            "refund": made.amount_fen,
            "payer_total": trade.amount_fen,
            "payer_refund": made.amount_fen,
            "settlement_total": trade.amount_fen,
            "settlement_refund": made.amount_fen,
            "discount_refund": 0,
            "currency": "CNY",
        },
    }
    return told | ({"success_time": rfc3339(made.settles_at)} if made.moved and made.settles_at else {})


def refund_told(made: Refund) -> dict[str, Any]:
    """A refund as its notification tells it: fewer things, and some under other names."""
    trade, settled = made.trade, made.moved and made.settles_at
    return {
        "mchid": trade.merchant.seller_id,
        "out_trade_no": trade.out_trade_no,
        "transaction_id": trade.trade_no,
        "out_refund_no": made.request_no,
        "refund_id": made.refund_no,
        "refund_status": refund_word(made),
        **({"success_time": rfc3339(settled)} if settled else {}),
        "amount": {
            "total": trade.amount_fen,
            "refund": made.amount_fen,
            "payer_total": trade.amount_fen,
            "payer_refund": made.amount_fen,
        },
        "user_received_account": RECEIVED_ACCOUNT,
    }


def rfc3339(moment: datetime.datetime) -> str:
    """Beijing's time, to the second."""
    return timezone.localtime(moment).isoformat(timespec="seconds")
