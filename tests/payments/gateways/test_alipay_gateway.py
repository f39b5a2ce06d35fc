"""What the gateway asks of Alipay and makes of its answers. The other side is scripted, over real HTTP."""

import dataclasses
import datetime
import json
import urllib.parse

import pytest

from payments.gateways import keys
from payments.gateways.alipay import codec
from payments.gateways.alipay.gateway import AlipayGateway
from payments.gateways.base import CloseResult, GatewayRefused, GatewayUnavailable, Mode, Outcome
from tests.payments.gateways import scripted
from tests.payments.gateways.alipay_samples import (
    CLOSE,
    NO_REFUND,
    NO_TRADE,
    NUMBER,
    PAID,
    PRECREATE,
    QUERY,
    REFUND,
    REFUND_FOUND,
    REFUND_QUERY,
    REFUND_REQUEST,
    REFUNDED,
    REFUNDING,
    REQUEST,
    SHANGHAI,
    no,
)
from tests.payments.gateways.conftest import APP_ID


def sent(server):
    """The last form that came, and its content."""
    return server.forms[-1], json.loads(server.forms[-1]["biz_content"])


# --- creating


def test_a_qr_code_is_asked_for(gateway, server, alipay_answers, merchant_key):
    alipay_answers(PRECREATE, {"code": "10000", "out_trade_no": NUMBER, "qr_code": "https://qr.alipay.com/bax1"})

    started = gateway.create_payment(REQUEST)

    form, business = sent(server)
    assert started.payload == {"qr_code": "https://qr.alipay.com/bax1"}
    assert business == {
        "out_trade_no": NUMBER,
        "total_amount": "2012.72",
        "subject": "订单 a b c d",
        "product_code": "FACE_TO_FACE_PAYMENT",
        "time_expire": "2026-02-02 00:30:00",
    }
    assert (form["method"], form["app_id"], form["sign_type"]) == (PRECREATE, APP_ID, "RSA2")
    assert form["notify_url"] == "https://shop.example/notify"
    assert keys.verify(merchant_key.public_key(), codec.request_content(form), form["sign"])


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.PAGE, ("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY")),
        (Mode.WAP, ("alipay.trade.wap.pay", "QUICK_WAP_WAY")),
    ],
)
def test_page_and_wap_are_a_signed_url_made_without_a_call(gateway, server, merchant_key, mode, expected):
    started = gateway.create_payment(dataclasses.replace(REQUEST, mode=mode))

    address, _, query = started.payload["url"].partition("?")
    parameters = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
    assert (address, server.forms) == (server.url, [])
    assert (parameters["method"], json.loads(parameters["biz_content"])["product_code"]) == expected
    assert parameters["return_url"] == "https://shop.example/back"
    assert json.loads(parameters["biz_content"]).get("quit_url") == (
        parameters["return_url"] if mode == "wap" else None
    )
    assert keys.verify(merchant_key.public_key(), codec.request_content(parameters), parameters["sign"])


def test_an_app_gets_an_order_string_and_no_key(gateway, account, server, merchant_key):
    started = gateway.create_payment(dataclasses.replace(REQUEST, mode=Mode.APP))

    text = started.payload["order_string"]
    parameters = dict(urllib.parse.parse_qsl(text, strict_parsing=True))
    assert list(started.payload) == ["order_string"]
    assert parameters["method"] == "alipay.trade.app.pay"
    assert keys.verify(merchant_key.public_key(), codec.request_content(parameters), parameters["sign"])
    assert server.forms == []
    assert account.private_key.splitlines()[1] not in urllib.parse.unquote_plus(text)


def test_the_time_of_a_request_is_shanghais(account):
    now = datetime.datetime(2026, 1, 31, 16, 30, 5, tzinfo=datetime.UTC)

    started = AlipayGateway(account, now=lambda: now).create_payment(dataclasses.replace(REQUEST, mode=Mode.APP))

    assert dict(urllib.parse.parse_qsl(started.payload["order_string"]))["timestamp"] == "2026-02-01 00:30:05"


@pytest.mark.parametrize(
    "change",
    [
        {"number": "2018-1"},
        {"number": ""},
        {"number": "x" * 33},
        {"number": "订单"},
        {"amount_fen": 0},
        {"amount_fen": -1},
        {"amount_fen": 100_000_000_01},
        {"subject": " "},
        {"notify_url": ""},
        {"notify_url": "/rest/pub/ali/pay_notify"},
        {"notify_url": "javascript:alert(1)"},
        {"notify_url": "http://[/notify"},
        {"notify_url": "https://shop.example/" + "x" * 256},
        {"return_url": "//evil.example"},
    ],
)
def test_what_alipay_would_refuse_is_refused_before_it_is_sent(gateway, server, change):
    with pytest.raises(GatewayRefused) as refused:
        gateway.create_payment(dataclasses.replace(REQUEST, **change))

    assert (refused.value.code, refused.value.permanent, server.forms) == ("INVALID_REQUEST", True, [])


def test_wechats_mode_is_not_alipays(gateway):
    with pytest.raises(GatewayRefused, match="MODE_NOT_SUPPORTED"):
        gateway.create_payment(dataclasses.replace(REQUEST, mode=Mode.JSAPI))


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [
        (no("ACQ.TRADE_HAS_SUCCESS"), True),
        (no("ACQ.CONTEXT_INCONSISTENT"), True),
        (no("isv.invalid-parameter", "40002"), True),
        (no("isv.invalid-signature", "40002"), False),
        (no("ACQ.ACCESS_FORBIDDEN"), False),
        (no("ACQ.SOMETHING_NEW"), False),
        (no("aop.invalid-auth-token", "20001") | {"sub_code": "auth"}, False),
        (no("isv.app-call-limited", "40005"), False),
        (no("isv.insufficient-isv-permissions", "40006"), False),
        ({"code": "40003"}, False),
    ],
)
def test_a_signed_no_is_a_no_and_only_a_known_one_is_for_ever(gateway, alipay_answers, answer, permanent):
    alipay_answers(PRECREATE, answer)

    with pytest.raises(GatewayRefused) as refused:
        gateway.create_payment(REQUEST)

    assert (refused.value.code, refused.value.permanent) == (answer.get("sub_code") or answer["code"], permanent)


# --- querying


def test_a_paid_trade_tells_everything(gateway, server, alipay_answers):
    alipay_answers(QUERY, PAID)

    state = gateway.query_payment(NUMBER)

    assert sent(server)[1] == {"out_trade_no": NUMBER}
    assert (state.outcome, state.number, state.amount_fen) == (Outcome.SUCCEEDED, NUMBER, 201272)
    assert state.paid_at == datetime.datetime(2026, 1, 31, 12, 0, 1, tzinfo=SHANGHAI)
    assert (state.trade_no, state.buyer, state.gateway_status) == (
        "2026013122001", "ifv***@sandbox.com", "TRADE_SUCCESS",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "paid_at", "outcome"),
    [
        ("WAIT_BUYER_PAY", "", Outcome.PENDING),
        ("TRADE_SUCCESS", "2026-01-31 12:00:01", Outcome.SUCCEEDED),
        ("TRADE_FINISHED", "2026-01-31 12:00:01", Outcome.SUCCEEDED),
        ("TRADE_CLOSED", "", Outcome.FAILED),
        ("TRADE_CLOSED", "2026-01-31 12:00:01", Outcome.SUCCEEDED),  # paid, then refunded in full
        ("TRADE_PENDING", "", Outcome.UNKNOWN),
        ("", "", Outcome.UNKNOWN),
    ],
)
def test_each_trade_status_has_its_outcome(gateway, alipay_answers, status, paid_at, outcome):
    alipay_answers(QUERY, PAID | {"trade_status": status, "send_pay_date": paid_at})

    assert gateway.query_payment(NUMBER).outcome is outcome


def test_a_trade_alipay_has_not_heard_of_is_not_found(gateway, alipay_answers):
    alipay_answers(QUERY, NO_TRADE)

    assert gateway.query_payment(NUMBER).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize("change", [{"total_amount": "12,30"}, {"total_amount": ""}, {"send_pay_date": "yesterday"}])
def test_a_signed_answer_that_cannot_be_read_is_no_outcome(gateway, alipay_answers, change):
    alipay_answers(QUERY, PAID | change)

    with pytest.raises(GatewayUnavailable):
        gateway.query_payment(NUMBER)


# --- closing


def test_a_waiting_trade_is_closed(gateway, alipay_answers):
    alipay_answers(CLOSE, {"code": "10000", "out_trade_no": NUMBER})

    assert gateway.close_payment(NUMBER) == CloseResult(outcome=Outcome.SUCCEEDED, gateway_status="TRADE_CLOSED")


def test_an_unscanned_code_cannot_be_closed(gateway, alipay_answers):
    alipay_answers(CLOSE, NO_TRADE)

    assert gateway.close_payment(NUMBER).outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize(
    ("status", "paid_at", "outcome"),
    [
        ("TRADE_SUCCESS", "2026-01-31 12:00:01", Outcome.FAILED),
        ("TRADE_CLOSED", "", Outcome.SUCCEEDED),
        ("WAIT_BUYER_PAY", "", Outcome.PENDING),
    ],
)
def test_a_refused_close_is_told_by_a_query(gateway, alipay_answers, status, paid_at, outcome):
    alipay_answers(CLOSE, no("ACQ.TRADE_STATUS_ERROR"))
    alipay_answers(QUERY, PAID | {"trade_status": status, "send_pay_date": paid_at})

    assert gateway.close_payment(NUMBER).outcome is outcome


# --- refunding


def test_a_refund_is_made_when_money_moved(gateway, server, alipay_answers):
    alipay_answers(REFUNDING, REFUNDED)

    state = gateway.refund(REFUND_REQUEST)

    assert sent(server)[1] == {
        "out_trade_no": NUMBER, "out_request_no": REFUND, "refund_amount": "10.00", "refund_reason": "返回",
    }  # fmt: skip
    assert (state.outcome, state.number, state.amount_fen) == (Outcome.SUCCEEDED, REFUND, 1000)
    assert state.refunded_at == datetime.datetime(2026, 1, 31, 13, tzinfo=SHANGHAI)


@pytest.mark.parametrize("change", [{"fund_change": "N"}, {"fund_change": ""}])
def test_a_success_without_moved_money_is_unknown(gateway, alipay_answers, change):
    alipay_answers(REFUNDING, REFUNDED | change)

    assert gateway.refund(REFUND_REQUEST).outcome is Outcome.UNKNOWN


def test_a_no_is_believed_when_the_book_agrees(gateway, alipay_answers):
    alipay_answers(REFUNDING, no("ACQ.REASON_TRADE_REFUND_FEE_ERR"))
    alipay_answers(REFUND_QUERY, NO_REFUND)

    with pytest.raises(GatewayRefused) as refused:
        gateway.refund(REFUND_REQUEST)

    assert (refused.value.code, refused.value.permanent) == ("ACQ.REASON_TRADE_REFUND_FEE_ERR", True)


def test_a_no_to_a_refund_that_was_made_before_is_a_yes(gateway, alipay_answers):
    alipay_answers(REFUNDING, no("ACQ.TRADE_HAS_CLOSE"))
    alipay_answers(REFUND_QUERY, REFUND_FOUND)

    assert gateway.refund(REFUND_REQUEST).outcome is Outcome.SUCCEEDED


def test_a_no_is_unknown_while_the_book_cannot_be_read(gateway, server, alipay_answers):
    alipay_answers(REFUNDING, no("ACQ.TRADE_HAS_CLOSE"))
    server.then(scripted.body(b"", status=500))

    with pytest.raises(GatewayUnavailable):
        gateway.refund(REFUND_REQUEST)


def test_a_seller_without_money_is_a_no_for_now(gateway, server, alipay_answers):
    alipay_answers(REFUNDING, no("ACQ.SELLER_BALANCE_NOT_ENOUGH"))

    with pytest.raises(GatewayRefused) as refused:
        gateway.refund(REFUND_REQUEST)

    assert not refused.value.permanent


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (REFUND_FOUND, Outcome.SUCCEEDED),
        (REFUND_FOUND | {"refund_status": "REFUND_PROCESSING"}, Outcome.PENDING),
        (REFUND_FOUND | {"refund_status": ""}, Outcome.UNKNOWN),
        (REFUND_FOUND | {"refund_status": "REFUND_FAIL"}, Outcome.UNKNOWN),
        (NO_REFUND, Outcome.NOT_FOUND),
        (NO_TRADE, Outcome.NOT_FOUND),
    ],
)
def test_a_refund_query_is_not_a_refund(gateway, server, alipay_answers, answer, outcome):
    alipay_answers(REFUND_QUERY, answer)

    state = gateway.query_refund(REFUND, charge_number=NUMBER)

    assert state.outcome is outcome
    assert sent(server)[1] == {
        "out_trade_no": NUMBER, "out_request_no": REFUND, "query_options": ["gmt_refund_pay"],
    }  # fmt: skip
    if outcome is Outcome.SUCCEEDED:
        assert (state.amount_fen, state.refunded_at.hour) == (1000, 13)


def test_the_genuine_answer_about_another_refund_is_no_outcome(gateway, alipay_answers):
    alipay_answers(REFUND_QUERY, REFUND_FOUND | {"out_request_no": "another"})

    with pytest.raises(GatewayUnavailable, match="another refund"):
        gateway.query_refund(REFUND, charge_number=NUMBER)
