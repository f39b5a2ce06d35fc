"""Orders and refunds as v2 spells them."""

import datetime

from django.utils import timezone

from payments.simulator.models import Refund, Trade
from payments.simulator.wechat import payer, room, terms

STATES = {
    "SUCCESS": "支付成功",
    "REFUND": "订单发生过退款，退款详情请查询退款单",
    "NOTPAY": "订单未支付",
    "CLOSED": "订单已关闭",
    "USERPAYING": "用户支付中，需要输入密码",
}
# v2's own words for what APIv3 calls ABNORMAL and CLOSED.
REFUND_WORDS = {"ABNORMAL": "CHANGE", "CLOSED": "REFUNDCLOSE"}
RECEIVED_BY = "支付用户的零钱"


def paid(trade: Trade) -> dict[str, str | int]:
    """What is told of an order once it is paid. :param trade: a paid one"""
    return {
        "openid": payer.openid_of(trade),
        "is_subscribe": "N",
        "trade_type": terms.TRADE_TYPES[trade.product],
        "bank_type": payer.BANK_TYPE,
        "total_fee": trade.amount_fen,
        "fee_type": "CNY",
        "cash_fee": trade.amount_fen,
        "cash_fee_type": "CNY",
        "transaction_id": trade.trade_no,
        "time_end": f"{timezone.localtime(trade.paid_at):%Y%m%d%H%M%S}",
    }


def refund_word(refund: Refund) -> str:
    word = room.refund_word(refund)
    return REFUND_WORDS.get(word, word)


def refund(made: Refund) -> dict[str, str | int]:
    return {
        "out_refund_no": made.request_no,
        "refund_id": made.refund_no,
        "refund_channel": "ORIGINAL",
        "refund_fee": made.amount_fen,
        "refund_status": refund_word(made),
        "refund_account": "REFUND_SOURCE_UNSETTLED_FUNDS",
        "refund_recv_accout": RECEIVED_BY,
        **({"refund_success_time": second(made.settles_at)} if made.moved else {}),
    }


def second(moment: datetime.datetime | None) -> str:
    """Beijing's time as refunds spell it."""
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}" if moment else ""
