"""WeChat Pay v2: money back, accepted first and moved a while later."""

import re

import pytest

from tests.simulator.receiver import eventually
from tests.simulator.wechat_v2_merchant import V2Receiver, WechatV2Client
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"


@pytest.fixture
def paid(simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver) -> str:
    wechat_v2.order(NUMBER)
    simulator.pay(NUMBER)
    v2_receiver.wait_for(1)
    return NUMBER


def test_a_refund_is_accepted_and_then_done(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    accepted = wechat_v2.refund(paid, "R1", 500)
    eventually(lambda: simulator.trade(paid)["refunded_fen"] == 500)

    assert (accepted["out_refund_no"], accepted["refund_fee"], accepted["total_fee"]) == ("R1", "500", "2012")
    assert re.fullmatch(r"[0-9]{28}", accepted["refund_id"])
    found = wechat_v2.refund_query("R1")
    assert (found["refund_count"], found["out_refund_no_0"], found["refund_fee_0"]) == ("1", "R1", "500")
    assert (found["refund_status_0"], found["refund_id_0"]) == ("SUCCESS", accepted["refund_id"])
    assert re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", found["refund_success_time_0"])
    query = wechat_v2.query(paid)
    assert (query["trade_state"], query["total_fee"]) == ("REFUND", "2012")


def test_one_number_refunds_once(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    answers = [wechat_v2.refund(paid, "R1", 500) for _ in range(3)]
    eventually(lambda: simulator.trade(paid)["refunded_fen"])

    assert len({answer["refund_id"] for answer in answers}) == 1
    assert simulator.trade(paid)["refunded_fen"] == 500


def test_a_number_with_another_amount_is_refused(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    wechat_v2.refund(paid, "R1", 500)

    assert wechat_v2.refund(paid, "R1", 501)["err_code"] == "REFUND_FEE_MISMATCH"

    assert [refund["amount_fen"] for refund in simulator.trade(paid)["refunds"]] == [500]


def test_a_number_of_another_order_is_refused(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    wechat_v2.refund(paid, "R1", 500)
    wechat_v2.order("another_1")
    simulator.pay("another_1")

    assert wechat_v2.refund("another_1", "R1", 500)["err_code"] == "REFUND_FEE_MISMATCH"

    assert simulator.trade("another_1")["refunds"] == []


def test_no_more_goes_back_than_came(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    wechat_v2.refund(paid, "R1", 2000)

    refused = wechat_v2.refund(paid, "R2", 13)

    assert (refused["err_code"], refused["err_code_des"]) == ("INVALID_REQUEST", "累计退款金额大于支付金额")
    assert wechat_v2.refund(paid, "R2", 12)["result_code"] == "SUCCESS"
    eventually(lambda: simulator.trade(paid)["refunded_fen"] == 2012)
    assert wechat_v2.query(paid)["trade_state"] == "REFUND"


def test_the_orders_amount_must_be_the_orders(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    assert wechat_v2.refund(paid, "R1", 500, total_fee=2013)["err_code"] == "INVALID_REQUEST"

    assert simulator.trade(paid)["refunds"] == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"out_refund_no": "订单"}, "PARAM_ERROR"),
        ({"out_trade_no": "nobody_asked"}, "ORDERNOTEXIST"),
        ({"transaction_id": "4200000000000000000000000000"}, "ORDERNOTEXIST"),
    ],
)
def test_a_refund_of_something_else_is_refused(
    simulator: Simulator, wechat_v2: WechatV2Client, paid: str, changed: dict[str, str], code: str
) -> None:
    assert wechat_v2.refund(paid, "R1", 500, **changed)["err_code"] == code

    assert simulator.trade(paid)["refunds"] == []


def test_an_unpaid_order_cannot_be_refunded(simulator: Simulator, wechat_v2: WechatV2Client) -> None:
    wechat_v2.order(NUMBER)

    assert wechat_v2.refund(NUMBER, "R1", 500)["err_code"] == "TRADE_STATE_ERROR"

    assert simulator.trade(NUMBER)["refunds"] == []


def test_after_a_year_an_order_cannot_be_refunded(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    simulator.finish(paid)

    assert wechat_v2.refund(paid, "R1", 500)["err_code"] == "TRADE_OVERDUE"

    assert wechat_v2.query(paid)["trade_state"] == "SUCCESS"


def test_an_unknown_refund_is_unknown(wechat_v2: WechatV2Client, paid: str) -> None:
    assert wechat_v2.refund_query("R1")["err_code"] == "REFUNDNOTEXIST"
    assert wechat_v2.call("pay/refundquery", out_trade_no=paid)["err_code"] == "REFUNDNOTEXIST"
    assert wechat_v2.call("pay/refundquery", out_trade_no="nobody_asked")["err_code"] == "ORDERNOTEXIST"


def test_an_orders_refunds_are_listed_ten_at_a_time(wechat_v2: WechatV2Client, paid: str) -> None:
    for each in range(12):
        wechat_v2.refund(paid, f"R{each}", 100)

    first = wechat_v2.call("pay/refundquery", out_trade_no=paid)
    rest = wechat_v2.call("pay/refundquery", out_trade_no=paid, offset="10")

    assert (first["total_refund_count"], first["refund_count"], first["out_refund_no_9"]) == ("12", "10", "R9")
    assert "out_refund_no_10" not in first
    assert (rest["refund_count"], rest["out_refund_no_0"], rest["out_refund_no_1"]) == ("2", "R10", "R11")


def test_fifty_refunds_are_enough(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    for each in range(50):
        assert wechat_v2.refund(paid, f"R{each}", 1)["result_code"] == "SUCCESS"

    assert wechat_v2.refund(paid, "R50", 1)["err_code"] == "INVALID_REQUEST"

    assert len(simulator.trade(paid)["refunds"]) == 50
