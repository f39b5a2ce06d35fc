"""Goods bought by document 004's calls, money paid in at simulated gateways, over real HTTP, while things go wrong."""

import httpx
import pytest
from django.db import connection
from django.utils import timezone

from english_app import deliveries, returns
from english_app.models import EnglishOrder, Membership
from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.gateways.base import Mode
from payments.models import GatewayAccount, Order
from tests.attacks.conftest import Site
from tests.attacks.test_troubles import rogue
from tests.calls import signed
from tests.english_app.world import ITEM_FEN, MONTH_FEN, USER_ID
from tests.faults.english import App
from tests.faults.gateways import booked, let_its_time_run_out, status_of, sweep_everything, verdicts
from tests.faults.refunding import booked_back, give_late_money_back, gone_back, swept_to
from tests.faults.test_wechat_end_to_end import arm
from tests.web_process import eventually

pytestmark = pytest.mark.django_db(transaction=True)
WAYS = ("wechat", "alipay")
NO_REDIS = "redis://127.0.0.1:1/0"
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


def test_what_nobody_pays_closes_the_recharge_and_its_purchase(app, simulator, way):
    bought = app.init(way)
    app.hand_over(bought, pay=False)
    simulator.age(bought.charge.number)  # WeChat closes none that is younger than five minutes
    for order in (bought.recharge, bought.purchase):
        let_its_time_run_out(order)

    sweep_everything()
    assert closing.close_due(at=timezone.now()) == 2

    assert (app.statuses(bought), app.has()) == ((1, 1), (0, []))
    assert simulator.trade(bought.charge.number)["status"] == "closed"
    assert app.pay(bought)[1]["error_code"] == "order_closed"


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
    bases = dict(GatewayAccount.objects.values_list("pk", "notify_base"))
    GatewayAccount.objects.update(notify_base="ftp://nowhere.example.com")  # where no gateway sends its notices

    status, answer = app.call("init", **app.wanted(way))

    assert (status, answer["code"], answer["data"], answer["error_code"]) == (422, 422, None, "gateway_refused")
    assert [row["status"] for row in app.ask("lists")] == [1, 1]
    assert {order.transitions.get().reason for order in Order.objects.all()} == {"refused by the gateway"}
    assert simulator.trades() == []
    for pk, base in bases.items():
        GatewayAccount.objects.filter(pk=pk).update(notify_base=base)
    assert app.init(way).pay_order_sn not in Order.objects.filter(status="closed").values_list("number", flat=True)


# --- processes die


def test_orders_whose_answer_was_killed_are_found_by_the_same_call(web, simulator):
    app = App(web, simulator)
    told = signed({"app_id": "1", "user_id": USER_ID, **app.wanted()})

    with pytest.raises(httpx.TransportError):
        web.http.post("/english/order/init", data=told, headers={"x-die-before-reply": "1"})
    pair = set(Order.objects.values_list("number", flat=True))
    _status, answer = eventually(lambda: _answered(app, "init", **app.wanted()))

    assert pair == {answer["data"]["charge_order_sn"], answer["data"]["pay_order_sn"]}
    assert len(simulator.trades()) == 1


def test_a_payment_whose_answer_was_killed_is_repeated_and_paid_once(web, simulator):
    app = App(web, simulator, has=2 * MONTH_FEN)
    bought = app.ask("init", **app.wanted("", money="0"))
    told = signed({"app_id": "1", "user_id": USER_ID, "order_sn": bought["pay_order_sn"]})

    with pytest.raises(httpx.TransportError):
        web.http.post("/english/order/pay", data=told, headers={"x-die-before-reply": "1"})
    assert Order.objects.get().status == "pay_finished", "the process was to die after COMMIT"
    answer = eventually(lambda: _answered(app, "pay", order_sn=bought["pay_order_sn"]))

    assert answer == DONE
    assert app.has()[0] == MONTH_FEN
    assert deliver() == 1


def _answered(app, name, **params):
    try:
        return app.call(name, **params)
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
