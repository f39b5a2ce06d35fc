"""
What the pictures show: a month of other shops' trade, and today's work at the demonstration's.

Everything is done as people and gateways do it, at the simulator; of the month alone the rows are made (`demo_volume`).
"""

import dataclasses
import time

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_otp.oath import TOTP

from checkout import operations as checkout
from config import celery, demo, demo_partner, volume
from config.volume import ROUND
from english_app import deliveries, returns
from english_app import operations as english_app
from english_app.models import Good
from english_app.operations import InitCommand
from english_app.pricing import Wanted
from partner_orders import operations as partner_orders
from partner_orders.models import PayType
from payments.charges import operations as charges
from payments.customers.grants import Direction, GrantCommand
from payments.days import bounds, day_of
from payments.direct import operations as direct
from payments.exports import operations as exports
from payments.exports import writing
from payments.gateways.base import Mode
from payments.ledger.accounts import Kind
from payments.manual import values
from payments.models import ApiClient, Export, Order, Refund
from payments.orders.models import OrderKind
from payments.refunds import operations as refunds
from payments.refunds import submission
from payments.refunds.operations import RefundCommand
from payments.staff import devices

MONTH_ORDERS, MONTH_DAYS = 30 * ROUND, 33
CLERK = "user:demo-refund"
MOMENT_S = 2  # gateways tell whole seconds: sooner, an order would be paid before it was made
BOOKED_WITHIN_S = 60  # the sweep asks about a refund after 15
# What the exports' page shows is a moment of a long one.
ROWS_SO_FAR = 2 * writing.BATCH_ROWS


@dataclasses.dataclass(frozen=True, kw_only=True)
class History:
    order: Order  # paid by points and at WeChat, refunded in part
    many: list[str]  # numbers that somebody pastes
    export: Export
    recovery_codes: list[str]  # of demo-finance, each good once


def build(*, simulator):
    """Make it and return what the pictures are of. The web server runs already: gateways tell it what they know."""
    _make_month()
    ApiClient.objects.filter(name="demo-mall").update(approval_above_fen=50_000, grant_approval_above_fen=10_000)
    ApiClient.objects.filter(name="demo-shop").update(late_money_policy="hold")
    shop = Shop(simulator)
    order = shop.mall_order("checkout", total_fen=214_400)
    shop.refund(order, goods_fen=10_000, reason="盒子压坏，部分退款")
    dear, dearer = (shop.mall_order("checkout_poor", total_fen=fen) for fen in (129_900, 88_800))
    by_points = shop.mall_order("checkout_rich", total_fen=68_800)
    shop.refund(dear, goods_fen=129_400, shipping_fen=500, reason="顾客收到的颜色不对")
    shop.refund(dearer, goods_fen=60_000, reason="少发一件")
    shop.refund(by_points, goods_fen=68_300, reason="七天无理由退货")
    shop.pay_twice()
    shop.sell_others()
    _ask_for_points()
    celery.app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        celery.app.tasks[entry["task"]].apply()
    paid = Order.objects.filter(client__name="volume-checkout", status="pay_finished").order_by("-pk")
    many = [order.number, *paid.values_list("number", flat=True)[:5], dear.number]
    return History(order=order, many=many, export=_begin_export(), recovery_codes=_enrol("demo-finance"))


def _make_month():
    """It ends as this day began: today is what is done below."""
    today, _tomorrow = bounds(day_of(timezone.now()))
    for _progress in volume.fill(orders=MONTH_ORDERS, days=MONTH_DAYS, at=today):
        pass


class Shop:
    def __init__(self, simulator):
        self._simulator, self._made = simulator, 0

    def mall_order(self, key, *, total_fen):
        self._made += 1
        who, at = demo.CUSTOMERS[key], timezone.now()
        command = checkout.PayCommand(
            out_trade_no=f"{at:%Y%m%d}{10_110_000 + 137 * self._made}", client_pay_id="", total_fen=total_fen,
            shipping_fen=500, user_id=who.user_id, ee_no=who.ee_no, redirect_url="https://www.example.com/done",
        )  # fmt: skip
        order = Order.objects.get(pk=checkout.pay(client=_client("demo-mall"), command=command, at=at).order_id)
        return self._pay(order) if order.cash_fen else order

    def refund(self, order, *, goods_fen, shipping_fen=0, reason):
        time.sleep(MOMENT_S)
        command = RefundCommand(goods_fen=goods_fen, shipping_fen=shipping_fen, reason=reason)
        made = refunds.refund(order_id=order.pk, command=command, actor=CLERK, at=timezone.now())
        if made.status != "to_approve":
            _eventually(lambda: _has_gone(made))

    def pay_twice(self):
        """Somebody scans WeChat's code and Alipay's, and pays both."""
        order = self._direct_order(title="蓝牙耳机", total_fen=19_900)
        attempts = [self._attempt(order, channel=channel) for channel in ("wechat", "alipay")]
        self._simulator.scan(attempts[1].number)
        for attempt in attempts:
            self._simulator.pay(attempt.number)
            _eventually(lambda paid=attempt: order.charges.filter(pk=paid.pk, paid_at__isnull=False).exists())

    def sell_others(self):
        """One order of each other family, all paid; of the English one the return is asked for."""
        self._pay(self._direct_order(title="账户充值", total_fen=50_000, kind=OrderKind.RECHARGE))
        self._direct_order(title="有机大米 5 千克", total_fen=5_980)  # nobody has paid it yet
        partner = partner_orders.PayCommand(
            user_id=demo.CUSTOMERS["partner_orders"].user_id, pay_type=PayType.BALANCE, coupon_uid="",
            pack_uid=demo_partner.PACK_UID, key="picture",
            address_id=demo_partner.address_id(customer=demo.row("partner_orders")),
        )  # fmt: skip
        partner_orders.pay(client=_client("demo-partner"), command=partner, at=timezone.now())
        english, who = _client("demo-english"), demo.CUSTOMERS["english_app"]
        good = Good.objects.filter(client=english).earliest("pk")
        command = InitCommand(
            user_id=who.user_id, user_name=who.real_name, title=good.title, price_total_fen=good.price_fen,
            money_fen=0, imeil="", pay_way="", agent_id=None, goods=(Wanted(good_id=good.pk, num=1),),
        )  # fmt: skip
        bought = english_app.init(client=english, command=command, at=timezone.now()).purchase
        english_app.pay(client=english, user_id=who.user_id, number=bought.number, at=timezone.now())
        deliveries.deliver_due(at=timezone.now())
        returns.ask(order_id=bought.pk, actor=english.actor, at=timezone.now())

    def _direct_order(self, *, title, total_fen, kind=OrderKind.GOODS):
        command = direct.OrderCommand(kind=kind, user_id="1001", title=title, total_fen=total_fen)
        number = direct.place_order(client=_client("demo-shop"), command=command, at=timezone.now())
        return Order.objects.get(number=number)

    def _attempt(self, order, *, channel):
        return charges.pay_by(
            order_id=order.pk, channel=channel, mode=Mode.QR, actor=f"customer:{order.customer_id}", at=timezone.now()
        )  # fmt: skip

    def _pay(self, order):
        attempt = self._attempt(order, channel="wechat")
        time.sleep(MOMENT_S)
        self._simulator.pay(attempt.number)
        _eventually(lambda: Order.objects.filter(pk=order.pk, status="pay_finished").exists())
        return Order.objects.get(pk=order.pk)


def _ask_for_points():
    command = GrantCommand(
        grant_no="picture", kind=Kind.POINTS, direction=Direction.IN, amount_fen=20_000, reason="发货延误补偿"
    )  # fmt: skip
    values.request(customer_id=demo.row("checkout").pk, command=command, actor="user:demo-finance", at=timezone.now())


def _begin_export():
    """Somebody's export that a worker is at."""
    user = get_user_model().objects.get(username="demo-finance")
    asked = {"model": "payments.order", "query": "", "file_format": "xlsx", "reason": "月末对账"}
    exports.request(user=user, actor="user:demo-finance", **asked)
    export = writing.claim(at=timezone.now())
    Export.objects.filter(pk=export.pk).update(rows_done=ROWS_SO_FAR)
    return export


def _enrol(username):
    """Give somebody an app for one-time codes, and return the recovery codes."""
    user, key = get_user_model().objects.get(username=username), devices.new_key()
    totp = TOTP(bytes.fromhex(key))
    totp.time = time.time()
    _device, codes = devices.enrol(user=user, key=key, token=f"{totp.token():06d}", session_key=None)
    return codes


def _client(name):
    return ApiClient.objects.get(name=name)


def _has_gone(refund):
    """Ask about it as the worker would, who is not here."""
    submission.sweep_due()
    return Refund.objects.filter(pk=refund.pk, status="succeeded").exists()


def _eventually(happened):
    deadline = time.monotonic() + BOOKED_WITHIN_S
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError("What the gateway did was not booked.")
        time.sleep(0.2)
