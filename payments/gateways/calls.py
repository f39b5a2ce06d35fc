"""
How calls to gateways end: counted for people to look at, by account and hour, in the cache.

Nothing depends on these numbers, so nothing waits for them: a Redis that is down or mute costs one call of a process a
second at most, then none for half a minute. What is counted is the verbs that go out, and the day's bill.
"""

import dataclasses
import datetime
import enum
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import structlog
from django.core.cache import cache

from payments.gateways.base import (
    Acknowledgement,
    AcknowledgementBytes,
    Adapter,
    Bill,
    BillNotReady,
    CloseResult,
    GatewayRefused,
    Notification,
    Outcome,
    PaymentRequest,
    PaymentStarted,
    PaymentState,
    RawNotification,
    RefundRequest,
    RefundState,
)

HOUR_S = 3_600
HOURS = 24
KEPT_S = 48 * HOUR_S
PAUSE_S = 30
COUNT_KEY = "gateway_calls:{account_id}:{hour}:{end}"
ANSWERED_KEY = "gateway_answered:{account_id}"

T = TypeVar("T")

log = structlog.get_logger(__name__)

_resumes_at = 0.0
_pause_lock = threading.Lock()


class End(enum.StrEnum):
    ANSWERED = "answered"
    REFUSED = "refused"  # a definite no: an answer too
    UNKNOWN = "unknown"  # silence, or nothing that could be believed


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recent:
    """What became of an account's calls. `hour` holds those since the last full hour began, `day` of HOURS hours."""

    answered_at: datetime.datetime | None
    hour: Counter[End]
    day: Counter[End]


def recent(account_ids: Iterable[int], *, at: datetime.datetime) -> dict[int, Recent] | None:
    """Return the recent calls of accounts, by one question, or None where the cache does not tell."""
    now = _hour(at)
    hours = range(now - HOURS + 1, now + 1)
    asked = list(account_ids)
    keys = [_count_key(account_id, hour, end) for account_id in asked for hour in hours for end in End]
    try:
        found: dict[str, int] = cache.get_many([*keys, *(_answered_key(account_id) for account_id in asked)])
    except Exception as error:  # noqa: BLE001  whatever ails it: it does not tell
        log.warning("gateway_calls_not_read", error=type(error).__name__)
        return None

    def calls(account_id: int, hours: Iterable[int]) -> Counter[End]:
        return Counter(
            {end: sum(found.get(_count_key(account_id, hour, end), 0) for hour in hours) for end in End}
        )  # fmt: skip

    return {
        account_id: Recent(
            answered_at=_moment(found.get(_answered_key(account_id))),
            hour=calls(account_id, hours[-2:]),
            day=calls(account_id, hours),
        )
        for account_id in asked
    }


class CountedAdapter:
    """An adapter as its callers know it. How each call of its ends is counted."""

    def __init__(self, adapter: Adapter, *, account_id: int) -> None:
        self._adapter, self._account_id = adapter, account_id

    def create_payment(self, request: PaymentRequest) -> PaymentStarted:
        return self._counted(lambda: self._adapter.create_payment(request))

    def query_payment(self, number: str) -> PaymentState:
        return self._counted(lambda: self._adapter.query_payment(number))

    def close_payment(self, number: str) -> CloseResult:
        return self._counted(lambda: self._adapter.close_payment(number))

    def refund(self, request: RefundRequest) -> RefundState:
        return self._counted(lambda: self._adapter.refund(request))

    def query_refund(self, number: str, *, charge_number: str) -> RefundState:
        return self._counted(lambda: self._adapter.query_refund(number, charge_number=charge_number))

    def download_bill(self, day: datetime.date) -> Bill:
        return self._counted(lambda: self._adapter.download_bill(day))

    def parse_notification(self, raw: RawNotification) -> Notification:
        return self._adapter.parse_notification(raw)

    def acknowledgement(self, answer: Acknowledgement) -> AcknowledgementBytes:
        return self._adapter.acknowledgement(answer)

    def _counted(self, call: Callable[[], T]) -> T:
        end = End.UNKNOWN
        try:
            answer: Any = call()
            end = End.UNKNOWN if getattr(answer, "outcome", None) is Outcome.UNKNOWN else End.ANSWERED
            return answer  # type: ignore[no-any-return]
        except GatewayRefused:
            end = End.REFUSED
            raise
        except BillNotReady:
            end = End.ANSWERED
            raise
        finally:
            _count(self._account_id, end)


def _count(account_id: int, end: End) -> None:
    global _resumes_at  # noqa: PLW0603  one pause for the whole process
    if time.monotonic() < _resumes_at:
        return
    now = time.time()
    key = _count_key(account_id, int(now) // HOUR_S, end)
    try:
        try:
            cache.incr(key)
        except ValueError:  # the first of its hour
            if not cache.add(key, 1, timeout=KEPT_S):
                cache.incr(key)
        if end is not End.UNKNOWN:
            cache.set(_answered_key(account_id), int(now), timeout=None)
    except Exception as error:  # noqa: BLE001  the call is what matters
        with _pause_lock:
            _resumes_at = time.monotonic() + PAUSE_S
        log.warning("gateway_call_not_counted", error=type(error).__name__, pause_s=PAUSE_S)


def _hour(at: datetime.datetime) -> int:
    return int(at.timestamp()) // HOUR_S


def _moment(seconds: int | None) -> datetime.datetime | None:
    return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _count_key(account_id: int, hour: int, end: End) -> str:
    return COUNT_KEY.format(account_id=account_id, hour=hour, end=end)


def _answered_key(account_id: int) -> str:
    return ANSWERED_KEY.format(account_id=account_id)
