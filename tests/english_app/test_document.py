"""Document 004 to the letter: its keys in its order, its types, an empty string where nothing has happened yet."""

import datetime
import hashlib
import re
import time
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from english_app import deliveries, returns
from english_app.models import EnglishOrder, OrderLine
from payments.models import AuditRow, Charge, Order
from tests.english_app import world
from tests.english_app.calls import TOKEN, WAYS, data, send, stamped
from tests.payments.api.accounts import connect_wechat_v2, connect_wechat_v3
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)

ROW = {
    "id": int, "order_sn": str, "agent_id": int, "agent_title": str, "type": int, "app_id": int, "title": str,
    "price_total": (int, float), "money": (int, float), "user_id": int, "user_name": str, "imeil": str,
    "payway_name": str, "status": int, "msg": str, "ip": str, "add_time": str, "pay_time": str, "pay_date": str,
    "finish_time": str, "finish_date": str, "refunds_time": str, "refunds_date": str,
}  # fmt: skip
TIME, DAY = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", r"\d{4}-\d\d-\d\d"
LATER = ("pay_time", "pay_date", "finish_time", "finish_date", "refunds_time", "refunds_date")


class Shop:
    """The app's client, a customer with ¥10.00, goods, and the parameters of a good `init`."""

    def __init__(self):
        self.client = world.make_english_client()
        self.customer = world.make_learner(client=self.client, balance_fen=1_000)
        self.month, self.card = world.make_month(client=self.client), world.make_item(client=self.client)

    def init(self, **changes):
        return {
            "user_id": 1, "user_name": "小明", "app_id": 1, "title": "会员购买", "price_total": 29, "money": 19,
            "imeil": "866000000000001", "pay_way_name": "alipay", "goods_list": [{"good_id": self.month.pk, "num": 1}],
        } | changes  # fmt: skip

    def row(self, client, *, of_type):
        [found] = [row for row in data(client, "lists", {"user_id": 1}) if row["type"] == of_type]
        return found


@pytest.fixture
def shop(db):
    return Shop()


@pytest.fixture
def alipay(shop):
    return world.make_alipay(client=shop.client)


@pytest.mark.usefixtures("alipay")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("user_id", [1, "1"])
def test_every_call_is_answered_in_every_way(client, shop, way, slash, user_id):
    how = {"way": way, "slash": slash}

    assert data(client, "payWay", {}, **how) == [{"pay_way_name": "alipay", "pay_way_title": "支付宝"}]
    wanted = {"user_id": user_id, "goods_list": [{"good_id": shop.month.pk, "num": 1}]}
    assert data(client, "submitGoodsOrder", wanted, **how) == {"price_total": 29}
    made = data(client, "init", shop.init(user_id=user_id), **how)
    assert list(made) == ["charge_order_sn", "params", "pay_order_sn"]
    world.settle(Charge.objects.get())
    of_order = {"user_id": user_id, "order_sn": made["pay_order_sn"], "app_id": 1}
    for call in ("pay", "pay", "cancel", "cancel"):
        assert data(client, call, of_order, **how) == {}
    rows = data(client, "lists", {"user_id": user_id, "app_id": 1, "page": 1, "limit": 10}, **how)
    assert [(row["order_sn"], row["type"], row["status"]) for row in rows] == [
        (made["charge_order_sn"], 0, 4), (made["pay_order_sn"], 1, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_without_a_token_a_call_is_the_apps_timed_and_signed(client, shop, alipay, way):
    made = data(client, "init", stamped(shop.init(), way=way), way=way, token="")

    assert Order.objects.filter(client=shop.client, number__in=[made["charge_order_sn"], made["pay_order_sn"]]).count()
    assert len(data(client, "lists", stamped({"user_id": "1"}, way=way), way=way, token="")) == 2


def test_a_list_that_stands_as_text_in_json_is_the_list(client, shop):
    text = f'[{{"good_id": "{shop.card.pk}", "num": "3"}}, {{"num": 1, "good_id": {shop.month.pk}}}]'

    assert data(client, "submitGoodsOrder", {"user_id": 1, "goods_list": text}) == {"price_total": 58.7}


def test_a_good_that_stands_twice_is_added_up(client, shop, alipay):
    card, month = shop.card.pk, shop.month.pk
    goods = [{"good_id": card, "num": 1}, {"good_id": month, "num": 1}, {"good_id": card, "num": 2}]
    assert data(client, "submitGoodsOrder", {"user_id": 1, "goods_list": goods}) == {"price_total": 58.7}

    data(client, "init", shop.init(goods_list=goods, price_total=58.7, money=50))

    lines = OrderLine.objects.order_by("pk").values_list("good_id", "num")
    assert list(lines) == [(card, 3), (month, 1)]


@pytest.mark.parametrize("price_total", [29, 29.0, "29", "29.0", "29.00"])
def test_a_price_is_the_same_however_it_is_written(client, shop, alipay, price_total):
    assert data(client, "init", shop.init(price_total=price_total))["pay_order_sn"]


# --- a row of the list


def is_of_the_document(row):
    assert list(row) == list(ROW)
    assert all(type(row[name]) is kind if isinstance(kind, type) else type(row[name]) in kind
               for name, kind in ROW.items()), row  # fmt: skip
    assert re.fullmatch(r"\d{20}", row["order_sn"])
    assert row["order_sn"][:8] == row["add_time"][:10].replace("-", "")
    for name in LATER:
        assert re.fullmatch(DAY if name.endswith("date") else TIME, row[name]) or row[name] == ""
    for name in ("pay", "finish", "refunds"):
        assert row[f"{name}_time"][:10] == row[f"{name}_date"]
    return True


def test_a_row_of_waiting_orders_is_told_key_by_key(client, shop, alipay):
    agent = world.make_agent(client=shop.client)
    made = data(client, "init", shop.init(agent_id=agent.pk))
    told = {
        "agent_id": agent.pk, "agent_title": "校园渠道", "app_id": 1, "title": "会员购买", "price_total": 29,
        "user_id": 1, "user_name": "小明", "imeil": "866000000000001", "status": 0, "msg": "", "ip": "127.0.0.1",
    } | dict.fromkeys(LATER, "")  # fmt: skip

    recharge, purchase = data(client, "lists", {"user_id": 1})

    assert is_of_the_document(recharge)
    assert is_of_the_document(purchase)
    of_recharge = {"order_sn": made["charge_order_sn"], "type": 0, "money": 19, "payway_name": "alipay", **told}
    of_purchase = {"order_sn": made["pay_order_sn"], "type": 1, "money": 29, "payway_name": "balance", **told}
    ours = ("id", "add_time")
    assert {name: value for name, value in recharge.items() if name not in ours} == of_recharge
    assert {name: value for name, value in purchase.items() if name not in ours} == of_purchase
    assert re.fullmatch(TIME, purchase["add_time"])


def test_what_was_not_sent_is_an_empty_string_and_no_agent_is_0(client, shop, alipay):
    data(client, "init", {name: value for name, value in shop.init().items() if name not in ("user_name", "imeil")})

    row = shop.row(client, of_type=1)

    assert is_of_the_document(row)
    assert (row["user_name"], row["imeil"], row["agent_id"], row["agent_title"]) == ("", "", 0, "")


def test_a_row_tells_how_it_went_on(client, shop, alipay):
    made = data(client, "init", shop.init())
    order = {"user_id": 1, "order_sn": made["pay_order_sn"]}

    def stands():
        row = shop.row(client, of_type=1)
        assert is_of_the_document(row)
        return row["status"], {name for name in LATER if row[name]}

    world.settle(Charge.objects.get())
    recharge = shop.row(client, of_type=0)
    assert is_of_the_document(recharge)
    assert (recharge["status"], {name for name in LATER if recharge[name]}) == (4, set(LATER[:4]))
    assert stands() == (0, set())
    data(client, "pay", order)
    assert stands() == (2, {"pay_time", "pay_date"})
    deliveries.deliver_due(at=timezone.now())
    assert stands() == (4, set(LATER[:4]))
    data(client, "cancel", order)
    assert stands() == (5, set(LATER[:4]))
    document = EnglishOrder.objects.get(order__number=made["pay_order_sn"])
    returns.refuse(order_id=document.order_id, actor="user:lin", at=timezone.now(), reason="已使用")
    assert (stands(), shop.row(client, of_type=1)["msg"]) == ((6, set(LATER[:4])), "已使用")
    data(client, "cancel", order)
    returns.approve(order_id=document.order_id, actor="user:lin", at=timezone.now())
    assert stands() == (7, set(LATER))
    assert balance_fen(shop.customer) == 1_000 + 1_900


def test_a_user_id_that_is_no_number_is_told_as_it_is(client, shop, alipay):
    world.make_learner(client=shop.client, user_id="01")
    data(client, "init", shop.init(user_id="01", money=29))

    [row, _purchase] = data(client, "lists", {"user_id": "01"})

    assert row["user_id"] == "01"


@pytest.mark.parametrize(("digits", "kind"), [(15, int), (16, str)])
def test_a_user_id_is_told_as_a_number_where_every_reader_of_json_reads_it_as_that_one(
    client, shop, alipay, digits, kind
):
    user_id = "9" * digits
    world.make_learner(client=shop.client, user_id=user_id)
    data(client, "init", shop.init(user_id=user_id, money=29))

    [row, _purchase] = data(client, "lists", {"user_id": user_id})

    assert row["user_id"] == kind(user_id)


def test_a_payment_is_audited_under_the_id_of_its_call(client, shop):
    made = data(client, "init", shop.init(money=0, price_total=9.9, goods_list=[{"good_id": shop.card.pk, "num": 1}]))

    data(client, "pay", {"user_id": 1, "order_sn": made["pay_order_sn"]}, headers={"x-request-id": "the-call-of-pay"})

    assert AuditRow.objects.get(action="charge.paid").request_id == "the-call-of-pay"


def test_pages_are_counted_from_1_and_the_newest_is_first(client, shop, alipay):
    numbers = []
    for cents in range(3):
        made = data(client, "init", shop.init(money=f"20.{cents:02}"))
        numbers[:0] = [made["charge_order_sn"], made["pay_order_sn"]]

    def page(number, limit):
        return [row["order_sn"] for row in data(client, "lists", {"user_id": 1, "page": number, "limit": limit})]

    assert page(1, 100) == numbers
    assert [page(number, 4) for number in (1, 2, 3)] == [numbers[:4], numbers[4:], []]
    assert page(999_999_999, 100) == []


# --- what leads to the gateway


def test_alipays_params_are_the_documented_ones_and_its_signed_text(client, shop, alipay):
    made = data(client, "init", shop.init())

    params, order_string = made["params"], made["params"]["order_string"]
    assert params == {
        "payway_account_name": "alipay", "appid": "2021000000000001", "partnerid": "2088102146225135", "email": "",
        "privatekey": "", "order_string": order_string,
    }  # fmt: skip
    told = {name: value for name, [value] in parse_qs(order_string).items()}
    assert (told["method"], told["app_id"], told["sign_type"]) == ("alipay.trade.app.pay", params["appid"], "RSA2")
    assert f'"out_trade_no":"{made["charge_order_sn"]}_1"' in told["biz_content"].replace(" ", "")
    assert '"total_amount":"19.00"' in told["biz_content"].replace(" ", "")


def test_the_sellers_address_is_told_where_the_account_has_one(client, shop, alipay):
    alipay.options |= {"seller_email": "pay@shop.example.com"}
    alipay.save(update_fields=["options"])

    assert data(client, "init", shop.init())["params"]["email"] == "pay@shop.example.com"


def test_wechats_params_are_its_v2_payment_signed_under_the_key(client, shop, simulator):
    account = connect_wechat_v2(simulator)
    assert data(client, "payWay", {}) == [{"pay_way_name": "wechat", "pay_way_title": "微信支付"}]

    made = data(client, "init", shop.init(pay_way_name="wechat"))

    params = made["params"]
    assert list(params) == ["partnerid", "md5signstr", "rsmd5", "starttime"]
    pairs = [pair.split("=", 1) for pair in params["md5signstr"].split("&")]
    assert [name for name, _value in pairs] == ["appid", "noncestr", "package", "partnerid", "prepayid", "timestamp"]
    told = dict(pairs)
    assert (told["appid"], told["package"], told["partnerid"]) == (account.app_id, "Sign=WXPay", account.merchant_id)
    assert params["partnerid"] == told["partnerid"]
    assert params["starttime"] == told["timestamp"]
    assert abs(int(params["starttime"]) - time.time()) < 60
    key = account.credentials()["api_key"]
    assert params["rsmd5"] == hashlib.md5(f"{params['md5signstr']}&key={key}".encode()).hexdigest().upper()


def test_wechat_paid_at_the_simulator_pays_at_once_though_nobody_has_told_us(client, shop, simulator):
    connect_wechat_v2(simulator)
    made = data(client, "init", shop.init(pay_way_name="wechat"))
    simulator.pay(f"{made['charge_order_sn']}_1")

    assert data(client, "pay", {"user_id": 1, "order_sn": made["pay_order_sn"], "app_id": 1}) == {}

    assert (shop.row(client, of_type=0)["status"], shop.row(client, of_type=1)["status"]) == (4, 2)
    assert balance_fen(shop.customer) == 0


def test_an_account_that_the_app_cannot_use_is_no_way_to_pay(client, shop, simulator):
    connect_wechat_v3(simulator)

    assert data(client, "payWay", {}) == []
    answer = send(client, "init", shop.init(pay_way_name="wechat"))
    assert (answer.status_code, answer.json()["error_code"]) == (422, "no_gateway_account")
    assert Order.objects.count() == 0


@pytest.mark.parametrize("pay_way_name", ["", "alipay", None])
def test_without_money_there_is_no_recharge(client, shop, pay_way_name):
    card = [{"good_id": shop.card.pk, "num": 1}]

    made = data(client, "init", shop.init(goods_list=card, price_total=9.9, money=0, pay_way_name=pay_way_name))

    assert made == {"charge_order_sn": "", "params": {}, "pay_order_sn": made["pay_order_sn"]}
    assert [order.number for order in Order.objects.all()] == [made["pay_order_sn"]]
    assert data(client, "pay", {"user_id": 1, "order_sn": made["pay_order_sn"]}) == {}
    assert balance_fen(shop.customer) == 10


def test_the_same_init_finds_its_pair_and_its_params_once_more(client, shop, alipay):
    first, again = (data(client, "init", shop.init()) for _once in range(2))
    other = data(client, "init", shop.init(title="另一单"))

    assert again == first
    assert {first["pay_order_sn"], first["charge_order_sn"]}.isdisjoint(
        {other["pay_order_sn"], other["charge_order_sn"]}
    )
    assert Order.objects.count() == 4


def test_a_pair_that_is_about_to_end_is_found_no_more(client, shop, alipay):
    first = data(client, "init", shop.init())
    Order.objects.update(expires_at=timezone.now() + datetime.timedelta(seconds=30))

    assert data(client, "init", shop.init())["pay_order_sn"] != first["pay_order_sn"]


def test_the_sentence_is_chinese_whatever_language_is_asked_for(client, shop):
    response = send(client, "pay", {"user_id": 1, "order_sn": "1"}, headers={"accept-language": "en"}, token=TOKEN)

    assert response.headers["Content-Language"] == "zh-hans"
    assert response.json() == {
        "code": 404, "msg": "order_sn: 没有这笔订单，请核对订单号。", "data": None, "error_code": "order_unknown",
    }  # fmt: skip
