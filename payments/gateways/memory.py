"""
A gateway in memory, in the spirit of Django's locmem mail backend: for tests and for work without a network.

Each merchant has one book, shared by all its gateways in the process. They behave as the strictest of the real ones:
an unscanned QR code is no trade yet, a number is one payment, a refund number one refund. The book is also the other
side of the counter: `book("shop").pay(number)`, `.notification(number)`, `.script(Fault.LOST_RESPONSE)`.
"""

import collections
import dataclasses
import datetime
import enum
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from payments.gateways import bills, limits
from payments.gateways.base import (
    Acknowledgement,
    AcknowledgementBytes,
    Bill,
    BillEntry,
    BillEntryKind,
    CloseResult,
    GatewayRefused,
    GatewayUnavailable,
    Mode,
    Notification,
    NotificationKind,
    NotificationRejected,
    Outcome,
    PaymentRequest,
    PaymentStarted,
    PaymentState,
    RawNotification,
    RefundRequest,
    RefundState,
    now,
)

SIGNATURE = "Memory-Signature"
MOST_FEN = 100_000_000_00
PAYLOADS = {Mode.QR: "qr_code", Mode.PAGE: "url", Mode.WAP: "url", Mode.APP: "order_string", Mode.JSAPI: "package"}
REFUND_OUTCOMES = {
    "REFUNDED": Outcome.SUCCEEDED,
    "PROCESSING": Outcome.PENDING,
    "STUCK": Outcome.PENDING,
    "CLOSED": Outcome.FAILED,
}
OUTCOMES = {"PAID": Outcome.SUCCEEDED, "CLOSED": Outcome.FAILED, "WAITING": Outcome.PENDING}

T = TypeVar("T")


class Fault(enum.Enum):
    """What becomes of a call."""

    NONE = enum.auto()
    LOST_REQUEST = enum.auto()  # nothing was done, no answer
    LOST_RESPONSE = enum.auto()  # it was done, no answer
    UNCLEAR = enum.auto()  # it was done, and the answer does not say so
    REFUSED = enum.auto()  # nothing was done nor will be
    REFUSED_FOR_NOW = enum.auto()


@dataclasses.dataclass
class Payment:
    request: PaymentRequest
    is_known: bool  # an unscanned QR code is not
    paid_at: datetime.datetime | None = None
    closed_at: datetime.datetime | None = None

    @property
    def status(self) -> str:
        if self.paid_at:
            return "PAID"
        return "CLOSED" if self.closed_at or now() >= self.request.expires_at else "WAITING"


@dataclasses.dataclass
class Refund:
    request: RefundRequest
    settled_at: datetime.datetime | None = None
    trouble: str = ""  # STUCK or CLOSED


class Book:
    """What one merchant's gateway knows. Read it freely, change it by its methods."""

    def __init__(self, merchant_id: str) -> None:
        self.merchant_id = merchant_id
        self.payments: dict[str, Payment] = {}
        self.refunds: dict[str, Refund] = {}
        self.refunds_take_time = False  # a refund stays PENDING until `settle_refund`
        self.fee_per_mille = 0
        self.bill_changes: list[Callable[[list[BillEntry]], list[BillEntry]]] = []  # what the bills say instead
        self.bill_trouble: Exception | None = None  # what comes instead of one: BillNotReady, BillUnusable
        self.calls: collections.deque[tuple[str, str]] = collections.deque(maxlen=10_000)  # verb, number
        self.lock = threading.RLock()
        self._scripts: dict[str, collections.deque[Fault | Callable[[], object]]] = {}

    def script(self, *steps: Fault | Callable[[], object], verb: str = "") -> None:
        """
        What the next calls (of one verb) meet, in order; afterwards all is well again. A function is called before
        the call is carried out: to be slow, or to let something else happen just then.
        """
        with self.lock:
            self._scripts.setdefault(verb, collections.deque()).extend(steps)

    def be_well(self) -> None:
        """Drop the rest of the script."""
        with self.lock:
            self._scripts.clear()

    def meet(self, verb: str, number: str) -> Fault:
        with self.lock:
            self.calls.append((verb, number))
            waiting = self._scripts.get(verb) or self._scripts.get("")
            step = waiting.popleft() if waiting else Fault.NONE
        if isinstance(step, Fault):
            return step
        step()  # outside the lock, which it may need itself
        return Fault.NONE

    def scan(self, number: str) -> None:
        """The payer opens the QR code: from now on there is a trade."""
        self.payments[number].is_known = True

    def pay(self, number: str) -> None:
        """:raises ValueError: it is paid, closed or expired"""
        with self.lock:
            payment = self.payments[number]
            if payment.status != "WAITING":
                raise ValueError(f"{number} cannot be paid: {payment.status}")
            payment.is_known, payment.paid_at = True, now()

    def settle_refund(self, number: str) -> None:
        """A refund that takes time comes to its end."""
        self.refunds[number].settled_at, self.refunds[number].trouble = now(), ""

    def trouble_refund(self, number: str, trouble: str) -> None:
        """A refund that takes time does not come to its end: `STUCK` between merchant and payer, or `CLOSED`."""
        self.refunds[number].trouble = trouble

    def refund_at_console(self, charge_number: str, amount_fen: int, refund_number: str = "console-1") -> None:
        """
        The merchant's staff give back at the gateway itself, past us.

        :raises ValueError: it is not paid, less than that is left, or the number is taken
        """
        with self.lock:
            payment = self.payments[charge_number]
            left_fen = payment.request.amount_fen - self.refunded_fen(charge_number)
            if not payment.paid_at or not 0 < amount_fen <= left_fen or refund_number in self.refunds:
                raise ValueError(f"{charge_number} cannot be refunded: {payment.status}, {left_fen} fen left")
            request = RefundRequest(
                number=refund_number,
                charge_number=charge_number,
                amount_fen=amount_fen,
                total_fen=payment.request.amount_fen,
            )
            self.refunds[refund_number] = Refund(request=request, settled_at=now())

    def bill(self, day: datetime.date) -> Bill:
        """What was paid and refunded on a day of Shanghai's clock, as `bill_changes` have it."""
        if self.bill_trouble:
            raise self.bill_trouble
        payments = [_billed_payment(self, each) for each in self.payments.values() if each.paid_at]
        refunds = [_billed_refund(self, each) for each in self.refunds.values() if each.settled_at]
        entries = [entry for entry in [*payments, *refunds] if entry.at.astimezone(bills.SHANGHAI).date() == day]
        for change in self.bill_changes:
            entries = change(entries)
        return Bill(day=day, entries=tuple(entries), sha256=bills.digest(repr(entries).encode()))

    def refunded_fen(self, number: str) -> int:
        """What has gone back of a payment, or is on its way."""
        requests = [refund.request for refund in self.refunds.values() if refund.trouble != "CLOSED"]
        return sum(request.amount_fen for request in requests if request.charge_number == number)

    def notification(self, number: str, /, *, refund_number: str = "", **changes: Any) -> RawNotification:
        """
        The notice of what became of a payment or of one refund of it, the same each time, as gateways repeat it.

        `changes` come before signing: a genuine notice of, say, another `amount_fen`.
        """
        payment = self.payments[number]
        content = {
            "merchant_id": self.merchant_id,
            "number": number,
            "amount_fen": payment.request.amount_fen,
            "status": payment.status,
            "paid_at": payment.paid_at.isoformat() if payment.paid_at else "",
            "refund_number": refund_number,
            **changes,
        }
        content["notification_id"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
        body = json.dumps(content, ensure_ascii=False).encode()
        return RawNotification(headers={SIGNATURE: self.sign(body)}, body=body)

    def sign(self, body: bytes) -> str:
        # No secret: it tells this book's notices from altered ones and from those of other merchants.
        return hmac.new(self.merchant_id.encode(), body, "sha256").hexdigest()


_books: dict[str, Book] = {}
_books_lock = threading.Lock()


def book(merchant_id: str) -> Book:
    """The one book of this merchant in this process."""
    with _books_lock:
        return _books.setdefault(merchant_id, Book(merchant_id))


def forget_everything() -> None:
    with _books_lock:
        _books.clear()


class MemoryGateway:
    def __init__(self, *, merchant_id: str = "memory") -> None:
        self._merchant_id = merchant_id

    @property
    def book(self) -> Book:
        return book(self._merchant_id)

    def create_payment(self, request: PaymentRequest) -> PaymentStarted:
        limits.check_payment(request, most_fen=MOST_FEN)
        return self._call("create_payment", request.number, lambda: self._create(request))

    def query_payment(self, number: str) -> PaymentState:
        unclear = PaymentState(outcome=Outcome.UNKNOWN, number=number)
        return self._call("query_payment", number, lambda: self._payment_state(number), unclear=unclear)

    def close_payment(self, number: str) -> CloseResult:
        unclear = CloseResult(outcome=Outcome.UNKNOWN)
        return self._call("close_payment", number, lambda: self._close(number), unclear=unclear)

    def refund(self, request: RefundRequest) -> RefundState:
        limits.check_number(request.number)
        unclear = RefundState(outcome=Outcome.UNKNOWN, number=request.number)
        return self._call("refund", request.number, lambda: self._refund(request), unclear=unclear)

    def query_refund(self, number: str, *, charge_number: str) -> RefundState:
        unclear = RefundState(outcome=Outcome.UNKNOWN, number=number)
        return self._call(
            "query_refund", number, lambda: _refund_state(self.book, number, charge_number), unclear=unclear
        )

    def download_bill(self, day: datetime.date) -> Bill:
        return self._call("download_bill", f"{day}", lambda: self.book.bill(day))

    def parse_notification(self, raw: RawNotification) -> Notification:
        headers = {name.lower(): value for name, value in raw.headers.items()}
        if not hmac.compare_digest(self.book.sign(raw.body).encode(), headers.get(SIGNATURE.lower(), "").encode()):
            raise NotificationRejected("bad_signature")
        try:
            content = json.loads(raw.body)
            if content["merchant_id"] != self._merchant_id:
                raise NotificationRejected("wrong_merchant", content["merchant_id"])
            return _notification(content)
        except (ValueError, KeyError, TypeError) as error:
            raise NotificationRejected("malformed", str(error)) from error

    def acknowledgement(self, answer: Acknowledgement) -> AcknowledgementBytes:
        return AcknowledgementBytes(status=200, content_type="text/plain", body=answer.value.encode())

    def _call(self, verb: str, number: str, act: Callable[[], T], *, unclear: T | None = None) -> T:
        fault = self.book.meet(verb, number)
        if fault is Fault.LOST_REQUEST:
            raise GatewayUnavailable("the request was lost")
        if fault in (Fault.REFUSED, Fault.REFUSED_FOR_NOW):
            raise GatewayRefused("SCRIPTED", permanent=fault is Fault.REFUSED)
        with self.book.lock:
            answer = act()
        if fault is Fault.NONE:
            return answer
        if fault is Fault.UNCLEAR and unclear is not None:
            return unclear
        raise GatewayUnavailable("the answer was lost")

    def _create(self, request: PaymentRequest) -> PaymentStarted:
        payment = self.book.payments.get(request.number)
        if payment is None:
            payment = Payment(request=request, is_known=request.mode is not Mode.QR)
            self.book.payments[request.number] = payment
        if payment.status != "WAITING":
            raise GatewayRefused(payment.status)
        if payment.request != request:  # the same number means the same request, to the letter
            raise GatewayRefused("NUMBER_REUSED")
        return PaymentStarted(payload={PAYLOADS[request.mode]: f"memory:{self._merchant_id}:{request.number}"})

    def _payment_state(self, number: str) -> PaymentState:
        payment = self.book.payments.get(number)
        if payment is None or not payment.is_known:
            return PaymentState(outcome=Outcome.NOT_FOUND, number=number)
        return PaymentState(
            outcome=OUTCOMES[payment.status],
            number=number,
            amount_fen=payment.request.amount_fen,
            trade_no=f"memory-{number}",
            paid_at=payment.paid_at,
            buyer="m***@example.com" if payment.paid_at else "",
            gateway_status=payment.status,
        )

    def _close(self, number: str) -> CloseResult:
        payment = self.book.payments.get(number)
        if payment is None or not payment.is_known:
            return CloseResult(outcome=Outcome.NOT_FOUND)
        if payment.paid_at:
            return CloseResult(outcome=Outcome.FAILED, gateway_status="PAID")
        payment.closed_at = payment.closed_at or now()
        return CloseResult(outcome=Outcome.SUCCEEDED, gateway_status="CLOSED")

    def _refund(self, request: RefundRequest) -> RefundState:
        known = self.book.refunds.get(request.number)
        if known is None:
            payment = self.book.payments.get(request.charge_number)
            if payment is None or not payment.paid_at:
                raise GatewayRefused("NOT_PAID")
            left_fen = payment.request.amount_fen - self.book.refunded_fen(request.charge_number)
            if not 0 < request.amount_fen <= left_fen or request.total_fen != payment.request.amount_fen:
                raise GatewayRefused("REFUND_EXCEEDS_PAYMENT")
            known = Refund(request=request, settled_at=None if self.book.refunds_take_time else now())
            self.book.refunds[request.number] = known
        asked, made = request, known.request
        if (asked.charge_number, asked.amount_fen) != (made.charge_number, made.amount_fen):
            raise GatewayRefused("REFUND_NUMBER_REUSED")
        return _refund_state(self.book, request.number, request.charge_number)


def _refund_state(book: Book, number: str, charge_number: str) -> RefundState:
    refund = book.refunds.get(number)
    if refund is None or refund.request.charge_number != charge_number:
        return RefundState(outcome=Outcome.NOT_FOUND, number=number)
    status = "REFUNDED" if refund.settled_at else refund.trouble or "PROCESSING"
    return RefundState(
        outcome=REFUND_OUTCOMES[status],
        number=number,
        amount_fen=refund.request.amount_fen,
        refunded_at=refund.settled_at,
        gateway_status=status,
        is_stuck=status == "STUCK",
    )


def _billed_payment(book: Book, payment: Payment) -> BillEntry:
    request = payment.request
    return BillEntry(
        kind=BillEntryKind.PAYMENT,
        number=request.number,
        trade_no=f"memory-{request.number}",
        amount_fen=request.amount_fen,
        fee_fen=_fee_fen(book, request.amount_fen),
        status="PAID",
        at=payment.paid_at or now(),
    )


def _billed_refund(book: Book, refund: Refund) -> BillEntry:
    request = refund.request
    return BillEntry(
        kind=BillEntryKind.REFUND,
        number=request.charge_number,
        refund_number=request.number,
        trade_no=f"memory-{request.charge_number}",
        amount_fen=request.amount_fen,
        fee_fen=-_fee_fen(book, request.amount_fen),
        status="REFUNDED",
        at=refund.settled_at or now(),
    )


def _fee_fen(book: Book, amount_fen: int) -> int:
    """Half up."""
    return (amount_fen * book.fee_per_mille + 500) // 1000


def _notification(content: Mapping[str, Any]) -> Notification:
    payment = PaymentState(
        outcome=OUTCOMES[content["status"]],
        number=content["number"],
        amount_fen=content["amount_fen"],
        trade_no=f"memory-{content['number']}",
        paid_at=datetime.datetime.fromisoformat(content["paid_at"]) if content["paid_at"] else None,
        gateway_status=content["status"],
    )
    kind, refund = NotificationKind.PAYMENT, None
    if content["refund_number"]:
        kind = NotificationKind.REFUND
        refund = RefundState(outcome=Outcome.SUCCEEDED, number=content["refund_number"])
    elif payment.outcome is Outcome.FAILED:
        kind = NotificationKind.CLOSED
    return Notification(notification_id=content["notification_id"], kind=kind, payment=payment, refund=refund)
