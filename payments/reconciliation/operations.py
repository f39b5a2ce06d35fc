"""
The gateways' bills against our book. Each step is safe to repeat.

fetch          no transaction: have the bill of a day, and keep it                            (`bills`)
match          one transaction: compare it with our book, keep what differs
reconcile      both, and what may be done about a difference without a person
reconcile_due  every bill that is due, of every merchant
settle         a person says how a difference was dealt with
"""

import datetime

import structlog
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.charges import sweep
from payments.errors import Conflict, NotFound, OnetillError
from payments.gateways.models import GatewayAccount
from payments.reconciliation import bills, book, days, matching, merchants, recording, schedule
from payments.reconciliation.models import TEXT_LENGTH_MAX, Difference, GatewayBill
from payments.reconciliation.states import UNSETTLED, BillStatus, DifferenceStatus, Entry, Remedy
from payments.refunds import console
from payments.transactions import outside_transaction, transaction

log = structlog.get_logger(__name__)

TASK = "payments.reconcile_bills"

# Of one run: the next takes up where it ends, and a task stays within the broker's visibility timeout.
BILLS_MAX = 100

# These only ask the gateway; what it answers is as good as a notification.
SAFE_REMEDIES = (Remedy.ASK_GATEWAY, Remedy.BOOK_CONSOLE_REFUND)


class DayNotOver(OnetillError):
    code = "day_not_over"
    message = _("There is no bill of %(day)s yet: that day is not over in Shanghai.")


class ReasonMissing(OnetillError):
    code = "reason_missing"
    message = _("Say how the difference was dealt with, in at most %(longest)s characters.")


class DifferenceSettled(Conflict):
    code = "difference_settled"
    message = _("This difference was settled before.")


class DifferenceUnknown(NotFound):
    message = _("There is no such difference.")


class RemedyByHand(OnetillError):
    """What is to be done about this difference moves money or needs an eye."""

    code = "remedy_by_hand"
    message = _("This takes a person: %(remedy)s.")


def match(*, bill_id: int, at: datetime.datetime) -> GatewayBill:
    """
    Compare a bill that was fetched with our book and keep what differs. Repeating it changes nothing.

    Two neighbouring days compared at the same moment may each miss what the other has just found; the comparison an
    hour later settles that.
    """
    with transaction():
        bill = _lock_bill(bill_id)
        if bill.status not in {BillStatus.FETCHED, BillStatus.MATCHED}:
            return bill
        book.link(bill=bill)
        found = matching.compare(
            day=bill.day, ours=book.ours(bill=bill), theirs=book.theirs(bill=bill),
            fee_per_mille=merchants.fee_per_mille(bill.account),
        )  # fmt: skip
        new = recording.record(bill=bill, found=found, at=at)
        recording.settle_found(bill=bill, at=at)
        left = _unsettled(bill)
        bill.status = BillStatus.MATCHED
        bill.matched_at = at
        bill.next_try_at = at + (schedule.AGAIN_SOON if new else schedule.AGAIN) if left else None
        bill.save(update_fields=["status", "matched_at", "next_try_at"])
    if new:
        log.error("bill_differs", account=bill.account_id, day=str(bill.day), new=new, unsettled=left)
    return bill


def _lock_bill(bill_id: int) -> GatewayBill:
    return GatewayBill.objects.select_related("account").select_for_update(of=("self",)).get(pk=bill_id)


def _unsettled(bill: GatewayBill) -> int:
    return Difference.objects.filter(account=bill.account_id, day=bill.day, status__in=UNSETTLED).count()


@outside_transaction
def reconcile(*, account_id: int, day: datetime.date, at: datetime.datetime, again: bool = False) -> GatewayBill:
    """
    Fetch the bill of a day, of the merchant that an account is of, and compare it. `again`: even if that was done.

    :raises DayNotOver: if that day is not over
    """
    if day >= days.day_of(at):
        raise DayNotOver(field="day", day=day.isoformat())
    account = GatewayAccount.objects.get(pk=account_id)
    merchant = merchants.accounts_of(account)
    bill = GatewayBill.objects.filter(account__in=merchant, day=day, status=BillStatus.MATCHED).first()
    if bill is not None and not again:
        return bill
    return _reconcile(account_id=bill.account_id if bill else merchants.speaker_of(account).pk, day=day, at=at)


def _reconcile(*, account_id: int, day: datetime.date, at: datetime.datetime) -> GatewayBill:
    bill = bills.fetch(account_id=account_id, day=day, at=at)
    if not bill.sha256:
        return bill
    bill = match(bill_id=bill.pk, at=at)
    remediable = Difference.objects.filter(
        account=account_id, day=day, status=DifferenceStatus.OPEN, remedy__in=SAFE_REMEDIES, charge__isnull=False
    )
    for difference_id in list(remediable.values_list("pk", flat=True)):
        try:
            apply_remedy(difference_id=difference_id, at=at)
        except Exception:
            # Nor must one payment's trouble keep the others unasked: the next comparison tries it again.
            log.exception("remedy_failed", difference=difference_id)
    return bill


def reconcile_due(*, at: datetime.datetime) -> int:
    """Reconcile every bill that is due, the oldest day first. Returns how many were tried."""
    with transaction():
        opened = recording.open_pooled(at=at)
    if opened:
        log.error("differences_opened", opened=opened)
    schedule.note_due_days(at=at)
    for tried in range(BILLS_MAX):
        bill_id = schedule.lease(at=at)
        if bill_id is None:
            return tried
        account_id, day = GatewayBill.objects.values_list("account_id", "day").get(pk=bill_id)
        try:
            _reconcile(account_id=account_id, day=day, at=at)
        except Exception:
            # One bill's trouble must not keep the others waiting. Its lease runs out and it is due again.
            log.exception("bill_failed", account=account_id, day=str(day))
    return BILLS_MAX


def settle(*, difference_id: int, actor: str, reason: str, at: datetime.datetime) -> Difference:
    """
    Record how a person dealt with a difference.

    :raises ReasonMissing: without a reason, or with one that is too long
    :raises DifferenceUnknown: if there is none of that id
    :raises DifferenceSettled: if it was settled before
    """
    reason = reason.strip()
    if not reason or len(reason) > TEXT_LENGTH_MAX or "\x00" in reason:
        raise ReasonMissing(field="reason", longest=TEXT_LENGTH_MAX)
    with transaction():
        difference = _lock_difference(difference_id)
        if difference.status == DifferenceStatus.SETTLED:
            raise DifferenceSettled
        audit.record(
            actor=actor, action="difference.settle", subject=f"difference:{difference.pk}", number=difference.number,
            refund_number=difference.refund_number, day=difference.day.isoformat(), kind=difference.kind,
            was=difference.status, reason=reason,
        )  # fmt: skip
        difference.status = DifferenceStatus.SETTLED
        difference.pooled_until = None
        difference.settled_at, difference.settled_by, difference.settled_reason = at, actor, reason
        difference.save(update_fields=["status", "pooled_until", "settled_at", "settled_by", "settled_reason"])
        return difference


@outside_transaction
def apply_remedy(*, difference_id: int, at: datetime.datetime) -> None:
    """
    Do about a difference what is safe without a person: ask the gateway itself about the payment or the refund.

    What it answers is booked as ever; a refund that its console made too. The next comparison settles the difference.

    :raises RemedyByHand: if that is not its remedy
    :raises DifferenceUnknown: if there is none of that id
    """
    with transaction():
        difference = _lock_difference(difference_id)
        if difference.remedy not in SAFE_REMEDIES or difference.charge_id is None:
            raise RemedyByHand(remedy=difference.get_remedy_display())
        if difference.entry == Entry.PAYMENT:
            sweep.ask_soon(charge_id=difference.charge_id, at=at)
            return
    console.recognise(charge_id=difference.charge_id, number=difference.refund_number, at=at)


def _lock_difference(difference_id: int) -> Difference:
    difference = Difference.objects.select_for_update(of=("self",)).filter(pk=difference_id).first()
    if difference is None:
        raise DifferenceUnknown
    return difference


def open_differences(*, bill: GatewayBill) -> dict[str, int]:
    """Return how many differences of a bill are unsettled, by status."""
    found = Difference.objects.filter(account=bill.account_id, day=bill.day, status__in=UNSETTLED)
    return dict(found.values_list("status").annotate(n=Count("pk")).order_by())
