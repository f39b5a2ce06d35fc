"""
Refunds that somebody made in the gateway's own console.

The gateway tells of them as of any other; our book has none of that number. What is true, the gateway is asked: number
and amount come from its answer, never from the notice. They are booked once, and the order is flagged.
"""

import datetime

import structlog
from django.db.models import Max, Q

from payments.charges import operations as charges
from payments.charges import settlement as charge_settlement
from payments.charges.models import Charge
from payments.charges.states import BOOKED
from payments.charges.states import Status as ChargeStatus
from payments.clients.models import RefundPolicy
from payments.gateways.base import Outcome, RefundState
from payments.orders import operations as orders
from payments.orders.models import MoneyFlag, Order
from payments.refunds import settlement, submission
from payments.refunds.models import FOREIGN_NUMBER_LENGTH_MAX, Kind, Refund, RefundLeg
from payments.refunds.operations import number_of
from payments.refunds.states import Status
from payments.transactions import outside_transaction, transaction

log = structlog.get_logger(__name__)


@outside_transaction
def recognise(*, charge_id: int, number: str, at: datetime.datetime) -> bool:
    """
    Find out what a refund of that number is, and book it if it is none of ours. Returns whether all is known now.

    Of one of ours, the gateway is asked as the sweep does it, which goes on where it does not answer.
    """
    if not _can_be_kept(number):
        return False
    leg_id = _leg_of(charge_id=charge_id, number=number)
    if leg_id is not None:
        submission.reconcile(leg_id=leg_id, at=at)
        return True
    charge = Charge.objects.select_related("gateway_account").get(pk=charge_id)
    if charge.status not in BOOKED:  # the refund is heard of before its payment
        charge = charges.reconcile(charge_id=charge_id, at=at)
    if charge.status not in BOOKED or charge.gateway_account is None:
        return False
    state = submission.ask(account=charge.gateway_account, number=number, charge_number=charge.number)
    if state.outcome is Outcome.SUCCEEDED and state.amount_fen:
        book(charge_id=charge_id, number=number, state=state, at=at)
    return state.outcome in {Outcome.SUCCEEDED, Outcome.FAILED}


def book(*, charge_id: int, number: str, state: RefundState, at: datetime.datetime) -> None:
    """Book what a gateway says went back under a number of its own, once. `state` tells an amount."""
    with transaction():
        order, charge = charge_settlement.lock(charge_id=charge_id)
        if _leg_of(charge_id=charge_id, number=number) is not None:
            return
        actor = f"gateway:{charge.tender}"
        goods_fen, shipping_fen = _split(order=order, charge=charge, amount_fen=state.amount_fen or 0)
        sequence = 1 + (order.refunds.aggregate(n=Max("sequence"))["n"] or 0)
        refund = Refund.objects.create(
            order=order,
            client_id=order.client_id,
            sequence=sequence,
            number=number_of(order=order, sequence=sequence),
            kind=Kind.CONSOLE,
            goods_fen=goods_fen,
            shipping_fen=shipping_fen,
            policy=RefundPolicy.CASH_FIRST,
            status=Status.PENDING,
            requested_by=actor,
            requested_at=at,
        )
        leg = RefundLeg.objects.create(
            refund=refund,
            charge=charge,
            number=refund.number,
            foreign_number=number,
            goods_fen=goods_fen,
            shipping_fen=shipping_fen,
            created_at=at,
        )
        settlement.succeed(order=order, refund=refund, leg=leg, at=state.refunded_at or at)
        orders.flag(order=order, money_flag=MoneyFlag.NEEDS_ATTENTION, actor=actor, reason=refund.number)
        log.error("refund_at_the_console", order=order.number, refund=refund.number, amount_fen=state.amount_fen)


def _leg_of(*, charge_id: int, number: str) -> int | None:
    found = RefundLeg.objects.filter(Q(number=number) | Q(foreign_number=number), charge_id=charge_id)
    return found.values_list("pk", flat=True).first()


def _can_be_kept(number: str) -> bool:
    return 0 < len(number) <= FOREIGN_NUMBER_LENGTH_MAX and "\x00" not in number


def _split(*, order: Order, charge: Charge, amount_fen: int) -> tuple[int, int]:
    """A console knows no shipping: goods go first, and what is beyond both is told of the goods."""
    if charge.status != ChargeStatus.SUCCEEDED:
        return amount_fen, 0
    beyond_goods_fen = max(amount_fen - (order.goods_fen - order.refunded_goods_fen), 0)
    shipping_fen = min(beyond_goods_fen, order.shipping_fen - order.refunded_shipping_fen)
    return amount_fen - shipping_fen, shipping_fen
