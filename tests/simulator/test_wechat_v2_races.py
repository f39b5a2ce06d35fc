"""Many at once: WeChat Pay's book stays right."""

import httpx

from tests.simulator.receiver import eventually
from tests.simulator.test_races import AT_ONCE, at_once
from tests.simulator.wechat_v2_merchant import V2Receiver, WechatV2Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"


def test_one_number_asked_for_at_once_is_one_order(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    codes = at_once(lambda: wechat_v2.order(NUMBER)["code_url"])

    assert len(set(codes)) == 1
    assert len(simulator.trades()) == 1


def test_an_order_closed_at_once_is_closed_once(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER)
    simulator.age(NUMBER)

    answers = at_once(lambda: wechat_v2.close(NUMBER).get("err_code"))

    assert sorted(map(str, answers)) == ["None"] + ["ORDERCLOSED"] * (AT_ONCE - 1)


def test_an_order_closed_while_it_is_paid_is_one_or_the_other(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    simulator.age(NUMBER)
    pay = f"{simulator.control}trades/{NUMBER}/pay"
    turns = iter(range(AT_ONCE))

    def pay_or_close() -> str:
        if next(turns) % 2:
            return str(httpx.post(pay, trust_env=False, verify=False).status_code)
        return wechat_v2.close(NUMBER).get("err_code", "closed")

    answers = at_once(pay_or_close)

    paid = simulator.trade(NUMBER)["status"] == "paid"
    assert answers.count("200") == paid
    assert answers.count("closed") == (not paid)
    assert answers.count("ORDERPAID" if paid else "ORDERCLOSED") + answers.count("closed") == AT_ONCE // 2
    eventually(lambda: len(v2_receiver.received) == paid)


def test_a_refund_asked_for_at_once_moves_money_once(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver
) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    v2_receiver.wait_for(1)

    answers = at_once(lambda: wechat_v2.refund(NUMBER, "R1", 1500)["refund_id"])

    v2_receiver.wait_for(2)
    assert len(set(answers)) == 1
    assert simulator.trade(NUMBER)["refunded_fen"] == 1500
    assert [notice["event"] for notice in simulator.notifications(NUMBER)] == ["paid", "refunded"]


def test_refunds_asked_for_at_once_never_exceed_the_payment(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    numbers = iter(range(AT_ONCE))

    answers = at_once(lambda: wechat_v2.refund(NUMBER, f"R{next(numbers)}", 500)["result_code"])

    assert sorted(answers) == ["FAIL"] * (AT_ONCE - 4) + ["SUCCESS"] * 4
    eventually(lambda: simulator.trade(NUMBER)["refunded_fen"] == 2000)
