"""What the accounts must hold: plain sums over orders, payments that came and refunds that went."""

from payments.charges.models import CASH
from payments.ledger.queries import balance_fen
from payments.models import Account, Charge, GatewayAccount, Order, RefundLeg, Transfer
from payments.orders.models import OrderKind
from payments.refunds.states import LEG_OPEN

SYSTEM = ("escrow", "sales", "shipping", "suspense", "refunding")
BOOKED = ("succeeded", "surplus", "released")
FINISHED = ("pay_finished", "partly_refund", "total_refund")
WAITING = ("unpaid", "point_paid")


def held():
    """What the accounts of the one customer, the one gateway and the house hold."""
    own = dict(Account.objects.values_list("kind", "balance_fen"))
    return own | {code: balance_fen(code=code) for code in (*SYSTEM, _clearing())}


def expected(*, issued_fen, spent_fen):
    """Add up what the orders, the payments that came and the refunds that went must have left where."""
    orders = list(Order.objects.all())
    booked = list(Charge.objects.filter(tender__in=CASH, status__in=BOOKED))
    legs = list(RefundLeg.objects.select_related("charge__order", "refund"))
    back = [leg for leg in legs if leg.status == "succeeded"]
    lost_fen = of_spent_recharges()
    surplus = {charge.pk for charge in booked if charge.status != "succeeded"}
    recharges = {order.pk for order in orders if order.kind == OrderKind.RECHARGE}
    sold = [order for order in orders if order.status in FINISHED and order.pk not in recharges]
    recharged = [order for order in orders if order.status in FINISHED and order.pk in recharges]
    of_recharges = [leg for leg in legs if leg.charge.order_id in recharges and leg.charge_id not in surplus]
    kept_fen = sum(leg.amount_fen for leg in of_recharges if leg.status in LEG_OPEN)
    out_of_balance_fen = sum(leg.amount_fen for leg in of_recharges if leg.status == "succeeded") - lost_fen
    own = {
        tender: sum(leg.amount_fen for leg in back if leg.charge.tender == tender) for tender in ("points", "balance")
    }
    cash = [leg for leg in back if leg.charge.tender in CASH]
    for order in [*sold, *recharged]:
        of_order = [leg for leg in back if leg.charge.order_id == order.pk and leg.charge_id not in surplus]
        assert order.refunded_fen == sum(leg.amount_fen for leg in of_order)
    return {
        "escrow": sum(order.points_fen for order in orders if order.status in WAITING),
        "sales": sum(order.goods_fen - order.refunded_goods_fen for order in sold),
        "shipping": sum(order.shipping_fen - order.refunded_shipping_fen for order in sold),
        "suspense": sum(charge.paid_fen for charge in booked if charge.pk in surplus)
        - sum(leg.amount_fen for leg in back if leg.charge_id in surplus)
        - lost_fen,
        "refunding": kept_fen,
        _clearing(): sum(leg.amount_fen for leg in cash) - sum(charge.paid_fen for charge in booked),
        "points": issued_fen - sum(order.points_fen for order in orders if order.status != "closed") + own["points"],
        "balance": sum(order.total_fen for order in recharged)
        - out_of_balance_fen
        - kept_fen
        - spent_fen
        - sum(order.balance_fen for order in sold)
        + own["balance"],
    }


def of_spent_recharges():
    """What the console gave back of recharges that were spent: staff see to it."""
    return sum(
        leg.amount_fen
        for leg in RefundLeg.objects.filter(
            refund__kind="console", charge__status="succeeded", charge__order__kind=OrderKind.RECHARGE
        )
        if Transfer.objects.filter(reference=leg.number, debit="suspense").exists()
    )


def _clearing():
    return f"clearing:{GatewayAccount.objects.get().pk}"
