"""Which room speaks for which gateway."""

import datetime
import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from payments.simulator.faults import Strike
from payments.simulator.models import Notification, Refund, Trade

ROOMS = {"alipay": "payments.simulator.alipay.room", "wechat": "payments.simulator.wechat.room"}


class Room(Protocol):
    """What the book, the courier and the pages need to know of a gateway."""

    RETRIES: tuple[datetime.timedelta, ...]
    BEGINS_WHEN_ASKED: bool  # whether a trade exists as soon as the merchant asks for it, or once the payer opens it
    DECLINING_CLOSES: bool  # whether a payer who declines ends the trade

    def new_token(self, api: str) -> str:
        """For the address under which the payer opens a new trade."""

    def new_prepay_id(self) -> str:
        """A handle on a new trade for apps and pages; empty where this gateway has none."""

    def new_trade_no(self) -> str:
        """The gateway's own number for a trade."""

    def code_url(self, trade: Trade, public_url: str) -> str:
        """What the code to scan says; empty where there is none to scan."""

    def status_word(self, trade: Trade) -> str:
        """The trade's state as this gateway spells it."""

    def facts(self, trade: Trade, event: str, refund: Refund | None) -> Mapping[str, Any] | None:
        """What to notify of `event`; None where this gateway stays silent."""

    def notify_url(self, trade: Trade, refund: Refund | None) -> str:
        """Where to tell it; empty where nowhere."""

    def new_notify_id(self) -> str: ...

    def render(self, notification: Notification, strike: Strike) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of one delivery, signed."""

    def accepted(self, notification: Notification, status: int, answer: bytes) -> bool:
        """Whether this answer ends the repetitions."""

    def refund_at_console(self, trade: Trade, *, request_no: str, amount_fen: int) -> Refund:
        """
        Give back what the merchant's staff ask for at the gateway's own console, under a number that it makes unless
        one is given.

        :raises book.OtherTerms, book.NotRefundable, book.RefundExceedsTrade: as for any refund
        """

    def return_address(self, trade: Trade) -> str:
        """Where to lead the payer after paying; empty where nowhere."""


def of(gateway: str) -> Room:
    return cast("Room", importlib.import_module(ROOMS[gateway]))
