"""What each call does. It takes a request that is the merchant's and returns status and body, or raises Refusal."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

from payments.simulator import book
from payments.simulator.faults import Strike
from payments.simulator.models import Trade
from payments.simulator.wechat import certificates, merchants, room, terms, trades
from payments.simulator.wechat.merchants import PUBLIC_KEY
from payments.simulator.wechat.v3 import aead, bodies, resources
from payments.simulator.wechat.v3.refusals import (
    Refusal,
    invalid_request,
    order_not_exist,
    parameter,
    resource_not_exists,
)
from payments.simulator.wechat.v3.requests import Request

Body = Mapping[str, Any] | None  # None: nothing to say, 204
Call = Callable[[Request, Strike], Body]
H5_TYPES = {"iOS", "Android", "Wap"}


def create(request: Request, strike: Strike) -> Body:
    """
    An order, for the product that stands in the path. It exists from now on.

    :raises Refusal: PARAM_ERROR, APPID_MCHID_NOT_MATCH, ORDERPAID, ORDER_CLOSED, INVALID_REQUEST
    """
    product = request.path["product"]
    asked = _terms(request, product)
    try:
        trade = trades.place(request.merchant, asked)
    except book.AlreadyPaid as error:
        raise _paid() from error
    except book.AlreadyClosed as error:
        raise _closed() from error
    except book.OtherTerms as error:
        raise invalid_request("请求重入时，参数与首次请求时不一致，请检查参数") from error
    if product == "native":
        return {"code_url": room.code_url(trade)}
    if product == "h5":
        return {"h5_url": room.h5_url(trade, public_url=request.public_url)}
    return {"prepay_id": trade.prepay_id}


def query(request: Request, strike: Strike) -> Body:
    """An order by WeChat Pay's number or by the merchant's."""
    bodies.check_mchid(request.query.get("mchid", ""), mchid=request.merchant.seller_id, location="query")
    trade = _trade(request)
    paying = strike.kind == "user_paying" and trade.payable
    return resources.transaction(trade, state="USERPAYING" if paying else "")


def close(request: Request, strike: Strike) -> Body:
    """
    End an unpaid order.

    :raises Refusal: ORDERPAID, ORDER_CLOSED, ORDER_NOT_EXIST; INVALID_REQUEST where it is too early
    """
    bodies.check_mchid(bodies.text(request.content, "mchid", 32), mchid=request.merchant.seller_id, location="body")
    try:
        trades.close(_trade(request), strike)
    except book.AlreadyPaid as error:
        raise _paid() from error
    except book.AlreadyClosed as error:
        raise _closed() from error
    except trades.TooEarly as error:
        raise invalid_request("订单生成后不能马上调用关单接口，最短调用时间间隔为5分钟") from error
    return None


def refund(request: Request, strike: Strike) -> Body:
    """
    Accept a refund; PROCESSING is the usual answer, and what becomes of it is told or asked for later.

    :raises Refusal: PARAM_ERROR, RESOURCE_NOT_EXISTS, NOT_ENOUGH, INVALID_REQUEST
    """
    content = request.content
    number = bodies.text(content, "out_refund_no", 64, required=True)
    bodies.check_number(number, terms.REFUND_NUMBER, location="body", name="out_refund_no")
    amount = bodies.part(content, "amount")
    bodies.check_currency(amount, required=True)
    amount_fen, total_fen = bodies.fen(amount, "refund"), bodies.fen(amount, "total")
    trade = _refunded_trade(request)
    if total_fen != trade.amount_fen:
        raise _other_terms()
    if strike.kind == "not_enough":
        raise Refusal(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")
    try:
        made = trades.refund(
            trade,
            strike,
            api="v3",
            out_refund_no=number,
            amount_fen=amount_fen,
            reason=bodies.text(content, "reason", 80),
            notify_url=bodies.notify_url(content, required=False),
        )
    except book.OtherTerms as error:
        raise _other_terms() from error
    except book.NotRefundable as error:
        raise invalid_request("订单已超过退款期限" if trade.paid_at else "订单未支付，不可退款") from error
    except book.RefundExceedsTrade as error:
        raise invalid_request("申请退款金额大于订单可退金额") from error
    except trades.TooManyRefunds as error:
        raise invalid_request("订单退款次数已达上限") from error
    return resources.refund(made)


def refund_query(request: Request, strike: Strike) -> Body:
    try:
        return resources.refund(trades.find_refund(request.merchant, out_refund_no=request.path["out_refund_no"]))
    except trades.NoSuchRefund as error:
        raise resource_not_exists("退款单不存在") from error


def download_certificates(request: Request, strike: Strike) -> Body:
    """The platform certificates under the APIv3 key. A merchant that uses the public key has none."""
    if request.merchant.particulars["mode"] == PUBLIC_KEY:
        raise resource_not_exists("无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥")
    api_v3_key = merchants.secret(request.merchant, "api_v3_key")
    told = []
    for key in merchants.platform_certificates(request.merchant):
        certificate, _ = certificates.read(key.certificate)
        told.append(
            {
                "serial_no": key.cert_sn,
                "effective_time": resources.rfc3339(certificate.not_valid_before_utc),
                "expire_time": resources.rfc3339(certificate.not_valid_after_utc),
                "encrypt_certificate": aead.envelope(
                    key.certificate, api_v3_key=api_v3_key, associated_data="certificate"
                ),
            }
        )
    return {"data": told}


def number_of(request: Request) -> str:
    """The merchant's number of the order that a request is about; empty where it is about none."""
    return trades.number_of(request.merchant, {**request.content, **request.path})


def _terms(request: Request, product: str) -> book.Terms:
    content = request.content
    app_id = bodies.text(content, "appid", 32, required=True)
    bodies.check_mchid(bodies.text(content, "mchid", 32), mchid=request.merchant.seller_id, location="body")
    if app_id != request.merchant.app_id:
        raise Refusal(400, "APPID_MCHID_NOT_MATCH", "商户号mchid与appid不匹配")
    number = bodies.text(content, "out_trade_no", 32, required=True)
    bodies.check_number(number, terms.TRADE_NUMBER, location="body", name="out_trade_no")
    amount = bodies.part(content, "amount")
    bodies.check_currency(amount, required=False)
    said = {"attach": bodies.text(content, "attach", 128), "goods_tag": bodies.text(content, "goods_tag", 32)}
    if product == "jsapi":
        said["openid"] = bodies.text(bodies.part(content, "payer"), "openid", 128, required=True, within="payer/")
    if product == "h5":
        _check_scene(content)
    return terms.terms(
        api="v3",
        product=product,
        out_trade_no=number,
        amount_fen=bodies.fen(amount, "total"),
        subject=bodies.text(content, "description", 127, required=True),
        notify_url=bodies.notify_url(content, required=True),
        pay_until=bodies.time_expire(content),
        particulars={name: value for name, value in said.items() if value},
    )


def _check_scene(content: Mapping[str, Any]) -> None:
    """H5 must say whose phone it is."""
    scene = bodies.part(content, "scene_info")
    address = bodies.text(scene, "payer_client_ip", 45, required=True, within="scene_info/")
    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise parameter("body", "scene_info/payer_client_ip", "格式校验失败，须为IPv4或IPv6地址") from error
    kind = bodies.part(scene, "h5_info", within="scene_info/")
    if bodies.text(kind, "type", 32, required=True, within="scene_info/h5_info/") not in H5_TYPES:
        raise parameter("body", "scene_info/h5_info/type", "枚举规则校验失败，可选值为iOS、Android、Wap")


def _trade(request: Request) -> Trade:
    transaction_id, number = request.path.get("transaction_id", ""), request.path.get("out_trade_no", "")
    if not transaction_id:
        bodies.check_number(number, terms.TRADE_NUMBER, location="uri_template", name="out_trade_no")
    try:
        return trades.find(request.merchant, out_trade_no=number, transaction_id=transaction_id)
    except trades.NoSuchTrade as error:
        raise order_not_exist() from error


def _refunded_trade(request: Request) -> Trade:
    transaction_id = bodies.text(request.content, "transaction_id", 32)
    number = bodies.text(request.content, "out_trade_no", 32)
    if not transaction_id and not number:
        raise parameter("body", "out_trade_no", "必填性规则校验失败，transaction_id和out_trade_no必须二选一")
    try:
        return trades.find(request.merchant, out_trade_no=number, transaction_id=transaction_id)
    except trades.NoSuchTrade as error:
        raise resource_not_exists("订单不存在") from error


def _paid() -> Refusal:
    return Refusal(400, "ORDERPAID", "该订单已支付")


def _closed() -> Refusal:
    return Refusal(400, "ORDER_CLOSED", "订单已关闭")


def _other_terms() -> Refusal:
    return invalid_request("订单金额或退款金额与之前请求不一致，请核实后再试")
