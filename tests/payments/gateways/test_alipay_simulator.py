"""
The Alipay adapter against the simulator, a process of its own that shares no code with it: first what every gateway
does, in key mode and in certificate mode, then everything the fault menu has to offer.
"""

import dataclasses
import time
import urllib.parse

import httpx
import pytest

from payments.gateways.alipay.client import AlipayClient
from payments.gateways.alipay.gateway import AlipayAccount, AlipayGateway
from payments.gateways.base import (
    GatewayRefused,
    GatewayUnavailable,
    Mode,
    NotificationKind,
    NotificationRejected,
    Outcome,
    RawNotification,
)
from payments.gateways.http import Limits
from tests.payments.gateways.bill_conformance import BillConformance
from tests.payments.gateways.conformance import (
    NOT_PAID_YET,
    GatewayConformance,
    new_number,
    payment_request,
    refund_request,
)
from tests.payments.gateways.simulated import SimulatedStage, receiver
from tests.simulator_process import simulator, simulator_process

__all__ = ["receiver", "simulator", "simulator_process"]


class AlipayStage(SimulatedStage):
    modes = (Mode.QR, Mode.PAGE, Mode.WAP, Mode.APP)

    def refund_number(self, facts):
        return facts.get("out_biz_no", "")

    def __init__(self, simulator, receiver, *, mode):
        super().__init__(simulator, receiver)
        self.merchant = merchant = simulator.register_merchant(mode=mode)
        in_mode = {
            "key": {"alipay_public_key": merchant.alipay_public_key},
            "certificate": {
                "app_cert": merchant.app_certificate,
                "alipay_cert": merchant.alipay_certificate,
                "root_cert": merchant.alipay_root_certificate,
            },
        }
        self.account = AlipayAccount(
            app_id=merchant.app_id,
            seller_id=merchant.seller_id,
            private_key=merchant.app_private_key,
            base_url=merchant.gateway_url,
            **in_mode[mode],
        )
        self.gateway = AlipayGateway(self.account)
        hasty = AlipayClient(base_url=merchant.gateway_url, limits=Limits(total_seconds=2, connect_seconds=2))
        self.hasty = AlipayGateway(self.account, client=hasty)  # for answers that never come


class TestAlipayInKeyMode(GatewayConformance, BillConformance):
    @pytest.fixture
    def stage(self, simulator, receiver):
        return AlipayStage(simulator, receiver, mode="key")


class TestAlipayInCertificateMode(GatewayConformance, BillConformance):
    @pytest.fixture
    def stage(self, simulator, receiver):
        return AlipayStage(simulator, receiver, mode="certificate")


# --- what only Alipay does


@pytest.fixture
def stage(simulator, receiver):
    return AlipayStage(simulator, receiver, mode="key")


@pytest.fixture
def gateway(stage):
    return stage.gateway


@pytest.fixture
def request_(receiver):
    return payment_request(notify_url=receiver.url, amount_fen=201272, mode=Mode.QR)


@pytest.fixture
def waiting(stage, request_):
    stage.gateway.create_payment(request_)
    stage.scan(request_.number)
    return request_


@pytest.fixture
def paid(stage, waiting):
    stage.pay(waiting.number)
    return waiting


@pytest.mark.parametrize("mode", [Mode.PAGE, Mode.WAP])
def test_the_link_leads_the_payer_to_the_cashier(gateway, simulator, request_, mode):
    request = dataclasses.replace(request_, mode=mode)
    url = gateway.create_payment(request).payload["url"]
    assert gateway.query_payment(request.number).outcome is Outcome.NOT_FOUND

    page = httpx.get(url, follow_redirects=True, trust_env=False)

    assert page.status_code == 200
    assert "2012.72" in page.text
    simulator.pay(request.number)
    assert gateway.query_payment(request.number).amount_fen == 201272


def test_the_order_string_is_paid_in_the_app_byte_for_byte(gateway, simulator, request_):
    request = dataclasses.replace(request_, mode=Mode.APP)
    order_string = gateway.create_payment(request).payload["order_string"]

    refused = simulator.use_app(order_string.replace("2012.72", "0.01"))
    assert refused["resultStatus"] == "4000"
    assert gateway.query_payment(request.number).outcome in NOT_PAID_YET

    assert simulator.use_app(order_string)["resultStatus"] == "9000"
    assert gateway.query_payment(request.number).outcome is Outcome.SUCCEEDED


def test_an_unscanned_code_cannot_be_closed_and_can_still_be_paid(gateway, simulator, request_):
    gateway.create_payment(request_)

    assert gateway.close_payment(request_.number).outcome is Outcome.NOT_FOUND
    simulator.pay(request_.number)
    assert gateway.query_payment(request_.number).outcome is Outcome.SUCCEEDED


def test_a_finished_trade_stays_paid_and_is_not_refunded(gateway, simulator, paid):
    simulator.finish(paid.number)

    assert gateway.query_payment(paid.number).outcome is Outcome.SUCCEEDED
    with pytest.raises(GatewayRefused, match="TRADE_HAS_FINISHED") as refused:
        gateway.refund(refund_request(paid, amount_fen=1))
    assert refused.value.permanent


def test_a_refund_number_never_means_two_amounts(gateway, paid):
    request = refund_request(paid, amount_fen=100)
    gateway.refund(request)

    # Alipay's no is a no to the second amount; what the number stands for is the refund that was made.
    state = gateway.refund(dataclasses.replace(request, amount_fen=200))

    assert (state.outcome, state.amount_fen) == (Outcome.SUCCEEDED, 100)


def test_a_closed_trade_is_notified_as_closed(stage, receiver, request_):
    request = dataclasses.replace(request_, mode=Mode.WAP)
    httpx.get(stage.gateway.create_payment(request).payload["url"], follow_redirects=True, trust_env=False)
    stage.gateway.close_payment(request.number)

    notification = stage.gateway.parse_notification(stage.notification(request.number))

    assert (notification.kind, notification.payment.outcome) == (NotificationKind.CLOSED, Outcome.FAILED)


# --- the fault menu: calls


@pytest.mark.parametrize("fault", ["http_500", "garbage", "unsigned_success", "bad_signature", "system_error_but_done"])
@pytest.mark.parametrize("verb", ["create", "query", "close", "refund", "query_refund"])
def test_a_faulty_answer_is_unknown_and_the_next_one_tells_the_truth(stage, simulator, paid, fault, verb):
    refund, other = refund_request(paid, amount_fen=100), payment_request(notify_url=stage.notify_url)
    stage.gateway.create_payment(other)
    stage.scan(other.number)
    calls = {
        "create": lambda: stage.gateway.create_payment(other),
        "query": lambda: stage.gateway.query_payment(paid.number),
        "close": lambda: stage.gateway.close_payment(other.number),
        "refund": lambda: stage.gateway.refund(refund),
        "query_refund": lambda: stage.gateway.query_refund(refund.number, charge_number=paid.number),
    }
    simulator.arm(fault)

    with pytest.raises(GatewayUnavailable):
        calls[verb]()

    done = {"garbage", "bad_signature", "system_error_but_done"}
    assert stage.gateway.query_payment(paid.number).outcome is Outcome.SUCCEEDED
    found = stage.gateway.query_refund(refund.number, charge_number=paid.number).outcome
    assert found is (Outcome.SUCCEEDED if verb == "refund" and fault in done else Outcome.NOT_FOUND)
    closed = stage.gateway.query_payment(other.number).outcome
    assert closed is (Outcome.FAILED if verb == "close" and fault in done else Outcome.PENDING)


@pytest.mark.parametrize(
    ("fault", "found"), [("timeout_before", Outcome.NOT_FOUND), ("timeout_after", Outcome.SUCCEEDED)]
)
def test_a_lost_answer_is_settled_by_asking_and_the_refund_is_made_once(stage, simulator, paid, fault, found):
    request = refund_request(paid, amount_fen=100)
    simulator.arm(fault)
    started = time.monotonic()

    with pytest.raises(GatewayUnavailable):
        stage.hasty.refund(request)

    assert time.monotonic() - started < 10, "two seconds, and as much again as a busy machine may take"
    assert stage.gateway.query_refund(request.number, charge_number=paid.number).outcome is found
    stage.gateway.refund(request)
    assert simulator.trade(paid.number)["refunded_fen"] == 100


def test_a_late_answer_within_the_time_is_an_answer(gateway, simulator, paid):
    simulator.arm("slow", delay_ms=300)

    assert gateway.query_payment(paid.number).outcome is Outcome.SUCCEEDED


def test_a_close_that_alipay_will_not_do_now_leaves_the_payment_waiting(gateway, simulator, waiting):
    simulator.arm("close_refused")

    assert gateway.close_payment(waiting.number).outcome is Outcome.PENDING
    assert gateway.close_payment(waiting.number).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("fault", "found"), [("fund_change_n", Outcome.SUCCEEDED), ("refund_not_done", Outcome.NOT_FOUND)]
)
def test_a_refund_that_is_not_confirmed_is_unknown_until_asked(gateway, simulator, paid, fault, found):
    request = refund_request(paid, amount_fen=100)
    simulator.arm(fault)

    assert gateway.refund(request).outcome is Outcome.UNKNOWN
    assert gateway.query_refund(request.number, charge_number=paid.number).outcome is found


def test_after_a_key_switch_nothing_is_believed_until_the_new_key_is_known(stage, simulator, waiting):
    simulator.arm("key_switch")

    with pytest.raises(GatewayUnavailable, match="wrong signature"):
        stage.gateway.query_payment(waiting.number)

    new_key = next(row for row in simulator.merchants() if row["app_id"] == stage.account.app_id)["alipay_public_key"]
    knowing = AlipayGateway(dataclasses.replace(stage.account, alipay_public_key=new_key))
    assert knowing.query_payment(waiting.number).outcome is Outcome.PENDING


def test_after_a_key_switch_a_second_certificate_in_the_file_is_enough(simulator, receiver):
    stage = AlipayStage(simulator, receiver, mode="certificate")
    number = new_number()
    simulator.arm("key_switch")
    with pytest.raises(GatewayUnavailable):
        stage.gateway.query_payment(number)

    row = next(row for row in simulator.merchants() if row["app_id"] == stage.account.app_id)
    both = stage.account.alipay_cert + "\n" + row["alipay_certificate"]
    knowing = AlipayGateway(dataclasses.replace(stage.account, alipay_cert=both))

    assert knowing.query_payment(number).outcome is Outcome.NOT_FOUND


# --- the fault menu: notices


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("forged", "bad_signature"),
        ("tampered", "bad_signature"),
        ("wrong_merchant", "wrong_merchant"),
        ("wrong_app_id", "wrong_merchant"),
        ("wrong_seller_id", "wrong_merchant"),
        ("key_switch", "bad_signature"),
    ],
)
def test_a_false_notice_is_rejected(stage, simulator, paid, fault, reason):
    stage.notification(paid.number)
    simulator.arm(fault, match=paid.number)

    with pytest.raises(NotificationRejected) as rejected:
        stage.gateway.parse_notification(stage.notification(paid.number))

    assert rejected.value.reason == reason


def test_a_genuine_notice_of_a_wrong_amount_tells_that_amount(stage, simulator, paid):
    stage.notification(paid.number)
    simulator.arm("wrong_amount", match=paid.number)

    payment = stage.gateway.parse_notification(stage.notification(paid.number)).payment

    assert (payment.outcome, payment.amount_fen) == (Outcome.SUCCEEDED, 201273)


def test_a_notice_survives_no_second_decoding(stage, paid):
    raw = stage.notification(paid.number)
    decoded_twice = urllib.parse.unquote_plus(raw.body.decode()).encode()

    with pytest.raises(NotificationRejected):
        stage.gateway.parse_notification(RawNotification(headers={}, body=decoded_twice))
