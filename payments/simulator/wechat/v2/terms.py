"""What a merchant may write into a v2 request. WeChat's limits, refused in WeChat's words."""

import datetime
import ipaddress
import json
import re
from collections.abc import Mapping

from django.utils import timezone

from payments.simulator.book import Terms
from payments.simulator.wechat import terms
from payments.simulator.wechat.v2.refusals import Refusal, Turned
from payments.simulator.wechat.v2.requests import Request

TIME_FORMAT = "%Y%m%d%H%M%S"
PRODUCTS = {word: product for product, word in terms.TRADE_TYPES.items()}
NEEDED = ("body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type")
# What one kind of order needs beside.
NEEDED_BY = {"NATIVE": "product_id", "JSAPI": "openid", "MWEB": "scene_info", "APP": ""}
LONGEST_BYTES = {
    "body": 127,
    "detail": 6000,
    "attach": 127,
    "openid": 128,
    "product_id": 32,
    "device_info": 32,
    "goods_tag": 32,
    "scene_info": 256,
    "refund_desc": 80,
}
# What makes another order, asked for under the same number.
COMPARED = ("openid", "attach", "detail", "product_id", "device_info", "goods_tag", "limit_pay", "scene_info")


def read(request: Request) -> Terms:
    """
    The order that is asked for.

    :raises Turned, Refusal: LACK_PARAMS in spirit, and whatever lies outside the limits
    """
    content = request.content
    kind = content.get("trade_type", "")
    for name in NEEDED:
        if not content.get(name):
            raise Turned(f"缺少参数{name}")
    if kind not in PRODUCTS:
        raise Turned("trade_type参数不正确")
    if NEEDED_BY[kind] and not content.get(NEEDED_BY[kind]):
        raise Turned(f"{kind}支付必须传{NEEDED_BY[kind]}")
    _check_forms(content, kind)
    return terms.terms(
        api="v2",
        product=PRODUCTS[kind],
        out_trade_no=number(content, "out_trade_no"),
        amount_fen=fen(content, "total_fee"),
        subject=content["body"],
        notify_url=notify_url(content),
        pay_until=_moment(content, "time_expire"),
        particulars={
            "sign_type": request.sign_type,
            **{name: content[name] for name in COMPARED if content.get(name)},
        },
    )


def number(content: Mapping[str, str], name: str) -> str:
    """A merchant's number, of an order or of a refund."""
    value = content.get(name, "")
    if not value:
        raise Turned(f"缺少参数{name}")
    shape = terms.REFUND_NUMBER if name == "out_refund_no" else terms.TRADE_NUMBER
    if not shape.fullmatch(value):
        raise Refusal("PARAM_ERROR", f"参数错误：{name}格式不正确")
    return value


def fen(content: Mapping[str, str], name: str) -> int:
    value = content.get(name, "")
    if not re.fullmatch(r"[1-9][0-9]{0,10}", value) or int(value) > terms.LARGEST_FEN:
        raise Turned(f"{name}参数格式错误，须为大于0的整数，单位为分")
    return int(value)


def notify_url(content: Mapping[str, str]) -> str:
    value = content.get("notify_url", "")
    if value and (not terms.NOTIFY_URL.fullmatch(value) or len(value) > terms.LONGEST_NOTIFY_URL):
        raise Turned("notify_url参数错误，须为不带参数的完整地址")
    return value


def lengths(content: Mapping[str, str]) -> None:
    """:raises Turned: a text takes more bytes than it may"""
    for name, longest in LONGEST_BYTES.items():
        if len(content.get(name, "").encode()) > longest:
            raise Turned(f"{name}参数长度有误")


def _check_forms(content: Mapping[str, str], kind: str) -> None:
    lengths(content)
    if content.get("fee_type", "CNY") != "CNY":
        raise Turned("fee_type参数错误，仅支持CNY")
    try:
        ipaddress.ip_address(content["spbill_create_ip"])
    except ValueError as error:
        raise Turned("spbill_create_ip参数错误") from error
    if kind == "MWEB":
        try:
            known = json.loads(content["scene_info"])["h5_info"]["type"]
        except (ValueError, KeyError, TypeError) as error:
            raise Turned("scene_info参数格式错误") from error
        if not known:
            raise Turned("scene_info参数格式错误")


def _moment(content: Mapping[str, str], name: str) -> datetime.datetime | None:
    """Beijing's time."""
    value = content.get(name, "")
    if not value:
        return None
    try:
        if not re.fullmatch(r"[0-9]{14}", value):
            raise ValueError(value)
        at = timezone.make_aware(datetime.datetime.strptime(value, TIME_FORMAT))  # noqa: DTZ007
    except ValueError as error:
        raise Turned(f"{name}参数格式错误，格式为yyyyMMddHHmmss") from error
    if terms.too_near(at):
        raise Refusal("INVALID_REQUEST", f"{name}时间过短，最短失效时间间隔须大于1分钟")
    return at
