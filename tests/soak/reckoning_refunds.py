"""What went back by the gateways' book against ours: every refund that moved there stands here once, and no other."""

from collections import defaultdict

from django.db.models import Sum

from payments.charges.models import CASH
from payments.charges.states import Status as ChargeStatus
from payments.ledger import accounts
from payments.models import Order, Refund, RefundLeg, Transfer
from payments.orders.models import MoneyFlag
from payments.orders.states import Status as OrderStatus
from payments.refunds.models import Kind
from payments.refunds.queries import REFUNDABLE
from payments.refunds.states import LEG_OPEN, LegStatus, Status

PAID = (*REFUNDABLE, OrderStatus.TOTAL_REFUND)


def every_refund_stands_once(refunds):
    legs = {leg.number: leg for leg in _at_gateways()}
    posted = defaultdict(list)
    for transfer in Transfer.objects.filter(credit__startswith="clearing:"):
        posted[transfer.reference].append(transfer)
    for made in (made for made in refunds if made.is_moved):
        leg = legs.get(made.number)
        if leg is None:
            yield f"{made.number}: {made.amount_fen} fen went back, and our book has no such refund"
            continue
        asked = (leg.charge.number, leg.charge.gateway_account.app_id, leg.amount_fen, leg.status)
        if asked != (made.charge_number, made.app_id, made.amount_fen, LegStatus.SUCCEEDED):
            yield f"{made.number}: {made.amount_fen} fen of {made.charge_number} went back, in our book it is {asked}"
        clearing = accounts.clearing_code(gateway_account_id=leg.charge.gateway_account_id)
        booked = [each.amount_fen for each in posted[leg.number] if each.credit == clearing]
        if sum(booked) != made.amount_fen or len(booked) != len(posted[leg.number]):
            yield f"{made.number}: {made.amount_fen} fen went back, booked as {booked}"


def no_other_refund_was_booked(refunds):
    moved = {made.number for made in refunds if made.is_moved}
    for leg in _at_gateways().filter(status=LegStatus.SUCCEEDED):
        if leg.number not in moved:
            yield f"{leg.number}: succeeded with {leg.amount_fen} fen, and no gateway gave anything back"
    for transfer in Transfer.objects.filter(credit__startswith="clearing:"):
        if transfer.reference not in moved:
            yield f"{transfer.reference}: {transfer.kind} of {transfer.amount_fen} fen, and no gateway gave it back"


def gateways_keep_what_orders_cost(trades, refunds):
    """Of a paid order its cash, less what was refunded of it; of every other one nothing."""
    kept_fen = defaultdict(int)
    for trade in trades:
        kept_fen[_order_of(trade.number)] += trade.amount_fen if trade.is_paid else 0
    for made in refunds:
        kept_fen[_order_of(made.charge_number)] -= made.amount_fen if made.is_moved else 0
    for order in Order.objects.order_by("pk"):
        should_fen = order.cash_fen - _refunded_fen(order, at_gateways=True) if order.status in PAID else 0
        if kept_fen[order.number] != should_fen:
            yield f"{order.number}: {order.status}, and gateways keep {kept_fen[order.number]} fen, not {should_fen}"


def orders_are_as_they_were_refunded():
    for order in Order.objects.filter(status__in=PAID).order_by("pk"):
        refunded_fen = _refunded_fen(order)
        status = OrderStatus.PARTLY_REFUND if refunded_fen else OrderStatus.PAY_FINISHED
        status = OrderStatus.TOTAL_REFUND if refunded_fen == order.total_fen else status
        if (order.status, order.refunded_fen) != (status, refunded_fen):
            yield f"{order.number}: {order.status} with {order.refunded_fen} fen, and {refunded_fen} fen went back"


def flags_tell_what_is_for_staff():
    """Money beyond need has gone back, and its flags with it. What failed is to be seen; where nothing was, nothing."""
    for order in Order.objects.prefetch_related("refunds", "charges").order_by("pk"):
        statuses = {refund.status for refund in order.refunds.all()}
        released = any(
            charge.tender in CASH and charge.status == ChargeStatus.RELEASED for charge in order.charges.all()
        )
        may_be = {""} if Status.FAILED not in statuses else set()
        may_be |= {MoneyFlag.NEEDS_ATTENTION.value} if statuses or released else set()
        if order.money_flag not in may_be:
            yield f"{order.number}: flagged “{order.money_flag}”, with refunds {sorted(statuses)}"


def no_refund_is_open():
    for leg in RefundLeg.objects.filter(status__in=LEG_OPEN):
        yield f"{leg.number}: still {leg.status}, the gateway's last word: {leg.last_answer}"
    for refund in Refund.objects.filter(status__in=[Status.TO_APPROVE, Status.PENDING]):
        yield f"{refund.number}: a refund that is still {refund.status}"


def who_was_told_of_a_refund_finds_it(told):
    """`told` are our refund numbers, each with the shop's own."""
    known = dict(Refund.objects.values_list("number", "refund_no"))
    for number, refund_no in sorted(told.items()):
        if known.get(number) != refund_no:
            yield f"{number}: answered to a shop as {refund_no}, and {known.get(number)} in our book"


def points_back_fen():
    """What refunds gave back into points, by customer."""
    legs = RefundLeg.objects.filter(status=LegStatus.SUCCEEDED, charge__gateway_account__isnull=True)
    back = defaultdict(int)
    for leg in legs.select_related("refund__order"):
        back[leg.refund.order.customer_id] += leg.amount_fen
    return back


def _refunded_fen(order, *, at_gateways=False):
    legs = RefundLeg.objects.filter(refund__order=order, refund__kind=Kind.ORDER, status=LegStatus.SUCCEEDED)
    legs = legs.filter(charge__gateway_account__isnull=False) if at_gateways else legs
    sums = legs.aggregate(goods=Sum("goods_fen", default=0), shipping=Sum("shipping_fen", default=0))
    return sums["goods"] + sums["shipping"]


def _at_gateways():
    legs = RefundLeg.objects.filter(charge__gateway_account__isnull=False)
    return legs.select_related("charge__gateway_account")


def _order_of(number):
    return number.rpartition("_")[0]
