"""Reading a JSON body: texts, amounts, times, refused in WeChat's words where they are not what they should be."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from payments.simulator.wechat import terms
from payments.simulator.wechat.v3.refusals import Refusal, invalid_request, parameter

UNWRITABLE = re.compile(r"[\x00-\x08\ud800-\udfff]")  # control characters, halves of characters


def text(content: Mapping[str, Any], name: str, longest: int, *, required: bool = False, within: str = "") -> str:
    """A text, `within` the object it stands in; empty where it may be left out and is."""
    value, place = content.get(name), f"{within}{name}"
    if value is None and not required:
        return ""
    if value is None or value == "":
        raise parameter("body", place, "必填性规则校验失败，此字段为必填项")
    if not isinstance(value, str):
        raise parameter("body", place, "的类型不正确，须为字符串")
    if len(value) > longest or UNWRITABLE.search(value):
        raise parameter("body", place, f"字符串规则校验失败，字符数不得多于{longest}")
    return value


def part(content: Mapping[str, Any], name: str, *, within: str = "") -> Mapping[str, Any]:
    """An object that must stand in the body."""
    value = content.get(name)
    if not isinstance(value, dict):
        raise parameter("body", f"{within}{name}", "必填性规则校验失败，此字段为必填的对象")
    return value


def fen(amount: Mapping[str, Any], name: str) -> int:
    """An amount: a JSON integer of fen, 1 or more; neither text nor 1.0."""
    value = amount.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise parameter("body", f"amount/{name}", "的类型不正确，须为整型，单位为分")
    if not 1 <= value <= terms.LARGEST_FEN:
        raise parameter("body", f"amount/{name}", "数值规则校验失败，须为大于0的整数")
    return value


def check_currency(amount: Mapping[str, Any], *, required: bool) -> None:
    if (text(amount, "currency", 16, required=required, within="amount/") or "CNY") != "CNY":
        raise parameter("body", "amount/currency", "枚举规则校验失败，境内商户号仅支持CNY")


def check_number(value: str, pattern: re.Pattern[str], *, location: str, name: str) -> str:
    """A merchant's number for an order or a refund, wherever it stands."""
    if not pattern.fullmatch(value):
        raise parameter(location, name, "字符串规则校验失败，长度或字符不符合要求")
    return value


def notify_url(content: Mapping[str, Any], *, required: bool) -> str:
    value = text(content, "notify_url", terms.LONGEST_NOTIFY_URL, required=required)
    if value and not terms.NOTIFY_URL.fullmatch(value):
        raise parameter("body", "notify_url", "格式校验失败，须为不带参数的完整地址")
    return value


def time_expire(content: Mapping[str, Any]) -> datetime.datetime | None:
    """RFC 3339 with an offset, a minute ahead or more."""
    value = text(content, "time_expire", 64)
    if not value:
        return None
    try:
        at = datetime.datetime.fromisoformat(value)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or "T" not in value:
        raise parameter("body", "time_expire", "格式校验失败，须遵循rfc3339：yyyy-MM-DDTHH:mm:ss+TIMEZONE")
    if terms.too_near(at):
        raise invalid_request("time_expire时间过短，刷卡至少1分钟，其他1分钟")
    return at


def check_mchid(named: str, *, mchid: str, location: str) -> None:
    if not named:
        raise parameter(location, "mchid", "映射到字段“直连商户号”必填性规则校验失败，此字段为必填项")
    if named != mchid:
        raise Refusal(400, "PARAM_ERROR", "请求中的mchid与Authorization中的mchid不一致")
