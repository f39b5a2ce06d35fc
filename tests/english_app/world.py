"""The English app of the tests: a client with goods, a customer with a balance, and ways to pay."""

import contextlib
import datetime

import pytest
from django.utils import timezone

from english_app import deliveries, memberships, operations, pricing, returns
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


@contextlib.contextmanager
def no_limit():
    """Memberships are sold and delivered that reach beyond what is held outside."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memberships, "LAST_DAY", datetime.date(2300, 1, 1))
        yield


def deliver_in_vain(monkeypatch, *, client, goods, **fields):
    """Buy goods whose delivery fails until nothing but staff has it tried again; return the purchase's document."""
    at = timezone.now()
    made = init(client=client, goods=goods, at=at, **fields)
    operations.pay(client=client, user_id=USER_ID, number=made.purchase.number, at=at)
    with monkeypatch.context() as broken:
        broken.setattr(deliveries, "_grant", _cannot)
        for after in (datetime.timedelta(), *deliveries.AGAIN_AFTER):
            at += after
            deliveries.deliver_due(at=at)
    return document(made.purchase)


def _cannot(**_kwargs):
    raise memberships.MembershipTooLong(year=memberships.LAST_DAY.year)


def make_something_of_every_kind(*, client):
    """
    A learner who was brought by an agent, recharged, bought and was delivered, and has returned another purchase.

    Return the document of what was delivered.
    """
    make_alipay(client=client)
    make_learner(client=client, balance_fen=10_000)
    month, card = make_month(client=client), make_item(client=client)
    agent = make_agent(client=client)
    back = buy(client=client, goods={card: 1}, agent_id=agent.pk)
    returns.ask(order_id=back.order_id, actor="test", at=timezone.now())
    returns.approve(order_id=back.order_id, actor="test", at=timezone.now())
    return buy(client=client, goods={month: 1, card: 2}, money_fen=2_900, agent_id=agent.pk)


def document(order):
    return EnglishOrder.objects.select_related("order", "refund").get(order=order)


def recharge_charge(order):
    """The latest attempt at the recharge of a purchase."""
    return Charge.objects.filter(order__english__purchase__order=order).latest("attempt")


def recharges():
    return EnglishOrder.objects.filter(type=OrderType.RECHARGE)
