"""A request at the door: who sends it, whether they signed it, and what stands in it."""

import dataclasses
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from payments.simulator import rsa
from payments.simulator.addresses import public_url
from payments.simulator.models import Merchant
from payments.simulator.wechat import merchants
from payments.simulator.wechat.v3 import signing
from payments.simulator.wechat.v3.refusals import Refusal, sign_error

CLOCK_MAY_BE_OFF_S = 300
PARTS = {"mchid", "nonce_str", "timestamp", "serial_no", "signature"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A request that this merchant has signed."""

    merchant: Merchant
    path: Mapping[str, str]  # what stood in the path's places
    query: Mapping[str, str]
    content: Mapping[str, Any]  # the JSON body; empty for GET
    public_url: str  # how the payer reaches us


def merchant_of(request: HttpRequest) -> Merchant:
    """
    The merchant whose signature the request carries, over the bytes that came.

    :raises Refusal: 401 SIGN_ERROR, unsigned, as nobody is known yet to sign for
    """
    parts = _authorization(request.headers.get("Authorization", ""))
    if abs(time.time() - int(parts["timestamp"])) > CLOCK_MAY_BE_OFF_S:
        raise sign_error("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
    merchant = merchants.find(parts["mchid"])
    if merchant is None:
        raise sign_error("商户号不存在", field="mchid", location="authorization")
    if parts["serial_no"].upper() != merchant.app_cert_sn:
        raise sign_error("商户证书序列号有误。请使用签名私钥匹配的证书序列号")
    body = request.body.decode("utf-8", errors="surrogateescape")
    path = request.META.get("RAW_URI") or request.get_full_path()
    text = signing.lines(request.method or "", path, parts["timestamp"], parts["nonce_str"], body)
    if not rsa.verifies(text, parts["signature"], public_key=merchant.app_public_key):
        raise sign_error("错误的签名，验签失败", issue="sign not match", field="signature", location="authorization")
    return merchant


def read(request: HttpRequest, merchant: Merchant, path: Mapping[str, str]) -> Request:
    """
    What stands in a request that is known to be the merchant's.

    :raises Refusal: PARAM_ERROR
    """
    if not request.headers.get("Accept") or not request.headers.get("User-Agent"):
        raise Refusal(400, "PARAM_ERROR", "Http头缺少Accept或User-Agent")
    content = _content(request) if request.method == "POST" else {}
    return Request(
        merchant=merchant, path=path, query=request.GET.dict(), content=content, public_url=public_url(request)
    )


def _authorization(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    parts = re.findall(r'(\w+)="([^"]*)"(?:,\s*|$)', rest.strip())
    known = dict(parts)
    if scheme != signing.SCHEME or set(known) != PARTS or len(parts) != len(PARTS):
        raise sign_error("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
    if not re.fullmatch(r"[0-9]{1,12}", known["timestamp"]) or not known["nonce_str"]:
        raise sign_error("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
    return known


def _content(request: HttpRequest) -> Mapping[str, Any]:
    if request.content_type != "application/json":
        raise Refusal(400, "PARAM_ERROR", "Http头Content-Type须为application/json")
    try:
        content = json.loads(request.body, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "PARAM_ERROR", "请求包体不是合法的JSON") from error
    if not isinstance(content, dict):
        raise Refusal(400, "PARAM_ERROR", "请求包体不是JSON对象")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)
