"""What each call does. A verb takes an admitted request and returns the answer's node, or raises Refusal."""

import base64
import contextlib
import datetime
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from payments.simulator import bills, book
from payments.simulator.alipay import bill, terms
from payments.simulator.alipay.merchants import GATEWAY
from payments.simulator.alipay.refusals import Refusal, business, invalid_parameter, trade_not_exist
from payments.simulator.alipay.requests import Request
from payments.simulator.alipay.room import BUYER_ID, BUYER_LOGON_ID, beijing, code_url, status_word
from payments.simulator.faults import Strike
from payments.simulator.models import GatewayKey, Refund, Trade
from payments.simulator.money import yuan

Node = dict[str, str]


def offer(request: Request, *, product: str) -> Trade:
    """
    Take note of what the merchant asks for, for any product.

    :raises Refusal: ACQ.TRADE_HAS_SUCCESS, ACQ.TRADE_HAS_CLOSE, ACQ.CONTEXT_INCONSISTENT, or bad parameters
    """
    asked = terms.read(request, product=product)
    try:
        return book.offer(merchant=request.merchant, terms=asked)
    except book.AlreadyPaid as error:
        raise business("ACQ.TRADE_HAS_SUCCESS", "交易已被支付") from error
    except book.AlreadyClosed as error:
        raise business("ACQ.TRADE_HAS_CLOSE", "交易已经关闭") from error
    except book.OtherTerms as error:
        raise business("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改") from error


def precreate(request: Request, strike: Strike, public_url: str) -> Node:
    """A code to scan. No trade exists until somebody scans it."""
    trade = offer(request, product="precreate")
    return {"out_trade_no": trade.out_trade_no, "qr_code": code_url(trade, public_url)}


def query(request: Request, strike: Strike, public_url: str) -> Node:
    trade = _trade(request)
    node = {
        "buyer_logon_id": BUYER_LOGON_ID,
        "buyer_user_id": BUYER_ID,
        "buyer_user_type": "PRIVATE",
        "buyer_pay_amount": yuan(trade.amount_fen if trade.paid_at else 0),
        "invoice_amount": yuan(trade.amount_fen if trade.paid_at else 0),
        "receipt_amount": yuan(trade.amount_fen if trade.paid_at else 0),
        "point_amount": "0.00",
        "out_trade_no": trade.out_trade_no,
        "total_amount": yuan(trade.amount_fen),
        "trade_no": trade.trade_no,
        "trade_status": status_word(trade),
    }
    return node | ({"send_pay_date": beijing(trade.paid_at)} if trade.paid_at else {})


def close(request: Request, strike: Strike, public_url: str) -> Node:
    """Only a trade that waits for its payer can be closed; a code that nobody scanned is no trade."""
    trade = _trade(request)
    if strike.kind == "close_refused":
        raise business("ACQ.REASON_TRADE_STATUS_INVALID", "交易状态异常")
    if strike.kind == "order_paid":
        with contextlib.suppress(book.NotWaiting):  # the close below is refused all the same
            book.pay(trade_id=trade.pk)
    try:
        book.close(trade_id=trade.pk)
    except book.NotWaiting as error:
        raise business("ACQ.TRADE_STATUS_ERROR", "交易状态不合法") from error
    return {"out_trade_no": trade.out_trade_no, "trade_no": trade.trade_no}


def refund(request: Request, strike: Strike, public_url: str) -> Node:
    """`fund_change` Y only where this very call moved money; `refund_fee` is the sum of all refunds so far."""
    trade = _trade(request)
    amount_fen = terms.fen(request.content, "refund_amount")
    request_no = terms.number(request.content, "out_request_no", required=False)
    if not request_no and amount_fen != trade.amount_fen:
        raise business("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "撤销或退款金额与订单金额不一致", **_no_fees(trade))
    made, moved = _refund(trade, request_no or trade.out_trade_no, amount_fen, request, strike)
    trade = Trade.objects.get(pk=trade.pk)
    return {
        "buyer_logon_id": BUYER_LOGON_ID,
        "buyer_user_id": BUYER_ID,
        "fund_change": "Y" if moved and strike.kind != "fund_change_n" else "N",
        **({"gmt_refund_pay": beijing(made.made_at)} if made.moved else {}),
        "out_trade_no": trade.out_trade_no,
        "refund_fee": yuan(trade.refunded_fen),
        "send_back_fee": "0.00",
        "trade_no": trade.trade_no,
    }


def refund_query(request: Request, strike: Strike, public_url: str) -> Node:
    """10000 says only that the question was understood: a refund that did not happen is an empty answer."""
    trade = _trade(request)
    request_no = terms.number(request.content, "out_request_no")
    made = trade.refunds.filter(request_no=request_no, moved=True).first()
    if made is None:
        return {}
    return {
        "out_request_no": made.request_no,
        "out_trade_no": trade.out_trade_no,
        "refund_amount": yuan(made.amount_fen),
        "refund_status": "REFUND_SUCCESS",
        "total_amount": yuan(trade.amount_fen),
        "trade_no": trade.trade_no,
    }


def certificate(request: Request, strike: Strike, public_url: str) -> Node:
    """Alipay's certificate of a serial number, for a merchant that meets one it does not know."""
    cert_sn = terms.text(request.content, "alipay_cert_sn", 64)
    key = GatewayKey.objects.filter(merchant=request.merchant, cert_sn=cert_sn).first()
    if key is None:
        raise Refusal("40002", "isv.alipay-cert-not-exist", "支付宝公钥证书不存在")
    return {"alipay_cert_content": base64.b64encode(key.certificate.encode()).decode()}


def bill_address(request: Request, strike: Strike, public_url: str) -> Node:
    """Where the bill of a day (of all trades, the one kind that is played here) can be fetched, for half a minute."""
    if request.content.get("bill_type") != "trade":
        raise business("isv.invalid_arguments", "入参不合法：模拟网关只支持bill_type为trade的账单")
    try:
        text = terms.text(request.content, "bill_date", 10)
        day = datetime.datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise business("isv.invalid_arguments", "入参不合法：bill_date格式为yyyy-MM-dd") from error
    try:
        content = bill.write(merchant=request.merchant, day=day, strike=strike)
    except bill.NoBill as error:
        raise business("isp.bill_not_exist", "账单不存在") from error
    kept = bills.keep_file(merchant=request.merchant, content=content)
    parts = {
        "bizType": "trade",
        "userId": request.merchant.seller_id,
        "fileType": "csv.zip",
        "bizDates": f"{day:%Y%m%d}",
        "token": kept.token,
    }
    return {"bill_download_url": f"{public_url}/alipay/downloadBillFile.resource?{urlencode(parts)}"}


def pretended(request: Request) -> Node:
    """The success that somebody between us would invent: nothing was done, and nobody can sign it."""
    number, amount = request.content.get("out_trade_no", ""), request.content.get("refund_amount", "")
    trade = Trade.objects.filter(merchant=request.merchant, out_trade_no=number).first()
    invented = {
        "out_trade_no": number,
        "out_request_no": request.content.get("out_request_no", ""),
        "trade_no": trade.trade_no if trade else "",
        "trade_status": "TRADE_SUCCESS",
        "total_amount": yuan(trade.amount_fen) if trade else request.content.get("total_amount", ""),
        "qr_code": "https://qr.alipay.com/baxnobodyknowsthiscode00",
        "fund_change": "Y",
        "refund_fee": amount,
        "refund_amount": amount,
        "refund_status": "REFUND_SUCCESS",
    }
    return {name: str(value) for name, value in invented.items() if value}


# method → the fault menu's verb, and what is done
CALLS: Mapping[str, tuple[str, Callable[[Request, Strike, str], Node]]] = {
    "alipay.trade.precreate": ("create", precreate),
    "alipay.trade.query": ("query", query),
    "alipay.trade.close": ("close", close),
    "alipay.trade.refund": ("refund", refund),
    "alipay.trade.fastpay.refund.query": ("refund_query", refund_query),
    "alipay.data.dataservice.bill.downloadurl.query": ("bill", bill_address),
    "alipay.open.app.alipaycert.download": ("certificate", certificate),
}
# method → product, for what a payer's browser brings
LINKS = {"alipay.trade.page.pay": "page", "alipay.trade.wap.pay": "wap"}
APP_METHOD = "alipay.trade.app.pay"


def _trade(request: Request) -> Trade:
    trade_no = terms.text(request.content, "trade_no", 64)
    if not trade_no and not request.content.get("out_trade_no"):
        raise invalid_parameter("out_trade_no与trade_no不能同时为空")
    wanted = {"trade_no": trade_no} if trade_no else {"out_trade_no": terms.number(request.content, "out_trade_no")}
    trade = Trade.objects.filter(merchant__gateway=GATEWAY, merchant=request.merchant, **wanted).first()
    if trade is None or not trade.exists:
        raise trade_not_exist()
    return trade


def _refund(trade: Trade, request_no: str, amount_fen: int, request: Request, strike: Strike) -> tuple[Refund, bool]:
    try:
        return book.refund(
            trade_id=trade.pk,
            request_no=request_no,
            amount_fen=amount_fen,
            reason=terms.text(request.content, "refund_reason", 256),
            moves=strike.kind != "refund_not_done",
        )
    except book.OtherTerms as error:
        raise business("ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致", **_no_fees(trade)) from error
    except book.RefundExceedsTrade as error:
        raise business("ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额无效", **_no_fees(trade)) from error
    except book.NotRefundable as error:
        if trade.status == Trade.Status.FINISHED:
            raise business("ACQ.TRADE_HAS_FINISHED", "交易已完结", **_no_fees(trade)) from error
        raise business("ACQ.TRADE_STATUS_ERROR", "交易状态不合法", **_no_fees(trade)) from error


def _no_fees(trade: Trade) -> Node:
    return {"out_trade_no": trade.out_trade_no, "refund_fee": "0.00", "send_back_fee": "0.00"}
