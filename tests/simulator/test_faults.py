"""The fault menu: each mishap happens as told, as often as told, and leaves in the book what it says."""

import time

import httpx
import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver, eventually
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"
QUERY, CLOSE, REFUND = "alipay.trade.query", "alipay.trade.close", "alipay.trade.refund"


@pytest.fixture
def waiting(simulator: Simulator, alipay: AlipayClient) -> str:
    alipay.precreate(NUMBER)
    simulator.scan(NUMBER)
    return NUMBER


@pytest.fixture
def paid(simulator: Simulator, alipay: AlipayClient, receiver: Receiver, waiting: str) -> str:
    simulator.pay(waiting)
    receiver.wait_for(1)
    return waiting


def raw(alipay: AlipayClient, method: str, number: str, **content: str) -> httpx.Response:
    return alipay.post(alipay.sign(alipay.parameters(method, {"out_trade_no": number, **content})))


def test_timeout_before_answers_nothing_and_does_nothing(
    simulator: Simulator, alipay: AlipayClient, waiting: str
) -> None:
    simulator.arm("timeout_before", delay_ms=0)

    with pytest.raises(httpx.RemoteProtocolError):
        raw(alipay, CLOSE, waiting)

    assert simulator.trade(waiting)["status"] == "waiting"


def test_timeout_after_answers_nothing_but_does_it(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("timeout_after", delay_ms=0)

    with pytest.raises(httpx.RemoteProtocolError):
        raw(alipay, CLOSE, waiting)

    assert simulator.trade(waiting)["status"] == "closed"


def test_a_caller_that_does_not_wait_sees_a_timeout(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("timeout_after", delay_ms=20_000)
    started = time.monotonic()

    with pytest.raises(httpx.ReadTimeout):
        alipay.http.post(
            alipay.merchant.gateway_url,
            data=alipay.sign(alipay.parameters(CLOSE, {"out_trade_no": waiting})),
            timeout=0.5,
        )

    assert time.monotonic() - started < 15, "the answer would have come after twenty seconds"
    eventually(lambda: simulator.trade(waiting)["status"] == "closed")


def test_http_500_does_nothing(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("http_500")

    assert raw(alipay, CLOSE, waiting).status_code == 500
    assert simulator.trade(waiting)["status"] == "waiting"


def test_garbage_is_a_page_and_it_was_done(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("garbage")

    answer = raw(alipay, CLOSE, waiting)

    assert answer.status_code == 200
    assert answer.text.startswith("<html>")
    assert simulator.trade(waiting)["status"] == "closed"


def test_slow_is_right_but_late(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("slow", delay_ms=400)
    started = time.monotonic()

    assert alipay.query(waiting)["trade_status"] == "WAIT_BUYER_PAY"

    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    ("method", "claim"),
    [(QUERY, ("trade_status", "TRADE_SUCCESS")), (CLOSE, ("code", "10000")), (REFUND, ("fund_change", "Y"))],
)
def test_unsigned_success_claims_what_was_not_done(
    simulator: Simulator, alipay: AlipayClient, waiting: str, method: str, claim: tuple[str, str]
) -> None:
    simulator.arm("unsigned_success")

    answer = raw(alipay, method, waiting, refund_amount="20.12").json()

    assert "sign" not in answer
    node = answer[method.replace(".", "_") + "_response"]
    assert node["code"] == "10000"
    assert node[claim[0]] == claim[1]
    assert simulator.trade(waiting)["status"] == "waiting"


def test_bad_signature_is_over_the_right_answer(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    simulator.arm("bad_signature")

    text, signature = alipay.split(QUERY, raw(alipay, QUERY, paid).text)

    assert '"trade_status":"TRADE_SUCCESS"' in text
    assert not alipay.genuine(text, signature)
    assert alipay.query(paid)["trade_status"] == "TRADE_SUCCESS"


def test_system_error_but_done(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("system_error_but_done")

    answer = alipay.close(waiting)

    assert (answer["code"], answer["sub_code"]) == ("20000", "aop.ACQ.SYSTEM_ERROR")
    assert simulator.trade(waiting)["status"] == "closed"


def test_close_refused_leaves_the_trade_payable(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("close_refused")

    alipay.query(waiting)
    assert alipay.close(waiting)["sub_code"] == "ACQ.REASON_TRADE_STATUS_INVALID"

    assert simulator.pay(waiting)["status"] == "paid"


def test_the_payer_may_be_faster_than_the_close(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("order_paid")

    assert alipay.close(waiting)["sub_code"] == "ACQ.TRADE_STATUS_ERROR"

    assert alipay.query(waiting)["trade_status"] == "TRADE_SUCCESS"


def test_fund_change_n_although_the_money_moved(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    simulator.arm("fund_change_n")

    answer = alipay.refund(paid, "5.00", out_request_no="R1")

    assert (answer["code"], answer["fund_change"]) == ("10000", "N")
    assert alipay.refund_query(paid, "R1")["refund_status"] == "REFUND_SUCCESS"
    assert simulator.trade(paid)["refunded_fen"] == 500


def test_refund_not_done_until_it_is_asked_for_again(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    simulator.arm("refund_not_done")

    assert alipay.refund(paid, "5.00", out_request_no="R1")["fund_change"] == "N"
    assert "refund_status" not in alipay.refund_query(paid, "R1")
    assert simulator.trade(paid)["refunded_fen"] == 0

    assert alipay.refund(paid, "5.00", out_request_no="R1")["fund_change"] == "Y"
    assert simulator.trade(paid)["refunded_fen"] == 500


def test_key_switch_changes_the_key_of_answers_for_good(
    simulator: Simulator, alipay: AlipayClient, waiting: str
) -> None:
    simulator.arm("key_switch")

    switched = alipay.split(QUERY, raw(alipay, QUERY, waiting).text)
    later = alipay.split(QUERY, raw(alipay, QUERY, waiting).text)

    (new_key,) = [m["alipay_public_key"] for m in simulator.merchants() if m["app_id"] == alipay.merchant.app_id]
    assert new_key != alipay.merchant.alipay_public_key
    for text, signature in (switched, later):
        assert not alipay.genuine(text, signature)
        assert alipay.genuine(text, signature, public_key=new_key)


def test_key_switch_may_strike_a_notification(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, waiting: str
) -> None:
    simulator.arm("key_switch")

    simulator.pay(waiting)

    assert not alipay.genuine_notice(receiver.wait_for(1)[0])


def test_lost_is_never_sent_unless_by_hand(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, waiting: str
) -> None:
    simulator.arm("lost")

    simulator.pay(waiting)

    (kept,) = simulator.notifications(waiting)
    time.sleep(0.3)
    assert (kept["state"], receiver.received) == ("lost", [])
    assert alipay.query(waiting)["trade_status"] == "TRADE_SUCCESS"

    simulator.resend(kept["id"])

    assert alipay.genuine_notice(receiver.received[0])


def test_late_comes_when_told(simulator: Simulator, alipay: AlipayClient, receiver: Receiver, waiting: str) -> None:
    simulator.arm("late", delay_ms=600)
    started = time.monotonic()

    simulator.pay(waiting)

    receiver.wait_for(1)
    assert receiver.times[0] - started >= 0.6


def test_duplicate_comes_twice_although_taken(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, waiting: str
) -> None:
    simulator.arm("duplicate")

    simulator.pay(waiting)

    first, second = receiver.wait_for(2)
    assert first["notify_id"] == second["notify_id"]
    assert alipay.genuine_notice(second)
    eventually(lambda: simulator.notifications(waiting)[0]["state"] == "done")
    assert len(receiver.received) == 2


def test_out_of_order_comes_after_the_next(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, waiting: str
) -> None:
    simulator.arm("out_of_order", delay_ms=60_000)
    simulator.pay(waiting)

    alipay.refund(waiting, "20.12")

    assert [notice["trade_status"] for notice in receiver.wait_for(2)] == ["TRADE_CLOSED", "TRADE_SUCCESS"]


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("wrong_amount", {"total_amount": "20.13"}),
        ("wrong_app_id", {"app_id": "2021000000000000"}),
        ("wrong_seller_id", {"seller_id": "2088000000000000"}),
        ("wrong_merchant", {"app_id": "2021000000000000", "seller_id": "2088000000000000"}),
    ],
)
def test_a_false_notification_is_genuine_and_its_repetition_right(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, fault: str, wrong: dict[str, str]
) -> None:
    receiver.answers = [(200, b"failure")]
    alipay.precreate(NUMBER)
    simulator.arm(fault)

    simulator.pay(NUMBER)

    first, second = receiver.wait_for(2)
    assert {name: first[name] for name in wrong} == wrong
    assert alipay.genuine_notice(first)
    assert alipay.genuine_notice(second)
    assert second["notify_id"] == first["notify_id"]
    right = {"total_amount": "20.12", "app_id": alipay.merchant.app_id, "seller_id": alipay.merchant.seller_id}
    assert {name: second[name] for name in right} == right


@pytest.mark.parametrize("fault", ["forged", "tampered"])
def test_a_forged_notification_does_not_verify_and_its_repetition_does(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, fault: str
) -> None:
    receiver.answers = [(400, b"failure")]
    alipay.precreate(NUMBER)
    simulator.arm(fault)

    simulator.pay(NUMBER)

    first, second = receiver.wait_for(2)
    assert not alipay.genuine_notice(first)
    assert alipay.genuine_notice(second)
    assert second["notify_id"] == first["notify_id"]


def test_the_payer_may_pay_another_amount_and_the_book_agrees(
    simulator: Simulator, alipay: AlipayClient, receiver: Receiver, waiting: str
) -> None:
    simulator.pay(waiting, amount_fen=1)

    assert receiver.wait_for(1)[0]["total_amount"] == "0.01"
    assert alipay.query(waiting)["total_amount"] == "0.01"


def test_a_fault_strikes_as_often_as_armed(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("http_500", times=2)

    assert [raw(alipay, QUERY, waiting).status_code for _ in range(3)] == [500, 500, 200]
    assert simulator.faults() == []


def test_a_fault_for_one_order_leaves_the_others_alone(
    simulator: Simulator, alipay: AlipayClient, waiting: str
) -> None:
    simulator.arm("http_500", match="another_1")

    assert raw(alipay, QUERY, waiting).status_code == 200
    assert raw(alipay, QUERY, "another_1").status_code == 500


def test_faults_can_be_disarmed(simulator: Simulator, alipay: AlipayClient, waiting: str) -> None:
    simulator.arm("http_500", times=100)

    simulator.disarm()

    assert raw(alipay, QUERY, waiting).status_code == 200
