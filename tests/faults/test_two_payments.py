"""An order with two attempts at gateways, both of them paid: one pays it, the other one's money is kept to go back."""

import datetime
import itertools

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges.states import Status
from payments.gateways.base import Mode
from payments.ledger.queries import balance_fen
from payments.models import Charge
from tests.faults.gateways import (
    ALIPAY,
    CASH_FEN,
    SIDES,
    V2,
    V3,
    booked,
    is_finished,
    place,
    start,
    status_of,
    sweep_everything,
    verdicts,
)
from tests.web_process import eventually

pytestmark = pytest.mark.django_db(transaction=True)

PAIRS = {
    "v2 code and H5": ((V2, Mode.QR), (V2, Mode.WAP)),
    "v3 code and H5": ((V3, Mode.QR), (V3, Mode.WAP)),
    "alipay code and app": ((ALIPAY, Mode.QR), (ALIPAY, Mode.APP)),
    "v2 and alipay": ((V2, Mode.QR), (ALIPAY, Mode.QR)),
    "v3 and alipay": ((V3, Mode.WAP), (ALIPAY, Mode.QR)),
    "alipay and v3": ((ALIPAY, Mode.QR), (V3, Mode.QR)),
}


@pytest.fixture(params=PAIRS.values(), ids=list(PAIRS))
def pair(request, site, simulator):
    """Two attempts at one order, neither of which the gateway closes: too young at WeChat, unscanned at Alipay."""
    for side in {side.name: side for side, _mode in request.param}.values():
        side.connect(simulator, notify_base=site.url)
    order = place()
    first, second = (start(order, side, mode) for side, mode in request.param)
    first.refresh_from_db()
    assert (first.status, first.is_replaced, second.status) == ("pending", True, "pending")
    return order, first, second


def pay(simulator, charge):
    if charge.mode == Mode.APP and charge.tender == "alipay":
        simulator.use_app(charge.payload["order_string"])
    else:
        simulator.pay(charge.number)


def assert_one_paid_and_the_other_is_kept(order, first, second):
    assert status_of(order) == ("pay_finished", "overpaid")
    assert sorted(booked()) == [("escrow", CASH_FEN), ("suspense", CASH_FEN)]
    assert balance_fen(code="suspense") == CASH_FEN
    assert balance_fen(code="escrow") == 0
    found = Charge.objects.filter(pk__in=[first.pk, second.pk])
    assert sorted(found.values_list("status", "paid_fen")) == [("succeeded", CASH_FEN), ("surplus", CASH_FEN)]
    # The row by which the refund engine finds what is to go back.
    assert Charge.objects.filter(status=Status.SURPLUS).count() == 1
    assert not Charge.objects.filter(next_query_at__isnull=False).exists()


@pytest.mark.parametrize("in_turn", [True, False], ids=["the first one first", "the second one first"])
def test_told_by_notices(pair, simulator, in_turn):
    _order, first, second = pair

    for n, charge in enumerate((first, second) if in_turn else (second, first)):
        # Once one is paid the sweep would close the other; here it is too late for that.
        pay(simulator, charge)
        eventually(lambda n=n: verdicts()["accepted"] == n + 1 and len(booked()) == n + 1)

    assert_one_paid_and_the_other_is_kept(*pair)
    (first if in_turn else second).refresh_from_db()
    assert (first if in_turn else second).status == "succeeded"


def test_told_by_the_sweep_alone(pair, simulator):
    simulator.arm("lost", times=2)
    _order, first, second = pair
    pay(simulator, first)
    pay(simulator, second)

    sweep_everything()

    assert verdicts() == {}
    assert_one_paid_and_the_other_is_kept(*pair)


def test_told_by_both_at_once_many_times(pair, simulator):
    _order, first, second = pair
    simulator.arm("late", times=2, delay_ms=600_000)
    pay(simulator, first)
    pay(simulator, second)
    told = [simulator.notifications(charge.number)[0]["id"] for charge in (first, second)]

    for notification_id, _again in itertools.product(told, range(2)):
        simulator.resend(notification_id, times=10, at_once=10)
    sweep_everything()

    assert verdicts() == {"accepted": 2, "repeat": 38}
    assert_one_paid_and_the_other_is_kept(*pair)


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_once_one_is_paid_the_other_is_closed_at_the_gateway_before_somebody_pays_it(site, simulator, side):
    side.connect(simulator, notify_base=site.url, **({} if side is ALIPAY else {"closable_after_s": 0}))
    order = place()
    first = start(order, side)
    simulator.scan(first.number)
    simulator.arm("close_refused", match=first.number)
    second = start(order, side, Mode.APP)
    pay(simulator, second)
    eventually(lambda: is_finished(order))

    charges.sweep_due()

    first.refresh_from_db()
    assert (first.status, simulator.trade(first.number)["status"]) == ("closed", "closed")
    assert booked() == [("escrow", CASH_FEN)]


# --- a code that nobody has scanned


def test_an_unscanned_code_of_alipays_is_not_closed_though_it_is_not_found_and_can_still_be_paid(site, simulator):
    ALIPAY.connect(simulator, notify_base=site.url)
    order = place()
    first = start(order, ALIPAY)

    charges.reconcile(charge_id=first.pk, at=timezone.now())
    retired, _outcome = charges.retire(charge_id=first.pk, at=timezone.now())

    assert (retired.status, retired.last_answer) == ("pending", "ACQ.TRADE_NOT_EXIST")
    simulator.pay(first.number)
    eventually(lambda: is_finished(order))


@pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))
def test_what_the_gateway_does_not_know_is_given_up_only_after_its_time(site, simulator, side):
    side.connect(simulator, notify_base=site.url)
    order = place()
    charge = start(order, side)
    simulator.clear()
    assert charges.reconcile(charge_id=charge.pk, at=timezone.now()).status == "pending"
    assert charges.reconcile(charge_id=charge.pk, at=charge.expires_at).status == "pending"

    late = charges.reconcile(charge_id=charge.pk, at=charge.expires_at + datetime.timedelta(minutes=2))

    assert (late.status, late.next_query_at) == ("closed", None)
    assert status_of(order) == ("point_paid", "")
