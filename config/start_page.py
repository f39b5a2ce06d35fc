"""
The page at `/` of the sandbox: what is running, and a first order in three clicks.

It plays the shop: it makes a real order for a demo customer, leads its customer to the cashier, and checks the
signature of whoever comes back. Outside the sandbox there is no such page.
"""

import datetime
import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views import View

from checkout import operations as checkout
from checkout.cashier import CheckoutCashier
from config import demo, demo_partner
from english_app import operations as english_app
from english_app.models import Good, PayWay
from english_app.operations import InitCommand
from english_app.pricing import Wanted
from partner_orders import operations as partner_orders
from partner_orders.models import Address, PayType
from partner_orders.operations import PayCommand
from payments.cashier.views import HttpResponseSeeOther
from payments.cashier.wpay import WpayView
from payments.clients import login_codes, signing
from payments.direct import operations as direct
from payments.errors import OnetillError
from payments.ledger import queries as ledger
from payments.ledger.accounts import Kind
from payments.models import ApiClient, Customer
from payments.orders.models import OrderKind

SHIPPING_FEN = 500


@dataclass(frozen=True, kw_only=True)
class DemoOrder:
    """One button of the page. `make` places the order and returns the path of its cashier."""

    label: str | Promise
    hint: str | Promise
    customer: str  # a key of demo.CUSTOMERS
    make: Callable[["DemoOrder"], str]
    total_fen: int = 0  # a gift pack has its own price
    title: str | Promise = ""  # of an order that is made directly; a checkout order names itself
    kind: OrderKind = OrderKind.GOODS


def _make_checkout_order(wanted: DemoOrder) -> str:
    at = timezone.now()
    who = demo.CUSTOMERS[wanted.customer]
    client = ApiClient.objects.get(name=demo.CLIENTS["checkout"].name)
    _fill_up(client=client, key=wanted.customer)
    command = checkout.PayCommand(
        out_trade_no=f"{at:%Y%m%d%H%M%S}{secrets.randbelow(10**6):06d}",
        client_pay_id="",
        total_fen=wanted.total_fen,
        shipping_fen=SHIPPING_FEN,
        user_id=who.user_id,
        ee_no=who.ee_no,
        redirect_url=f"{settings.BASE_URL}{reverse('start')}",
    )
    order = checkout.pay(client=client, command=command, at=at)
    code = login_codes.issue(number=order.number, generation=order.login_generation, at=at)
    query = urlencode({"code": code, "next": CheckoutCashier.path(order.number)}, safe="/")
    return f"{reverse('checkout-login')}?{query}"


def _fill_up(*, client: ApiClient, key: str) -> None:
    """Give a demo customer back what earlier demo orders took."""
    who = demo.CUSTOMERS[key]
    customer = Customer.objects.get(client=client, user_id=who.user_id)
    has_fen = ledger.customer_balances_fen(customer_id=customer.pk)
    missing_fen = {kind: max(wants_fen - has_fen[kind], 0) for kind, wants_fen in who.wants_fen().items()}
    demo.top_up(key=key, points_fen=missing_fen[Kind.POINTS], balance_fen=missing_fen[Kind.BALANCE])


def _make_direct_order(wanted: DemoOrder) -> str:
    at = timezone.now()
    who = demo.CUSTOMERS[wanted.customer]
    command = direct.OrderCommand(
        kind=wanted.kind,
        user_id=who.user_id,
        title=str(wanted.title),
        total_fen=wanted.total_fen,
        booking=direct.Booking(time=at + datetime.timedelta(days=1), subject=who.real_name)
        if wanted.kind is OrderKind.APPOINTMENT
        else None,
    )
    client = ApiClient.objects.get(name=demo.CLIENTS[who.client].name)
    return WpayView.path(direct.place_order(client=client, command=command, at=at))


def _make_partner_order(wanted: DemoOrder, *, pay_type: PayType) -> str:
    client = ApiClient.objects.get(name=demo.CLIENTS["partner_orders"].name)
    _fill_up(client=client, key=wanted.customer)
    command = PayCommand(
        user_id=demo.CUSTOMERS[wanted.customer].user_id,
        pay_type=pay_type,
        pack_uid=demo_partner.PACK_UID,
        coupon_uid="",
        address_id=demo_partner.address_id(customer=demo.row(wanted.customer)),
        key=secrets.token_hex(8),
    )
    bought = partner_orders.pay(client=client, command=command, at=timezone.now())
    return WpayView.path(bought.document.order.number)


def _make_english_order(wanted: DemoOrder, *, from_balance: bool) -> str:
    """Lead to the recharge or, of a purchase that the balance pays, to what was bought."""
    client, at = ApiClient.objects.get(name=demo.CLIENTS["english_app"].name), timezone.now()
    _fill_up(client=client, key=wanted.customer)
    good = Good.objects.filter(client=client, is_on_sale=True).earliest("pk")
    command = InitCommand(
        user_id=demo.CUSTOMERS[wanted.customer].user_id,
        user_name=demo.CUSTOMERS[wanted.customer].real_name,
        title=good.title,
        price_total_fen=good.price_fen,
        money_fen=0 if from_balance else good.price_fen,
        imeil="",
        pay_way="" if from_balance else PayWay.ALIPAY.value,
        agent_id=None,
        goods=(Wanted(good_id=good.pk, num=1),),
    )
    made = english_app.init(client=client, command=command, at=at)
    if made.recharge is not None:
        return WpayView.path(made.recharge.number)
    english_app.pay(client=client, user_id=command.user_id, number=made.purchase.number, at=at)
    return WpayView.path(made.purchase.number)


DEMO_ORDERS: dict[str, DemoOrder] = {
    "mall_part": DemoOrder(
        label=_("Points mall: ¥2,144, points and cash"),
        hint=_("¥131.28 is paid with points, the rest by WeChat or Alipay"),
        customer="checkout",
        total_fen=214_400,
        make=_make_checkout_order,
    ),
    "mall_cash": DemoOrder(
        label=_("Points mall: ¥21.44, cash alone"),
        hint=_("The customer has no points"),
        customer="checkout_poor",
        total_fen=2_144,
        make=_make_checkout_order,
    ),
    "mall_points": DemoOrder(
        label=_("Points mall: ¥88, points alone"),
        hint=_("Paid at once, nothing is left for the cashier"),
        customer="checkout_rich",
        total_fen=8_800,
        make=_make_checkout_order,
    ),
    "shop": DemoOrder(
        label=_("Shop: ¥11.10, WeChat or Alipay"),
        hint=_("Document 003: an order by its number, on any device"),
        customer="payments",
        total_fen=1_110,
        make=_make_direct_order,
        title=_("Goods of the demo shop"),
    ),
    "recharge": DemoOrder(
        label=_("Shop: recharge of ¥50"),
        hint=_("When it is paid, the customer's balance grows"),
        customer="payments",
        total_fen=5_000,
        make=_make_direct_order,
        title=_("Recharge of the balance"),
        kind=OrderKind.RECHARGE,
    ),
    "appointment": DemoOrder(
        label=_("Shop: an appointment, ¥99"),
        hint=_("For tomorrow; confirmed when it is paid"),
        customer="payments",
        total_fen=9_900,
        make=_make_direct_order,
        title=_("An appointment"),
        kind=OrderKind.APPOINTMENT,
    ),
    "partner_balance": DemoOrder(
        label=_("Partner programme: a gift pack of ¥300, from the balance"),
        hint=_("Document 002: paid at once, and the customer is lifted to V5"),
        customer="partner_orders",
        make=functools.partial(_make_partner_order, pay_type=PayType.BALANCE),
    ),
    "partner_alipay": DemoOrder(
        label=_("Partner programme: a gift pack of ¥300, by Alipay"),
        hint=_("Document 002: a piece of the stock is held until it is paid"),
        customer="partner_orders",
        make=functools.partial(_make_partner_order, pay_type=PayType.ALIPAY),
    ),
    "english_balance": DemoOrder(
        label=_("English app: a month of membership, from the balance"),
        hint=_("Document 004: paid at once, delivered by a task"),
        customer="english_app",
        make=functools.partial(_make_english_order, from_balance=True),
    ),
    "english_recharge": DemoOrder(
        label=_("English app: the recharge for a month of membership"),
        hint=_("Document 004: when it is paid, order/pay takes the purchase out of the balance"),
        customer="english_app",
        make=functools.partial(_make_english_order, from_balance=False),
    ),
}


class StartView(View):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.SANDBOX:
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        wanted = DEMO_ORDERS.get(request.POST.get("order", ""))
        if wanted is None:
            raise Http404
        try:
            return HttpResponseSeeOther(wanted.make(wanted))
        except OnetillError as error:
            return self._page(request, error=error)
        except (ApiClient.DoesNotExist, Customer.DoesNotExist, Address.DoesNotExist, Good.DoesNotExist):
            return self._page(request, is_empty=True)

    def _page(self, request: HttpRequest, *, error: OnetillError | None = None, is_empty: bool = False) -> HttpResponse:
        context = {
            "orders": DEMO_ORDERS,
            "error": error.sentence() if error else "",
            "is_empty": is_empty,
            "returned": _returned(request),
            "staff": demo.STAFF,
            "simulator_url": settings.SIMULATOR_URL,
            "curl": demo.first_order_curl(),
        }
        status = error.status if error else 503 if is_empty else 200
        return render(request, "onetill/start.html", context, status=status)


def _returned(request: HttpRequest) -> dict[str, Any]:
    """Return what a customer who comes from the cashier brings along, and whether the sign proves it."""
    told = request.GET.dict()
    if "sign" not in told:
        return {}
    proven = signing.matches(
        given=told.pop("sign"), params=told, secret=demo.CLIENTS["checkout"].secret, sign_type="MD5"
    )
    return {"told": told, "proven": proven}
