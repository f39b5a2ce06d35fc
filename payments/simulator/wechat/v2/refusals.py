"""How v2 says no: at the door without a signature, after it with one."""


class Turned(Exception):
    """
    `return_code` FAIL: WeChat does not take the request up. It goes unsigned.

    So are answered forms that are wrong, strangers, and wrong signatures.
    """

    def __init__(self, message: str, **beside: str) -> None:
        super().__init__(message)
        self.fields: dict[str, str | int] = {"return_code": "FAIL", "return_msg": message, **beside}


class Refusal(Exception):
    """`result_code` FAIL: a signed no to a request that was understood."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code} {description}")
        self.fields: dict[str, str | int] = {"result_code": "FAIL", "err_code": code, "err_code_des": description}


def order_not_exist() -> Refusal:
    return Refusal("ORDERNOTEXIST", "订单不存在")


def system_error() -> Refusal:
    return Refusal("SYSTEMERROR", "系统错误")
