"""
What every gateway does alike. A gateway's own tests subclass `GatewayConformance` and give it a `stage`: the gateway
and the hands of the payer on its other side. Real gateways differ within these claims, never outside them.
"""

import abc
import dataclasses
import datetime
import uuid
from typing import Any

import pytest

from payments.gateways.base import (
    Acknowledgement,
    GatewayRefused,
    Mode,
    Notification,
    NotificationKind,
    NotificationRejected,
    Outcome,
    PaymentRequest,
    RawNotification,
    RefundRequest,
)
from payments.gateways.registry import Adapter

NOT_PAID_YET = {Outcome.PENDING, Outcome.NOT_FOUND}  # NOT_FOUND: a QR code that nobody has scanned


class Stage(abc.ABC):
    """One gateway and what happens beyond it."""

    gateway: Adapter
    modes: tuple[Mode, ...]
    fee_per_mille = 0
    notify_url = "http://127.0.0.1:9/notify"

    @abc.abstractmethod
    def scan(self, number: str) -> None:
        """The payer looks at the payment and does not pay yet."""

    @abc.abstractmethod
    def pay(self, number: str) -> None: ...

    @abc.abstractmethod
    def refund_at_console(self, number: str, *, amount_fen: int) -> str:
        """The merchant's staff give back at the gateway itself; the number of the refund, which it made."""

    @abc.abstractmethod
    def spoil_bill(self, **counts: int) -> list[dict[str, Any]]:
        """
        Let today's bill differ in so many rows: `missing`, `extra`, `amount`, `status`, `fee`. What was done, each
        with `kind`, `number`, `refund_number` and what the bill `shows`.
        """

    @abc.abstractmethod
    def notification(self, number: str, *, refund_number: str = "") -> RawNotification:
        """The last notice about a payment, or about one refund of it, as delivered."""

    def fee_fen(self, amount_fen: int) -> int:
        return (amount_fen * self.fee_per_mille + 500) // 1000

    def changed(self, body: bytes, *, number: str) -> bytes:
        """A notice that tells of another number, and is still one in form."""
        return body.replace(number.encode(), b"another")

    @abc.abstractmethod
    def strangers_notification(self, number: str) -> RawNotification:
        """The same notice for a merchant who is not ours, and genuine."""


class GatewayConformance:
    @pytest.fixture
    def gateway(self, stage):
        return stage.gateway

    @pytest.fixture
    def start(self, stage):
        def start(**change):
            request = payment_request(**{"notify_url": stage.notify_url, **change})
            stage.gateway.create_payment(request)
            return request

        return start

    @pytest.fixture
    def paid(self, stage, start):
        request = start(amount_fen=201272)
        stage.pay(request.number)
        return request

    # --- paying

    def test_every_mode_leads_the_payer_somewhere(self, stage):
        for mode in stage.modes:
            payload = stage.gateway.create_payment(payment_request(mode=mode)).payload

            assert payload, mode
            assert all(isinstance(text, str) for text in payload.values()), mode
            assert {name for name, text in payload.items() if not text} <= {"package"}, mode  # APIv3 has none for QR

    def test_a_payment_is_unpaid_until_it_is_paid(self, stage, start):
        request = start()
        assert stage.gateway.query_payment(request.number).outcome in NOT_PAID_YET

        stage.scan(request.number)
        assert stage.gateway.query_payment(request.number).outcome is Outcome.PENDING

        stage.pay(request.number)
        assert stage.gateway.query_payment(request.number).outcome is Outcome.SUCCEEDED

    def test_a_paid_payment_tells_number_amount_and_time(self, gateway, paid):
        state = gateway.query_payment(paid.number)

        assert (state.outcome, state.number, state.amount_fen) == (Outcome.SUCCEEDED, paid.number, 201272)
        assert abs(state.paid_at - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=2)
        assert state.trade_no

    def test_a_number_nobody_used_is_not_found(self, gateway):
        assert gateway.query_payment(new_number()).outcome is Outcome.NOT_FOUND
        assert gateway.close_payment(new_number()).outcome is Outcome.NOT_FOUND

    def test_creating_again_under_one_number_is_one_payment(self, stage, start):
        request = start()

        stage.gateway.create_payment(request)
        stage.pay(request.number)

        assert stage.gateway.query_payment(request.number).amount_fen == request.amount_fen

    def test_one_number_never_means_two_amounts(self, gateway, start):
        request = start(amount_fen=100)

        with pytest.raises(GatewayRefused) as refused:
            gateway.create_payment(dataclasses.replace(request, amount_fen=200))

        assert refused.value.permanent

    def test_a_paid_number_is_not_started_again(self, gateway, paid):
        with pytest.raises(GatewayRefused):
            gateway.create_payment(paid)

        assert gateway.query_payment(paid.number).outcome is Outcome.SUCCEEDED

    @pytest.mark.parametrize(
        "change",
        [
            {"number": "with-hyphen"},
            {"number": ""},
            {"amount_fen": 0},
            {"notify_url": "/notify"},
            {"return_url": "back"},
        ],
    )
    def test_what_no_gateway_takes_is_refused_for_ever(self, gateway, change):
        with pytest.raises(GatewayRefused) as refused:
            gateway.create_payment(payment_request(**change))

        assert refused.value.permanent

    # --- closing

    def test_a_waiting_payment_can_be_closed_and_is_then_closed_for_good(self, stage, start):
        request = start()
        stage.scan(request.number)

        assert stage.gateway.close_payment(request.number).outcome is Outcome.SUCCEEDED

        assert stage.gateway.query_payment(request.number).outcome is Outcome.FAILED
        assert stage.gateway.close_payment(request.number).outcome is Outcome.SUCCEEDED

    def test_a_paid_payment_cannot_be_closed(self, gateway, paid):
        assert gateway.close_payment(paid.number).outcome is Outcome.FAILED
        assert gateway.query_payment(paid.number).outcome is Outcome.SUCCEEDED

    # --- refunding

    def test_a_refund_gives_back_what_was_asked(self, gateway, paid):
        request = refund_request(paid, amount_fen=1000)

        state = gateway.refund(request)

        assert state.outcome in {Outcome.SUCCEEDED, Outcome.PENDING}  # WeChat takes note first and pays a moment later
        assert (state.number, state.amount_fen) == (request.number, 1000)
        found = gateway.query_refund(request.number, charge_number=paid.number)
        assert (found.outcome, found.amount_fen) == (Outcome.SUCCEEDED, 1000)
        told_at = state.refunded_at or found.refunded_at  # one of the two may leave the time out
        assert abs(told_at - datetime.datetime.now(datetime.UTC)) < datetime.timedelta(minutes=2)
        assert {state.refunded_at, found.refunded_at} <= {None, told_at}

    def test_a_repeated_refund_moves_no_money_and_is_never_failed(self, gateway, paid):
        request = refund_request(paid, amount_fen=201272)
        gateway.refund(request)

        again = gateway.refund(request)

        assert again.outcome in {Outcome.SUCCEEDED, Outcome.PENDING, Outcome.UNKNOWN}
        assert gateway.query_refund(request.number, charge_number=paid.number).outcome is Outcome.SUCCEEDED
        with pytest.raises(GatewayRefused):  # nothing is left, and no more than once went back
            gateway.refund(refund_request(paid, amount_fen=1))

    def test_refunds_add_up_to_the_payment_and_not_to_a_fen_more(self, gateway, paid):
        gateway.refund(refund_request(paid, amount_fen=201271))

        too_much = refund_request(paid, amount_fen=2)
        with pytest.raises(GatewayRefused) as refused:
            gateway.refund(too_much)

        assert refused.value.permanent
        assert gateway.query_refund(too_much.number, charge_number=paid.number).outcome is Outcome.NOT_FOUND
        last = refund_request(paid, amount_fen=1)
        gateway.refund(last)
        assert gateway.query_refund(last.number, charge_number=paid.number).outcome is Outcome.SUCCEEDED

    def test_a_payment_that_was_refunded_was_still_paid(self, gateway, paid):
        gateway.refund(refund_request(paid, amount_fen=201272))

        assert gateway.query_payment(paid.number).outcome is Outcome.SUCCEEDED

    def test_an_unpaid_payment_is_not_refunded(self, stage, start):
        request = start()
        stage.scan(request.number)

        with pytest.raises(GatewayRefused):
            stage.gateway.refund(refund_request(request, amount_fen=1))

    def test_a_refund_made_at_the_console_is_found_and_notified(self, stage, paid):
        number = stage.refund_at_console(paid.number, amount_fen=1000)

        found = stage.gateway.query_refund(number, charge_number=paid.number)
        assert (found.outcome, found.number, found.amount_fen) == (Outcome.SUCCEEDED, number, 1000)
        told = stage.gateway.parse_notification(stage.notification(paid.number, refund_number=number))
        assert (told.kind, told.payment.number) == (NotificationKind.REFUND, paid.number)
        assert (told.refund.outcome, told.refund.number) == (Outcome.SUCCEEDED, number)

    def test_a_refund_made_at_the_console_leaves_less_to_refund(self, stage, paid):
        stage.refund_at_console(paid.number, amount_fen=201271)

        with pytest.raises(GatewayRefused):
            stage.gateway.refund(refund_request(paid, amount_fen=2))

        stage.gateway.refund(refund_request(paid, amount_fen=1))

    def test_a_refund_nobody_asked_for_is_not_found(self, gateway, paid):
        assert gateway.query_refund(new_number(), charge_number=paid.number).outcome is Outcome.NOT_FOUND

    # --- notifications

    def test_a_payment_is_notified(self, stage, paid):
        notification = stage.gateway.parse_notification(stage.notification(paid.number))

        assert notification.kind is NotificationKind.PAYMENT
        assert notification.payment.outcome is Outcome.SUCCEEDED
        assert (notification.payment.number, notification.payment.amount_fen) == (paid.number, 201272)
        assert notification.refund is None

    def test_a_repeated_notice_is_recognised(self, stage, paid):
        first = stage.gateway.parse_notification(stage.notification(paid.number))
        again = stage.gateway.parse_notification(stage.notification(paid.number))

        assert first.notification_id == again.notification_id

    @pytest.mark.parametrize("amount_fen", [1000, 201272])
    def test_a_refund_is_notified_as_a_refund_and_not_as_another_payment(self, stage, paid, amount_fen):
        payment_notice = stage.gateway.parse_notification(stage.notification(paid.number))
        request = refund_request(paid, amount_fen=amount_fen)
        stage.gateway.refund(request)

        notification: Notification = stage.gateway.parse_notification(
            stage.notification(paid.number, refund_number=request.number)
        )

        assert notification.kind is NotificationKind.REFUND
        assert (notification.refund.outcome, notification.refund.number) == (Outcome.SUCCEEDED, request.number)
        assert notification.payment.outcome is Outcome.SUCCEEDED
        assert notification.notification_id != payment_notice.notification_id

    def test_a_changed_notice_is_rejected(self, stage, paid):
        genuine = stage.notification(paid.number)
        changed = dataclasses.replace(genuine, body=stage.changed(genuine.body, number=paid.number))
        assert changed.body != genuine.body

        with pytest.raises(NotificationRejected) as rejected:
            stage.gateway.parse_notification(changed)

        assert rejected.value.reason == "bad_signature"

    def test_another_merchants_notice_is_rejected(self, stage, paid):
        with pytest.raises(NotificationRejected) as rejected:
            stage.gateway.parse_notification(stage.strangers_notification(paid.number))

        assert rejected.value.reason == "wrong_merchant"

    @pytest.mark.parametrize("body", [b"", b"\x00", b"{}", b"a=b", "中文".encode("gbk"), b"%" * 1000])
    def test_nonsense_is_rejected(self, gateway, body):
        with pytest.raises(NotificationRejected) as rejected:
            gateway.parse_notification(RawNotification(headers={}, body=body))

        assert rejected.value.reason in NotificationRejected.REASONS

    def test_yes_and_no_are_acknowledged_differently(self, gateway):
        yes, no = (gateway.acknowledgement(answer) for answer in Acknowledgement)

        assert yes.status == 200
        assert yes.body != no.body


def new_number() -> str:
    return f"t{uuid.uuid4().hex[:24]}_1"


def payment_request(**change) -> PaymentRequest:
    expires_at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=30)
    defaults = {
        "number": new_number(),
        "mode": Mode.QR,
        "amount_fen": 100,
        "subject": "一个订单 + 1",
        "expires_at": expires_at,
        "notify_url": "http://127.0.0.1:9/notify",
        "return_url": "http://127.0.0.1:9/back",
        "payer_id": "openid-of-the-payer",
        "payer_address": "203.0.113.7",
    }
    return PaymentRequest(**{**defaults, **change})


def refund_request(payment: PaymentRequest, *, amount_fen: int) -> RefundRequest:
    return RefundRequest(
        number=new_number(),
        charge_number=payment.number,
        amount_fen=amount_fen,
        total_fen=payment.amount_fen,
        reason="退货",
        notify_url=payment.notify_url,
    )
