"""Many at once: the book stays right."""

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
AT_ONCE = 12


def at_once(call):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda _: call(), range(AT_ONCE)))


def test_one_number_asked_for_at_once_is_one_trade(simulator: Simulator, alipay: AlipayClient) -> None:
    codes = at_once(lambda: alipay.precreate(NUMBER)["qr_code"])

    assert len(set(codes)) == 1
    assert len(simulator.trades()) == 1


def test_a_trade_paid_at_once_is_paid_and_told_once(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver
) -> None:
    alipay.precreate(NUMBER)
    address = f"{simulator.control}trades/{NUMBER}/pay"

    statuses = at_once(lambda: httpx.post(address, trust_env=False, verify=False, timeout=60).status_code)

    assert sorted(statuses) == [200] + [409] * (AT_ONCE - 1)
    receiver.wait_for(1)
    assert len(simulator.notifications(NUMBER)) == 1


def test_a_refund_asked_for_at_once_moves_money_once(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)

    answers = at_once(lambda: alipay.refund(NUMBER, "5.00", out_request_no="R1")["fund_change"])

    assert sorted(answers) == ["N"] * (AT_ONCE - 1) + ["Y"]
    assert simulator.trade(NUMBER)["refunded_fen"] == 500


def test_a_fault_armed_for_five_strikes_five_of_many(simulator: Simulator, alipay: AlipayClient) -> None:
    simulator.arm("http_500", times=5)
    parameters = alipay.sign(alipay.parameters("alipay.trade.query", {"out_trade_no": NUMBER}))

    statuses = at_once(lambda: alipay.post(parameters).status_code)

    assert sorted(statuses) == [200] * (AT_ONCE - 5) + [500] * 5
