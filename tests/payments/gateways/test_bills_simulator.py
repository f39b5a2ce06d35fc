"""The bills of every protocol, fetched from the simulator over HTTP, with whatever its fault menu makes of them."""

import datetime

import pytest

from payments.gateways.base import BillNotReady, BillUnusable, GatewayUnavailable
from tests.payments.gateways.bill_conformance import today
from tests.payments.gateways.conformance import payment_request
from tests.payments.gateways.simulated import receiver
from tests.payments.gateways.test_alipay_simulator import AlipayStage
from tests.payments.gateways.test_wechat_simulator import STAGES as WECHAT
from tests.simulator_process import simulator, simulator_process

__all__ = ["receiver", "simulator", "simulator_process"]

STAGES = {
    "alipay": lambda *args: AlipayStage(*args, mode="key"),
    "v2": WECHAT["v2-md5"],
    "v3": WECHAT["v3-public-key"],
}


@pytest.fixture(params=STAGES)
def stage(request, simulator, receiver):
    return STAGES[request.param](simulator, receiver)


@pytest.fixture
def paid(stage):
    requests = [payment_request(notify_url=stage.notify_url, amount_fen=1_000 + each) for each in range(3)]
    for request in requests:
        stage.gateway.create_payment(request)
        stage.pay(request.number)
    return [request.number for request in requests]


def rows(stage):
    return {(each.number, each.refund_number): each for each in stage.gateway.download_bill(today()).entries}


def test_a_bill_of_today_is_not_ready_while_nothing_was_paid(stage):
    with pytest.raises(BillNotReady):
        stage.gateway.download_bill(today())


def test_a_bill_that_is_not_made_yet_is_asked_for_later(stage, paid):
    stage.simulator.arm("bill_not_ready")

    with pytest.raises(BillNotReady):
        stage.gateway.download_bill(today())

    assert len(rows(stage)) == 3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("bill_truncated", "truncated"), ("bill_charset", "charset"), ("bill_wrong_day", "wrong_day")],
)
def test_a_bill_that_is_not_whole_or_not_the_one_asked_for_is_unusable(stage, paid, fault, reason):
    stage.simulator.arm(fault)

    with pytest.raises(BillUnusable) as unusable:
        stage.gateway.download_bill(today())

    assert unusable.value.reason == reason
    assert len(rows(stage)) == 3


@pytest.mark.parametrize("fault", ["bill_missing", "bill_extra", "bill_amount", "bill_status", "bill_fee"])
def test_a_fault_of_one_row_makes_one_difference_once(stage, paid, fault):
    genuine = rows(stage)
    stage.simulator.arm(fault)

    spoilt = rows(stage)

    assert len(genuine.items() ^ spoilt.items()) == (1 if fault in {"bill_missing", "bill_extra"} else 2)
    assert rows(stage) == genuine


@pytest.mark.parametrize("fault", ["http_500", "garbage", "system_error_but_done", "unsigned_success", "timeout_after"])
def test_an_answer_that_is_no_bill_is_no_bill(stage, paid, fault):
    stage.simulator.arm(fault, delay_ms=3_000)

    with pytest.raises(GatewayUnavailable):
        stage.hasty.download_bill(today())

    assert len(rows(stage)) == 3


def test_a_day_that_has_yet_to_come_has_no_bill(stage, paid):
    with pytest.raises(BillNotReady):
        stage.gateway.download_bill(today() + datetime.timedelta(days=1))
