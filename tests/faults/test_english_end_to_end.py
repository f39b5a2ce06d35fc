"""Goods bought by document 004's calls, money paid in at simulated gateways, over real HTTP, while things go wrong."""

import json

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from english_app import deliveries, returns
from english_app.models import EnglishOrder, Grant, Membership
from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.gateways.base import Mode
from payments.models import Charge, Order
from tests.attacks.conftest import Site
from tests.attacks.test_troubles import rogue
from tests.calls import signed
from tests.english_app.world import (
    ITEM_FEN,
    MONTH_FEN,
    USER_ID,
    make_english_client,
    make_item,
    make_learner,
    make_month,
)
from tests.faults.gateways import booked, certified, status_of, sweep_everything, verdicts
from tests.faults.refunding import booked_back, give_late_money_back, gone_back, swept_to
from tests.faults.test_alipay_end_to_end import connect as connect_alipay
from tests.faults.test_wechat_end_to_end import arm
from tests.payments.api.accounts import connect_wechat_v2
from tests.web_process import eventually
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)
WAYS = ("wechat", "alipay")
NO_REDIS = "redis://127.0.0.1:1/0"


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


DONE = (200, {"code": 0, "msg": "ok", "data": {}})
MONTH = ("会员月卡", 1)


@pytest.fixture
def app(site, simulator):
    return App(site, simulator)


@pytest.fixture(params=WAYS)
def way(request):
    return request.param


@pytest.fixture
def paid_in(app, way):
    """A pair whose recharge is paid at its gateway, which has told us."""
    bought = app.init(way)
    app.hand_over(bought)
    eventually(lambda: status_of(bought.recharge) == ("pay_finished", ""))
    return bought


def deliver():
    return deliveries.deliver_due(at=timezone.now())


# --- as it is documented


def test_from_the_ways_to_pay_to_the_goods_and_back_again(site, simulator, worker, way):
    app = App(site, simulator, has=1_000)
    worker.start()
    goods = {app.month: 1, app.card: 2}
    assert {each["pay_way_name"] for each in app.ask("payWay")} == set(WAYS)
    wanted = app.wanted(goods=goods)["goods_list"]
    assert app.ask("submitGoodsOrder", goods_list=wanted) == {"price_total": 48.8}

    bought = app.init(way, price_total="48.80", money="38.80", goods=goods)
    assert app.statuses(bought) == (0, 0)
    app.hand_over(bought)
    eventually(lambda: app.statuses(bought) == (4, 0))
    assert app.has() == (1_000 + 3_880, [])

    assert app.pay(bought) == app.pay(bought) == DONE
    eventually(lambda: app.statuses(bought) == (4, 4))
    assert app.has() == (0, [MONTH, ("单词卡", 2)])

    assert app.call("cancel", order_sn=bought.pay_order_sn) == DONE
    assert app.statuses(bought) == (4, 5)
    returns.approve(order_id=bought.purchase.pk, actor="user:lin", at=timezone.now())

    assert app.statuses(bought) == (4, 7)
    assert app.has() == (MONTH_FEN + 2 * ITEM_FEN, [])
    assert Membership.objects.get().ends_on is None
    assert booked() == [("escrow", 3_880)]
    row = app.row(bought.pay_order_sn)
    assert all(row[f"{name}_{part}"] for name in ("pay", "finish", "refunds") for part in ("time", "date"))
    assert app.pay(bought)[1]["error_code"] == "order_refunded"


# --- notices


def test_where_the_notice_is_lost_pay_finds_the_money_by_asking(app, simulator, way):
    simulator.arm("lost")
    bought = app.init(way)
    assert app.pay(bought)[1]["error_code"] == "balance_too_small"
    app.hand_over(bought)

    assert app.pay(bought) == DONE

    assert deliver() == 1
    assert app.statuses(bought) == (4, 4)
    assert (app.has(), verdicts()) == ((0, [MONTH]), {})


def test_where_the_notice_comes_twice_the_money_comes_in_once(app, simulator, way):
    simulator.arm("duplicate")
    bought = app.init(way)

    app.hand_over(bought)

    eventually(lambda: verdicts() == {"accepted": 1, "repeat": 1})
    assert app.statuses(bought) == (4, 0)
    assert (app.has(), booked()) == ((MONTH_FEN, []), [("escrow", MONTH_FEN)])


def test_a_notice_that_comes_after_pay_has_asked_brings_nothing_more(app, simulator, way):
    simulator.arm("late", delay_ms=600_000)
    bought = app.init(way)
    app.hand_over(bought)
    assert app.pay(bought) == DONE

    (told,) = simulator.notifications(bought.charge.number)
    simulator.resend(told["id"])

    assert (app.has()[0], booked(), verdicts()) == (0, [("escrow", MONTH_FEN)], {"accepted": 1})


@pytest.mark.parametrize("fault", ["timeout_before", "http_500", "bad_signature"])
def test_while_the_gateway_does_not_tell_nobody_who_may_have_paid_is_told_to_pay(app, simulator, way, fault):
    simulator.arm("lost")
    bought = app.init(way)
    app.hand_over(bought)
    arm(simulator, fault)

    status, answer = app.pay(bought)

    assert (status, answer["code"], answer["error_code"]) == (503, 503, "gateway_unanswered")
    assert (app.statuses(bought), app.has()) == ((0, 0), (0, []))
    assert app.pay(bought) == DONE


# --- twice


def test_the_same_goods_by_both_ways_are_two_pairs_and_what_both_bring_is_the_customers(app):
    first, second = app.init("wechat"), app.init("alipay")
    assert (first.pay_order_sn != second.pay_order_sn, Order.objects.count()) == (True, 4)
    app.hand_over(first)
    app.hand_over(second)
    eventually(lambda: app.has()[0] == 2 * MONTH_FEN)

    assert app.pay(first) == DONE
    deliver()
    assert (app.statuses(first), app.statuses(second)) == ((4, 4), (4, 0))
    assert app.has() == (MONTH_FEN, [MONTH])
    closing.close(order_id=second.purchase.pk, actor="staff:1", at=timezone.now())

    assert app.statuses(second) == (4, 1)
    assert app.has() == (MONTH_FEN, [MONTH])


def test_a_recharge_that_two_attempts_pay_comes_in_once_and_the_rest_goes_back_to_where_it_came_from(
    app, simulator, way
):
    bought = app.init(way)
    first = bought.charge
    other = {"wechat": "alipay", "alipay": "wechat"}[way]
    # On document 003's page, which opens any order: WeChat closes none that young, Alipay none that nobody has opened.
    second = charges.pay_by(
        order_id=bought.recharge.pk, channel=other, mode=Mode.QR, actor="cashier", at=timezone.now()
    )  # fmt: skip
    app.hand_over(bought)
    eventually(lambda: status_of(bought.recharge) == ("pay_finished", ""))

    simulator.pay(second.number)
    eventually(lambda: status_of(bought.recharge) == ("pay_finished", "overpaid"))
    (made,) = give_late_money_back()
    swept_to(made, "succeeded")

    assert status_of(bought.recharge) == ("pay_finished", "")
    assert (gone_back(simulator, first), gone_back(simulator, second)) == ([], [(made.number, MONTH_FEN)])
    assert (app.statuses(bought), app.has()) == ((4, 0), (MONTH_FEN, []))
    assert app.pay(bought) == DONE


# --- late, in part


def test_a_recharge_that_is_paid_after_its_purchase_closed_leaves_its_money_in_the_balance(app, way):
    bought = app.init(way)
    closing.close(order_id=bought.purchase.pk, actor="staff:1", at=timezone.now())

    app.hand_over(bought)

    eventually(lambda: app.statuses(bought) == (4, 1))
    assert app.pay(bought)[1]["error_code"] == "order_closed"
    assert app.has() == (MONTH_FEN, [])
    nothing_more = app.ask("init", **app.wanted("", money="0"))
    assert app.ask("pay", order_sn=nothing_more["pay_order_sn"]) == {}
    assert app.has()[0] == 0


def test_a_recharge_that_is_paid_after_it_closed_itself_goes_back(app, simulator, way):
    bought = app.init(way)
    charge = bought.charge
    closing.close(order_id=bought.recharge.pk, actor="staff:1", at=timezone.now())

    app.hand_over(bought)
    eventually(lambda: status_of(bought.recharge) == ("closed", "paid_late"))
    assert app.pay(bought)[1]["error_code"] == "balance_too_small"
    (made,) = give_late_money_back()
    swept_to(made, "succeeded")

    assert gone_back(simulator, charge) == [(made.number, MONTH_FEN)]
    assert booked_back() == [("suspense", made.number, MONTH_FEN)]
    assert (app.statuses(bought), app.has()) == ((1, 0), (0, []))


def test_a_recharge_that_is_paid_in_part_goes_back_and_waits_on(app, simulator, way):
    bought = app.init(way)
    app.hand_over(bought, pay=False)
    simulator.pay(bought.charge.number, amount_fen=MONTH_FEN - 1)
    eventually(lambda: sweep_everything() is not None and bought.charge.status == "surplus")

    assert app.pay(bought)[1]["error_code"] == "balance_too_small"
    (made,) = give_late_money_back()
    swept_to(made, "succeeded")

    assert (app.statuses(bought), app.has()) == ((0, 0), (0, []))
    again = app.init(way)
    assert again.pay_order_sn == bought.pay_order_sn
    app.hand_over(again)
    eventually(lambda: app.statuses(bought) == (4, 0))


# --- init


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "http_500", "system_error_but_done"])
def test_while_wechat_is_silent_the_same_call_finds_the_same_pair(app, simulator, fault):
    arm(simulator, fault)
    status, answer = app.call("init", **app.wanted())
    assert (status, answer["code"], answer["error_code"]) == (503, 503, "gateway_unanswered")
    pair = set(Order.objects.values_list("number", flat=True))

    bought = app.init()

    assert pair == {bought.charge_order_sn, bought.pay_order_sn}
    assert [trade["out_trade_no"] for trade in simulator.trades()] == [bought.charge.number]
    app.hand_over(bought)
    eventually(lambda: app.statuses(bought) == (4, 0))


def test_what_the_gateway_refuses_is_closed_with_its_purchase(app, way, simulator):
    status, answer = app.call("init", **app.wanted(way, money="100000000.01"))

    assert (status, answer["code"], answer["data"], answer["error_code"]) == (422, 422, None, "gateway_refused")
    assert [row["status"] for row in app.ask("lists")] == [1, 1]
    assert {order.transitions.get().reason for order in Order.objects.all()} == {"refused by the gateway"}
    assert simulator.trades() == []
    assert app.init(way).pay_order_sn not in Order.objects.filter(status="closed").values_list("number", flat=True)


# --- processes die


def test_a_payment_whose_answer_was_killed_is_repeated_and_paid_once(web, simulator):
    app = App(web, simulator, has=2 * MONTH_FEN)
    bought = app.ask("init", **app.wanted("", money="0"))
    told = signed({"app_id": "1", "user_id": USER_ID, "order_sn": bought["pay_order_sn"]})

    with pytest.raises(httpx.TransportError):
        web.http.post("/english/order/pay", data=told, headers={"x-die-before-reply": "1"})
    assert Order.objects.get().status == "pay_finished", "the process was to die after COMMIT"
    answer = eventually(lambda: _answered(app, order_sn=bought["pay_order_sn"]))

    assert answer == DONE
    assert app.has()[0] == MONTH_FEN
    assert deliver() == 1


def _answered(app, **params):
    try:
        return app.call("pay", **params)
    except httpx.TransportError:
        return None


def test_a_delivery_whose_worker_is_killed_in_the_middle_is_made_once_by_the_next(app, worker, paid_in):
    Membership.objects.create(customer=app.customer)
    worker.start()

    with rogue("SELECT * FROM english_app_membership FOR UPDATE") as somebody:
        assert app.pay(paid_in) == DONE
        # The goods are granted, and nothing is committed yet.
        eventually(lambda: _is_waited_for(somebody))
        worker.kill()
    assert (app.statuses(paid_in), app.has()) == ((4, 2), (0, []))
    worker.start(with_clock=True)

    eventually(lambda: app.statuses(paid_in) == (4, 4))
    assert app.has() == (0, [MONTH])
    assert EnglishOrder.objects.get(order=paid_in.purchase).delivery_attempts == 0


def _is_waited_for(session):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid))", [session.info.backend_pid]
        )
        return cursor.fetchone()[0]


def test_without_redis_what_is_paid_is_delivered_when_somebody_looks(simulator, worker, tmp_path):
    site = Site(home=tmp_path, REDIS_URL=NO_REDIS, WEB_CONCURRENCY="1")
    try:
        app = App(site, simulator)
        bought = app.init()
        app.hand_over(bought)
        eventually(lambda: app.statuses(bought) == (4, 0))

        assert app.pay(bought) == DONE
        assert app.statuses(bought) == (4, 2)
        worker.start(with_clock=True)

        eventually(lambda: app.statuses(bought) == (4, 4))
        assert app.has() == (0, [MONTH])
        assert "wake_failed" in site.log()
    finally:
        site.stop()
