"""biz_content: what a merchant may write into it. Alipay's limits, refused in Alipay's words."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from payments.simulator.alipay.refusals import business, invalid_parameter
from payments.simulator.alipay.requests import TIME_FORMAT, Request
from payments.simulator.book import Terms

LARGEST_FEN = 10_000_000_000
QR_LIFE = datetime.timedelta(hours=2)
LONGEST_TRADE = datetime.timedelta(days=15)
UNWRITABLE = re.compile(r"[\x00-\x08\ud800-\udfff]")  # control characters, halves of characters
UNITS = {"m": 60, "h": 3600, "d": 86_400}
# product → the product_code it is asked for with; where the empty one is listed it may be left out
PRODUCT_CODES = {
    "precreate": {"", "FACE_TO_FACE_PAYMENT", "QR_CODE_OFFLINE"},
    "page": {"FAST_INSTANT_TRADE_PAY"},
    "wap": {"", "QUICK_WAP_WAY", "QUICK_WAP_PAY"},
    "app": {"", "QUICK_MSECURITY_PAY"},
}


def read(request: Request, *, product: str) -> Terms:
    """
    What is asked for.

    :raises Refusal: ACQ.INVALID_PARAMETER, ACQ.TOTAL_FEE_EXCEED
    """
    content = request.content
    if text(content, "product_code", 64) not in PRODUCT_CODES[product]:
        raise invalid_parameter("product_code")
    subject = text(content, "subject", 256)
    if not subject or re.search(r"[/=&]", subject):
        raise invalid_parameter("subject必填，不可使用特殊字符，如/、=、&")
    if seller_differs(request):
        raise invalid_parameter("seller_id")
    pay_until, now = _moment(content, "time_expire"), timezone.now()
    if pay_until and pay_until <= now:
        raise business("ACQ.NOW_TIME_AFTER_EXPIRE_TIME_ERROR", "超时时间设置不对")
    code_life = _duration(content, "qr_code_timeout_express") or (QR_LIFE if product == "precreate" else LONGEST_TRADE)
    return Terms(
        product=product,
        out_trade_no=number(content, "out_trade_no"),
        amount_fen=fen(content, "total_amount"),
        subject=subject,
        body=text(content, "body", 128),
        notify_url=request.notify_url,
        return_url=request.return_url,
        quit_url=_web_address(content, "quit_url"),
        offer_until=min(now + code_life, pay_until) if pay_until else now + code_life,
        lifetime_s=int((_duration(content, "timeout_express") or LONGEST_TRADE).total_seconds()),
        pay_until=pay_until,
    )


def number(content: Mapping[str, Any], name: str, *, required: bool = True) -> str:
    """A merchant's number: at most 64 of letters, digits and underscore."""
    value = text(content, name, 64)
    if (value or required) and not re.fullmatch(r"[0-9A-Za-z_]{1,64}", value):
        raise invalid_parameter(f"{name}由字母、数字、下划线组成，不超过64个字符")
    return value


def fen(content: Mapping[str, Any], name: str) -> int:
    """An amount in yuan, 0.01 to 100000000, at most two decimals; as fen."""
    value = text(content, name, 12)
    match = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,2}))?", value)
    if not match:
        raise invalid_parameter(f"{name}须为精确到小数点后两位的金额")
    amount = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))
    if amount == 0:
        raise invalid_parameter(f"{name}不小于0.01")
    if amount > LARGEST_FEN:
        raise business("ACQ.TOTAL_FEE_EXCEED", "订单总金额超过限额")
    return amount


def text(content: Mapping[str, Any], name: str, longest: int) -> str:
    value = content.get(name, "")
    if not isinstance(value, str) or len(value) > longest or UNWRITABLE.search(value):
        raise invalid_parameter(name)
    return value


def _web_address(content: Mapping[str, Any], name: str) -> str:
    value = text(content, name, 400)
    if value and not re.match(r"https?://[^\s\\]+$", value):
        raise invalid_parameter(name)
    return value


def seller_differs(request: Request) -> bool:
    return bool(request.content.get("seller_id", request.merchant.seller_id) != request.merchant.seller_id)


def _duration(content: Mapping[str, Any], name: str) -> datetime.timedelta | None:
    """`90m`, `2h`, `15d`, or `1c`: until midnight."""
    value = text(content, name, 8)
    if not value:
        return None
    if value == "1c":
        now = timezone.localtime()
        return now.replace(hour=0, minute=0, second=0, microsecond=0) + datetime.timedelta(days=1) - now
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", value)
    duration = datetime.timedelta(seconds=int(match[1]) * UNITS[match[2]]) if match else None
    if duration is None or duration > LONGEST_TRADE:
        raise invalid_parameter(f"{name}取值范围1m~15d")
    return duration


def _moment(content: Mapping[str, Any], name: str) -> datetime.datetime | None:
    value = text(content, name, 19)
    if not value:
        return None
    try:
        return timezone.make_aware(datetime.datetime.strptime(value, TIME_FORMAT))  # noqa: DTZ007
    except ValueError as error:
        raise invalid_parameter(f"{name}格式为yyyy-MM-dd HH:mm:ss") from error
