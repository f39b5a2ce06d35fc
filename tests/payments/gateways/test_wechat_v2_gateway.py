"""The gateway against a server that answers as WeChat Pay v2 would, signed: queries, closes and refunds."""

import dataclasses
import datetime

import pytest

from payments.gateways.base import CloseResult, GatewayRefused, GatewayUnavailable, Outcome
from payments.gateways.wechat_v2.codec import SHANGHAI
from payments.gateways.wechat_v2.gateway import WechatV2Gateway
from tests.payments.gateways import scripted
from tests.payments.gateways.wechat_v2_samples import (
    NUMBER,
    PAID,
    REFUND,
    REFUND_ACCEPTED,
    REFUND_FOUND,
    REFUND_REQUEST,
    SUCCESS,
    no,
    sent,
)

# --- querying


def test_a_paid_trade_tells_everything_and_the_whole_amount(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(PAID)

    state = wechat_v2.query_payment(NUMBER)

    assert sent(server) == ("/pay/orderquery", {"out_trade_no": NUMBER})
    assert (state.outcome, state.number, state.amount_fen) == (Outcome.SUCCEEDED, NUMBER, 201272)
    assert state.paid_at == datetime.datetime(2026, 1, 31, 12, 0, 1, tzinfo=SHANGHAI)
    assert (state.trade_no, state.gateway_status) == ("4200000001", "SUCCESS")


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("SUCCESS", Outcome.SUCCEEDED),
        ("REFUND", Outcome.SUCCEEDED),
        ("NOTPAY", Outcome.PENDING),
        ("USERPAYING", Outcome.PENDING),
        ("ACCEPT", Outcome.PENDING),
        ("CLOSED", Outcome.FAILED),
        ("REVOKED", Outcome.FAILED),
        ("PAYERROR", Outcome.FAILED),
        ("HELD", Outcome.UNKNOWN),
        ("", Outcome.UNKNOWN),
    ],
)
def test_each_trade_state_has_its_outcome(wechat_v2, wechat_v2_answers, status, outcome):
    wechat_v2_answers(PAID | {"trade_state": status})

    state = wechat_v2.query_payment(NUMBER)

    assert (state.outcome, state.gateway_status) == (outcome, status)
    assert (state.paid_at is None) == (outcome is not Outcome.SUCCEEDED)


def test_an_unpaid_trade_needs_no_amount(wechat_v2, wechat_v2_answers):
    wechat_v2_answers(SUCCESS | {"out_trade_no": NUMBER, "trade_state": "NOTPAY"})

    state = wechat_v2.query_payment(NUMBER)

    assert (state.outcome, state.amount_fen) == (Outcome.PENDING, None)


def test_a_trade_wechat_has_not_heard_of_is_not_found(wechat_v2, wechat_v2_answers):
    wechat_v2_answers(no("ORDERNOTEXIST"))

    assert wechat_v2.query_payment(NUMBER).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    "change",
    [
        {"total_fee": ""},
        {"total_fee": "1.5"},
        {"total_fee": "-1"},
        {"transaction_id": ""},
        {"time_end": ""},
        {"time_end": "2026-01-31"},
        {"time_end": "20261331120001"},
        {"fee_type": "USD"},
    ],
)
def test_a_signed_answer_that_cannot_be_read_is_no_outcome(wechat_v2, wechat_v2_answers, change):
    wechat_v2_answers(PAID | change)

    with pytest.raises(GatewayUnavailable):
        wechat_v2.query_payment(NUMBER)


# --- closing


def test_a_waiting_trade_is_closed(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(SUCCESS)

    assert wechat_v2.close_payment(NUMBER) == CloseResult(outcome=Outcome.SUCCEEDED, gateway_status="CLOSED")
    assert sent(server) == ("/pay/closeorder", {"out_trade_no": NUMBER})


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("ORDERPAID", Outcome.FAILED),
        ("ORDERCLOSED", Outcome.SUCCEEDED),
        ("ORDERNOTEXIST", Outcome.NOT_FOUND),
    ],
)
def test_a_no_to_a_close_says_what_the_trade_is(wechat_v2, server, wechat_v2_answers, code, outcome):
    wechat_v2_answers(no(code))

    assert wechat_v2.close_payment(NUMBER) == CloseResult(outcome=outcome, gateway_status=code)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("NOTPAY", Outcome.PENDING), ("SUCCESS", Outcome.FAILED), ("CLOSED", Outcome.SUCCEEDED)],
)
@pytest.mark.parametrize("code", ["TRADE_STATE_ERROR", "INVALID_REQUEST"])
def test_a_close_within_five_minutes_is_not_now_unless_a_query_tells_otherwise(
    wechat_v2, wechat_v2_answers, code, status, outcome
):
    wechat_v2_answers(no(code, "订单生成后不能马上调用关单接口"))
    wechat_v2_answers(PAID | {"trade_state": status})

    result = wechat_v2.close_payment(NUMBER)

    assert (result.outcome, result.gateway_status) == (outcome, f"{code}: 订单生成后不能马上调用关单接口")


def test_a_close_that_the_account_may_not_ask_for_is_refused(wechat_v2, wechat_v2_answers):
    wechat_v2_answers(no("NOAUTH"))

    with pytest.raises(GatewayRefused, match="NOAUTH"):
        wechat_v2.close_payment(NUMBER)


# --- refunding


def test_an_accepted_refund_is_not_made_yet(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(REFUND_ACCEPTED)

    state = wechat_v2.refund(REFUND_REQUEST)

    assert sent(server) == (
        "/secapi/pay/refund",
        {"out_trade_no": NUMBER, "out_refund_no": REFUND, "total_fee": "201272", "refund_fee": "1000",
         "refund_desc": "返回", "notify_url": "https://shop.example/notify"},
    )  # fmt: skip
    assert (state.outcome, state.number, state.amount_fen) == (Outcome.PENDING, REFUND, 1000)
    assert state.refunded_at is None


def test_a_refund_without_a_reason_or_an_address_leaves_them_out(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(REFUND_ACCEPTED)

    wechat_v2.refund(dataclasses.replace(REFUND_REQUEST, reason="", notify_url=""))

    assert not {"refund_desc", "notify_url"} & set(sent(server)[1])


def test_a_reason_is_cut_to_80_bytes_of_whole_characters(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(REFUND_ACCEPTED)

    wechat_v2.refund(dataclasses.replace(REFUND_REQUEST, reason="\n" + "退" * 40))

    assert sent(server)[1]["refund_desc"] == "退" * 26


@pytest.mark.parametrize(
    "change", [{"number": "2018-1"}, {"number": ""}, {"notify_url": "/notify"}, {"notify_url": "https://a.example/?b"}]
)
def test_a_refund_that_wechat_would_not_take_is_refused_before_it_is_sent(wechat_v2, server, change):
    with pytest.raises(GatewayRefused) as refused:
        wechat_v2.refund(dataclasses.replace(REFUND_REQUEST, **change))

    assert (refused.value.code, refused.value.permanent, server.requests) == ("INVALID_REQUEST", True, [])


def test_a_no_is_believed_when_the_book_agrees(wechat_v2, wechat_v2_answers):
    wechat_v2_answers(no("TRADE_OVERDUE"))
    wechat_v2_answers(no("REFUNDNOTEXIST"))

    with pytest.raises(GatewayRefused) as refused:
        wechat_v2.refund(REFUND_REQUEST)

    assert (refused.value.code, refused.value.permanent) == ("TRADE_OVERDUE", True)


def test_a_no_to_a_refund_that_was_made_before_is_what_the_book_says(wechat_v2, wechat_v2_answers):
    wechat_v2_answers(no("INVALID_REQUEST", "refund_fee大于可退金额"))
    wechat_v2_answers(REFUND_FOUND)

    assert wechat_v2.refund(REFUND_REQUEST).outcome is Outcome.SUCCEEDED


def test_a_no_is_unknown_while_the_book_cannot_be_read(wechat_v2, server, wechat_v2_answers):
    wechat_v2_answers(no("TRADE_OVERDUE"))
    server.then(scripted.body(b"", status=500))

    with pytest.raises(GatewayUnavailable):
        wechat_v2.refund(REFUND_REQUEST)


@pytest.mark.parametrize("code", ["NOTENOUGH", "ERROR", "FREQUENCY_LIMITED", "INVALID_REQ_TOO_MUCH", "CERT_ERROR"])
def test_a_no_for_now_is_not_for_ever(wechat_v2, server, wechat_v2_answers, code):
    wechat_v2_answers(no(code))

    with pytest.raises(GatewayRefused) as refused:
        wechat_v2.refund(REFUND_REQUEST)

    assert (refused.value.code, refused.value.permanent, len(server.requests)) == (code, False, 1)


def test_without_a_certificate_no_refund_is_sent(wechat_v2_account, server):
    gateway = WechatV2Gateway(dataclasses.replace(wechat_v2_account, client_cert="", client_key=""))

    with pytest.raises(GatewayRefused) as refused:
        gateway.refund(REFUND_REQUEST)

    assert (refused.value.code, refused.value.permanent, server.requests) == ("CERTIFICATE_MISSING", False, [])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (REFUND_FOUND, Outcome.SUCCEEDED),
        (REFUND_FOUND | {"refund_status_0": "PROCESSING"}, Outcome.PENDING),
        (REFUND_FOUND | {"refund_status_0": "CHANGE"}, Outcome.PENDING),
        (REFUND_FOUND | {"refund_status_0": "REFUNDCLOSE"}, Outcome.FAILED),
        (REFUND_FOUND | {"refund_status_0": "ODD"}, Outcome.UNKNOWN),
        (no("REFUNDNOTEXIST"), Outcome.NOT_FOUND),
        (no("ORDERNOTEXIST"), Outcome.NOT_FOUND),
    ],
)
def test_each_refund_status_has_its_outcome(wechat_v2, server, wechat_v2_answers, answer, outcome):
    wechat_v2_answers(answer)

    state = wechat_v2.query_refund(REFUND, charge_number=NUMBER)

    assert sent(server) == ("/pay/refundquery", {"out_refund_no": REFUND})
    assert (state.outcome, state.gateway_status) == (outcome, answer.get("refund_status_0") or answer["err_code"])
    if outcome is Outcome.SUCCEEDED:
        assert (state.amount_fen, state.refunded_at) == (1000, datetime.datetime(2026, 1, 31, 13, tzinfo=SHANGHAI))
    else:
        assert state.refunded_at is None


def test_of_several_refunds_the_one_that_was_asked_about_counts(wechat_v2, wechat_v2_answers):
    others = {"out_refund_no_1": "another", "refund_fee_1": "7", "refund_status_1": "REFUNDCLOSE"}
    mixed = {name.replace("_0", "_12") if name.endswith("_0") else name: text for name, text in REFUND_FOUND.items()}
    wechat_v2_answers(mixed | others)

    state = wechat_v2.query_refund(REFUND, charge_number=NUMBER)

    assert (state.outcome, state.amount_fen) == (Outcome.SUCCEEDED, 1000)


@pytest.mark.parametrize(
    "change", [{"out_refund_no_0": "another"}, {"out_trade_no": "another"}, {"refund_fee_0": ""}, {"refund_fee_0": "x"}]
)
def test_the_genuine_answer_about_another_refund_is_no_outcome(wechat_v2, wechat_v2_answers, change):
    wechat_v2_answers(REFUND_FOUND | change)

    with pytest.raises(GatewayUnavailable):
        wechat_v2.query_refund(REFUND, charge_number=NUMBER)
