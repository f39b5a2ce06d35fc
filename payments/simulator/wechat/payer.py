"""The payer's side of WeChat: who they are, the code they scan, and what a page or an app hands to WeChat."""

import base64
import hashlib
from collections.abc import Mapping

from django.db.models import QuerySet

from payments.simulator import book
from payments.simulator.models import Merchant, Trade
from payments.simulator.wechat import merchants
from payments.simulator.wechat.room import CODE
from payments.simulator.wechat.v2 import signing
from payments.simulator.wechat.v3 import paysign

BANK_TYPE = "OTHERS"  # with what they pay: something other than a bank WeChat has a name for
FOR_PAGES = ("appId", "timeStamp", "nonceStr", "package", "signType", "paySign")


class Refused(Exception):
    """WeChat does not open the payment; the text says why."""


def openid(app_id: str, browser: str = "") -> str:
    """Who holds this browser, as one app knows them: always the same, and to another app somebody else."""
    digest = hashlib.sha256(f"{app_id} {browser}".encode()).digest()
    return "o" + base64.urlsafe_b64encode(digest).decode()[:27]


def openid_of(trade: Trade) -> str:
    """Who pays: the one the merchant named, or whoever plays with this simulator."""
    return str(trade.particulars.get("openid") or openid(trade.merchant.app_id))


def scan(code_url: str) -> Trade:
    """
    What a `weixin://` code leads to.

    :raises Refused: to nothing
    """
    token = code_url.removeprefix(CODE)
    trade = _trades().filter(token=token, product="native").first()
    if trade is None or token == code_url:
        raise Refused("二维码无效")
    return trade


def open_h5(prepay_id: str) -> Trade:
    """
    What the page for phone browsers leads to.

    :raises Refused: to nothing
    """
    trade = _trades().filter(prepay_id=prepay_id, product="h5").first()
    if not prepay_id or trade is None:
        raise Refused("支付请求已失效，请重新发起支付")
    return trade


def called(parameters: Mapping[str, str]) -> Trade:
    """
    What a page (JSAPI) or an app asks WeChat to open, once the second signature is known to be the merchant's.

    :raises Refused: unsigned, of another app, or not an order that this way can pay
    """
    if "paySign" in parameters:
        return _called_by_page(parameters)
    return _called_by_app({name.lower(): value for name, value in parameters.items()})


def _called_by_page(parameters: Mapping[str, str]) -> Trade:
    for name in FOR_PAGES:
        if not parameters.get(name):
            raise Refused(f"调用支付JSAPI缺少参数：{name}")
    prepay_id = parameters["package"].removeprefix("prepay_id=")
    # Document 003 hands out these parameters beside a code to scan, so they open what the code opens.
    trade = _prepaid(prepay_id, app_id=parameters["appId"], products=("jsapi", "native"))
    signed = {name: parameters[name] for name in FOR_PAGES if name != "paySign"}
    sign_type = parameters["signType"]
    if sign_type == "RSA":
        genuine = paysign.holds(
            merchant=trade.merchant,
            app_id=parameters["appId"],
            timestamp=parameters["timeStamp"],
            nonce=parameters["nonceStr"],
            package=parameters["package"],
            signature=parameters["paySign"],
        )
    else:
        genuine = sign_type in signing.SIGN_TYPES and _digest_holds(
            trade.merchant, signed, parameters["paySign"], sign_type
        )
    if not genuine:
        raise Refused("支付验证签名失败")
    return trade


def _called_by_app(parameters: Mapping[str, str]) -> Trade:
    """Names in lower case: SDKs for Android and iOS, v2 and APIv3 spell them differently."""
    package = parameters.get("package") or parameters.get("packagevalue", "")
    for name in ("appid", "partnerid", "prepayid", "noncestr", "timestamp", "sign"):
        if not parameters.get(name):
            raise Refused(f"缺少参数：{name}")
    trade = _prepaid(parameters["prepayid"], app_id=parameters["appid"], products=("app",))
    if parameters["partnerid"] != trade.merchant.seller_id or package != "Sign=WXPay":
        raise Refused("参数错误：partnerid或package")
    if trade.api == "v3":
        genuine = paysign.holds(
            merchant=trade.merchant,
            app_id=parameters["appid"],
            timestamp=parameters["timestamp"],
            nonce=parameters["noncestr"],
            package=parameters["prepayid"],
            signature=parameters["sign"],
        )
    else:
        signed = {name: parameters[name] for name in ("appid", "partnerid", "prepayid", "noncestr", "timestamp")}
        sign_type = trade.particulars["sign_type"]
        genuine = _digest_holds(trade.merchant, signed | {"package": package}, parameters["sign"], sign_type)
    if not genuine:
        raise Refused("签名验证失败")
    return trade


def _prepaid(prepay_id: str, *, app_id: str, products: tuple[str, ...]) -> Trade:
    trade = _trades().filter(prepay_id=prepay_id, merchant__app_id=app_id, product__in=products).first()
    if not prepay_id or trade is None:
        raise Refused("支付订单不存在，或不属于该AppID")
    return trade


def _digest_holds(merchant: Merchant, signed: Mapping[str, str], signature: str, sign_type: str) -> bool:
    key = merchants.secret(merchant, "api_key")
    return signing.verifies(signed, signature, key=key, sign_type=sign_type)


def _trades() -> QuerySet[Trade]:
    book.close_expired()
    return Trade.objects.select_related("merchant").filter(merchant__gateway=merchants.GATEWAY)
