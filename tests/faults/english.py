"""A customer's phone with the English app on it: document 004's calls, and WeChat and Alipay that take its `params`."""

import json

from english_app.models import Grant
from payments.models import Charge, Order
from tests.calls import signed
from tests.english_app.world import USER_ID, make_english_client, make_item, make_learner, make_month
from tests.faults.gateways import certified
from tests.faults.test_alipay_end_to_end import connect as connect_alipay
from tests.payments.api.accounts import connect_wechat_v2
from tests.world import balance_fen


class App:
    """The customer's app: it calls document 004's addresses without a token, and hands `params` to WeChat or Alipay."""

    def __init__(self, site, simulator, *, has=0):
        self.site, self.simulator = site, simulator
        certified(simulator, connect_wechat_v2(simulator, notify_base=site.url))
        connect_alipay(simulator, notify_base=site.url)
        self.client = make_english_client()
        self.customer = make_learner(client=self.client, balance_fen=has)
        self.month, self.card = make_month(client=self.client), make_item(client=self.client)

    def call(self, name, **params):
        """Status and answer of a call, a form signed with the client's secret."""
        told = {"app_id": "1", "user_id": USER_ID, **params}
        response = self.site.http.post(f"/english/order/{name}", data=signed(told))
        return response.status_code, response.json()

    def ask(self, name, **params):
        """`data` of a call that must be answered."""
        status, answer = self.call(name, **params)
        assert (status, answer["code"], answer["msg"]) == (200, 0, "ok"), answer
        return answer["data"]

    def wanted(self, way="wechat", *, money="29", price_total="29", goods=None):
        goods_list = [{"good_id": good.pk, "num": num} for good, num in (goods or {self.month: 1}).items()]
        return {
            "user_name": "小明", "title": "会员购买", "price_total": price_total, "money": money,
            "imeil": "866000000000001", "pay_way_name": way, "goods_list": json.dumps(goods_list),
        }  # fmt: skip

    def init(self, way="wechat", **wanted):
        return Bought(self.ask("init", **self.wanted(way, **wanted)))

    def hand_over(self, bought, *, pay=True):
        """What the phone does with `params`: call WeChat or Alipay, which look at the signature, and pay there."""
        params = bought.params
        if "order_string" in params:
            assert self.simulator.use_app(params["order_string"], pay=pay)["resultStatus"] == (
                "9000" if pay else "6001"
            )
        else:
            told = dict(pair.split("=", 1) for pair in params["md5signstr"].split("&")) | {"sign": params["rsmd5"]}
            assert self.simulator.use_wechat(told, pay=pay)["result"] == ("ok" if pay else "cancel")

    def pay(self, bought):
        return self.call("pay", order_sn=bought.pay_order_sn)

    def row(self, number):
        return next(row for row in self.ask("lists") if row["order_sn"] == number)

    def statuses(self, bought):
        """Of the recharge and of the purchase that it is for."""
        return self.row(bought.charge_order_sn)["status"], self.row(bought.pay_order_sn)["status"]

    def has(self):
        """The customer's balance, and the goods that are theirs."""
        standing = Grant.objects.filter(customer=self.customer, taken_back_at__isnull=True).order_by("pk")
        return balance_fen(self.customer), [(grant.line.title, grant.line.num) for grant in standing]


class Bought:
    """What `init` answered."""

    def __init__(self, data):
        self.charge_order_sn, self.pay_order_sn, self.params = (
            data[name] for name in ("charge_order_sn", "pay_order_sn", "params")
        )

    @property
    def recharge(self):
        return Order.objects.get(number=self.charge_order_sn)

    @property
    def purchase(self):
        return Order.objects.get(number=self.pay_order_sn)

    @property
    def charge(self):
        """The latest attempt at the recharge."""
        return Charge.objects.filter(order__number=self.charge_order_sn).latest("attempt")
