"""A request at the door: who sends it, and whether they signed it."""

import dataclasses
from collections.abc import Mapping

from django.http import HttpRequest

from payments.simulator.models import Merchant
from payments.simulator.wechat import merchants
from payments.simulator.wechat.v2 import messages, signing
from payments.simulator.wechat.v2.refusals import Turned

# A front that ends TLS says here which certificate the merchant showed; over plain HTTP there is none to show.
CERTIFICATE_HEADER = "X-Client-Cert-Serial"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A request that this merchant has signed."""

    merchant: Merchant
    sign_type: str
    content: Mapping[str, str]
    public_url: str


def admit(request: HttpRequest, *, public_url: str, certified: bool) -> Request:
    """
    Check a request as WeChat Pay does, its form before its signature.

    `certified`: the merchant has to show its certificate.

    :raises Turned: all of them
    """
    content = _content(request)
    merchant = _merchant(content)
    sign_type = content.get("sign_type") or signing.MD5
    if sign_type not in signing.SIGN_TYPES:
        raise Turned("sign_type参数错误")
    key = merchants.secret(merchant, "api_key")
    if not signing.verifies(content, content["sign"], key=key, sign_type=sign_type):
        raise Turned("签名错误，请检查后再试")
    shown = request.headers.get(CERTIFICATE_HEADER)
    if certified and shown is not None and shown.upper() != merchant.app_cert_sn:
        raise Turned("证书验证失败")
    return Request(merchant=merchant, sign_type=sign_type, content=content, public_url=public_url)


def _content(request: HttpRequest) -> dict[str, str]:
    if request.method != "POST":
        raise Turned("请使用post方法")
    if not request.body:
        raise Turned("post数据为空")
    try:
        request.body.decode()
    except UnicodeDecodeError as error:
        raise Turned("编码格式错误，请使用UTF-8编码") from error
    try:
        return messages.read(request.body)
    except messages.NotAMessage as error:
        raise Turned("XML格式错误") from error


def _merchant(content: Mapping[str, str]) -> Merchant:
    for name in ("appid", "mch_id", "nonce_str", "sign"):
        if not content.get(name):
            raise Turned(f"缺少参数{name}")
    if len(content["nonce_str"]) > 32:
        raise Turned("nonce_str参数长度有误")
    merchant = merchants.find(content["mch_id"])
    if merchant is None:
        raise Turned("商户号mch_id不存在")
    if merchant.app_id != content["appid"]:
        raise Turned("商户号mch_id与appid不匹配")
    return merchant
