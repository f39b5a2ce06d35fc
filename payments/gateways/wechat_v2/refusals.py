"""
What WeChat's verified answers with `result_code` FAIL mean.

A signed no is believed, but only the listed codes are believed for ever: money that was reserved for a refund is let
go on a permanent no, so a code nobody has met yet must not count as one. What an account's keys and rights cause
(SIGNERROR, NOAUTH, APPID_MCHID_NOT_MATCH, CERT_ERROR …) is not permanent either: staff can mend it.

Source: the error tables of pay.weixin.qq.com/doc/v2/merchant/4011936530 (unifiedorder) and its siblings
"""

from collections.abc import Mapping

from payments.gateways.base import BillNotReady, GatewayRefused, GatewayUnavailable

ORDER_PAID = "ORDERPAID"
ORDER_CLOSED = "ORDERCLOSED"
ORDER_NOT_EXIST = "ORDERNOTEXIST"
REFUND_NOT_EXIST = "REFUNDNOTEXIST"
NO_BILL, BILL_CREATING = {"20002", "no bill exist"}, {"20003", "bill creating"}  # error_code or return_msg
CERTIFICATE_MISSING = "CERTIFICATE_MISSING"  # ours: nothing was sent

UNKNOWN = {
    "SYSTEMERROR",  # "call again with the same parameters": it may have been done
    "SYSTEM_ERROR",
    "BIZERR_NEED_RETRY",  # refunds: "try again, do not change the refund number"
}
PERMANENT = {
    ORDER_PAID,
    ORDER_CLOSED,
    ORDER_NOT_EXIST,
    "OUT_TRADE_NO_USED",  # this number, other parameters
    "INVALID_REQUEST",  # also: this number, other parameters ("201 商户订单号重复"); a refund of more than is left
    "PARAM_ERROR",
    "LACK_PARAMS",
    "INVALID_TRANSACTIONID",
    "TRADE_OVERDUE",  # refunds: more than a year after the payment
    "USER_ACCOUNT_ABNORMAL",  # refunds: the payer's account is gone
    "REFUND_FEE_MISMATCH",  # this refund number, another amount
}
# A close may be refused for what the trade is by now, or because it is younger than five minutes. WeChat documents
# that it refuses then, not with which code. (INVALID_REQUEST and TRADE_ERROR are seen in its v3 tables.)
NOT_TO_CLOSE = {"TRADE_STATE_ERROR", "TRADE_ERROR", "INVALID_REQUEST", "RULE_LIMIT", "RULELIMIT", "USERPAYING"}


def check(answer: Mapping[str, str]) -> None:
    """
    :raises GatewayRefused: a definite no
    :raises GatewayUnavailable: WeChat does not know itself what became of the call
    """
    result, code = answer.get("result_code", ""), answer.get("err_code", "")
    if (answer.get("return_code"), result) == ("SUCCESS", "SUCCESS"):
        return
    message = answer.get("err_code_des", "") or answer.get("return_msg", "")
    if answer.get("return_code") != "SUCCESS" or result != "FAIL" or not code or code in UNKNOWN:
        raise GatewayUnavailable(f"{code or result} {message}".strip())
    raise GatewayRefused(code, message, permanent=code in PERMANENT)


def check_bill(answer: Mapping[str, str]) -> None:
    """
    What comes instead of a bill, unsigned. Returns if it says that there is none.

    :raises BillNotReady: it is being made
    :raises GatewayUnavailable: anything else, of which nothing may follow
    """
    said = {answer.get("error_code", ""), answer.get("return_msg", "").lower()}
    if said & BILL_CREATING:
        raise BillNotReady(answer.get("return_msg", "")[:200])
    if not said & NO_BILL:
        told = " ".join(answer.get(name, "")[:200] for name in ("return_code", "error_code", "return_msg"))
        raise GatewayUnavailable(f"no bill: {told}")
