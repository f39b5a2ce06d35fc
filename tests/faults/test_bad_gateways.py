"""
Everything that can come back from a gateway, or from somebody on the way, and is no proven answer: whichever call was
waiting for it, nothing is booked and nothing is given up, and the next good answer tells the truth.
"""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.models import Charge
from tests.faults.crossing import PASSED, STOPPED, WITHOUT_BODY, Crossing, as_it_is, drip, instead, kept, silence
from tests.faults.gateways import (
    ALIPAY,
    CASH_FEN,
    SIDES,
    V3,
    ask,
    booked,
    is_finished,
    place,
    place_another,
    start,
    status_of,
    sweep_everything,
)
from tests.payments.api.accounts import NOWHERE
from tests.web_process import eventually

pytestmark = pytest.mark.django_db(transaction=True)
WRONG = {f"passed: {name}": step for name, step in PASSED.items()} | {
    f"stopped: {name}": step for name, step in STOPPED.items()
}


@pytest.fixture(params=SIDES.values(), ids=list(SIDES))
def side(request):
    return request.param


@pytest.fixture
def crossing(simulator):
    crossing = Crossing(simulator.url)
    yield crossing
    crossing.stop()


@pytest.fixture
def order(simulator, side, crossing):
    at_once = {} if side is ALIPAY else {"closable_after_s": 0}
    crossing.lead(side.connect(simulator, notify_base=NOWHERE, **at_once))
    return place()


def test_a_start_is_unknown_whatever_comes_back_and_repeats_its_number_until_it_is_known(
    order, side, crossing, simulator
):
    for what, step in WRONG.items():
        crossing.then(step)
        assert start(order, side).status == "unknown", what

    charge = start(order, side)

    assert charge.status == "pending"
    assert order.charges.exclude(tender="points").count() == 1
    assert [trade["out_trade_no"] for trade in simulator.trades()] == [charge.number]
    simulator.pay(charge.number)
    assert ask(charge).status == "succeeded"
    assert booked() == [("escrow", CASH_FEN)]


def test_a_query_of_a_paid_trade_pays_only_when_its_answer_is_whole_and_proven(order, side, crossing, simulator):
    charge = start(order, side)
    simulator.pay(charge.number)

    for what, step in WRONG.items():
        crossing.then(step)
        assert ask(charge).status == "pending", what
        assert booked() == [], what

    assert ask(charge).status == "succeeded"
    assert is_finished(order)


def test_the_genuine_answer_about_another_trade_pays_nothing_though_it_is_fresh_and_signed(
    order, side, crossing, simulator
):
    other = place_another(order, number="T2")
    paid, unpaid = start(order, side), start(other, side)
    simulator.pay(paid.number)
    crossing.then(kept(answers := []))
    assert ask(paid).status == "succeeded"
    ((status, headers, body),) = answers

    crossing.then(instead(body, status=status, **headers))
    assert ask(unpaid).status == "pending"

    assert booked() == [("escrow", CASH_FEN)]
    assert status_of(other) == ("point_paid", "")


@pytest.mark.parametrize("amount_fen", [1, CASH_FEN - 1, CASH_FEN + 1])
def test_another_amount_that_the_gateway_itself_proves_is_kept_apart_and_pays_nothing(
    order, side, simulator, amount_fen
):
    charge = start(order, side)
    simulator.pay(charge.number, amount_fen=amount_fen)

    assert ask(charge).status == "surplus"

    assert booked() == [("suspense", amount_fen)]
    assert status_of(order) == ("point_paid", "needs_attention")
    simulator.pay(start(order, side).number)  # the order can still be paid
    sweep_everything()
    assert status_of(order) == ("pay_finished", "needs_attention")


def test_no_close_is_believed_that_is_not_proven(order, side, crossing, simulator):
    charge = start(order, side)
    simulator.scan(charge.number)
    for what, step in STOPPED.items():
        crossing.then(as_it_is, step)  # the query before it passes
        assert charges.retire(charge_id=charge.pk, at=timezone.now())[0].status == "pending", what
    assert simulator.trade(charge.number)["status"] == "waiting"

    for what in WITHOUT_BODY if side is V3 else PASSED:
        crossing.then(PASSED["500"], PASSED[what])  # no query tells, and the first of the closes is carried out
        assert charges.retire(charge_id=charge.pk, at=timezone.now())[0].status == "pending", what
    assert simulator.trade(charge.number)["status"] == "closed"

    assert charges.retire(charge_id=charge.pk, at=timezone.now())[0].status == "closed"
    assert booked() == []
    assert status_of(order) == ("point_paid", "")


def test_what_is_asked_in_vain_is_asked_ever_more_rarely(order, side, crossing, simulator):
    """No more than one call each time it is due, however the gateway fails."""
    charge = start(order, side)
    simulator.pay(charge.number)
    crossing.passed, waits = 0, []
    for _again in range(8):
        crossing.then(PASSED["500"])
        at = timezone.now()
        waits.append(charges.reconcile(charge_id=charge.pk, at=at).next_query_at - at)

    assert crossing.passed == 8
    assert waits == sorted(waits)
    assert waits[-1] > 8 * waits[0]
    sweep_everything()
    assert is_finished(order)


# --- slow


def test_a_byte_a_second_is_given_up_in_time_while_other_calls_go_on(site, simulator, crossing, side):
    """
    Twenty payments are started at a gateway that drips: at most half of the site's threads wait for it, the others are
    told to try again at once, and whoever wants something else is served meanwhile.
    """
    account = crossing.lead(side.connect(simulator, notify_base=NOWHERE))
    first = place()
    orders = [first, *(place_another(first, number=f"D{n}") for n in range(19))]
    crossing.then(*[drip, silence] * 20)
    path, kind = ("/rest/ali/push_order", "QRCODE") if side is ALIPAY else ("/rest/wx/push_order", "NATIVE")

    def push(order):
        response = site.http.post(
            path, json={"order_type": "Order", "order_number": order.number, "type": kind},
            headers={"authorization": "Token shop-token"},
        )  # fmt: skip
        return response.status_code, response.json()["error_code"]

    with ThreadPoolExecutor(20) as crowd:
        pushes = [crowd.submit(push, order) for order in orders]
        eventually(lambda: any(each.done() for each in pushes))  # those who are told to try again
        started = time.monotonic()
        served = [site.http.get(f"/checkout/pay/{order.number}/").status_code for order in orders]
        took_s = time.monotonic() - started
        still_waiting = sum(not each.done() for each in pushes)
        answers = Counter(each.result() for each in pushes)

    assert served == [200] * 20
    assert still_waiting or took_s > 8, "the others were to be served while these wait"
    assert set(answers) == {(503, "gateway_busy"), (503, "gateway_unanswered")}
    assert answers[503, "gateway_unanswered"] <= 8  # half of two processes' eight threads
    assert Charge.objects.filter(gateway_account=account).exclude(status__in=["started", "unknown"]).count() == 0
    assert booked() == []


@pytest.mark.parametrize("mode", [Mode.QR, Mode.APP])
def test_after_all_that_the_order_can_be_paid_another_way(order, side, crossing, simulator, mode):
    crossing.then(STOPPED["503"])
    lost = start(order, side)

    charge = start(order, side, mode)

    assert (lost.status, charge.status) == ("unknown", "pending")
    assert (lost.number == charge.number) == (mode is Mode.QR)
