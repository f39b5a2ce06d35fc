"""The English app of the tests: a client with goods, a customer with a balance, and ways to pay."""

from django.utils import timezone

from english_app import deliveries, operations, pricing
from english_app.models import Agent, EnglishOrder, Good, GoodKind, OrderType, PeriodUnit
from english_app.operations import InitCommand
from english_app.pricing import Wanted
from payments.charges import settlement
from payments.gateways.base import Outcome, PaymentState
from payments.models import Charge
from tests.partner_orders.world import make_alipay
from tests.world import make_client, make_customer

FAMILIES = ["english_app", "payments"]
USER_ID = "1"
MONTH_FEN, ITEM_FEN = 2_900, 990

__all__ = ["make_alipay"]


def make_english_client(**fields):
    return make_client(**{"name": "english", "families": FAMILIES, "permissions": (), "app_id": 1, **fields})


def make_learner(*, client, user_id=USER_ID, balance_fen=0, **fields):
    return make_customer(client=client, user_id=user_id, ee_no="", balance_fen=balance_fen, **fields)


def make_month(*, client, **fields):
    told = {"title": "会员月卡", "periods": 1, "period_unit": PeriodUnit.MONTH, "price_fen": MONTH_FEN, **fields}
    return Good.objects.create(client=client, kind=GoodKind.MEMBERSHIP, **told)


def make_item(*, client, **fields):
    return Good.objects.create(
        client=client, kind=GoodKind.ITEM, **{"title": "单词卡", "price_fen": ITEM_FEN, **fields}
    )  # fmt: skip


def make_agent(*, client, title="校园渠道"):
    return Agent.objects.create(client=client, title=title)


def command(*, client, goods, money_fen=0, user_id=USER_ID, **fields):
    """`goods`: good → num."""
    wanted = tuple(Wanted(good_id=good.pk, num=num) for good, num in goods.items())
    total_fen = pricing.total_fen(pricing.price(client_id=client.pk, wanted=wanted))
    told = {
        "user_id": user_id, "user_name": "小明", "title": "会员购买", "price_total_fen": total_fen,
        "money_fen": money_fen, "imeil": "866000000000001", "pay_way": "alipay" if money_fen else "",
        "agent_id": None, "goods": wanted,
    }  # fmt: skip
    return InitCommand(**{**told, **fields})


def init(*, client, goods, at=None, **fields):
    return operations.init(
        client=client, command=command(client=client, goods=goods, **fields), at=at or timezone.now()
    )  # fmt: skip


def settle(charge, *, at=None, paid_fen=None):
    """The gateway says that the attempt is paid."""
    at = at or timezone.now()
    state = PaymentState(
        outcome=Outcome.SUCCEEDED, number=charge.number, amount_fen=paid_fen or charge.amount_fen,
        trade_no=f"T{charge.number}", paid_at=at,
    )  # fmt: skip
    return settlement.settle(charge_id=charge.pk, state=state, at=at)


def buy(*, client, goods, at=None, user_id=USER_ID, **fields):
    """Buy goods from the balance and have them delivered; return the purchase's document."""
    at = at or timezone.now()
    made = init(client=client, goods=goods, at=at, user_id=user_id, **fields)
    if made.charge is not None:
        settle(made.charge, at=at)
    operations.pay(client=client, user_id=user_id, number=made.purchase.number, at=at)
    deliveries.deliver_due(at=at)
    return document(made.purchase)


def document(order):
    return EnglishOrder.objects.select_related("order", "refund").get(order=order)


def recharge_charge(order):
    """The latest attempt at the recharge of a purchase."""
    return Charge.objects.filter(order__english__purchase__order=order).latest("attempt")


def recharges():
    return EnglishOrder.objects.filter(type=OrderType.RECHARGE)
