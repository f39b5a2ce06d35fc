"""What the money tests of the partner programme do after an order was made: pay it, give it back, look at the rest."""

import itertools

from django.utils import timezone

from partner_orders import queries
from partner_orders.models import PartnerOrder, PayType
from payments import invariants
from payments.charges import settlement
from payments.charges.states import OPEN
from payments.gateways.base import Outcome, PaymentState, RefundState
from payments.models import Charge, RefundLeg
from payments.refunds import operations as refunds
from payments.refunds import settlement as refund_settlement
from payments.refunds.operations import RefundCommand
from payments.refunds.states import LEG_OPEN
from payments.transactions import transaction
from tests.partner_orders.world import buy

_refund_numbers = itertools.count(1)


def order_by_alipay(**fields):
    """An order that waits for its money at Alipay, whose gateway will take no more of it but tell what came."""
    return buy(pay_type=PayType.ALIPAY, **fields)


def attempt_at(document):
    return Charge.objects.get(order=document.order_id, tender="alipay")


def end_attempts(document):
    """As the sweep leaves it when the gateway has closed the attempt: a late notice may still come."""
    Charge.objects.filter(order=document.order_id, status__in=OPEN).update(status="closed", next_query_at=None)


def money_comes(document, *, at=None):
    """Alipay tells that the order was paid."""
    charge = attempt_at(document)
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=charge.amount_fen, trade_no=f"ali-{charge.number}"
    )
    return settlement.settle(charge_id=charge.pk, state=state, at=at or timezone.now())


def refund(document, fen, *, at=None, **fields):
    command = RefundCommand(goods_fen=fen, refund_no=f"R{next(_refund_numbers)}", **fields)
    return refunds.refund(order_id=document.order_id, command=command, actor="client:shop", at=at or timezone.now())


def gateway_refunds():
    """Alipay tells that everything asked for has gone back."""
    for leg in RefundLeg.objects.filter(status__in=LEG_OPEN, charge__tender="alipay"):
        state = RefundState(outcome=Outcome.SUCCEEDED, number=leg.number, amount_fen=leg.amount_fen)
        refund_settlement.settle(leg_id=leg.pk, state=state, at=timezone.now())


def now_of(document):
    """The document as it stands, with its order."""
    return PartnerOrder.objects.select_related("order").get(pk=document.pk)


def is_used(coupon):
    return queries.coupon(customer_id=coupon.customer_id, uid=coupon.uid).is_used


def level_of(customer):
    return queries.level_code(customer_id=customer.pk)


def broken():
    """The invariants that do not hold, but for the world's own grants, which leave no audit rows."""
    with transaction():
        return {
            found.name: found.examples for found in invariants.findings() if found.breaches and found.name != "I15c"
        }
