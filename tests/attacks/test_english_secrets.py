"""The canaries of `test_secrets` in document 004's calls, which lead an app to WeChat and Alipay with a few words."""

import base64
import json
from urllib.parse import quote

import pytest
from django.db import connection
from django.utils import timezone

from english_app import returns
from english_app.models import EnglishOrder, OrderType
from payments.models import ApiClient, Charge, GatewayAccount
from tests.attacks.canaries import everything, public, redis_text, server
from tests.attacks.conftest import CAGED_NAME as NAME
from tests.calls import signed
from tests.english_app.world import USER_ID, make_english_client, make_item, make_learner, make_month
from tests.faults.test_alipay_end_to_end import connect as connect_alipay
from tests.faults.test_wechat_end_to_end import arm
from tests.payments.api.accounts import connect_wechat_v2
from tests.web_process import eventually

pytestmark = pytest.mark.django_db(transaction=True)
WANTED = {"user_name": NAME, "title": "会员购买", "price_total": "29", "money": "29", "imeil": "866"}


class App:
    """The app's customer at a site whose every secret is a canary; what it is answered the site remembers."""

    def __init__(self, site, canaries, simulator):
        self.site, self.canaries = site, canaries
        _alipay(simulator, canaries, notify_base=site.url)
        _wechat(simulator, canaries, notify_base=site.url)
        client = make_english_client(token=canaries.app_token, secret=canaries.app_secret)
        make_learner(client=client, balance_fen=2_900)
        month = make_month(client=client)
        self.goods_list = json.dumps([{"good_id": month.pk, "num": 1}])

    def call(self, name, *, secret=None, token="", **params):
        told = signed({"app_id": "1", "user_id": USER_ID, **params}, secret=secret or self.canaries.app_secret)
        headers = {"authorization": f"Token {token}"} if token else {}
        return self.site.http.post(f"/english/order/{name}", data=told, headers=headers).json()

    def init(self, way, **changes):
        return self.call("init", **WANTED | {"pay_way_name": way, "goods_list": self.goods_list} | changes)

    def look_around(self):
        self.call("payWay")
        self.call("payWay", token=self.canaries.app_token)
        self.call("lists")
        self.call("submitGoodsOrder", goods_list=self.goods_list)

    def be_refused(self):
        """Wrong in every way, and secrets where none belongs."""
        self.init("wechat", price_total="1")
        self.init("wechat", money="100000000.01")
        self.init("alipay", money="100000000.01")
        self.init("alipay", secret="wrong")
        self.call("lists", token=self.canaries.app_token[:-1])
        for name, key in self.canaries.keys().items():
            self.init(key)
            self.call("lists", **{"user_id": key[:64], "page": key, name: key})
            self.call("pay", order_sn=key[:64])
            self.call("cancel", order_sn=key[:64])
            self.call("submitGoodsOrder", goods_list=f'[{{"good_id": "{key}", "num": "{key}"')
            self.site.http.get(f"/english/order/{name}")


def _alipay(simulator, canaries, *, notify_base):
    account = connect_alipay(simulator, notify_base=notify_base)
    merchant = simulator.register_merchant(app_id=account.app_id, app_public_key=public(canaries.private_key))
    account.options = {"alipay_public_key": merchant.alipay_public_key}
    account.set_credentials({"private_key": canaries.private_key})
    account.save()


def _wechat(simulator, canaries, *, notify_base):
    keys = {"api_key": canaries.api_key, "app_public_key": public(canaries.client_key)}
    account = connect_wechat_v2(simulator, notify_base=notify_base, **keys)
    (known,) = [merchant for merchant in simulator.merchants() if merchant["app_id"] == account.app_id]
    account.options = {"client_cert": known["app_certificate"]}
    account.set_credentials(
        {"api_key": canaries.api_key, "client_key": canaries.client_key, "app_secret": canaries.oauth_secret}
    )
    account.save()


@pytest.fixture
def app(caged, canaries, simulator):
    return App(caged, canaries, simulator)


def heard_in_lists_alone(site):
    return [text[:120] for text in site.heard if NAME in text and "/order/lists" not in text[:120]]


@pytest.fixture
def queue():
    with server() as redis_server:
        yield redis_server
        redis_server.delete("celery")


def test_control_a_window_that_is_planted_is_found_wherever_it_stands(caged, canaries, queue):
    caged.heard.clear()
    client = ApiClient.objects.first()
    for name, key in canaries.keys().items():
        window = key[-24:]  # all private keys begin alike
        good = make_item(client=client, title=f"《{window}》")
        body = base64.b64encode(json.dumps([[], {"told": window}, {}]).encode()).decode()
        queue.lpush("celery", json.dumps({"body": body}))
        caged.heard.append(f"order_string={quote(window, safe='')}")

        places = everything(canaries, caged, f"Traceback … {window}")

        found = ("Redis", "table english_app_good", "log 0", f"answer 0: {caged.heard[0][:90]}")
        assert places == {place: {name} for place in found}
        caged.heard.clear()
        queue.delete("celery")
        good.delete()
    assert everything(canaries, caged) == {}


def test_while_goods_are_bought_delivered_and_returned_no_secret_is_heard(app, caged, canaries, simulator, worker):
    app.look_around()
    wechat, alipay = app.init("wechat"), app.init("alipay")
    assert (wechat["code"], alipay["code"]) == (0, 0)
    assert wechat["data"]["params"]["rsmd5"]
    assert "sign=" in alipay["data"]["params"]["order_string"]
    assert alipay["data"]["params"]["privatekey"] == ""
    app.be_refused()
    assert app.call("pay", order_sn=wechat["data"]["pay_order_sn"])["code"] == 0
    assert "english_app.deliver_due" in redis_text(), "nobody takes messages yet"
    assert everything(canaries, caged) == {}

    simulator.arm("lost")
    simulator.use_app(alipay["data"]["params"]["order_string"])
    Charge.objects.filter(status="pending").update(next_query_at=timezone.now())
    worker.start(with_clock=True, **caged.environment)
    purchase = EnglishOrder.objects.get(order__number=wechat["data"]["pay_order_sn"])
    eventually(lambda: EnglishOrder.objects.filter(pk=purchase.pk, delivery="delivered").exists())
    eventually(lambda: app.call("pay", order_sn=alipay["data"]["pay_order_sn"])["code"] == 0)
    app.call("cancel", order_sn=purchase.order.number)
    app.call("cancel", order_sn=wechat["data"]["charge_order_sn"])
    returns.approve(order_id=purchase.order_id, actor="user:boss", at=timezone.now())
    app.look_around()

    assert everything(canaries, caged, worker.log()) == {}
    assert NAME not in caged.log() + worker.log()
    assert heard_in_lists_alone(caged) == []


def test_while_gateways_are_silent_keys_do_not_open_and_tables_are_gone_no_secret_is_heard(
    app, caged, canaries, simulator, worker
):
    for fault in ("timeout_before", "http_500", "garbage", "bad_signature"):
        arm(simulator, fault)
        assert app.init("wechat")["error_code"] == "gateway_unanswered"
    bought = app.init("alipay")["data"]
    GatewayAccount.objects.update(sealed_secrets="gone:AAAA")
    app.init("wechat", title="again")
    app.init("alipay", title="again")
    Charge.objects.filter(status__in=["pending", "unknown"]).update(next_query_at=timezone.now())
    worker.start(with_clock=True, **caged.environment)
    eventually(lambda: "sweep_failed" in worker.log() or "query_not_sent" in worker.log())
    worker.kill()
    ApiClient.objects.update(sealed_secret=f"canary:{base64.b64encode(b'x' * 60).decode()}")
    app.look_around()
    ApiClient.objects.update(sealed_secret="gone:AAAA")
    app.look_around()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE english_app_englishorder RENAME TO hidden_order")
    try:
        for call in ("lists", "init", "pay", "cancel"):
            told = WANTED | {"user_id": USER_ID, "pay_way_name": "alipay", "goods_list": app.goods_list}
            told |= {"order_sn": bought["pay_order_sn"]}
            caged.http.post(
                f"/english/order/{call}", data=told, headers={"authorization": f"Token {canaries.app_token}"}
            )  # fmt: skip
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden_order RENAME TO english_app_englishorder")

    failed = [text for text in caged.heard if " 500 " in text[:300]]
    assert len([text for text in failed if "/order/" in text[:60]]) >= 4, "the day was to be bad"
    assert everything(canaries, caged, worker.log()) == {}
    assert NAME not in caged.log() + worker.log()
    assert not [text for text in failed if "Traceback" in text or "hidden_" in text or "SELECT " in text]
    assert EnglishOrder.objects.filter(type=OrderType.RECHARGE).exists()
