"""
What the rest of the simulator asks this room: status words, notifications, the way back.

`v2.notifications` and `v3.notifications` say what is told of an event (`facts`) and how it goes over the wire
(`render`, `accepted`); the room only picks the one whose API the order (or the refund) was asked for in.
"""

import datetime
import importlib
import secrets
import string
import uuid
import zlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from django.urls import reverse
from django.utils import timezone

from payments.simulator import faults
from payments.simulator.faults import Strike
from payments.simulator.models import Notification, Refund, Trade
from payments.simulator.wechat import trades

# Sixteen deliveries in all, over 24 hours. Source: pay.weixin.qq.com/doc/v2/merchant/4011937248
_SECONDS = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600)
RETRIES = tuple(datetime.timedelta(seconds=seconds) for seconds in _SECONDS)
BEGINS_WHEN_ASKED = True
DECLINING_CLOSES = False
CODE = "weixin://wxpay/bizpayurl?pr="
TOKEN_ALPHABET = string.ascii_letters + string.digits
TOKEN_LENGTHS = {"v2": 7, "v3": 9}
STATUS_WORDS = {
    Trade.Status.WAITING: "NOTPAY",
    Trade.Status.PAID: "SUCCESS",
    Trade.Status.FINISHED: "SUCCESS",
    Trade.Status.CLOSED: "CLOSED",
}


class Teller(Protocol):
    """How one API tells a merchant what happened."""

    def facts(self, trade: Trade, event: str, refund: Refund | None) -> Mapping[str, Any] | None:
        """What to tell of `paid` and `refunded`, as plain JSON; None where this API stays silent."""

    def render(self, notification: Notification, strike: Strike) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of one delivery, signed."""

    def accepted(self, status: int, answer: bytes) -> bool:
        """Whether this answer ends the repetitions."""


def status_word(trade: Trade) -> str:
    """Any refund on its way or done makes REFUND of a paid order."""
    if trade.paid_at and any(not refund.trouble for refund in trade.refunds.all()):
        return "REFUND"
    return STATUS_WORDS[Trade.Status(trade.status)]


def refund_word(refund: Refund) -> str:
    """As APIv3 spells it; v2 has other words for the troubles."""
    if refund.trouble:
        return refund.trouble.upper()
    return "SUCCESS" if refund.moved else "PROCESSING"


def code_url(trade: Trade, public_url: str = "") -> str:
    return f"{CODE}{trade.token}" if trade.product == "native" else ""


def h5_url(trade: Trade, public_url: str) -> str:
    """The page for phone browsers, to which the merchant appends where to lead the payer back: `&redirect_url=`."""
    package = zlib.crc32(trade.prepay_id.encode())
    return f"{public_url}{reverse('wechat-h5')}?prepay_id={trade.prepay_id}&package={package}"


def new_token(api: str) -> str:
    return "".join(secrets.choice(TOKEN_ALPHABET) for _ in range(TOKEN_LENGTHS[api]))


def new_prepay_id() -> str:
    return f"wx{timezone.localtime():%d%H%M%S%f}{secrets.token_hex(5)}{secrets.randbelow(10**10):010d}"


def new_trade_no() -> str:
    return f"4200{secrets.randbelow(10**6):06d}{timezone.localtime():%Y%m%d}{secrets.randbelow(10**10):010d}"


def facts(trade: Trade, event: str, refund: Refund | None) -> Mapping[str, Any] | None:
    return _teller(refund.api if refund else trade.api).facts(trade, event, refund)


def notify_url(trade: Trade, refund: Refund | None) -> str:
    """A refund is told where its own request said, and nowhere else."""
    return refund.notify_url if refund else trade.notify_url


def new_notify_id() -> str:
    return str(uuid.uuid4())


def render(notification: Notification, strike: Strike) -> tuple[Mapping[str, str], bytes]:
    return _teller(notification.api).render(notification, strike)


def accepted(notification: Notification, status: int, answer: bytes) -> bool:
    return _teller(notification.api).accepted(status, answer)


def refund_at_console(trade: Trade, *, request_no: str, amount_fen: int) -> Refund:
    """Accepted now and made later, like any other; told where the payment was, as no call named another address."""
    number = f"{trade.merchant.seller_id}{timezone.localtime():%Y%m%d%H%M%S}{secrets.randbelow(10**6):06d}"
    return trades.refund(
        trade,
        faults.NONE,
        api=trade.api,
        out_refund_no=request_no or number,
        amount_fen=amount_fen,
        notify_url=trade.notify_url,
        by_console=True,
    )


def return_address(trade: Trade) -> str:
    """Where the page that called WeChat said to lead the payer; it proves nothing."""
    return trade.return_url


def _teller(api: str) -> Teller:
    return cast("Teller", importlib.import_module(f"payments.simulator.wechat.{api}.notifications"))
