"""
What Alipay's verified answers that are not `10000` mean.

A signed no is believed, but only the listed codes are believed for ever: money that was reserved for a refund is let
go on a permanent no, so a code nobody has met yet must not count as one.
"""

from collections.abc import Mapping
from typing import Any

from payments.gateways.base import GatewayRefused, GatewayUnavailable

SUCCESS = "10000"
DEFINITE = {
    "20001",  # authorisation token insufficient
    "40001",  # parameter missing
    "40002",  # parameter invalid, also: application, signature or time wrong
    "40003",  # conditions insufficient
    "40004",  # business refused, see sub_code
    "40005",  # called too often
    "40006",  # not permitted
}
TRADE_NOT_EXIST = "ACQ.TRADE_NOT_EXIST"
NO_BILL = {"isp.bill_not_exist", "isv.bill-not-exist", "BILL_NOT_EXIST"}  # as met, and as documented at one time
NOT_WAITING_FOR_PAYMENT = {
    "ACQ.TRADE_STATUS_ERROR",
    "ACQ.REASON_TRADE_STATUS_INVALID",
    "ACQ.REASON_ILLEGAL_STATUS",
    "ACQ.TRADE_HAS_SUCCESS",
    "ACQ.TRADE_HAS_FINISHED",
    "ACQ.TRADE_HAS_CLOSE",
}
PERMANENT = NOT_WAITING_FOR_PAYMENT | {
    TRADE_NOT_EXIST,
    "isv.invalid-parameter",
    "ACQ.INVALID_PARAMETER",
    "ACQ.CONTEXT_INCONSISTENT",  # this number, other parameters
    "ACQ.TOTAL_FEE_EXCEED",
    "ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR",
    "ACQ.EXIST_FORBIDDEN_WORD",
    "ACQ.BUYER_SELLER_EQUAL",
    "ACQ.TRADE_BUYER_NOT_MATCH",
    "ACQ.DISCORDANT_REPEAT_REQUEST",  # this refund number, another amount
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR",
    "ACQ.REFUND_FEE_ERROR",
    "ACQ.TRADE_NOT_ALLOW_REFUND",
    "ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND",
}


def check(answer: Mapping[str, Any]) -> None:
    """
    :raises GatewayRefused: a definite no
    :raises GatewayUnavailable: Alipay does not know itself what became of the call
    """
    code, sub_code = str(answer.get("code", "")), str(answer.get("sub_code", ""))
    if code == SUCCESS:
        return
    message = f"{answer.get('msg', '')} {answer.get('sub_msg', '')}".strip()
    is_theirs = sub_code.endswith("SYSTEM_ERROR") or sub_code.startswith(("isp.", "aop."))
    if code not in DEFINITE or (is_theirs and sub_code not in NO_BILL):
        raise GatewayUnavailable(f"{code} {sub_code} {message}")
    raise GatewayRefused(sub_code or code, message, permanent=sub_code in PERMANENT)
