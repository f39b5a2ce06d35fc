"""
Having a bill: asked for outside of any transaction, kept in one.

A bill that is not made yet, that nobody answers for or that cannot be believed leaves whatever is there as it is, and
is tried for again.
"""

import dataclasses
import datetime
import hashlib
from collections import Counter
from collections.abc import Iterator

import structlog

from payments.errors import OnetillError
from payments.gateways import registry
from payments.gateways.base import (
    Bill,
    BillEntry,
    BillEntryKind,
    BillNotReady,
    BillUnusable,
    GatewayRefused,
    GatewayUnavailable,
    StatementSource,
)
from payments.gateways.models import GatewayAccount
from payments.reconciliation import book, days, merchants, schedule
from payments.reconciliation.models import NUMBER_LENGTH_MAX, TEXT_LENGTH_MAX, BillLine, GatewayBill
from payments.reconciliation.states import BillStatus
from payments.transactions import outside_transaction, transaction, transaction_required

log = structlog.get_logger(__name__)

BATCH = 2_000
LATE_FOR = datetime.timedelta(days=3)
NO_BILL = hashlib.sha256(b"").hexdigest()  # what an adapter answers where the gateway says that there is none


def statement_source(account: GatewayAccount) -> StatementSource:
    """Return what tells an account's bills: its adapter."""
    return registry.adapter(account)


@outside_transaction
def fetch(*, account_id: int, day: datetime.date, at: datetime.datetime) -> GatewayBill:
    """Ask the gateway for the bill of a day and keep what comes, or why nothing did."""
    account = GatewayAccount.objects.get(pk=account_id)
    try:
        with registry.place_for_a_call():
            bill = _of_our_apps(statement_source(account).download_bill(day), account=account)
        _check(bill, day=day)
        _check_not_late(bill, account=account, at=at)
    except BillNotReady as error:
        return _not_had(account=account, day=day, at=at, status=BillStatus.NOT_READY, reason=str(error))
    except BillUnusable as error:
        log.error("bill_unusable", account=account_id, day=str(day), reason=str(error))  # noqa: TRY400  the reason says it
        return _not_had(account=account, day=day, at=at, status=BillStatus.UNUSABLE, reason=str(error))
    except (GatewayUnavailable, GatewayRefused, OnetillError) as error:
        log.warning("bill_not_had", account=account_id, day=str(day), error=str(error))
        return _not_had(account=account, day=day, at=at, status=BillStatus.DUE, reason=str(error))
    return _keep(account=account, bill=bill, at=at)


@transaction_required
def lock(*, account: GatewayAccount, day: datetime.date) -> GatewayBill:
    """Lock the row of a bill, made if it is not there."""
    GatewayBill.objects.bulk_create([GatewayBill(account=account, day=day)], ignore_conflicts=True)
    return GatewayBill.objects.select_for_update(of=("self",)).get(account=account, day=day)


def _of_our_apps(bill: Bill, *, account: GatewayAccount) -> Bill:
    """Leave out what came by apps of the merchant that no account of ours has: other systems keep a book of it."""
    apps = merchants.apps_of(account)
    entries = tuple(entry for entry in bill.entries if not entry.app_id or entry.app_id in apps)
    return dataclasses.replace(bill, entries=entries)


def _check(bill: Bill, *, day: datetime.date) -> None:
    """:raises BillUnusable: if it is not that day's, or has what no line can hold"""
    if bill.day != day:
        raise BillUnusable("wrong_day", str(bill.day))
    for entry in bill.entries:
        texts = (entry.number, entry.refund_number, entry.trade_no)
        if entry.amount_fen <= 0 or any("\x00" in text or len(text) > NUMBER_LENGTH_MAX for text in texts):
            raise BillUnusable("malformed", f"{entry.number[:NUMBER_LENGTH_MAX]!r} of {entry.amount_fen} fen")


def _check_not_late(bill: Bill, *, account: GatewayAccount, at: datetime.datetime) -> None:
    """
    That there is no bill, gateways say of a day without trade, and of a bill that is late.

    :raises BillNotReady: if there is none, we have payments of its day, and it is not three days later
    """
    is_recent = at < days.bounds(bill.day)[1] + LATE_FOR
    if bill.sha256 == NO_BILL and is_recent and book.has_payments(account=account, day=bill.day):
        raise BillNotReady("empty, though we were paid that day")


def _not_had(
    *, account: GatewayAccount, day: datetime.date, at: datetime.datetime, status: BillStatus, reason: str
) -> GatewayBill:
    with transaction():
        row = lock(account=account, day=day)
        if row.status not in {BillStatus.FETCHED, BillStatus.MATCHED}:
            row.status = status
        row.reason = (reason or status.value)[:TEXT_LENGTH_MAX]
        row.attempts += 1
        row.next_try_at = schedule.retry_at(attempts=row.attempts, at=at)
        row.save(update_fields=["status", "reason", "attempts", "next_try_at"])
        return row


def _keep(*, account: GatewayAccount, bill: Bill, at: datetime.datetime) -> GatewayBill:
    """Keep the lines, unless they are there: what tells is the file's hash."""
    with transaction():
        row = lock(account=account, day=bill.day)
        if row.sha256 != bill.sha256:
            if row.sha256:
                log.warning("bill_corrected", account=account.pk, day=str(bill.day), sha256=bill.sha256)
            _exchange_lines(row=row, bill=bill)
            row.status = BillStatus.FETCHED
            row.sha256 = bill.sha256
        row.reason = ""
        row.attempts = 0
        row.fetched_at = at
        row.next_try_at = at + schedule.LEASE  # until it is compared
        row.save(
            update_fields=[
                "status", "sha256", "reason", "attempts", "fetched_at", "next_try_at", "payments", "payments_fen",
                "refunds", "refunds_fen", "fees_fen",
            ]
        )  # fmt: skip
        return row


@transaction_required
def _exchange_lines(*, row: GatewayBill, bill: Bill) -> None:
    row.lines.all().delete()
    BillLine.objects.bulk_create(_lines(row=row, bill=bill), batch_size=BATCH)
    payments = [entry.amount_fen for entry in bill.entries if entry.kind is BillEntryKind.PAYMENT]
    refunds = [entry.amount_fen for entry in bill.entries if entry.kind is BillEntryKind.REFUND]
    row.payments, row.payments_fen = len(payments), sum(payments)
    row.refunds, row.refunds_fen = len(refunds), sum(refunds)
    row.fees_fen = sum(entry.fee_fen for entry in bill.entries)


def _lines(*, row: GatewayBill, bill: Bill) -> Iterator[BillLine]:
    seen: Counter[tuple[str, ...]] = Counter()
    for entry in bill.entries:
        refund_number = entry.refund_number if entry.kind is BillEntryKind.REFUND else ""
        key = (entry.kind.value, entry.number, refund_number, entry.trade_no)
        seen[key] += 1
        yield _line(row=row, entry=entry, refund_number=refund_number, occurrence=seen[key])


def _line(*, row: GatewayBill, entry: BillEntry, refund_number: str, occurrence: int) -> BillLine:
    return BillLine(
        bill=row, kind=entry.kind.value, number=entry.number, refund_number=refund_number, trade_no=entry.trade_no,
        occurrence=occurrence, amount_fen=entry.amount_fen, fee_fen=entry.fee_fen, at=entry.at,
        status=entry.status.replace("\x00", "")[:TEXT_LENGTH_MAX],
    )  # fmt: skip
