"""Refunds at the three simulated gateways, over real HTTP in both directions, while things go wrong."""

import os
import signal
import subprocess
import sys

import pytest
from django.utils import timezone

from payments.gateways import registry
from payments.gateways.base import RefundRequest
from payments.ledger.queries import balance_fen
from payments.models import OutboxEvent, RefundLeg
from payments.refunds import operations as refunds
from payments.refunds import submission
from payments.refunds.operations import RefundCommand
from tests.faults.crossing import Crossing
from tests.faults.gateways import ALIPAY, CASH_FEN, POINTS_FEN, SHIPPING_FEN, SIDES, status_of, verdicts
from tests.faults.refunding import (
    booked_back,
    give_back,
    gone_back,
    hear_of_refunds,
    paid,
    reserved,
    statuses,
    sweep,
    swept_to,
)
from tests.faults.test_wechat_end_to_end import DONE, UNDONE, arm
from tests.web_process import ROOT, _test_database_url, eventually
from tests.world import points_fen

pytestmark = pytest.mark.django_db(transaction=True)
GOODS_FEN = CASH_FEN + POINTS_FEN - SHIPPING_FEN
PART_FEN = 10_000  # of goods
WECHAT_ONLY = [name for name in SIDES if name != "alipay"]


@pytest.fixture(params=SIDES.values(), ids=list(SIDES))
def side(request):
    return request.param


@pytest.fixture
def bought(site, simulator, side):
    """A paid order and its attempt; its notices reach us."""
    order, charge = paid(simulator, side, notify_base=site.url)
    eventually(lambda: verdicts()["accepted"] == 1)
    return order, charge


# --- the whole way


def test_a_part_and_then_the_rest_go_back(bought, side, simulator):
    order, charge = bought

    part = give_back(order, goods_fen=PART_FEN, shipping_fen=SHIPPING_FEN)
    # Alipay's answer is the end of it. WeChat's says that it was accepted, no more.
    assert statuses(part) == (("succeeded",) * 2 if side is ALIPAY else ("pending",) * 2)
    swept_to(part, "succeeded")

    assert status_of(order) == ("partly_refund", "")
    assert reserved(order) == ((0, 0), (PART_FEN, SHIPPING_FEN))
    assert points_fen(order.customer) == 0
    rest = give_back(order, goods_fen=GOODS_FEN - PART_FEN, refund_no="R2")
    swept_to(rest, "succeeded")

    assert status_of(order) == ("total_refund", "")
    assert reserved(order) == ((0, 0), (GOODS_FEN, SHIPPING_FEN))
    assert points_fen(order.customer) == POINTS_FEN
    cash = [(part.number, PART_FEN + SHIPPING_FEN), (rest.number, CASH_FEN - PART_FEN - SHIPPING_FEN)]
    assert gone_back(simulator, charge) == cash
    assert [(number, fen) for _account, number, fen in booked_back()] == [
        (part.number, PART_FEN), (part.number, SHIPPING_FEN), cash[1],
    ]  # fmt: skip
    assert {code: balance_fen(code=code) for code in ("escrow", "sales", "shipping", "suspense")} == dict.fromkeys(
        ("escrow", "sales", "shipping", "suspense"), 0
    )


def test_the_same_refund_number_again_is_one_refund(bought, simulator):
    order, charge = bought

    made = [give_back(order, goods_fen=PART_FEN) for _again in range(3)]
    swept_to(made[0], "succeeded")
    made.append(give_back(order, goods_fen=PART_FEN))

    assert {each.pk for each in made} == {made[0].pk}
    assert gone_back(simulator, charge) == [(made[0].number, PART_FEN)]


def test_a_notice_of_the_refund_makes_us_ask_and_is_no_proof_itself(bought, side, simulator):
    order, charge = bought
    if side is ALIPAY:
        simulator.arm("fund_change_n", match=charge.number)
    made = give_back(order, goods_fen=PART_FEN)
    eventually(lambda: verdicts()["accepted"] == 2)
    assert statuses(made) == ("pending", "unknown" if side is ALIPAY else "pending")

    eventually(hear_of_refunds)

    assert statuses(made) == ("succeeded", "succeeded")
    assert status_of(order) == ("partly_refund", "")
    told = simulator.notifications(charge.number)[-1]
    assert (told["event"], [one["accepted"] for one in told["deliveries"]]) == ("refunded", [True])
    deliveries = simulator.resend(told["id"], times=20, at_once=10)
    assert {(one["status"], one["answer"].encode()) for one in deliveries} == {side.yes}
    assert not hear_of_refunds()
    assert [fen for _account, _number, fen in booked_back()] == [PART_FEN]


# --- answers: lost, garbled, unproven


@pytest.mark.parametrize("fault", UNDONE + DONE)
def test_a_refund_whose_answer_proves_nothing_is_unknown_reserved_and_made_once(bought, simulator, fault):
    order, charge = bought
    arm(simulator, fault, charge.number)

    made = give_back(order, goods_fen=PART_FEN)

    assert simulator.faults() == []
    assert statuses(made) == ("pending", "unknown")
    assert status_of(order) == ("pay_finished", "")
    assert reserved(order) == ((PART_FEN, 0), (0, 0))
    assert booked_back() == []
    swept_to(made, "succeeded")
    assert status_of(order) == ("partly_refund", "")
    assert reserved(order) == ((0, 0), (PART_FEN, 0))
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]
    assert [fen for _account, _number, fen in booked_back()] == [PART_FEN]


def test_no_query_whose_answer_proves_nothing_is_believed(bought, side, simulator):
    """Of a refund that was made, so that each of them hides a yes."""
    order, charge = bought
    arm(simulator, "timeout_after", charge.number)
    made = give_back(order, goods_fen=PART_FEN)
    eventually(lambda: gone_back(simulator, charge))

    for fault in UNDONE + DONE:
        arm(simulator, fault, charge.number)
        sweep()
        assert simulator.faults() == [], f"{fault} was to strike"
        assert statuses(made) == ("pending", "unknown"), fault
        assert booked_back() == []

    swept_to(made, "succeeded")
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]


def test_a_lie_about_a_refund_that_was_not_made_is_not_believed(bought, simulator):
    order, charge = bought
    arm(simulator, "timeout_before", charge.number)
    made = give_back(order, goods_fen=PART_FEN)
    simulator.arm("unsigned_success", match=charge.number)

    sweep()

    assert statuses(made) == ("pending", "unknown")
    assert booked_back() == gone_back(simulator, charge) == []
    swept_to(made, "succeeded")
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]


# --- accepted, and what becomes of it


@pytest.mark.parametrize("side", [ALIPAY], indirect=True, ids=["alipay"])
@pytest.mark.parametrize("fault", ["fund_change_n", "refund_not_done"])
def test_alipays_yes_without_a_change_of_funds_is_asked_about_before_anything_is_booked(bought, simulator, fault):
    order, charge = bought
    simulator.arm(fault, match=charge.number)

    made = give_back(order, goods_fen=PART_FEN)

    assert statuses(made) == ("pending", "unknown")
    assert reserved(order) == ((PART_FEN, 0), (0, 0))
    swept_to(made, "succeeded")
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]
    assert [fen for _account, _number, fen in booked_back()] == [PART_FEN]


wechat = pytest.mark.parametrize("side", [SIDES[name] for name in WECHAT_ONLY], indirect=True, ids=WECHAT_ONLY)


@wechat
def test_while_wechat_is_at_it_nothing_moves_and_nothing_is_asked_for_again(bought, simulator):
    order, charge = bought
    simulator.arm("refund_not_done", match=charge.number)
    made = give_back(order, goods_fen=PART_FEN)

    for _look in range(3):
        sweep()

    assert statuses(made) == ("pending", "pending")
    assert made.legs.get().last_answer == "PROCESSING"
    assert status_of(order) == ("pay_finished", "")
    assert reserved(order) == ((PART_FEN, 0), (0, 0))
    assert booked_back() == gone_back(simulator, charge) == []
    _move_on_at_the_gateway(made)
    swept_to(made, "succeeded")
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]


@wechat
def test_an_abnormal_refund_is_stuck_is_for_staff_and_is_never_made_twice(bought, simulator):
    order, charge = bought
    simulator.arm("abnormal_refund", match=charge.number)
    made = give_back(order, goods_fen=PART_FEN)

    for _look in range(3):
        sweep()

    assert statuses(made) == ("pending", "stuck")
    assert status_of(order) == ("pay_finished", "needs_attention")
    assert reserved(order) == ((PART_FEN, 0), (0, 0))
    assert [refund["request_no"] for refund in simulator.trade(charge.number)["refunds"]] == [made.number]
    assert booked_back() == []
    _move_on_at_the_gateway(made)
    swept_to(made, "succeeded")
    assert status_of(order) == ("partly_refund", "needs_attention")
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]


def _move_on_at_the_gateway(made):
    """What staff do in WeChat's console: the simulator goes on with a refund when it is asked for again."""
    leg = made.legs.select_related("charge__gateway_account").get()
    registry.adapter(leg.charge.gateway_account).refund(
        RefundRequest(
            number=leg.number, charge_number=leg.charge.number, amount_fen=leg.amount_fen, total_fen=leg.charge.paid_fen
        )
    )


@wechat
def test_a_refund_that_wechat_gives_up_fails_frees_its_money_and_another_number_may_try(bought, simulator):
    order, charge = bought
    simulator.arm("refund_closed", match=charge.number)
    made = give_back(order, goods_fen=PART_FEN)

    swept_to(made, "failed")

    assert statuses(made) == ("failed", "failed")
    assert status_of(order) == ("pay_finished", "needs_attention")
    assert reserved(order) == ((0, 0), (0, 0))
    assert OutboxEvent.objects.filter(order=order, kind="refund.failed").count() == 1
    assert booked_back() == gone_back(simulator, charge) == []
    again = give_back(order, goods_fen=PART_FEN, refund_no="R2")
    swept_to(again, "succeeded")
    assert gone_back(simulator, charge) == [(again.number, PART_FEN)]


@wechat
def test_a_merchant_without_enough_at_wechat_is_told_again_until_there_is(bought, simulator):
    order, charge = bought
    simulator.arm("not_enough", match=charge.number, times=3)
    made = give_back(order, goods_fen=PART_FEN)

    for _look in range(2):
        assert statuses(made) == ("pending", "unknown")
        assert made.legs.get().last_answer.startswith(("NOTENOUGH", "NOT_ENOUGH"))
        sweep()

    assert status_of(order) == ("pay_finished", "")
    assert reserved(order) == ((PART_FEN, 0), (0, 0))
    assert gone_back(simulator, charge) == []
    swept_to(made, "succeeded")
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]


@pytest.mark.parametrize("side", [ALIPAY], indirect=True, ids=["alipay"])
def test_what_alipay_no_longer_refunds_fails_for_good(bought, simulator):
    order, charge = bought
    simulator.finish(charge.number)

    made = give_back(order, goods_fen=PART_FEN)

    assert statuses(made) == ("failed", "failed")
    assert status_of(order) == ("pay_finished", "needs_attention")
    assert reserved(order) == ((0, 0), (0, 0))
    assert gone_back(simulator, charge) == []


# --- as we die


# What the worker runs.
SWEEP = "import django; django.setup(); from payments.tasks import sweep_due_refunds; sweep_due_refunds()"


@pytest.fixture
def crossing(simulator):
    crossing = Crossing(simulator.url)
    yield crossing
    crossing.stop()


def test_a_worker_that_dies_between_the_gateway_and_our_book_refunds_once(bought, crossing, simulator):
    order, charge = bought
    command = RefundCommand(goods_fen=PART_FEN, refund_no="R1")
    made, _is_new = refunds.request(order_id=order.pk, command=command, actor="client:shop", at=timezone.now())
    RefundLeg.objects.update(next_query_at=timezone.now())
    crossing.lead(charge.gateway_account)
    workers = []

    def kill(handler, carry):
        carry()
        workers[0].kill()
        workers[0].wait()

    crossing.then(kill)
    environment = {"DJANGO_SETTINGS_MODULE": "config.settings", "DATABASE_URL": _test_database_url()}
    workers.append(subprocess.Popen([sys.executable, "-c", SWEEP], cwd=ROOT, env=os.environ | environment))
    eventually(lambda: workers[0].poll() is not None)

    assert (workers[0].returncode, crossing.passed) == (-signal.SIGKILL, 1)
    assert statuses(made) == ("pending", "started")
    eventually(lambda: gone_back(simulator, charge) == [(made.number, PART_FEN)])
    assert submission.sweep_due() == 0, "the dead worker's lease"
    swept_to(made, "succeeded")
    assert crossing.passed > 1
    assert gone_back(simulator, charge) == [(made.number, PART_FEN)]
    assert [fen for _account, _number, fen in booked_back()] == [PART_FEN]
    assert reserved(order) == ((0, 0), (PART_FEN, 0))
