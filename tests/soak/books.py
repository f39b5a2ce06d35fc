"""Books small enough to see what is falsified in them: a few orders, and the gateway's side of them."""

from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import settlement
from payments.charges.states import Event
from payments.direct import operations as direct
from payments.direct.operations import OrderCommand
from payments.gateways.base import Mode, Outcome, PaymentState, RefundState
from payments.models import Charge, GatewayAccount, Order
from payments.orders.models import OrderKind
from payments.refunds import operations as refunds
from payments.refunds import settlement as refund_settlement
from payments.refunds.operations import RefundCommand
from tests.soak.gateway_book import GivenBack, Trade
from tests.world import make_client, make_customer, place_order

APP_ID = "2021000000000001"


def attempt(order, *, mode=Mode.QR, pays_fen=None):
    """An attempt at the order's cash; the gateway's trade of it, paid unless `pays_fen` is None."""
    charge = charges.start(order_id=order.pk, channel="alipay", mode=mode, actor="test", at=timezone.now())
    trade = Trade(
        app_id=APP_ID, number=charge.number, trade_no=f"2018{charge.pk}", amount_fen=pays_fen or charge.amount_fen,
        status="paid" if pays_fen else "closed", is_paid=bool(pays_fen),
    )  # fmt: skip
    if pays_fen:
        _settle(charge, trade)
    else:
        settlement.note(charge_id=charge.pk, event=Event.CLOSED, at=timezone.now())
    return trade


def _settle(charge, trade):
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=trade.amount_fen, trade_no=trade.trade_no
    )
    settlement.settle(charge_id=charge.pk, state=state, at=timezone.now())


def give_back(trade, *, goods_fen, ends=Outcome.SUCCEEDED):
    """A refund of what paid an order, as the gateway has it."""
    command = RefundCommand(goods_fen=goods_fen, refund_no=f"shop-{trade.number}")
    order = Order.objects.get(number=order_of(trade))
    made, _is_new = refunds.request(order_id=order.pk, command=command, actor="test", at=timezone.now())
    return _ended(made, ends)


def give_surplus_back(trade):
    charge = Charge.objects.get(number=trade.number)
    made = refunds.request_surplus(charge_id=charge.pk, actor="system", reason="late", at=timezone.now())
    return _ended(made, Outcome.SUCCEEDED)


def _ended(made, outcome):
    leg = made.legs.select_related("charge").get()
    refund_settlement.settle(
        leg_id=leg.pk, state=RefundState(outcome=outcome, number=leg.number), at=timezone.now()
    )  # fmt: skip
    is_moved = outcome is Outcome.SUCCEEDED
    return GivenBack(
        app_id=APP_ID, charge_number=leg.charge.number, number=leg.number, amount_fen=leg.amount_fen,
        is_moved=is_moved, trouble="" if is_moved else "closed",
    )  # fmt: skip


def a_few_trades():
    """A mixed order paid twice (`_2`, `_3`), a recharge, an order paid with a wrong amount, one that nobody paid."""
    shop = make_client()
    make_customer(client=shop, points_fen=3_000)
    account = GatewayAccount(kind="alipay", name="test", client=shop, app_id=APP_ID, merchant_id="2088102146225135")
    account.set_credentials({})
    account.save()
    mixed = place_order(client=shop, number="mixed", total_fen=5_000, shipping_fen=500)
    command = OrderCommand(
        kind=OrderKind.RECHARGE, user_id="442090", title="DEMO", total_fen=700, client_order_no="recharge"
    )
    recharge = Order.objects.get(number=direct.place_order(client=shop, command=command, at=timezone.now()))
    wrong = place_order(client=shop, number="wrong", total_fen=900)
    unpaid = place_order(client=shop, number="unpaid", total_fen=800)
    second = charges.start(order_id=mixed.pk, channel="alipay", mode=Mode.APP, actor="test", at=timezone.now())
    first = attempt(mixed, pays_fen=2_000)
    twice = Trade(
        app_id=APP_ID, number=second.number, trade_no="2018twice", amount_fen=2_000, status="paid", is_paid=True
    )
    _settle(second, twice)
    return {
        "first": first, "twice": twice, "recharge": attempt(recharge, pays_fen=700),
        "wrong": attempt(wrong, pays_fen=901), "unpaid": attempt(unpaid),
    }  # fmt: skip


def order_of(trade):
    return trade.number.rpartition("_")[0]
