"""A request at the door: its common parameters, who sends it, and whether it is signed by them."""

import dataclasses
import datetime
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from payments.simulator import rsa
from payments.simulator.alipay import certificates, signing
from payments.simulator.alipay.merchants import GATEWAY
from payments.simulator.alipay.refusals import invalid, missing
from payments.simulator.models import Merchant

TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
# Alipay publishes no figures. These catch a clock in the wrong time zone, and leave a payer time to open a link.
CALL_MAY_BE_OFF = datetime.timedelta(minutes=15)
LINK_MAY_BE_OLD = datetime.timedelta(hours=24)
LONGEST_URL = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """A request that this merchant has signed."""

    merchant: Merchant
    method: str
    notify_url: str
    return_url: str
    content: Mapping[str, Any]  # biz_content; numbers as the text that stood there


def admit(parameters: Mapping[str, str], *, link: bool = False) -> Request:
    """
    Check a request as Alipay's gateway does, the application before its signature. `link`: a payer brings it.

    :raises Refusal: unsigned, all of them
    """
    merchant = _merchant(parameters)
    _check_signature(parameters, merchant)
    _check_common(parameters, link=link)
    return Request(
        merchant=merchant,
        method=parameters["method"],
        notify_url=_address(parameters, "notify_url"),
        return_url=_address(parameters, "return_url"),
        content=_content(parameters.get("biz_content", "")),
    )


def _merchant(parameters: Mapping[str, str]) -> Merchant:
    if not parameters.get("method"):
        raise missing("isv.missing-method", "缺少方法名参数")
    if not parameters.get("app_id"):
        raise missing("isv.missing-app-id", "缺少AppID参数")
    merchant = Merchant.objects.filter(gateway=GATEWAY, app_id=parameters["app_id"]).first()
    if merchant is None:
        raise invalid("isv.invalid-app-id", "无效的AppID参数")
    return merchant


def _check_signature(parameters: Mapping[str, str], merchant: Merchant) -> None:
    if not parameters.get("sign_type"):
        raise missing("isv.missing-signature-type", "缺少签名类型参数")
    if parameters["sign_type"] != "RSA2":
        raise invalid("isv.invalid-signature-type", "无效的签名类型")
    if not parameters.get("sign"):
        raise missing("isv.missing-signature", "缺少签名参数")
    _check_serials(parameters, merchant)
    text = signing.content(parameters, without=("sign",))
    if not rsa.verifies(text, parameters["sign"], public_key=merchant.app_public_key):
        raise invalid("isv.invalid-signature", f"验签出错，建议检查签名字符串。网关生成的验签字符串为：{text}")


def _check_serials(parameters: Mapping[str, str], merchant: Merchant) -> None:
    if not merchant.app_cert_sn:
        return
    if not parameters.get("app_cert_sn"):
        raise missing("isv.missing-app-cert-sn", "缺少应用公钥证书序列号")
    if not parameters.get("alipay_root_cert_sn"):
        raise missing("isv.missing-alipay-root-cert-sn", "缺少支付宝根证书序列号")
    if parameters["app_cert_sn"] != merchant.app_cert_sn:
        raise invalid("isv.app-cert-not-exist", "应用公钥证书不存在")
    if parameters["alipay_root_cert_sn"] != certificates.root_serial():
        raise invalid("isv.invalid-alipay-root-cert-sn", "支付宝根证书序列号无效")


def _check_common(parameters: Mapping[str, str], *, link: bool) -> None:
    if parameters.get("charset", "").lower() != "utf-8":
        raise invalid("isv.invalid-charset", "字符集错误，模拟网关只支持UTF-8")
    if parameters.get("format", "JSON").upper() != "JSON":
        raise invalid("isv.invalid-format", "无效的数据格式")
    if parameters.get("version") != "1.0":
        raise missing("isv.missing-version", "缺少版本参数")
    if parameters.get("encrypt_type"):
        raise invalid("isv.invalid-encrypt-type", "模拟网关不支持内容加密")
    if not parameters.get("timestamp"):
        raise missing("isv.missing-timestamp", "缺少时间戳参数")
    try:
        at = timezone.make_aware(datetime.datetime.strptime(parameters["timestamp"], TIME_FORMAT))  # noqa: DTZ007
    except ValueError as error:
        raise invalid("isv.invalid-timestamp", "非法的时间戳参数，格式为yyyy-MM-dd HH:mm:ss") from error
    age = timezone.now() - at
    if age > (LINK_MAY_BE_OLD if link else CALL_MAY_BE_OFF) or age < -CALL_MAY_BE_OFF:
        raise invalid("isv.invalid-timestamp", "非法的时间戳参数，与北京时间相差过大")


def _address(parameters: Mapping[str, str], name: str) -> str:
    address = parameters.get(name, "")
    if not address:
        return ""
    parts = urlsplit(address)
    well_formed = parts.scheme in {"http", "https"} and parts.hostname and not re.search(r"[\s\\]", address)
    if not well_formed or len(address) > LONGEST_URL:
        raise invalid("isv.invalid-parameter", f"{name}须为http或https开头的完整地址，不超过{LONGEST_URL}个字符")
    return address


def _content(text: str) -> Mapping[str, Any]:
    try:
        content = json.loads(text, parse_float=str, parse_int=str, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise invalid("isv.illegal-json", "biz_content不是合法的JSON") from error
    if not isinstance(content, dict):
        raise invalid("isv.illegal-json", "biz_content不是JSON对象")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)
