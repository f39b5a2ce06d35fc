"""Refunds over WeChat Pay APIv3: accepted at first, made later, and never made twice."""

import dataclasses
import datetime
import json

import pytest

from payments.gateways.base import GatewayRefused, GatewayUnavailable, Outcome
from tests.payments.gateways import scripted
from tests.payments.gateways.wechat_v3_samples import (
    BEIJING,
    NUMBER,
    REFUND,
    REFUND_REQUEST,
    REFUNDED,
    no,
)

STATUSES = [
    ("SUCCESS", Outcome.SUCCEEDED),
    ("PROCESSING", Outcome.PENDING),
    ("ABNORMAL", Outcome.PENDING),
    ("CLOSED", Outcome.FAILED),
    ("SOMETHING_NEW", Outcome.UNKNOWN),
]


def test_a_refund_is_asked_for_with_both_amounts(v3_gateway, server, v3_answers):
    v3_answers(REFUNDED | {"status": "PROCESSING", "success_time": None})

    state = v3_gateway.refund(REFUND_REQUEST)

    request = server.requests[0]
    assert (request.method, request.path) == ("POST", "/v3/refund/domestic/refunds")
    assert json.loads(request.body) == {
        "out_trade_no": NUMBER,
        "out_refund_no": REFUND,
        "reason": "返回",
        "amount": {"refund": 1000, "total": 201272, "currency": "CNY"},
    }
    assert (state.outcome, state.number, state.refunded_at) == (Outcome.PENDING, REFUND, None)


def test_a_refund_without_a_reason_gives_none(v3_gateway, server, v3_answers):
    v3_answers(REFUNDED)

    v3_gateway.refund(dataclasses.replace(REFUND_REQUEST, reason=" "))

    assert "reason" not in json.loads(server.requests[0].body)


@pytest.mark.parametrize(("status", "outcome"), STATUSES)
def test_each_refund_status_has_its_outcome(v3_gateway, v3_answers, status, outcome):
    v3_answers(REFUNDED | {"status": status})
    v3_answers(REFUNDED | {"status": status})

    states = v3_gateway.refund(REFUND_REQUEST), v3_gateway.query_refund(REFUND, charge_number=NUMBER)

    assert [(state.outcome, state.gateway_status) for state in states] == [(outcome, status)] * 2


def test_a_made_refund_tells_what_went_back_and_not_what_was_paid(v3_gateway, server, v3_answers):
    v3_answers(REFUNDED)

    state = v3_gateway.query_refund(REFUND, charge_number=NUMBER)

    assert (server.requests[0].method, server.requests[0].path) == ("GET", f"/v3/refund/domestic/refunds/{REFUND}")
    assert (state.outcome, state.number, state.amount_fen) == (Outcome.SUCCEEDED, REFUND, 1000)
    assert state.refunded_at == datetime.datetime(2026, 1, 31, 13, tzinfo=BEIJING)


def test_a_refund_nobody_asked_for_is_not_found(v3_gateway, v3_answers):
    v3_answers(no("RESOURCE_NOT_EXISTS"), status=404)

    assert v3_gateway.query_refund(REFUND, charge_number=NUMBER).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"total": 201272}},
        {"amount": {"refund": "1000"}},
        {"amount": {}},
        {"status": ""},
        {"success_time": "x"},
    ],
)
def test_a_signed_answer_that_cannot_be_read_is_no_outcome(v3_gateway, v3_answers, change):
    v3_answers(REFUNDED | change)

    with pytest.raises(GatewayUnavailable):
        v3_gateway.query_refund(REFUND, charge_number=NUMBER)


@pytest.mark.parametrize("change", [{"out_refund_no": "another"}, {"out_trade_no": "another"}])
def test_the_genuine_answer_about_another_refund_is_no_outcome(v3_gateway, v3_answers, change):
    v3_answers(REFUNDED | change)
    v3_answers(REFUNDED | change)

    with pytest.raises(GatewayUnavailable, match="about another"):
        v3_gateway.query_refund(REFUND, charge_number=NUMBER)
    with pytest.raises(GatewayUnavailable, match="about another"):
        v3_gateway.refund(REFUND_REQUEST)


# --- a no


@pytest.mark.parametrize("code", ["INVALID_REQUEST", "PARAM_ERROR", "USER_ACCOUNT_ABNORMAL"])
def test_a_no_is_believed_when_the_book_agrees(v3_gateway, server, v3_answers, code):
    v3_answers(no(code), status=400)
    v3_answers(no("RESOURCE_NOT_EXISTS"), status=404)

    with pytest.raises(GatewayRefused) as refused:
        v3_gateway.refund(REFUND_REQUEST)

    assert (refused.value.code, refused.value.permanent, len(server.requests)) == (code, True, 2)


def test_a_no_to_a_refund_that_was_made_before_is_a_yes(v3_gateway, v3_answers):
    v3_answers(no("INVALID_REQUEST"), status=400)
    v3_answers(REFUNDED)

    assert v3_gateway.refund(REFUND_REQUEST).outcome is Outcome.SUCCEEDED


def test_a_no_is_unknown_while_the_book_cannot_be_read(v3_gateway, server, v3_answers):
    v3_answers(no("INVALID_REQUEST"), status=400)
    server.then(scripted.body(b"", status=500))

    with pytest.raises(GatewayUnavailable):
        v3_gateway.refund(REFUND_REQUEST)


@pytest.mark.parametrize("code", ["NOT_ENOUGH", "RESOURCE_NOT_EXISTS", "NO_AUTH", "SOMETHING_NEW"])
def test_what_may_pass_another_day_is_a_no_for_now(v3_gateway, server, v3_answers, code):
    v3_answers(no(code), status=403)

    with pytest.raises(GatewayRefused) as refused:
        v3_gateway.refund(REFUND_REQUEST)

    assert (refused.value.permanent, len(server.requests)) == (False, 1)
