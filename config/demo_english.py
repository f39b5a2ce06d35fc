"""The English app's part of the demonstration: memberships and items on sale, a channel that brings customers."""

from typing import Any

from english_app.models import Agent, Good, GoodKind, PeriodUnit
from payments.models import ApiClient
from payments.money import yuan_text

APP_ID = 1
CALLERS = ["127.0.0.0/8", "::1/128"]  # the documented calls to the letter, without a sign, from this machine alone
# title: kind, so many, days or months, price in fen
GOODS = {
    "会员月卡": (GoodKind.MEMBERSHIP, 1, PeriodUnit.MONTH, 2_900),
    "会员周卡": (GoodKind.MEMBERSHIP, 7, PeriodUnit.DAY, 990),
    "单词卡一盒": (GoodKind.ITEM, 0, PeriodUnit.NONE, 1_990),
}
AGENT = "校园渠道"


def build(*, client: ApiClient) -> None:
    """Make what is missing of the goods and the channel."""
    for title, (kind, periods, unit, price_fen) in GOODS.items():
        told = {"kind": kind, "periods": periods, "period_unit": unit, "price_fen": price_fen}
        Good.objects.get_or_create(client=client, title=title, defaults=told)
    Agent.objects.get_or_create(client=client, title=AGENT)


def describe(*, client: ApiClient) -> dict[str, Any]:
    """Return what a caller needs to buy: ids and prices of goods, the channel."""
    return {
        "goods": [
            {"good_id": good.pk, "title": good.title, "price_yuan": yuan_text(good.price_fen)}
            for good in Good.objects.filter(client=client, is_on_sale=True).order_by("pk")
        ],
        "agents": [
            {"agent_id": agent.pk, "title": agent.title} for agent in Agent.objects.filter(client=client).order_by("pk")
        ],
    }
