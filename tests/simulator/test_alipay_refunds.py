"""Alipay: giving money back."""

import pytest

from tests.simulator.merchant import AlipayClient
from tests.simulator.receiver import Receiver
from tests.simulator_process import Simulator

NUMBER = "2018061530000035_1"


@pytest.fixture
def paid(simulator: Simulator, alipay: AlipayClient, receiver: Receiver) -> str:
    alipay.precreate(NUMBER)
    simulator.pay(NUMBER)
    receiver.wait_for(1)
    return NUMBER


def test_a_partial_refund_moves_money_once(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    first = alipay.refund(paid, "5.00", out_request_no="R1")
    again = alipay.refund(paid, "5.00", out_request_no="R1")

    assert (first["code"], first["fund_change"], first["refund_fee"]) == ("10000", "Y", "5.00")
    assert (again["code"], again["fund_change"], again["refund_fee"]) == ("10000", "N", "5.00")
    assert simulator.trade(paid)["refunded_fen"] == 500
    assert alipay.query(paid)["trade_status"] == "TRADE_SUCCESS"


def test_refund_fee_is_the_sum_of_all_refunds(alipay: AlipayClient, paid: str) -> None:
    alipay.refund(paid, "5.00", out_request_no="R1")

    assert alipay.refund(paid, "1.12", out_request_no="R2")["refund_fee"] == "6.12"
    assert alipay.refund_query(paid, "R2")["refund_amount"] == "1.12"


def test_a_full_refund_closes_the_trade(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    assert alipay.refund(paid, "20.12")["fund_change"] == "Y"

    assert alipay.query(paid)["trade_status"] == "TRADE_CLOSED"
    assert alipay.refund_query(paid, paid)["refund_status"] == "REFUND_SUCCESS"
    assert simulator.trade(paid)["refunds"][0]["request_no"] == paid


def test_a_partial_refund_needs_a_number_of_its_own(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    assert alipay.refund(paid, "5.00")["sub_code"] == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"
    assert simulator.trade(paid)["refunds"] == []


def test_no_more_goes_back_than_came(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    alipay.refund(paid, "20.00", out_request_no="R1")

    assert alipay.refund(paid, "0.13", out_request_no="R2")["sub_code"] == "ACQ.REASON_TRADE_REFUND_FEE_ERR"
    assert alipay.refund(paid, "0.12", out_request_no="R2")["fund_change"] == "Y"
    assert alipay.refund(paid, "0.01", out_request_no="R3")["sub_code"] == "ACQ.REASON_TRADE_REFUND_FEE_ERR"
    assert simulator.trade(paid)["refunded_fen"] == 2012


def test_a_refund_number_stands_for_one_amount(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    alipay.refund(paid, "5.00", out_request_no="R1")

    assert alipay.refund(paid, "6.00", out_request_no="R1")["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST"
    assert simulator.trade(paid)["refunded_fen"] == 500


def test_what_was_not_paid_cannot_be_refunded(simulator: Simulator, alipay: AlipayClient) -> None:
    alipay.precreate(NUMBER)
    assert alipay.refund(NUMBER, "20.12")["sub_code"] == "ACQ.TRADE_NOT_EXIST"

    simulator.scan(NUMBER)
    assert alipay.refund(NUMBER, "20.12")["sub_code"] == "ACQ.TRADE_STATUS_ERROR"


def test_a_finished_trade_cannot_be_refunded(simulator: Simulator, alipay: AlipayClient, paid: str) -> None:
    simulator.finish(paid)

    assert alipay.refund(paid, "20.12")["sub_code"] == "ACQ.TRADE_HAS_FINISHED"
    assert alipay.query(paid)["trade_status"] == "TRADE_FINISHED"


def test_asking_for_a_refund_that_never_was_is_understood_and_empty(alipay: AlipayClient, paid: str) -> None:
    assert alipay.refund_query(paid, "R9") == {"code": "10000", "msg": "Success"}


def test_a_partial_refund_tells_success_once_more(alipay: AlipayClient, receiver: Receiver, paid: str) -> None:
    alipay.refund(paid, "5.00", out_request_no="R1")

    notice = receiver.wait_for(2)[1]

    assert alipay.genuine_notice(notice)
    assert notice["trade_status"] == "TRADE_SUCCESS"
    assert (notice["out_biz_no"], notice["refund_fee"], notice["total_amount"]) == ("R1", "5.00", "20.12")
    assert notice["gmt_refund"][:10] == notice["gmt_payment"][:10]
    assert "gmt_close" not in notice


def test_a_full_refund_tells_of_closing(alipay: AlipayClient, receiver: Receiver, paid: str) -> None:
    alipay.refund(paid, "20.12", out_request_no="R1")

    notice = receiver.wait_for(2)[1]

    assert notice["trade_status"] == "TRADE_CLOSED"
    assert (notice["out_biz_no"], notice["refund_fee"]) == ("R1", "20.12")
    assert notice["gmt_close"]
