"""Packs bought by document 002's call and paid at the simulated Alipay, over real HTTP, while things go wrong."""

import datetime

import httpx
import pytest
from django.utils import timezone

from partner_orders.models import PartnerOrder, PayType
from payments.charges import operations as charges
from payments.closing import operations as closing
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Charge, Order
from tests.faults.gateways import booked, let_its_time_run_out, status_of, sweep_everything, verdicts
from tests.faults.refunding import (
    booked_back,
    give_back,
    give_late_money_back,
    gone_back,
    hear_of_refunds,
    swept_to,
)
from tests.faults.test_alipay_end_to_end import connect
from tests.partner_orders.calls import PAY_PATH, signed
from tests.partner_orders.dealings import is_used, level_of, now_of
from tests.partner_orders.world import (
    PRICE_FEN,
    USER_ID,
    in_stock,
    make_address,
    make_coupon,
    make_level,
    make_pack,
    make_partner,
    make_partner_client,
)
from tests.web_process import eventually
from tests.world import points_fen

pytestmark = pytest.mark.django_db(transaction=True)
CASH_FEN = PRICE_FEN - 5_000
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)"


class App:
    """The customer's app: it calls document 002's addresses, opens the gateway's page, and pays."""

    def __init__(self, site, simulator, **pack_fields):
        connect(simulator, notify_base=site.url)
        self.site, self.simulator = site, simulator
        client = make_partner_client(default_of="partner_orders")
        self.customer = make_partner(client=client)
        self.address = make_address(customer=self.customer)
        self.coupon = make_coupon(customer=self.customer)
        self.pack = make_pack(client=client, level=make_level(client=client), score=120, **pack_fields)

    def call(self, **headers):
        """Status and answer of the call that buys the pack with the coupon, at Alipay."""
        params = {
            "user_id": USER_ID, "pay_type": PayType.ALIPAY.value, "gift_pos_id": self.pack.uid,
            "coupon_id": self.coupon.uid, "address_id": self.address.pk,
        }  # fmt: skip
        response = self.site.http.post(PAY_PATH, data=signed(params), headers=headers)
        return response.status_code, response.json()

    def buy(self, **headers):
        """The document that the call made, and the address of Alipay's page."""
        status, answer = self.call(**headers)
        assert (status, answer["code"]) == (200, 1), answer
        told = answer["result"]
        assert told["order_info"]["order_status"] == 0
        return PartnerOrder.objects.get(order__number=told["order_info"]["order_no"]), told["ali_pay_url"]

    def cancel(self, document):
        return self.site.api(
            "/app/partner/order/cancel", {"user_id": USER_ID, "order_no": document.order.number}
        )  # fmt: skip

    def wire_status(self, document):
        _status, answer = self.site.api(
            "/app/partner/order/detail", {"user_id": USER_ID, "order_no": document.order.number}
        )
        return answer["result"]["order_info"]["order_status"]

    def open(self, url):
        page = httpx.get(url, follow_redirects=True, trust_env=False)
        assert page.status_code == 200
        return page.text

    def held(self):
        """What the customer's side has of it: stock, coupon, level, points."""
        return in_stock(self.pack), is_used(self.coupon), level_of(self.customer), points_fen(self.customer)


NOTHING_HELD = (10, False, "", 0)
WAITING = (9, True, "", 0)
GRANTED = (9, True, "V5", 120)


@pytest.fixture
def app(site, simulator):
    return App(site, simulator)


@pytest.fixture
def bought(app):
    """An order that waits, with its page open, and its attempt."""
    document, url = app.buy()
    app.open(url)
    return document, Charge.objects.get(order=document.order_id)


@pytest.fixture
def paid(app, bought):
    document, charge = bought
    app.simulator.pay(charge.number)
    eventually(lambda: status_of(document.order) == ("pay_finished", ""))
    return bought


# --- paid


@pytest.mark.parametrize("agent", ["", PHONE], ids=["desktop", "phone"])
def test_a_pack_paid_at_alipay_is_notified_and_brings_level_and_score(app, agent):
    document, url = app.buy(**{"user-agent": agent})
    charge = Charge.objects.get(order=document.order_id)
    assert app.held() == WAITING
    assert charge.mode == ("wap" if agent else "page")
    assert "250.00" in app.open(url)

    app.simulator.pay(charge.number)

    eventually(lambda: status_of(document.order) == ("pay_finished", ""))
    assert app.held() == GRANTED
    assert booked() == [("escrow", CASH_FEN)]
    assert now_of(document).fulfilled_at is not None
    assert app.wire_status(document) == 1
    eventually(lambda: verdicts() == {"accepted": 1})


def test_a_lost_notice_is_made_good_by_the_sweep(app):
    app.simulator.arm("lost")
    document, url = app.buy()
    app.open(url)
    app.simulator.pay(Charge.objects.get().number)

    sweep_everything()

    assert status_of(document.order) == ("pay_finished", "")
    assert app.held() == GRANTED
    assert verdicts() == {}


def test_the_same_call_while_it_waits_leads_to_the_same_page_and_holds_nothing_more(app, bought):
    document, charge = bought

    again, url = app.buy()

    assert again == document
    assert url == charge.payload["url"]
    assert (app.held(), Order.objects.count(), Charge.objects.count()) == (WAITING, 1, 1)


def test_from_another_device_the_same_call_leads_there_and_either_pays_once(app, bought):
    document, first = bought

    again, url = app.buy(**{"user-agent": PHONE})

    second = Charge.objects.get(order=document.order_id, attempt=2)
    first.refresh_from_db()
    assert (again, url) == (document, second.payload["url"])
    assert (first.status, second.mode, app.held()) == ("closed", "wap", WAITING)
    app.open(url)
    app.simulator.pay(second.number)
    eventually(lambda: status_of(document.order) == ("pay_finished", ""))
    assert app.held() == GRANTED


# --- never paid


def test_what_nobody_pays_is_closed_by_the_job_and_stock_and_coupon_are_free_again(app, bought):
    document, charge = bought
    let_its_time_run_out(document.order)

    sweep_everything()
    assert closing.close_due(at=timezone.now()) == 1

    assert status_of(document.order) == ("closed", "")
    assert app.simulator.trade(charge.number)["status"] == "closed"
    assert app.held() == NOTHING_HELD
    assert app.wire_status(document) == 4
    assert app.buy()[0] != document, "the coupon buys again"


def test_a_page_that_nobody_opened_is_no_trade_and_closes_too(app):
    document, _url = app.buy()
    charge, after = Charge.objects.get(), datetime.timedelta(seconds=61)
    let_its_time_run_out(document.order)

    charges.ask(charge_id=charge.pk, at=timezone.now() + after)
    assert closing.close_due(at=timezone.now() + after) == 1

    assert app.held() == NOTHING_HELD


def test_its_customer_cancels_it(app, bought):
    document, charge = bought

    status, answer = app.cancel(document)

    assert (status, answer["result"]["order_info"]["order_status"]) == (200, 4)
    assert app.simulator.trade(charge.number)["status"] == "closed"
    assert app.held() == NOTHING_HELD


def test_what_is_paid_while_it_is_cancelled_is_paid(app, bought):
    document, charge = bought
    app.simulator.arm("lost", times=2)
    app.simulator.arm("order_paid", match=charge.number)

    status, answer = app.cancel(document)

    assert (status, answer["error_code"]) == (409, "order_paid")
    assert status_of(document.order) == ("pay_finished", "")
    assert app.held() == GRANTED


def test_a_pack_dearer_than_alipay_takes_is_refused_closed_and_holds_nothing(site, simulator):
    app = App(site, simulator, price_fen=10_000_010_000)

    status, answer = app.call()

    assert (status, answer["error_code"]) == (422, "gateway_refused")
    order = Order.objects.get()
    assert (order.status, order.transitions.get().reason) == ("closed", "refused by the gateway")
    assert app.held() == NOTHING_HELD
    assert simulator.trades() == []


# --- too late


def test_what_is_paid_after_the_closing_goes_back_by_itself_and_takes_and_grants_nothing(app):
    document, url = app.buy()
    charge = Charge.objects.get()
    assert app.cancel(document)[0] == 200  # nobody has opened the page: at Alipay there is nothing to close
    assert app.held() == NOTHING_HELD

    app.open(url)
    app.simulator.pay(charge.number)
    eventually(lambda: status_of(document.order) == ("closed", "paid_late"))
    assert app.held() == NOTHING_HELD
    (made,) = give_late_money_back()
    swept_to(made, "succeeded")

    assert status_of(document.order) == ("closed", "")
    assert gone_back(app.simulator, charge) == [(made.number, CASH_FEN)]
    assert booked() == booked_back_to("suspense", made.number)
    assert held_fen(code="suspense") == 0
    assert (app.held(), now_of(document).fulfilled_at) == (NOTHING_HELD, None)
    assert app.wire_status(document) == 4


def booked_back_to(code, number):
    assert booked_back() == [(code, number, CASH_FEN)]
    return [(code, CASH_FEN)]


# --- given back


def test_what_goes_back_in_part_and_then_in_full_takes_score_level_coupon_and_stock_along(app, paid):
    document, charge = paid

    part = give_back(document.order, goods_fen=10_000, refund_no="R1")
    swept_to(part, "succeeded")
    assert app.held() == (9, True, "V5", 72)
    assert app.wire_status(document) == 5

    rest = give_back(document.order, goods_fen=15_000, refund_no="R2")
    swept_to(rest, "succeeded")

    assert status_of(document.order) == ("total_refund", "")
    assert app.held() == NOTHING_HELD
    assert app.wire_status(document) == 6
    assert gone_back(app.simulator, charge) == [(part.number, 10_000), (rest.number, 15_000)]
    assert held_fen(code="sales") == 0


@pytest.mark.parametrize("fault", ["timeout_after", "http_500", "system_error_but_done"])
def test_a_refund_whose_answer_is_lost_takes_back_once(app, paid, fault):
    document, charge = paid
    fields = {"delay_ms": 15_000} if fault.startswith("timeout") else {}
    app.simulator.arm(fault, times=1, **fields)

    made = give_back(document.order, goods_fen=CASH_FEN)
    assert app.held() == GRANTED, "whether it went back is not known"
    swept_to(made, "succeeded")

    assert app.held() == NOTHING_HELD
    assert gone_back(app.simulator, charge) == [(made.number, CASH_FEN)]


def test_what_staff_give_back_at_the_gateway_s_console_takes_its_share_along(app, paid):
    document, charge = paid

    app.simulator.refund(charge.number, 5_000)
    eventually(lambda: hear_of_refunds() or status_of(document.order)[0] == "partly_refund")
    eventually(lambda: status_of(document.order) == ("partly_refund", "needs_attention"))
    assert app.held() == (9, True, "V5", 96)

    app.simulator.refund(charge.number, 20_000)
    eventually(lambda: hear_of_refunds() or status_of(document.order)[0] == "total_refund")
    eventually(lambda: status_of(document.order) == ("total_refund", "needs_attention"))
    assert app.held() == NOTHING_HELD
