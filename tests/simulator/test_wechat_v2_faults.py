"""WeChat Pay v2's share of the fault menu: each mishap happens as told, and leaves in the book what it says."""

import time

import httpx
import pytest

from tests.simulator.receiver import eventually
from tests.simulator.wechat_v2_merchant import V2Receiver, WechatV2Client, fields
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
OTHER_APP, OTHER_MERCHANT = {"appid": "wx0000000000000000"}, {"mch_id": "1000000000"}
FALSEHOODS = {
    "wrong_amount": {"total_fee": "2013"},
    "wrong_app_id": OTHER_APP,
    "wrong_seller_id": OTHER_MERCHANT,
    "wrong_merchant": OTHER_APP | OTHER_MERCHANT,
}
QUERY, CLOSE, REFUND = "pay/orderquery", "pay/closeorder", "secapi/pay/refund"


@pytest.fixture
def waiting(simulator: Simulator, wechat_v2: WechatV2Client) -> str:
    """Old enough to be closed."""
    wechat_v2.order(NUMBER)
    simulator.age(NUMBER)
    return NUMBER


@pytest.fixture
def paid(simulator: Simulator, v2_receiver: V2Receiver, waiting: str) -> str:
    simulator.pay(waiting)
    v2_receiver.wait_for(1)
    return waiting


def raw(client: WechatV2Client, path: str, number: str, **content: object) -> httpx.Response:
    return client.post(path, client.signed({"out_trade_no": number, **content}))


@pytest.mark.parametrize(("fault", "status"), [("timeout_before", "waiting"), ("timeout_after", "closed")])
def test_no_answer_before_or_after_it_was_done(
    simulator: Simulator, wechat_v2: WechatV2Client, waiting: str, fault: str, status: str
) -> None:
    simulator.arm(fault, delay_ms=0)

    with pytest.raises(httpx.RemoteProtocolError):
        raw(wechat_v2, CLOSE, waiting)

    assert simulator.trade(waiting)["status"] == status


def test_http_500_does_nothing(simulator: Simulator, wechat_v2: WechatV2Client, waiting: str) -> None:
    simulator.arm("http_500")

    assert raw(wechat_v2, CLOSE, waiting).status_code == 500
    assert simulator.trade(waiting)["status"] == "waiting"


def test_garbage_is_a_page_and_it_was_done(simulator: Simulator, wechat_v2: WechatV2Client, waiting: str) -> None:
    simulator.arm("garbage")

    assert raw(wechat_v2, CLOSE, waiting).text.startswith("<html>")
    assert simulator.trade(waiting)["status"] == "closed"


def test_slow_is_right_but_late(simulator: Simulator, wechat_v2: WechatV2Client, waiting: str) -> None:
    simulator.arm("slow", delay_ms=400)
    started = time.monotonic()

    assert wechat_v2.query(waiting)["trade_state"] == "NOTPAY"

    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    ("path", "claim"),
    [
        (QUERY, ("trade_state", "SUCCESS")),
        (CLOSE, ("result_code", "SUCCESS")),
        (REFUND, ("out_refund_no", "R1")),
        ("pay/refundquery", ("refund_status_0", "SUCCESS")),
    ],
)
def test_unsigned_success_claims_what_was_not_done(
    simulator: Simulator, wechat_v2: WechatV2Client, waiting: str, path: str, claim: tuple[str, str]
) -> None:
    simulator.arm("unsigned_success")

    answer = fields(raw(wechat_v2, path, waiting, out_refund_no="R1", refund_fee=500, total_fee=2012).text)

    assert "sign" not in answer
    assert (answer["return_code"], answer["result_code"]) == ("SUCCESS", "SUCCESS")
    assert answer[claim[0]] == claim[1]
    assert simulator.trade(waiting)["status"] == "waiting"


def test_bad_signature_is_over_the_right_answer(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    simulator.arm("bad_signature")

    answer = fields(raw(wechat_v2, QUERY, paid).text)

    assert answer["trade_state"] == "SUCCESS"
    assert not wechat_v2.genuine(answer)
    assert wechat_v2.query(paid)["trade_state"] == "SUCCESS"


def test_system_error_but_done(simulator: Simulator, wechat_v2: WechatV2Client, waiting: str) -> None:
    simulator.arm("system_error_but_done")

    assert wechat_v2.close(waiting)["err_code"] == "SYSTEMERROR"

    assert simulator.trade(waiting)["status"] == "closed"


def test_close_refused_leaves_the_order_payable(simulator: Simulator, wechat_v2: WechatV2Client, waiting: str) -> None:
    simulator.arm("close_refused")

    assert wechat_v2.close(waiting)["err_code"] == "TRADE_STATE_ERROR"

    assert simulator.pay(waiting)["status"] == "paid"


def test_the_payer_may_be_faster_than_the_close(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, waiting: str
) -> None:
    simulator.arm("order_paid")

    assert wechat_v2.close(waiting)["err_code"] == "ORDERPAID"

    assert wechat_v2.query(waiting)["trade_state"] == "SUCCESS"
    assert v2_receiver.wait_for(1)[0]["out_trade_no"] == waiting


def test_the_query_may_lag_behind_the_payment(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    simulator.arm("user_paying")

    answer = wechat_v2.query(paid)

    assert (answer["trade_state"], "transaction_id" in answer) == ("USERPAYING", False)
    assert wechat_v2.query(paid)["trade_state"] == "SUCCESS"


@pytest.mark.parametrize("fault", ["abnormal_refund", "refund_closed"])
def test_a_refund_may_come_to_nothing_and_be_tried_again_under_its_number(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, paid: str, fault: str
) -> None:
    word = {"abnormal_refund": "CHANGE", "refund_closed": "REFUNDCLOSE"}[fault]
    simulator.arm(fault)

    first = wechat_v2.refund(paid, "R1", 500)

    assert first["result_code"] == "SUCCESS"
    assert wechat_v2.opened(v2_receiver.wait_for(2)[1])["refund_status"] == word
    assert wechat_v2.refund_query("R1")["refund_status_0"] == word
    assert (simulator.trade(paid)["refunded_fen"], wechat_v2.query(paid)["trade_state"]) == (0, "SUCCESS")
    again = wechat_v2.refund(paid, "R1", 500)
    eventually(lambda: simulator.trade(paid)["refunded_fen"] == 500)
    assert again["refund_id"] == first["refund_id"]
    assert wechat_v2.refund_query("R1")["refund_status_0"] == "SUCCESS"


def test_the_merchant_may_have_too_little_to_refund(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    simulator.arm("not_enough")

    assert wechat_v2.refund(paid, "R1", 500)["err_code"] == "NOTENOUGH"

    assert simulator.trade(paid)["refunds"] == []
    assert wechat_v2.refund(paid, "R1", 500)["result_code"] == "SUCCESS"


def test_a_refund_may_stay_on_its_way(simulator: Simulator, wechat_v2: WechatV2Client, paid: str) -> None:
    simulator.arm("refund_not_done")
    wechat_v2.refund(paid, "R1", 500)
    wechat_v2.refund(paid, "R2", 500)
    eventually(lambda: wechat_v2.refund_query("R2")["refund_status_0"] == "SUCCESS")

    assert wechat_v2.refund_query("R1")["refund_status_0"] == "PROCESSING"
    assert simulator.trade(paid)["refunded_fen"] == 500
    wechat_v2.refund(paid, "R1", 500)
    eventually(lambda: simulator.trade(paid)["refunded_fen"] == 1000)


@pytest.mark.parametrize("fault", FALSEHOODS)
def test_a_false_notification_is_genuine_and_its_repetition_right(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, waiting: str, fault: str
) -> None:
    wrong = FALSEHOODS[fault]
    v2_receiver.answers = [(200, b"<xml><return_code>FAIL</return_code></xml>")]
    simulator.arm(fault)

    simulator.pay(waiting)

    first, second = v2_receiver.wait_for(2)
    assert {name: first[name] for name in wrong} == wrong
    assert wechat_v2.genuine(first)
    right = {"total_fee": "2012", "appid": wechat_v2.merchant.app_id, "mch_id": wechat_v2.merchant.mch_id}
    assert {name: second[name] for name in right} == right
    assert wechat_v2.genuine(second)


@pytest.mark.parametrize("fault", ["forged", "tampered", "no_sign"])
def test_a_notification_that_proves_nothing_is_followed_by_a_genuine_one(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, waiting: str, fault: str
) -> None:
    v2_receiver.answers = [(200, b"<xml><return_code>FAIL</return_code></xml>")]
    simulator.arm(fault)

    simulator.pay(waiting)

    first, second = v2_receiver.wait_for(2)
    assert not wechat_v2.genuine(first)
    assert ("sign" in first) == (fault != "no_sign")
    assert wechat_v2.genuine(second)


@pytest.mark.parametrize("fault", ["forged", "tampered", "no_sign"])
def test_a_refund_notice_that_cannot_be_opened_is_followed_by_one_that_can(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, paid: str, fault: str
) -> None:
    v2_receiver.answers = [(200, b"<xml><return_code>FAIL</return_code></xml>")]
    simulator.arm(fault)

    wechat_v2.refund(paid, "R1", 500)

    _, first, second = v2_receiver.wait_for(3)
    with pytest.raises((ValueError, KeyError, SyntaxError)):
        wechat_v2.opened(first)
    assert wechat_v2.opened(second)["out_refund_no"] == "R1"


def test_a_refund_notice_of_another_amount_opens(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, paid: str
) -> None:
    simulator.arm("wrong_amount")

    wechat_v2.refund(paid, "R1", 500)

    assert wechat_v2.opened(v2_receiver.wait_for(2)[1])["refund_fee"] == "501"


@pytest.mark.parametrize("fault", ["signtest", "stale", "unknown_serial", "fund_change_n", "key_switch"])
def test_a_fault_of_another_protocol_does_not_strike(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, waiting: str, fault: str
) -> None:
    simulator.arm(fault)

    simulator.pay(waiting)
    wechat_v2.refund(waiting, "R1", 500)

    v2_receiver.wait_for(2)
    assert all(notice["disturbed_by"] == "" for notice in simulator.notifications(waiting))
    assert [armed["fault"] for armed in simulator.faults()] == [fault]


@pytest.mark.parametrize("fault", ["lost", "late", "duplicate"])
def test_notices_get_lost_come_late_and_twice(
    simulator: Simulator, wechat_v2: WechatV2Client, v2_receiver: V2Receiver, waiting: str, fault: str
) -> None:
    simulator.arm(fault)

    simulator.pay(waiting)

    expected = {"lost": 0, "late": 1, "duplicate": 2}[fault]
    state = "lost" if fault == "lost" else "done"
    eventually(lambda: simulator.notifications(waiting)[0]["state"] == state)
    assert len(v2_receiver.received) == expected


def test_a_fault_for_one_order_finds_it_under_every_number(
    simulator: Simulator, wechat_v2: WechatV2Client, paid: str
) -> None:
    wechat_v2.order("another_1")
    refund_id = wechat_v2.refund(paid, "R1", 500)["refund_id"]
    transaction_id = simulator.trade(paid)["trade_no"]

    for named in ({"transaction_id": transaction_id}, {"refund_id": refund_id}, {"out_refund_no": "R1"}):
        simulator.arm("http_500", match=paid)
        assert wechat_v2.query("another_1")["trade_state"] == "NOTPAY"
        answer = wechat_v2.post("pay/refundquery", wechat_v2.signed(named))
        assert answer.status_code == 500
