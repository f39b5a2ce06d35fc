"""What our book says of a bill's day and of the numbers that the bill names."""

import datetime
from collections.abc import Iterator

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Subquery, Value, When

from payments.charges.models import Charge
from payments.charges.states import BOOKED
from payments.gateways.models import GatewayAccount
from payments.reconciliation import days, merchants
from payments.reconciliation.matching import Ours, Theirs
from payments.reconciliation.models import BillLine, GatewayBill
from payments.reconciliation.states import Entry, Remedy
from payments.refunds.models import RefundLeg
from payments.refunds.states import LegStatus
from payments.transactions import transaction_required

BATCH = 2_000


@transaction_required
def link(*, bill: GatewayBill) -> None:
    """Note which charge of the merchant each line names."""
    charges = Charge.objects.filter(number=OuterRef("number"), gateway_account__in=merchants.accounts_of(bill.account))
    bill.lines.filter(charge__isnull=True).update(charge=Subquery(charges.values("pk")[:1]))


def ours(*, bill: GatewayBill) -> Iterator[Ours]:
    """Return our side, sorted as `matching` wants it: payments come before refunds."""
    yield from _payments(bill=bill)
    yield from _refunds(bill=bill)


def theirs(*, bill: GatewayBill) -> Iterator[Theirs]:
    """Return the bill's side, sorted alike. A refund without a number is a payment that was taken back."""
    is_taken_back = Q(kind=Entry.REFUND, refund_number="")
    lines = bill.lines.annotate(entry=Case(When(is_taken_back, then=Value(Entry.PAYMENT)), default="kind"))
    lines = lines.order_by("entry", "number", "refund_number", "kind", "occurrence")
    for line in lines.iterator(chunk_size=BATCH):
        yield Theirs(
            kind=Entry(line.entry), is_taken_back=line.entry != line.kind, number=line.number,
            refund_number=line.refund_number, trade_no=line.trade_no, occurrence=line.occurrence,
            amount_fen=line.amount_fen, fee_fen=line.fee_fen, line_id=line.pk, charge_id=line.charge_id,
        )  # fmt: skip


def has_payments(*, account: GatewayAccount, day: datetime.date) -> bool:
    """Whether we booked a payment of the account's merchant that day."""
    return _of_day(account=account, day=day).exists()


def _of_day(*, account: GatewayAccount, day: datetime.date) -> QuerySet[Charge]:
    start, end = days.bounds(day)
    return Charge.objects.filter(
        gateway_account__in=merchants.accounts_of(account), status__in=BOOKED, paid_at__gte=start, paid_at__lt=end
    )


def _payments(*, bill: GatewayBill) -> Iterator[Ours]:
    """What we booked that day, and whatever became of the charges that the bill names."""
    of_the_day = _of_day(account=bill.account, day=bill.day)
    named = bill.lines.filter(kind=Entry.PAYMENT, charge__isnull=False)
    elsewhere = BillLine.objects.filter(charge=OuterRef("pk"), kind=Entry.PAYMENT, is_matched=True).exclude(bill=bill)
    charges = (
        Charge.objects.filter(pk__in=of_the_day.values("pk").union(named.values("charge")))
        .annotate(elsewhere=Subquery(elsewhere.values("bill__day")[:1]))
        .order_by("number")
    )
    for charge in charges.iterator(chunk_size=BATCH):
        amount_fen = charge.paid_fen or charge.amount_fen
        yield Ours(
            kind=Entry.PAYMENT, number=charge.number, trade_no=charge.gateway_trade_no, amount_fen=amount_fen,
            total_fen=amount_fen, at=charge.paid_at, charge_id=charge.pk, status=charge.status,
            unbooked=None if charge.status in BOOKED else Remedy.ASK_GATEWAY, elsewhere=charge.elsewhere,
        )  # fmt: skip


def _refunds(*, bill: GatewayBill) -> Iterator[Ours]:
    """What went back that day, and whatever became of the refunds that the bill names."""
    start, end = days.bounds(bill.day)
    of_the_day = RefundLeg.objects.filter(
        charge__gateway_account__in=merchants.accounts_of(bill.account), status=LegStatus.SUCCEEDED,
        settled_at__gte=start, settled_at__lt=end,
    )  # fmt: skip
    lines = bill.lines.filter(kind=Entry.REFUND, charge__isnull=False).exclude(refund_number="")
    named = RefundLeg.objects.filter(charge__in=lines.values("charge"))
    elsewhere = BillLine.objects.filter(
        charge=OuterRef("charge"), refund_number=OuterRef("told_number"), kind=Entry.REFUND, is_matched=True
    ).exclude(bill=bill)
    told = lines.filter(charge=OuterRef("charge"), refund_number=OuterRef("told_number"))
    legs = (
        RefundLeg.objects.filter(pk__in=of_the_day.values("pk").union(named.values("pk")))
        .annotate(told_number=Case(When(foreign_number="", then="number"), default="foreign_number"))
        .filter(Q(pk__in=of_the_day.values("pk")) | Exists(told))
        .annotate(elsewhere=Subquery(elsewhere.values("bill__day")[:1]))
        .select_related("charge")
        .order_by("charge__number", "told_number")
    )
    for leg in legs.iterator(chunk_size=BATCH):
        yield Ours(
            kind=Entry.REFUND, number=leg.charge.number, refund_number=leg.told_number,
            trade_no=leg.charge.gateway_trade_no, amount_fen=leg.amount_fen, total_fen=leg.charge.paid_fen or 0,
            at=leg.settled_at, charge_id=leg.charge_id, status=leg.status,
            unbooked=None if leg.status == LegStatus.SUCCEEDED else Remedy.ASK_GATEWAY, elsewhere=leg.elsewhere,
        )  # fmt: skip
