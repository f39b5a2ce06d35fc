"""Orders paid at the simulated Alipay, over real HTTP in both directions, while things go wrong."""

from collections import Counter

import httpx
import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.ledger.queries import balance_fen
from payments.models import Charge, GatewayAccount, InboundNotification, Transfer
from tests.web_process import eventually
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db(transaction=True)


def connect(simulator, *, notify_base, mode="key"):
    merchant = simulator.register_merchant(mode=mode)
    account = GatewayAccount(
        kind="alipay", name="simulated", app_id=merchant.app_id, merchant_id=merchant.seller_id,
        base_url=merchant.gateway_url, notify_base=notify_base,
    )  # fmt: skip
    if mode == "key":
        account.options = {"alipay_public_key": merchant.alipay_public_key}
    else:
        account.options = {
            "app_cert": merchant.app_certificate,
            "alipay_cert": merchant.alipay_certificate,
            "root_cert": merchant.alipay_root_certificate,
        }
    account.set_credentials({"private_key": merchant.app_private_key})
    account.save()
    return account


@pytest.fixture
def order(web, simulator):
    connect(simulator, notify_base=web.url)
    return place()


def place(number="T1"):
    client = make_client()
    make_customer(client=client, points_fen=13_128)
    return place_order(client=client, number=number, total_fen=214_400, shipping_fen=500)


def start(order, mode=Mode.QR):
    return charges.pay_by(order_id=order.pk, channel="alipay", mode=mode, actor="test", at=timezone.now())


def is_finished(order):
    order.refresh_from_db()
    return order.status == "pay_finished"


def verdicts():
    return Counter(InboundNotification.objects.values_list("verdict", flat=True))


def booked():
    return Transfer.objects.filter(debit__startswith="clearing:").count()


@pytest.mark.parametrize("mode", ["key", "certificate"])
def test_a_payment_is_notified_and_finishes_the_order(web, simulator, mode):
    connect(simulator, notify_base=web.url, mode=mode)
    order = place()
    charge = start(order)

    simulator.pay(charge.number)

    eventually(lambda: is_finished(order))
    charge.refresh_from_db()
    assert (charge.status, charge.paid_fen) == ("succeeded", 201_272)
    assert charge.gateway_trade_no == simulator.trade(charge.number)["trade_no"]
    eventually(lambda: verdicts() == {"accepted": 1})
    assert balance_fen(code="escrow") == 0


def test_the_app_pays_with_the_order_string(order, simulator):
    charge = start(order, Mode.APP)

    answer = simulator.use_app(charge.payload["order_string"])

    assert answer["resultStatus"] == "9000"
    eventually(lambda: is_finished(order))


@pytest.mark.parametrize("mode", [Mode.PAGE, Mode.WAP])
def test_the_gateways_own_page_opens_and_pays(order, simulator, mode):
    charge = start(order, mode)

    page = httpx.get(charge.payload["url"], follow_redirects=True, trust_env=False)
    simulator.pay(charge.number)

    assert page.status_code == 200
    assert "2012.72" in page.text
    eventually(lambda: is_finished(order))


def test_a_lost_notification_is_made_good_by_the_query_sweep_alone(order, simulator):
    simulator.arm("lost")
    charge = start(order)
    simulator.pay(charge.number)
    Charge.objects.filter(pk=charge.pk).update(next_query_at=timezone.now())

    charges.sweep_due()

    assert is_finished(order)
    assert verdicts() == {}


def test_a_hundred_repeats_fifty_at_once_book_once_and_are_all_acknowledged(order, simulator):
    charge = start(order)
    simulator.pay(charge.number)
    eventually(lambda: is_finished(order))
    (notification,) = simulator.notifications(charge.number)

    deliveries = simulator.resend(notification["id"], times=100, at_once=50)

    assert Counter((delivery["status"], delivery["answer"]) for delivery in deliveries) == {(200, "success"): 100}
    assert booked() == 1
    assert order.transitions.count() == 2
    eventually(lambda: verdicts()["accepted"] == 1)


def test_fifty_first_deliveries_at_once_book_once(order, simulator):
    simulator.arm("late", delay_ms=600_000)
    charge = start(order)
    simulator.pay(charge.number)
    (notification,) = simulator.notifications(charge.number)

    deliveries = simulator.resend(notification["id"], times=50, at_once=50)

    assert {delivery["answer"] for delivery in deliveries} == {"success"}
    assert is_finished(order)
    assert booked() == 1
    assert verdicts() == {"accepted": 1, "repeat": 49}


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ("wrong_amount", "wrong_amount"),
        ("wrong_app_id", "wrong_merchant"),
        ("wrong_seller_id", "wrong_merchant"),
        ("wrong_merchant", "wrong_merchant"),
        ("forged", "bad_signature"),
        ("tampered", "bad_signature"),
    ],
)
def test_what_is_not_genuinely_ours_books_nothing_and_is_kept_with_its_verdict(order, simulator, fault, verdict):
    simulator.arm(fault, times=1_000)
    charge = start(order)

    simulator.pay(charge.number)

    eventually(lambda: verdicts()[verdict] >= 1)
    assert set(verdicts()) == {verdict}
    assert booked() == 0
    assert not is_finished(order)


@pytest.mark.parametrize("fault", ["timeout_after", "garbage", "system_error_but_done", "bad_signature"])
def test_a_start_whose_answer_was_lost_is_repeated_under_the_same_number(order, simulator, fault, monkeypatch):
    fields = {"delay_ms": 15_000} if fault.startswith("timeout") else {}
    simulator.arm(fault, times=1, **fields)

    lost = start(order)
    again = start(order)

    assert (lost.status, again.status) == ("unknown", "pending")
    assert lost.number == again.number
    simulator.pay(again.number)
    eventually(lambda: is_finished(order))
    assert len(simulator.trades()) == 1


def test_an_unsigned_success_of_a_query_is_not_believed(order, simulator):
    charge = start(order)
    simulator.scan(charge.number)
    simulator.arm("unsigned_success", times=1)

    charges.reconcile(charge_id=charge.pk, at=timezone.now())

    charge.refresh_from_db()
    assert charge.status == "pending"
    assert booked() == 0
