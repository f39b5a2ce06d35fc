"""
Refused calls of document 004: who makes them, and what all of them have in common.

Each is made three times: with a token, which is told the status; by the default app, timed and signed, which gets 200;
and from a network whose calls prove nothing.
"""

import re

from english_app.models import EnglishOrder, Good, Grant, Membership, OrderLine
from payments.models import Account, AuditRow, Charge, Order, OrderTransition, Refund, Transfer
from tests.english_app.calls import LISTS, TOKEN, send, stamped
from tests.english_app.world import make_alipay, make_english_client, make_item, make_learner, make_month

BOOKS = (
    Order, Charge, Transfer, OrderTransition, AuditRow, Account, Refund, EnglishOrder, OrderLine, Good, Grant,
    Membership,
)  # fmt: skip
CALLERS = ("token", "app", "network")
CALLS = ("payWay", "lists", "submitGoodsOrder", "init", "pay", "cancel")
LEFT_OUT = "(left out)"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
LISTED, ELSEWHERE = "10.1.2.3", "10.2.2.3"


class World:
    """A customer with ¥10.00, a neighbour, goods and ways to pay of a client that calls, and a rival of its kind."""

    def __init__(self, caller="token"):
        fields = {
            "token": {}, "app": {"always_http_200": True}, "network": {"unsigned_from": ["10.1.0.0/16"]},
        }[caller]  # fmt: skip
        self.caller = caller
        self.client = make_english_client(**fields)
        make_alipay(client=self.client)
        self.customer = make_learner(client=self.client, balance_fen=1_000)
        self.neighbour = make_learner(client=self.client, user_id="neighbour", balance_fen=10_000)
        self.month, self.card = make_month(client=self.client), make_item(client=self.client)
        self.off_sale = make_item(client=self.client, title="旧款", is_on_sale=False)
        self.rival = make_english_client(name="rival", secret="rival-secret", app_id=2)
        self.stranger = make_learner(client=self.rival, user_id="stranger", balance_fen=10_000)
        self.their_good = make_item(client=self.rival)

    def params(self, name, **changes):
        """Return the good call's parameters, changed; without those that are LEFT_OUT."""
        goods = {"goods_list": [{"good_id": self.month.pk, "num": 1}]}
        of_customer = {"user_id": 1, "app_id": 1}
        params = {
            "payWay": {},
            "lists": of_customer | {"page": 1, "limit": 20},
            "submitGoodsOrder": {"user_id": 1} | goods,
            "init": of_customer | goods | {
                "user_name": "小明", "title": "会员购买", "price_total": 29, "money": 19, "imeil": "866000000000001",
                "pay_way_name": "alipay",
            },
            "pay": of_customer | {"order_sn": "20180615000000000000"},
            "cancel": of_customer | {"order_sn": "20180615000000000000"},
        }[name] | changes  # fmt: skip
        return {field: value for field, value in params.items() if value is not LEFT_OUT}

    def proven(self, params, *, way="json"):
        return stamped(params, way=way) if self.caller == "app" else params

    def how(self, **how):
        """Return how this caller calls: its token, its address."""
        address = {"REMOTE_ADDR": LISTED if self.caller == "network" else ELSEWHERE}
        return {"token": TOKEN if self.caller == "token" else "", **address, **how}

    def status(self, status):
        return 200 if self.client.always_http_200 and status < 500 else status


def books():
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in BOOKS}


def refused(client, world, name, params, *, status, code, field="", is_known=True, **how):
    """
    Make a call, as it is, that must be refused, and return its sentence. `is_known`: it is known whose call it is.
    """
    before = books()
    response = send(client, name, params, headers={"accept-language": "en"}, **world.how(**how))
    answer = response.json()
    assert answer == {
        "code": status, "msg": answer["msg"], "data": [] if name in LISTS else None, "error_code": code,
    }  # fmt: skip
    assert list(answer) == ["code", "msg", "data", "error_code"]
    assert response.status_code == (world.status(status) if is_known else status)
    assert type(answer["code"]) is int
    assert answer["code"] > 0
    assert answer["msg"].startswith(f"{field}: " if field else ""), answer["msg"]
    assert CHINESE.search(answer["msg"]), answer["msg"]
    assert response.headers["Content-Language"] == "zh-hans"
    assert books() == before
    return answer["msg"]
