"""
What WeChat's verified answers other than 200 and 204 mean.

A signed no is believed, but only the listed codes are believed for ever: money that was reserved for a refund is let
go on a permanent no, so a code nobody has met yet must not count as one. What an account's keys and rights cause
(SIGN_ERROR, NO_AUTH, APPID_MCHID_NOT_MATCH …) is not permanent either: staff can mend it.

Source: the error tables of pay.weixin.qq.com/doc/v3/merchant/4012556398 (close), /4013071031 (refunds) and their
siblings
"""

from collections.abc import Mapping
from typing import Any

from payments.gateways.base import GatewayRefused, GatewayUnavailable, Outcome
from payments.gateways.wechat_v3 import codec

ORDER_NOT_EXIST = "ORDERNOTEXIST"
RESOURCE_NOT_EXISTS = "RESOURCENOTEXISTS"
NO_STATEMENT = "NOSTATEMENTEXIST"
STATEMENT_CREATING = "STATEMENTCREATING"
NOT_FOUND = {ORDER_NOT_EXIST, RESOURCE_NOT_EXISTS}
UNKNOWN = {"SYSTEMERROR", "BANKERROR", "FREQUENCYLIMITED", "RATELIMITEXCEEDED", "USERPAYING"}
PERMANENT = {
    ORDER_NOT_EXIST,
    "ORDERPAID",
    "ORDERCLOSED",
    "OUTTRADENOUSED",  # this number, other parameters
    "INVALIDREQUEST",  # also: this number, other parameters; a refund of more than is left
    "PARAMERROR",
    "USERACCOUNTABNORMAL",  # refunds: the payer's account is gone
    # Not RESOURCE_NOT_EXISTS: refunds of paid orders meet it now and then, and pass when repeated; see
    # developers.weixin.qq.com/community/develop/doc/0002cc91f60120266c050ea3265c00
}
CLOSE_OUTCOMES = {
    "ORDERCLOSED": Outcome.SUCCEEDED,
    "ORDERPAID": Outcome.FAILED,
    ORDER_NOT_EXIST: Outcome.NOT_FOUND,
    RESOURCE_NOT_EXISTS: Outcome.NOT_FOUND,
}
# WeChat documents that it refuses to close an order younger than five minutes, not with which code: of these, a query
# tells what they were about.
NOT_TO_CLOSE = {"INVALIDREQUEST", "TRADEERROR", "TRADESTATEERROR", "RULELIMIT"}


def check(status: int, content: Mapping[str, Any]) -> None:
    """
    :raises GatewayRefused: a definite no
    :raises GatewayUnavailable: WeChat does not know itself what became of the call
    """
    if status in (200, 204):
        return
    code, message = (codec.printable(str(content.get(name) or "")) for name in ("code", "message"))
    if not 400 <= status < 500 or status == 429 or not code or word(code) in UNKNOWN:
        raise GatewayUnavailable(f"HTTP {status} {code} {message}".strip())
    raise GatewayRefused(code, message, permanent=word(code) in PERMANENT)


def word(code: str) -> str:
    """A code as this module spells it: WeChat writes ORDER_CLOSED and ORDERCLOSED, NO_AUTH and NOAUTH."""
    return code.replace("_", "")
