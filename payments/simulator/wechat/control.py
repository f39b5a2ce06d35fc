"""What only WeChat Pay needs of the control API: its merchants, its codes, and WeChat called by pages and apps."""

from typing import Any

from django.http import HttpRequest

from payments.simulator import book, shapes
from payments.simulator.addresses import public_url
from payments.simulator.control import Body, ControlError
from payments.simulator.models import Merchant, Trade
from payments.simulator.wechat import merchants, payer

TEXTS = ("app_id", "mch_id", "name", "app_public_key", "app_certificate", "mode", *merchants.SECRETS)


def register(request: HttpRequest, body: Body) -> Merchant:
    """
    `app_id`, `mch_id`, `app_public_key` or `app_certificate`; `mode` is `public_key`, `certificate` or `grey`; `name`;
    `api_key`, `api_v3_key`, `app_secret`; `closable_after_s`, 300 unless told otherwise.
    """
    texts = {name: body[name] for name in TEXTS if body.get(name)}
    seconds = body.get("closable_after_s", merchants.CLOSABLE_AFTER_S)
    if not all(isinstance(value, str) for value in texts.values()):
        raise ControlError(400, "ids, name, keys and certificate are texts")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
        raise ControlError(400, "closable_after_s is a whole number of seconds")
    try:
        return merchants.register(**{"app_id": "", "mch_id": "", **texts}, closable_after_s=seconds)
    except merchants.UnusableMerchant as error:
        raise ControlError(400, str(error)) from error


def merchant(request: HttpRequest, row: Merchant) -> dict[str, Any]:
    """`base_url` serves /pay/…, /secapi/pay/… and /v3/…; the OAuth addresses are beside it."""
    base, public_key = public_url(request), merchants.key_in_use(row, mode=merchants.PUBLIC_KEY)
    return shapes.merchant(row) | {
        "mch_id": row.seller_id,
        "mode": row.particulars["mode"],
        "closable_after_s": row.particulars["closable_after_s"],
        **{name: merchants.secret(row, name) for name in merchants.SECRETS},
        "platform_public_key_id": public_key.cert_sn,
        "platform_public_key": public_key.public_key,
        "platform_certificates": [key.certificate for key in merchants.platform_certificates(row)],
        "platform_certificate_serials": [key.cert_sn for key in merchants.platform_certificates(row)],
        "base_url": base,
        "oauth_authorize_url": f"{base}/connect/oauth2/authorize",
        "oauth_token_url": f"{base}/sns/oauth2/access_token",
    }


def scan(request: HttpRequest, body: Body) -> dict[str, Any]:
    """Be WeChat before `code_url`: answers the trade that it opens."""
    try:
        return _trade(request, payer.scan(str(body.get("code_url", ""))))
    except payer.Refused as refused:
        raise ControlError(404, str(refused)) from refused


def call(request: HttpRequest, body: Body) -> dict[str, Any]:
    """
    Be WeChat called by a page or an app with `parameters`: pay, unless `pay` is false (the payer steps back).

    Answers `result`: `ok`, `cancel`, or `fail` with a `refusal`; and the trade.
    """
    parameters = body.get("parameters")
    if not isinstance(parameters, dict) or not all(isinstance(value, str) for value in parameters.values()):
        raise ControlError(400, "parameters is an object of texts")
    try:
        trade = payer.called(parameters)
    except payer.Refused as refused:
        return {"result": "fail", "refusal": str(refused)}
    if not body.get("pay", True):
        return {"result": "cancel", "trade": _trade(request, trade)}
    try:
        trade = book.pay(trade_id=trade.pk)
    except book.NotWaiting:
        return {"result": "fail", "refusal": "订单已支付或已关闭", "trade": _trade(request, trade)}
    return {"result": "ok", "trade": _trade(request, trade)}


def _trade(request: HttpRequest, trade: Trade) -> dict[str, Any]:
    return shapes.trade(trade, public_url=public_url(request))
