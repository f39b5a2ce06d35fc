"""What each call does. A verb takes an admitted request and returns the answer's fields, or raises a refusal."""

import datetime
import re
from collections.abc import Callable, Mapping

from payments.simulator import book
from payments.simulator.faults import Strike
from payments.simulator.models import Refund, Trade
from payments.simulator.wechat import bill, room, trades
from payments.simulator.wechat.terms import TRADE_TYPES
from payments.simulator.wechat.v2 import terms, words
from payments.simulator.wechat.v2.refusals import Refusal, Turned, order_not_exist
from payments.simulator.wechat.v2.requests import Request

Fields = dict[str, str | int]
REFUNDS_PER_PAGE = 10


def unifiedorder(request: Request, strike: Strike) -> Fields:
    """The order exists from here on, whoever has seen its code."""
    asked = terms.read(request)
    try:
        trade = trades.place(request.merchant, asked)
    except book.AlreadyPaid as error:
        raise Refusal("ORDERPAID", "该订单已支付") from error
    except book.AlreadyClosed as error:
        raise Refusal("ORDERCLOSED", "该订单已关闭") from error
    except book.OtherTerms as error:
        raise Refusal("INVALID_REQUEST", "201 商户订单号重复") from error
    answer: Fields = {"prepay_id": trade.prepay_id, "trade_type": TRADE_TYPES[trade.product]}
    if trade.product == "native":
        answer["code_url"] = room.code_url(trade)
    if trade.product == "h5":
        answer["mweb_url"] = room.h5_url(trade, request.public_url)
    return answer


def orderquery(request: Request, strike: Strike) -> Fields:
    trade = _trade(request)
    state = "USERPAYING" if strike.kind == "user_paying" else room.status_word(trade)
    answer: Fields = {
        "out_trade_no": trade.out_trade_no,
        "trade_state": state,
        "trade_state_desc": words.STATES[state],
        **({"attach": trade.particulars["attach"]} if trade.particulars.get("attach") else {}),
    }
    return answer if state == "USERPAYING" or not trade.paid_at else answer | words.paid(trade)


def closeorder(request: Request, strike: Strike) -> Fields:
    trade = _trade(request)
    try:
        trades.close(trade, strike)
    except trades.TooEarly as error:
        raise Refusal("TRADE_STATE_ERROR", "订单生成后5分钟内不能关闭") from error
    except book.AlreadyPaid as error:
        raise Refusal("ORDERPAID", "订单已支付，不能发起关单") from error
    except book.AlreadyClosed as error:
        raise Refusal("ORDERCLOSED", "订单已关闭，无需继续调用") from error
    return {}


def refund(request: Request, strike: Strike) -> Fields:
    """SUCCESS says that it was accepted, no more."""
    content = request.content
    trade = _trade(request)
    terms.lengths(content)
    amount_fen, total_fen = terms.fen(content, "refund_fee"), terms.fen(content, "total_fee")
    number = terms.number(content, "out_refund_no")
    if total_fen != trade.amount_fen:
        raise Refusal("INVALID_REQUEST", "订单金额与支付时的不一致")
    if strike.kind == "not_enough":
        raise Refusal("NOTENOUGH", "基本账户余额不足，请充值后重新发起")
    made = _refund(request, trade, strike, number=number, amount_fen=amount_fen)
    return {
        "transaction_id": trade.trade_no,
        "out_trade_no": trade.out_trade_no,
        "out_refund_no": made.request_no,
        "refund_id": made.refund_no,
        "refund_channel": "",
        "refund_fee": made.amount_fen,
        "coupon_refund_fee": 0,
        "total_fee": trade.amount_fen,
        "cash_fee": trade.amount_fen,
        "coupon_refund_count": 0,
        "cash_refund_fee": made.amount_fen,
    }


def refundquery(request: Request, strike: Strike) -> Fields:
    """One refund, or those of an order, ten at a time from `offset` on."""
    content = request.content
    if content.get("refund_id") or content.get("out_refund_no"):
        try:
            found = trades.find_refund(
                request.merchant,
                out_refund_no=content.get("out_refund_no", ""),
                refund_id=content.get("refund_id", ""),
            )
        except trades.NoSuchRefund as error:
            raise Refusal("REFUNDNOTEXIST", "退款订单查询失败") from error
        trade, made, in_all = found.trade, [found], 1
    else:
        trade = _trade(request)
        every = list(trade.refunds.order_by("id"))
        offset = content.get("offset", "0")
        if not offset.isdecimal():
            raise Turned("offset参数格式错误")
        made, in_all = every[int(offset) : int(offset) + REFUNDS_PER_PAGE], len(every)
        if not made:
            raise Refusal("REFUNDNOTEXIST", "退款订单查询失败")
    answer: Fields = {
        "transaction_id": trade.trade_no,
        "out_trade_no": trade.out_trade_no,
        "total_fee": trade.amount_fen,
        "cash_fee": trade.amount_fen,
        "total_refund_count": in_all,
        "refund_count": len(made),
    }
    for index, each in enumerate(made):
        answer |= {f"{name}_{index}": value for name, value in words.refund(each).items()}
    return answer


def downloadbill(request: Request, strike: Strike) -> bytes:
    """The whole bill as text, or a no that has an `error_code` of its own; neither is signed."""
    content = request.content
    if content.get("bill_type", "ALL") != "ALL" or content.get("tar_type"):
        raise Turned("invalid bill_type", error_code="20001")
    try:
        return bill.write(merchant=request.merchant, day=_bill_date(content.get("bill_date", "")), strike=strike)
    except bill.NoBill as error:
        raise Turned("No Bill Exist", error_code="20002") from error
    except bill.BeingMade as error:
        raise Turned("Bill Creating", error_code="20003") from error


def pretended(request: Request) -> Fields:
    """The success that somebody between us would invent: nothing was done, and nobody can sign it."""
    content = request.content
    trade = Trade.objects.filter(merchant=request.merchant, out_trade_no=content.get("out_trade_no", "")).first()
    total = trade.amount_fen if trade else content.get("total_fee", "")
    invented: Fields = {
        "out_trade_no": content.get("out_trade_no", ""),
        "transaction_id": room.new_trade_no(),
        "trade_state": "SUCCESS",
        "trade_type": content.get("trade_type", "NATIVE"),
        "total_fee": total,
        "cash_fee": total,
        "prepay_id": room.new_prepay_id(),
        "code_url": f"{room.CODE}{room.new_token('v2')}",
        "out_refund_no": content.get("out_refund_no", ""),
        "refund_fee": content.get("refund_fee", ""),
        "refund_count": 1,
        "out_refund_no_0": content.get("out_refund_no", ""),
        "refund_fee_0": content.get("refund_fee", ""),
        "refund_status_0": "SUCCESS",
    }
    return {name: value for name, value in invented.items() if value != ""}


# path → the fault menu's verb, what is done, and whether the merchant must show its certificate
CALLS: Mapping[str, tuple[str, Callable[[Request, Strike], Fields | bytes], bool]] = {
    "pay/unifiedorder": ("create", unifiedorder, False),
    "pay/orderquery": ("query", orderquery, False),
    "pay/closeorder": ("close", closeorder, False),
    "secapi/pay/refund": ("refund", refund, True),
    "pay/refundquery": ("refund_query", refundquery, False),
    "pay/downloadbill": ("bill", downloadbill, False),
}


def _trade(request: Request) -> Trade:
    transaction_id = request.content.get("transaction_id", "")
    wanted = {"transaction_id": transaction_id}
    if not transaction_id:
        wanted = {"out_trade_no": terms.number(request.content, "out_trade_no")}
    try:
        return trades.find(request.merchant, **wanted)
    except trades.NoSuchTrade as error:
        raise order_not_exist() from error


def _bill_date(text: str) -> datetime.date:
    if not re.fullmatch(r"[0-9]{8}", text):
        raise Turned("invalid bill_date", error_code="20001")
    try:
        return datetime.date.fromisoformat(text)
    except ValueError as error:
        raise Turned("invalid bill_date", error_code="20001") from error


def _refund(request: Request, trade: Trade, strike: Strike, *, number: str, amount_fen: int) -> Refund:
    try:
        return trades.refund(
            trade,
            strike,
            api="v2",
            out_refund_no=number,
            amount_fen=amount_fen,
            reason=request.content.get("refund_desc", ""),
            notify_url=terms.notify_url(request.content),
        )
    except book.OtherTerms as error:
        raise Refusal("REFUND_FEE_MISMATCH", "订单金额或退款金额与之前请求不一致，请核实后再试") from error
    except book.RefundExceedsTrade as error:
        raise Refusal("INVALID_REQUEST", "累计退款金额大于支付金额") from error
    except trades.TooManyRefunds as error:
        raise Refusal("INVALID_REQUEST", "部分退款次数超过限制，一笔订单最多退款50次") from error
    except book.NotRefundable as error:
        if trade.paid_at:
            raise Refusal("TRADE_OVERDUE", "订单已经超过可退款的最大期限") from error
        raise Refusal("TRADE_STATE_ERROR", "订单未支付，不能退款") from error
