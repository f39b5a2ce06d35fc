"""What verified messages of WeChat Pay v2 tell of payments and refunds."""

import re
from collections.abc import Mapping

from payments.gateways.base import Notification, NotificationKind, Outcome, PaymentState, RefundState
from payments.gateways.wechat import PAYMENT_OUTCOMES
from payments.gateways.wechat_v2 import codec
from payments.gateways.wechat_v2.codec import SUCCESS
from payments.gateways.wechat_v2.markup import Malformed

# Source: pay.weixin.qq.com/wiki/doc/api/H5.php?chapter=9_5 (refundquery)
STUCK = "CHANGE"
REFUND_OUTCOMES = {
    "SUCCESS": Outcome.SUCCEEDED,
    "PROCESSING": Outcome.PENDING,
    # The payer's bank did not take it and the money waits with WeChat: no failure, and never a second refund. Staff
    # send it on by hand, in the merchant's console.
    STUCK: Outcome.PENDING,
    "REFUNDCLOSE": Outcome.FAILED,  # the money stayed with the merchant; only a new number can try again
}


def needed(fields: Mapping[str, str], name: str) -> str:
    if not (text := fields.get(name)):
        raise Malformed(f"no {name} in a message that needs one")
    return text


def queried_payment(fields: Mapping[str, str]) -> PaymentState:
    status = fields.get("trade_state", "")
    return _payment_state(fields, outcome=PAYMENT_OUTCOMES.get(status, Outcome.UNKNOWN), status=status)


def _payment_state(fields: Mapping[str, str], *, outcome: Outcome, status: str) -> PaymentState:
    """
    `total_fee` is what the order costs. `cash_fee` and `settlement_total_fee` are less where WeChat gave a coupon.
    """
    if fields.get("fee_type", "CNY") != "CNY":
        raise Malformed(f"an amount in {fields['fee_type'][:8]!r}")
    if outcome is Outcome.SUCCEEDED:
        needed(fields, "total_fee")
        needed(fields, "transaction_id")
    if status == SUCCESS:
        needed(fields, "time_end")
    amount, paid_at = fields.get("total_fee"), fields.get("time_end")
    return PaymentState(
        outcome=outcome,
        number=needed(fields, "out_trade_no"),
        amount_fen=codec.fen(amount) if amount else None,
        trade_no=fields.get("transaction_id", ""),
        paid_at=codec.moment(paid_at) if paid_at and outcome is Outcome.SUCCEEDED else None,
        gateway_status=status,
    )


def queried_refund(fields: Mapping[str, str], *, number: str) -> RefundState:
    """A query answers with a list in numbered fields: `out_refund_no_0`, `refund_status_0` …"""
    for name, text in fields.items():
        if text == number and (match := re.fullmatch(r"out_refund_no_([0-9]{1,3})", name)):
            index = match[1]
            return _refund_state(
                number=number,
                status=fields.get(f"refund_status_{index}", ""),
                amount=needed(fields, f"refund_fee_{index}"),
                refunded_at=fields.get(f"refund_success_time_{index}", ""),
            )
    raise Malformed("an answer about another refund")


def _refund_state(*, number: str, status: str, amount: str, refunded_at: str) -> RefundState:
    """`amount` is what was asked for; `settlement_refund_fee` is less where a coupon had paid a part."""
    outcome = REFUND_OUTCOMES.get(status, Outcome.UNKNOWN)
    return RefundState(
        outcome=outcome,
        number=number,
        amount_fen=codec.fen(amount),
        refunded_at=codec.moment(refunded_at) if refunded_at and outcome is Outcome.SUCCEEDED else None,
        gateway_status=status,
        is_stuck=status == STUCK,
    )


# --- notices --------------------------------------------------------------------------------------------------------
# Notices of v2 have no id of their own. The trade, our number and what is told of it stand for one: equal in each
# repeat, and never that of a notice that puts the trade under another number.


def payment_notification(fields: Mapping[str, str]) -> Notification:
    """Paid only if `return_code` and `result_code` are both SUCCESS; anything else is a reason to ask."""
    if (fields.get("return_code"), fields.get("result_code")) == (SUCCESS, SUCCESS):
        payment = _payment_state(fields, outcome=Outcome.SUCCEEDED, status=SUCCESS)
        notification_id = f"{payment.trade_no}:{payment.number}"[:128]
        return Notification(notification_id=notification_id, kind=NotificationKind.PAYMENT, payment=payment)
    payment = _payment_state(fields, outcome=Outcome.UNKNOWN, status=fields.get("err_code") or "FAIL")
    return Notification(
        notification_id=f"{payment.trade_no or payment.number}:{payment.gateway_status}"[:128],
        kind=NotificationKind.PAYMENT,
        payment=payment,
    )


def refund_notification(sealed: Mapping[str, str]) -> Notification:
    refund = _refund_state(
        number=needed(sealed, "out_refund_no"),
        status=needed(sealed, "refund_status"),
        amount=needed(sealed, "refund_fee"),
        refunded_at=sealed.get("success_time", ""),
    )
    return Notification(
        notification_id=f"{needed(sealed, 'refund_id')}:{refund.gateway_status}"[:128],
        kind=NotificationKind.REFUND,
        payment=PaymentState(
            outcome=Outcome.SUCCEEDED,
            number=needed(sealed, "out_trade_no"),
            amount_fen=codec.fen(needed(sealed, "total_fee")),
            trade_no=sealed.get("transaction_id", ""),
        ),
        refund=refund,
    )
