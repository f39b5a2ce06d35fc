"""What only Alipay needs of the control API: its merchants, and an app that opens order strings."""

from typing import Any

from django.http import HttpRequest

from payments.simulator import book, shapes
from payments.simulator.addresses import public_url
from payments.simulator.alipay import certificates, gateway, merchants
from payments.simulator.alipay.refusals import Refusal
from payments.simulator.alipay.room import beijing
from payments.simulator.control import Body, ControlError
from payments.simulator.models import Merchant, Trade
from payments.simulator.money import yuan


def register(request: HttpRequest, body: Body) -> Merchant:
    """`app_id`, `seller_id`, `app_public_key` or `app_certificate`; `mode` is `key` or `certificate`; `name`."""
    if body.get("mode", "key") not in {"key", "certificate"}:
        raise ControlError(400, "mode is key or certificate")
    texts = {name: body.get(name, "") for name in ("app_id", "seller_id", "name", "app_public_key", "app_certificate")}
    if not all(isinstance(value, str) for value in texts.values()):
        raise ControlError(400, "ids, name, key and certificate are texts")
    try:
        return merchants.register(**texts, certificate_mode=body.get("mode") == "certificate")
    except merchants.UnusableMerchant as error:
        raise ControlError(400, str(error)) from error


def use_app(request: HttpRequest, body: Body) -> dict[str, Any]:
    """
    Be the Alipay app: open the `order_string` and pay it, unless `pay` is false (the payer steps back).

    Answers what the app hands back to the merchant's app, and the trade.
    """
    try:
        trade = gateway.open_order_string(str(body.get("order_string", "")))
    except Refusal as refusal:
        return {"resultStatus": "4000", "memo": refusal.node["sub_msg"], "result": "", "refusal": refusal.node}
    trade = book.open_trade(trade_id=trade.pk)
    if not body.get("pay", True):
        return {"resultStatus": "6001", "memo": "用户中途取消", "result": "", "trade": _trade(request, trade)}
    try:
        trade = book.pay(trade_id=trade.pk)
    except book.NotWaiting:
        return {"resultStatus": "4000", "memo": "交易已关闭", "result": "", "trade": _trade(request, trade)}
    return {"resultStatus": "9000", "memo": "", "result": _result(trade), "trade": _trade(request, trade)}


def _result(trade: Trade) -> str:
    node = {
        "code": "10000",
        "msg": "Success",
        "app_id": trade.merchant.app_id,
        "seller_id": trade.merchant.seller_id,
        "out_trade_no": trade.out_trade_no,
        "trade_no": trade.trade_no,
        "total_amount": yuan(trade.amount_fen),
        "charset": "utf-8",
        "timestamp": beijing(trade.paid_at),
    }
    text, signature = gateway.signed_node(trade.merchant, node)
    return f'{{"alipay_trade_app_pay_response":{text},"sign":"{signature}","sign_type":"RSA2"}}'


def _trade(request: HttpRequest, trade: Trade) -> dict[str, Any]:
    return shapes.trade(trade, public_url=public_url(request))


def merchant(request: HttpRequest, row: Merchant) -> dict[str, Any]:
    key = merchants.key_in_use(row)
    return shapes.merchant(row) | {
        "gateway_url": f"{public_url(request)}/alipay/gateway.do",
        "mode": "certificate" if row.app_cert_sn else "key",
        "alipay_public_key": key.public_key,
        "alipay_certificate": key.certificate,
        "alipay_cert_sn": key.cert_sn,
        "alipay_root_certificate": certificates.root()[2],
        "alipay_root_cert_sn": certificates.root_serial(),
    }
