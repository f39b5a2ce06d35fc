"""
The gateways' book against ours: every trade that was paid there and every refund that went back stands exactly once
here, and nothing else does.

Each finding is a sentence with the number that it is about; none means that the books agree.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping

from django.db.models import Count, Q, Sum
from django.utils import timezone

from payments import invariants
from payments.charges.models import CASH
from payments.charges.states import BOOKED, OPEN, Status
from payments.closing import queries as closing
from payments.inbox.models import InboundNotification, Verdict
from payments.ledger import accounts
from payments.ledger.models import TransferKind
from payments.models import Account, Charge, Order, Transfer
from payments.orders.models import OrderKind
from payments.orders.states import Status as OrderStatus
from tests.soak import reckoning_events, reckoning_refunds
from tests.soak.reckoning_refunds import PAID

# What did not pay an order is a surplus until it has gone back.
CASH_KINDS = {Status.SUCCEEDED: TransferKind.PAYMENT, Status.RELEASED: TransferKind.SURPLUS}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Told:
    """What shops know: the orders and refunds (our number → theirs) we answered, what is closed, the events heard."""

    orders: Mapping[str, str] = dataclasses.field(default_factory=dict)
    refunds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    closed: Collection[str] = ()
    heard: Mapping[str, Collection[str]] | None = None  # by client; None: nobody listened


def reckon(*, trades, refunds, told):
    """`trades` and `refunds` are the gateways' whole book."""
    return [*differences(trades=trades, refunds=refunds, told=told), *broken_invariants()]


def differences(*, trades, refunds, told):
    return [
        *_every_paid_trade_stands_once(trades),
        *_nothing_else_was_booked(trades),
        *reckoning_refunds.every_refund_stands_once(refunds),
        *reckoning_refunds.no_other_refund_was_booked(refunds),
        *_clearing_holds_what_was_paid(trades, refunds),
        *_orders_are_as_they_were_paid(trades),
        *reckoning_refunds.orders_are_as_they_were_refunded(),
        *reckoning_refunds.gateways_keep_what_orders_cost(trades, refunds),
        *reckoning_refunds.flags_tell_what_is_for_staff(),
        *_recharges_were_credited_once(),
        *_customers_have_what_is_left(),
        *_nothing_is_open(),
        *reckoning_refunds.no_refund_is_open(),
        *_who_was_told_of_an_order_finds_it(told),
        *reckoning_refunds.who_was_told_of_a_refund_finds_it(told.refunds),
        *reckoning_events.events_tell_what_happened(),
        *(reckoning_events.events_were_heard(told.heard) if told.heard is not None else ()),
    ]


def broken_invariants():
    broken = [finding for finding in invariants.check() if finding.breaches]
    return [f"invariant {each.name} ({each.says}): {each.breaches}, e.g. {each.examples}" for each in broken]


def _every_paid_trade_stands_once(trades):
    ours = defaultdict(list)
    for charge in _cash().filter(~Q(gateway_trade_no="")):
        ours[charge.gateway_account.app_id, charge.gateway_trade_no].append(charge)
    posted = defaultdict(list)
    for transfer in Transfer.objects.filter(debit__startswith="clearing:"):
        posted[transfer.reference].append(transfer)
    for trade in (trade for trade in trades if trade.is_paid):
        charges = ours[trade.app_id, trade.trade_no]
        if len(charges) != 1:
            yield f"{trade.number}: paid as trade {trade.trade_no}, which stands {len(charges)} times in our book"
            continue
        (charge,) = charges
        if (charge.number, charge.paid_fen) != (trade.number, trade.amount_fen) or charge.status not in CASH_KINDS:
            yield (
                f"{trade.number}: paid {trade.amount_fen} fen as trade {trade.trade_no}, which is {charge.number} "
                f"{charge.status} {charge.paid_fen} fen in our book"
            )
        else:
            yield from _is_booked_once(charge, posted[charge.number])


def _is_booked_once(charge, transfers):
    clearing = accounts.clearing_code(gateway_account_id=charge.gateway_account_id)
    wanted = [(clearing, CASH_KINDS[charge.status], charge.paid_fen, charge.order_id)]
    found = [(each.debit, each.kind, each.amount_fen, each.order_id) for each in transfers]
    if found != wanted:
        yield f"{charge.number}: {charge.status}, booked as {found} instead of {wanted}"


def _nothing_else_was_booked(trades):
    paid = {trade.number for trade in trades if trade.is_paid}
    for charge in _cash().filter(Q(status__in=BOOKED) | Q(paid_fen__isnull=False)):
        if charge.number not in paid:
            yield f"{charge.number}: {charge.status} with {charge.paid_fen} fen, and no gateway was paid"
    for transfer in Transfer.objects.filter(debit__startswith="clearing:"):
        if transfer.reference not in paid:
            yield f"{transfer.reference}: {transfer.kind} of {transfer.amount_fen} fen, and no gateway was paid"


def _clearing_holds_what_was_paid(trades, refunds):
    paid_fen, ours_fen = Counter(), Counter()
    for trade in trades:
        paid_fen[trade.app_id] += trade.amount_fen if trade.is_paid else 0
    for made in refunds:
        paid_fen[made.app_id] -= made.amount_fen if made.is_moved else 0
    names = {}
    for charge in _cash():
        names[accounts.clearing_code(gateway_account_id=charge.gateway_account_id)] = charge.gateway_account.app_id
    for code, app_id in names.items():
        ours_fen[app_id] += _sum(Transfer.objects.filter(debit=code)) - _sum(Transfer.objects.filter(credit=code))
    for app_id in sorted(paid_fen.keys() | ours_fen.keys()):
        if paid_fen[app_id] != ours_fen[app_id]:
            yield f"merchant {app_id}: keeps {paid_fen[app_id]} fen, and {ours_fen[app_id]} went through our books"


def _orders_are_as_they_were_paid(trades):
    """
    While an order is not closed, the first trade of the right amount pays it. Whatever else was paid, before or after,
    is a surplus.
    """
    paid = defaultdict(list)
    for trade in trades:
        if trade.is_paid:
            paid[trade.number.rpartition("_")[0]].append(trade.amount_fen)
    succeeded = Count("charges", filter=Q(charges__tender__in=CASH, charges__status=Status.SUCCEEDED))
    for order in Order.objects.annotate(succeeded=succeeded).order_by("pk"):
        amounts = paid.pop(order.number, [])
        is_closed = order.status == OrderStatus.CLOSED
        is_paid = not is_closed and (not order.cash_fen or order.cash_fen in amounts)
        pays = 1 if is_paid and order.cash_fen else 0
        if (order.status in PAID) != is_paid or order.succeeded != pays:
            yield f"{order.number}: {order.status}, {order.succeeded} attempts pay it, and {amounts} fen were paid"
    for number, amounts in paid.items():
        yield f"{number}: {amounts} fen were paid for an order that is none"


def _recharges_were_credited_once():
    finished = Order.objects.filter(kind=OrderKind.RECHARGE, status__in=PAID)
    wanted = dict(finished.values_list("pk", "total_fen"))
    credited = defaultdict(list)
    for transfer in Transfer.objects.filter(kind=TransferKind.RECHARGE):
        credited[transfer.order_id].append(transfer.amount_fen)
    for order_id in wanted.keys() | credited.keys():
        if credited[order_id] != [wanted.get(order_id)]:
            yield f"recharge {order_id}: {wanted.get(order_id)} fen were paid, {credited[order_id]} fen were credited"


def _customers_have_what_is_left():
    """What was granted or recharged, less the points of orders and the recharges that went back."""
    should_fen = Counter()
    for transfer in Transfer.objects.filter(kind=TransferKind.GRANT):
        should_fen[transfer.credit] += transfer.amount_fen
        should_fen[transfer.debit] -= transfer.amount_fen
    for order in Order.objects.exclude(status=OrderStatus.CLOSED):
        points = accounts.customer_code(kind=accounts.Kind.POINTS, customer_id=order.customer_id)
        should_fen[points] -= order.points_fen
        if order.kind == OrderKind.RECHARGE and order.status in PAID:
            balance = accounts.customer_code(kind=accounts.Kind.BALANCE, customer_id=order.customer_id)
            should_fen[balance] += order.total_fen - order.refunded_fen
    for customer_id, back_fen in reckoning_refunds.points_back_fen().items():
        should_fen[accounts.customer_code(kind=accounts.Kind.POINTS, customer_id=customer_id)] += back_fen
    for account in Account.objects.all():
        code = accounts.customer_code(kind=account.kind, customer_id=account.customer_id)
        if account.balance_fen != should_fen[code]:
            yield f"{code}: has {account.balance_fen} fen instead of {should_fen[code]}"


def _nothing_is_open():
    for charge in _cash().filter(status__in=OPEN):
        yield f"{charge.number}: still {charge.status}, the gateway's last word: {charge.last_answer}"
    for row in InboundNotification.objects.filter(verdict=Verdict.ACCEPTED, processed_at__isnull=True):
        yield f"notification {row.notification_id}: accepted and never processed"
    for order in Order.objects.filter(fulfil_due_at__isnull=False):
        yield f"{order.number}: paid and not fulfilled"
    for order in closing.past_their_time(at=timezone.now()):
        yield f"{order.number}: its time ran out, and it is still {order.status}"


def _who_was_told_of_an_order_finds_it(told):
    known = dict(Order.objects.values_list("number", "status"))
    for number in sorted(set(told.orders) - known.keys()):
        yield f"{number}: answered to a shop, and not in our book"
    for number in sorted(told.closed):
        if known.get(number) != OrderStatus.CLOSED:
            yield f"{number}: answered to a shop as closed, and {known.get(number)} in our book"


def _cash():
    return Charge.objects.select_related("gateway_account").filter(tender__in=CASH)


def _sum(transfers):
    return transfers.aggregate(fen=Sum("amount_fen"))["fen"] or 0
