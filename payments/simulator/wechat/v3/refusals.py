"""How APIv3 says no: an HTTP status, a code, and a message for people. The pairs follow WeChat's tables of codes."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """
    An answer other than 2xx.

    What is refused at the door, before a request is known to be the merchant's, goes unsigned; the rest is signed.
    """

    def __init__(self, status: int, code: str, message: str, **detail: str) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code = status, code
        self.body: Mapping[str, Any] = {"code": code, **({"detail": detail} if detail else {}), "message": message}


def sign_error(message: str, **detail: str) -> Refusal:
    return Refusal(401, "SIGN_ERROR", message, **detail)


def parameter(location: str, name: str, message: str) -> Refusal:
    """`location` is where the parameter stands: body, query, or the path (`uri_template`)."""
    return Refusal(400, "PARAM_ERROR", f"输入源“/{location}/{name}”{message}", location=location, field=f"/{name}")


def invalid_request(message: str) -> Refusal:
    return Refusal(400, "INVALID_REQUEST", message)


def order_not_exist() -> Refusal:
    return Refusal(404, "ORDER_NOT_EXIST", "订单不存在")


def resource_not_exists(message: str) -> Refusal:
    return Refusal(404, "RESOURCE_NOT_EXISTS", message)


def system_error() -> Refusal:
    return Refusal(500, "SYSTEM_ERROR", "系统异常，请稍后重试")
