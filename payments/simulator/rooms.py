"""Which room speaks for which gateway."""

import datetime
import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

from payments.simulator.faults import Strike
from payments.simulator.models import Notification, Refund, Trade

ROOMS = {"alipay": "payments.simulator.alipay.room"}


class Room(Protocol):
    """What the book, the courier and the pages need to know of a gateway."""

    RETRIES: tuple[datetime.timedelta, ...]

    def status_word(self, trade: Trade) -> str:
        """The trade's state as this gateway spells it."""

    def facts(self, trade: Trade, event: str, refund: Refund | None) -> Mapping[str, Any] | None:
        """What to notify of `event`; None where this gateway stays silent."""

    def new_notify_id(self) -> str: ...

    def render(self, notification: Notification, strike: Strike) -> tuple[Mapping[str, str], bytes]:
        """Headers and body of one delivery, signed."""

    def accepted(self, status: int, answer: bytes) -> bool:
        """Whether this answer ends the repetitions."""

    def return_address(self, trade: Trade) -> str:
        """Where to lead the payer after paying; empty where nowhere."""


def of(gateway: str) -> Room:
    return cast("Room", importlib.import_module(ROOMS[gateway]))
