"""How Alipay says no."""


class Refusal(Exception):
    """An answer other than 10000. At the door, before a request is known to be the merchant's, it goes unsigned."""

    MESSAGES = {
        "20000": "Service Currently Unavailable",
        "40001": "Missing Required Arguments",
        "40002": "Invalid Arguments",
        "40004": "Business Failed",
    }

    def __init__(self, code: str, sub_code: str, sub_msg: str, **fields: str) -> None:
        super().__init__(f"{code} {sub_code}")
        self.node = {
            "code": code,
            "msg": self.MESSAGES[code],
            "sub_code": sub_code,
            "sub_msg": sub_msg,
            **fields,
        }
        self.for_people = {"gateway": "alipay", "code": f"{code} {sub_code}", "reason": sub_msg}


def missing(sub_code: str, sub_msg: str) -> Refusal:
    return Refusal("40001", sub_code, sub_msg)


def invalid(sub_code: str, sub_msg: str) -> Refusal:
    return Refusal("40002", sub_code, sub_msg)


def business(sub_code: str, sub_msg: str, **fields: str) -> Refusal:
    return Refusal("40004", sub_code, sub_msg, **fields)


def invalid_parameter(sub_msg: str) -> Refusal:
    return business("ACQ.INVALID_PARAMETER", f"参数无效：{sub_msg}")


def trade_not_exist() -> Refusal:
    return business("ACQ.TRADE_NOT_EXIST", "交易不存在")
