"""A gateway's bills as a test writes them, and charges to be found in them."""

import datetime
import hashlib

from payments.gateways.base import Bill, BillEntry, BillEntryKind, BillNotReady
from payments.models import Charge
from payments.reconciliation import days

DAY = datetime.date(2018, 6, 15)
NEXT = DAY + datetime.timedelta(days=1)
BEFORE = DAY - datetime.timedelta(days=1)


def clock(time="12:00:00", day=DAY):
    """A moment of Shanghai's clock."""
    return datetime.datetime.combine(day, datetime.time.fromisoformat(time), days.SHANGHAI)


MORNING = clock("11:00:00", NEXT)  # of the day on which DAY's bill is there


def payment(number, *, amount_fen=10_000, **changes):
    fields = {"kind": BillEntryKind.PAYMENT, "trade_no": f"t-{number}", "at": clock()}
    return BillEntry(number=number, amount_fen=amount_fen, **(fields | changes))


def refund(number, refund_number, *, amount_fen=1_000, **changes):
    return payment(
        number, kind=BillEntryKind.REFUND, refund_number=refund_number, amount_fen=amount_fen, **changes
    )  # fmt: skip


class Statements:
    """What the gateway answers, by day. A day that was never put is not ready."""

    def __init__(self):
        self.answers = {}
        self.asked = []

    def put(self, *entries, day=DAY):
        digest = hashlib.sha256(repr((day, entries)).encode()).hexdigest()
        self.answers[day] = Bill(day=day, entries=entries, sha256=digest)

    def fail(self, error, day=DAY):
        self.answers[day] = error

    def download_bill(self, day):
        self.asked.append(day)
        answer = self.answers.get(day, BillNotReady("not yet"))
        if isinstance(answer, Exception):
            raise answer
        return answer


def make_charge(order, account, n, *, at=None, amount_fen=10_000, **changes):
    """A charge whose money is booked: beyond need, so that one order may have any number of them."""
    number = f"C{n:04}"
    fields = {
        "status": "surplus", "paid_fen": amount_fen, "paid_at": at or clock(), "gateway_trade_no": f"t-{number}",
        "tender": "memory", "mode": "qr", "created_at": at or clock(),
    }  # fmt: skip
    return Charge(
        order=order, gateway_account=account, attempt=n + 10, number=number, amount_fen=amount_fen, **(fields | changes)
    )


def book(order, account, *numbers, **fields):
    """Book charges and return them."""
    return Charge.objects.bulk_create(make_charge(order, account, n, **fields) for n in numbers)
