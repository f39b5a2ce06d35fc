"""
What a gateway must do.

Plain frozen data in, plain frozen data out. An adapter knows its own protocol and nothing of Django, of our
models or of our orders. Money is integer fen, times are aware datetimes.
"""

import dataclasses
import datetime
import enum
from collections.abc import Mapping
from typing import Protocol


class Outcome(enum.StrEnum):
    """What a gateway says about a payment, a refund or a close. Only the first two move money."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"  # terminal: the gateway will never pay (or refund) under this number
    PENDING = "pending"
    UNKNOWN = "unknown"  # no verified, definite answer: ask again before believing anything
    NOT_FOUND = "not_found"  # the gateway has not heard of this number (yet)


class Mode(enum.StrEnum):
    """How the payer is led to the gateway."""

    QR = "qr"  # a code on a screen: Alipay precreate, WeChat NATIVE
    PAGE = "page"  # the gateway's page on a desktop: Alipay page
    WAP = "wap"  # the gateway's page on a phone: Alipay wap, WeChat H5
    APP = "app"  # parameters for a mobile app's SDK
    JSAPI = "jsapi"  # inside WeChat


def now() -> datetime.datetime:
    """The clock of whoever gives an adapter no other."""
    return datetime.datetime.now(datetime.UTC)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaymentRequest:
    number: str  # our charge number, the gateway's idempotency key: at most 32 of [0-9A-Za-z_]
    mode: Mode
    amount_fen: int
    subject: str
    expires_at: datetime.datetime
    notify_url: str  # absolute
    return_url: str = ""  # absolute; where PAGE and WAP lead the payer afterwards
    payer_address: str = ""  # IP address of the payer, where the gateway wants it
    payer_id: str = ""  # WeChat openid for JSAPI


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaymentStarted:
    """
    The gateway takes payment under our number.

    `payload` is what the payer's side needs, by mode: QR `{"qr_code": …}` (WeChat beside it: what JSAPI needs), PAGE
    and WAP `{"url": …}`, APP `{"order_string": …}` (Alipay) or, as for JSAPI, the gateway's own parameter names
    (WeChat).
    """

    payload: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PaymentState:
    """What the gateway knows of a payment: the answer to a query, or what a notification tells."""

    outcome: Outcome
    number: str
    amount_fen: int | None = None  # the whole order amount, not what was left after the gateway's own coupons
    trade_no: str = ""  # the gateway's number
    paid_at: datetime.datetime | None = None
    buyer: str = ""  # as masked by the gateway
    gateway_status: str = ""  # the gateway's own word, for people


@dataclasses.dataclass(frozen=True, kw_only=True)
class CloseResult:
    """SUCCEEDED closed; FAILED too late, it is paid: query; NOT_FOUND no trade there (yet); PENDING not now."""

    outcome: Outcome
    gateway_status: str = ""

    @classmethod
    def refused(cls, payment: "PaymentState", *, gateway_status: str) -> "CloseResult":
        """What a refused close means, by what the payment turns out to be: paid, closed before, or waiting still."""
        meanings = {Outcome.SUCCEEDED: Outcome.FAILED, Outcome.FAILED: Outcome.SUCCEEDED}
        return cls(outcome=meanings.get(payment.outcome, payment.outcome), gateway_status=gateway_status)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RefundRequest:
    number: str  # our refund leg's number, the gateway's idempotency key
    charge_number: str
    amount_fen: int
    total_fen: int  # of the charge
    reason: str = ""
    notify_url: str = ""  # absolute; where WeChat tells what became of it. Alipay uses the payment's


@dataclasses.dataclass(frozen=True, kw_only=True)
class RefundState:
    outcome: Outcome
    number: str
    amount_fen: int | None = None
    refunded_at: datetime.datetime | None = None
    gateway_status: str = ""
    # The money has left the merchant and not reached the payer: staff lead it on at the gateway. PENDING, never FAILED:
    # to refund once more would pay twice.
    is_stuck: bool = False


class NotificationKind(enum.StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"
    CLOSED = "closed"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RawNotification:
    """A delivery exactly as it came, and when: what was fresh then may be read again later."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime.datetime = dataclasses.field(default_factory=now)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Notification:
    """A delivery whose signature and merchant are verified. Number and amount are the caller's to check."""

    notification_id: str  # the gateway's own id of the notice, equal in every retry
    kind: NotificationKind
    payment: PaymentState
    refund: RefundState | None = None


class Acknowledgement(enum.StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AcknowledgementBytes:
    status: int
    content_type: str
    body: bytes


class GatewayUnavailable(Exception):
    """The call may or may not have reached the gateway. The outcome is unknown: query."""


class GatewayRefused(Exception):
    """
    A verified, definite no. `permanent` says whether the same call can ever succeed.

    `code` is the gateway's own, e.g. `ACQ.TRADE_HAS_SUCCESS`.
    """

    def __init__(self, code: str, message: str = "", *, permanent: bool = True) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code, self.message, self.permanent = code, message, permanent


class NotificationRejected(Exception):
    """Not proven to come from the gateway for this merchant. `reason` is one of `REASONS`."""

    REASONS = ("malformed", "bad_signature", "wrong_merchant")

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class BillEntryKind(enum.StrEnum):
    PAYMENT = "payment"
    REFUND = "refund"


@dataclasses.dataclass(frozen=True, kw_only=True)
class BillEntry:
    """One line of a day's bill: a payment or a refund, as the gateway has booked it."""

    kind: BillEntryKind
    number: str  # the charge's, our out_trade_no; of a refund the charge it gives back
    # The merchant's number of the refund, whoever made it (staff at the gateway's console too); empty where a payment
    # was taken back without one.
    refund_number: str = ""
    trade_no: str  # the gateway's number of the payment
    app_id: str = ""  # of the merchant's apps the one it came by, where the bill says so
    amount_fen: int  # above zero for both kinds
    fee_fen: int = 0  # what the gateway kept; below zero what it gave back with a refund
    status: str = ""  # the gateway's own word, for people
    at: datetime.datetime  # when it was booked


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bill:
    """
    What a gateway booked for one merchant on one day of Shanghai's clock. A day without trade has no entries.

    It also shows what came by other apps of theirs, or over a counter, under any number.
    """

    day: datetime.date
    entries: tuple[BillEntry, ...]
    sha256: str  # of the file as it came, so that a bill fetched again can be told from another one


class BillNotReady(Exception):
    """The gateway has not made the bill of that day yet: ask later."""


class BillUnusable(Exception):
    """A bill came and cannot be believed. `reason` is one of `REASONS`."""

    REASONS = ("truncated", "charset", "wrong_day", "wrong_merchant", "hash", "malformed")

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class StatementSource(Protocol):
    """What tells a day's bill. Raises GatewayUnavailable and GatewayRefused as the verbs do, and the two above."""

    def download_bill(self, day: datetime.date) -> Bill: ...


class Gateway(Protocol):
    """Seven verbs, none optional. Calls that go out raise GatewayUnavailable or GatewayRefused."""

    def create_payment(self, request: PaymentRequest) -> PaymentStarted: ...
    def query_payment(self, number: str) -> PaymentState: ...
    def close_payment(self, number: str) -> CloseResult: ...
    def refund(self, request: RefundRequest) -> RefundState: ...
    def query_refund(self, number: str, *, charge_number: str) -> RefundState: ...
    def parse_notification(self, raw: RawNotification) -> Notification: ...
    def acknowledgement(self, answer: Acknowledgement) -> AcknowledgementBytes: ...


class Adapter(Gateway, StatementSource, Protocol):
    """What speaks for an account of any kind: the seven verbs, and the day's bill."""
