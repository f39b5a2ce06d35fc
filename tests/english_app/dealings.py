"""What the tests of the English app do after an order was made, and how they look at what became of it."""

import datetime
import itertools

from django.utils import timezone

from english_app import operations, returns
from english_app.models import EnglishOrder, Grant, Membership
from english_app.states import wire_status
from payments import invariants
from payments.charges.states import OPEN
from payments.gateways.base import Outcome, RefundState
from payments.models import Account, AuditRow, Charge, Order, Refund, RefundLeg, Transfer
from payments.refunds import operations as refunds
from payments.refunds import settlement as refund_settlement
from payments.refunds.operations import RefundCommand
from payments.refunds.states import LEG_OPEN
from payments.transactions import transaction
from tests.english_app import world

NOW = datetime.datetime(2026, 6, 15, 4, 0, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)
FIRST, SECOND = "user:lin", "user:zhao"  # of staff

_refund_numbers = itertools.count(1)


def paid(*, client, goods, at=None, **fields):
    """A purchase that is paid from the balance, and not delivered yet."""
    at = at or timezone.now()
    made = world.init(client=client, goods=goods, at=at, **fields)
    pay(made.purchase, at=at)
    return world.document(made.purchase)


def pay(order, *, at=None):
    customer = order.customer
    operations.pay(client=customer.client, user_id=customer.user_id, number=order.number, at=at or timezone.now())


def ask(document, *, at=None):
    returns.ask(order_id=document.order_id, actor="client:english", at=at or timezone.now())


def approve(document, *, at=None, actor=FIRST):
    return returns.approve(order_id=document.order_id, actor=actor, at=at or timezone.now())


def refuse(document, *, at=None, reason="用过了"):
    return returns.refuse(order_id=document.order_id, actor=FIRST, at=at or timezone.now(), reason=reason)


def decide(document, *, lets_go):
    """The second person does, of the refund that an approved return asked for."""
    step = refunds.approve if lets_go else refunds.refuse
    return step(refund_id=now_of(document).refund_id, actor=SECOND, reason="r", at=NOW)


def actions(document):
    """What was done to an order in this family, and by whom."""
    rows = AuditRow.objects.filter(subject=document.order.subject, action__startswith="english.").order_by("pk")
    return [(row.action.removeprefix("english."), row.actor) for row in rows]


def refund(document, fen, *, at=None, actor=FIRST):
    """Staff refund on the refund screen, past every return."""
    command = RefundCommand(goods_fen=fen, refund_no=f"R{next(_refund_numbers)}")
    return refunds.refund(order_id=document.order_id, command=command, actor=actor, at=at or timezone.now())


def gateway_refunds():
    """Alipay tells that everything asked for has gone back."""
    for leg in RefundLeg.objects.filter(status__in=LEG_OPEN, charge__tender="alipay"):
        state = RefundState(outcome=Outcome.SUCCEEDED, number=leg.number, amount_fen=leg.amount_fen)
        refund_settlement.settle(leg_id=leg.pk, state=state, at=timezone.now())


def end_attempts(order):
    """As the sweep leaves it when the gateway has closed the attempt: a late notice may still come."""
    Charge.objects.filter(order=order, status__in=OPEN).update(status="closed", next_query_at=None)


def now_of(document):
    return EnglishOrder.objects.select_related("order", "refund").get(pk=document.pk)


def status_of(order):
    """What the wire tells, and the remark beside it."""
    found = world.document(order)
    return int(wire_status(status=found.order.status, delivery=found.delivery, returning=found.returning))


def ends_on(customer):
    return Membership.objects.filter(customer=customer).values_list("ends_on", flat=True).first()


def standing(document):
    """The goods of an order that its customer has: title → number."""
    grants = Grant.objects.filter(line__document=document, taken_back_at=None).select_related("line")
    return {grant.line.title: grant.line.num for grant in grants}


def everything():
    """All that an operation could have moved."""
    books = (Order, EnglishOrder, Grant, Membership, Charge, Refund, RefundLeg, Transfer, Account)
    return [list(book.objects.order_by("pk").values()) for book in books]


def broken():
    """The invariants that do not hold, but for the world's own grants, which leave no audit rows."""
    with transaction():
        return {
            found.name: found.examples for found in invariants.findings() if found.breaches and found.name != "I15c"
        }
