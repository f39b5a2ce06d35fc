import contextlib
import dataclasses
import datetime
import threading
import time

import pytest

from payments.gateways import memory
from payments.gateways.base import (
    GatewayRefused,
    GatewayUnavailable,
    Mode,
    NotificationRejected,
    Outcome,
    RawNotification,
)
from payments.gateways.memory import Fault, MemoryGateway
from tests.payments.gateways.conformance import GatewayConformance, Stage, payment_request, refund_request


class MemoryStage(Stage):
    modes = tuple(Mode)

    def __init__(self):
        self.gateway = MemoryGateway(merchant_id="shop")
        self._book = memory.book("shop")

    def scan(self, number):
        self._book.scan(number)

    def pay(self, number):
        self._book.pay(number)

    def notification(self, number, *, refund_number=""):
        return self._book.notification(number, refund_number=refund_number)

    def strangers_notification(self, number):
        return self._book.notification(number, merchant_id="another shop")


class TestMemory(GatewayConformance):
    @pytest.fixture
    def stage(self):
        return MemoryStage()


@pytest.fixture
def gateway():
    return MemoryGateway(merchant_id="shop")


@pytest.fixture
def book(gateway):
    return gateway.book


@pytest.fixture
def paid(gateway, book):
    request = payment_request(amount_fen=1000)
    gateway.create_payment(request)
    book.pay(request.number)
    book.calls.clear()
    return request


def test_all_gateways_of_a_merchant_share_one_book(book, paid):
    assert MemoryGateway(merchant_id="shop").query_payment(paid.number).outcome is Outcome.SUCCEEDED
    assert MemoryGateway(merchant_id="another").query_payment(paid.number).outcome is Outcome.NOT_FOUND


def test_a_lost_request_did_nothing_and_a_lost_response_did_all(gateway, book, paid):
    lost, done = refund_request(paid, amount_fen=100), refund_request(paid, amount_fen=200)
    book.script(Fault.LOST_REQUEST, Fault.LOST_RESPONSE)

    for request in (lost, done):
        with pytest.raises(GatewayUnavailable):
            gateway.refund(request)

    assert list(book.refunds) == [done.number]
    assert gateway.query_refund(lost.number, charge_number=paid.number).outcome is Outcome.NOT_FOUND
    assert gateway.query_refund(done.number, charge_number=paid.number).outcome is Outcome.SUCCEEDED


def test_an_unclear_answer_hides_what_was_done(gateway, book, paid):
    request = refund_request(paid, amount_fen=100)
    book.script(Fault.UNCLEAR)

    assert gateway.refund(request).outcome is Outcome.UNKNOWN
    assert gateway.query_refund(request.number, charge_number=paid.number).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(("fault", "permanent"), [(Fault.REFUSED, True), (Fault.REFUSED_FOR_NOW, False)])
def test_a_refusal_did_nothing(gateway, book, fault, permanent):
    book.script(fault)

    with pytest.raises(GatewayRefused) as refused:
        gateway.create_payment(payment_request())

    assert (refused.value.permanent, book.payments) == (permanent, {})


def test_a_script_may_wait_for_one_verb(gateway, book, paid):
    book.script(Fault.LOST_REQUEST, verb="refund")

    assert gateway.query_payment(paid.number).outcome is Outcome.SUCCEEDED
    with pytest.raises(GatewayUnavailable):
        gateway.refund(refund_request(paid, amount_fen=100))


def test_something_may_happen_just_before_a_call_is_carried_out(gateway, book):
    request = payment_request(mode=Mode.WAP)
    gateway.create_payment(request)
    book.script(lambda: book.pay(request.number))

    assert gateway.close_payment(request.number).outcome is Outcome.FAILED


def test_the_book_tells_which_calls_came(gateway, book, paid):
    gateway.query_payment(paid.number)
    gateway.close_payment(paid.number)

    assert list(book.calls) == [("query_payment", paid.number), ("close_payment", paid.number)]


def test_a_refund_may_take_time(gateway, book, paid):
    book.refunds_take_time = True
    request = refund_request(paid, amount_fen=100)

    assert gateway.refund(request).outcome is Outcome.PENDING
    book.settle_refund(request.number)
    assert gateway.query_refund(request.number, charge_number=paid.number).outcome is Outcome.SUCCEEDED


def test_a_refund_number_never_means_two_amounts(gateway, book, paid):
    request = refund_request(paid, amount_fen=100)
    gateway.refund(request)

    with pytest.raises(GatewayRefused, match="REFUND_NUMBER_REUSED"):
        gateway.refund(dataclasses.replace(request, amount_fen=200))

    assert book.refunded_fen(paid.number) == 100


def test_an_unscanned_code_cannot_be_closed_and_can_still_be_paid(gateway, book):
    request = payment_request(mode=Mode.QR)
    gateway.create_payment(request)

    assert gateway.close_payment(request.number).outcome is Outcome.NOT_FOUND
    book.pay(request.number)
    assert gateway.query_payment(request.number).outcome is Outcome.SUCCEEDED


def test_nobody_pays_what_has_expired_or_is_paid(gateway, book, paid):
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    with pytest.raises(GatewayRefused, match="CLOSED"):
        gateway.create_payment(payment_request(expires_at=past))

    with pytest.raises(ValueError, match="PAID"):
        book.pay(paid.number)


def test_a_notice_can_be_genuine_and_wrong(gateway, book, paid):
    notice = book.notification(paid.number, amount_fen=999)

    assert gateway.parse_notification(notice).payment.amount_fen == 999


@pytest.mark.parametrize("body", [b"[]", b"{}", b"not json", b'{"merchant_id": "shop"}'])
def test_a_signed_notice_that_cannot_be_read_is_malformed(gateway, book, body):
    with pytest.raises(NotificationRejected) as rejected:
        gateway.parse_notification(RawNotification(headers={"memory-signature": book.sign(body)}, body=body))

    assert rejected.value.reason == "malformed"


@pytest.mark.parametrize("guarded", [True, False])  # the second is the control
def test_refunds_at_once_never_exceed_the_payment(gateway, book, paid, monkeypatch, guarded):
    made = 6 if guarded else 16
    barrier, refused, refunded_fen = threading.Barrier(16), [], book.refunded_fen

    def refunded_fen_slowly(number):
        amount_fen = refunded_fen(number)
        time.sleep(0.02)
        return amount_fen

    def refund():
        request = refund_request(paid, amount_fen=150)
        barrier.wait()
        try:
            gateway.refund(request)
        except GatewayRefused as refusal:
            refused.append(refusal.code)

    monkeypatch.setattr(book, "refunded_fen", refunded_fen_slowly)
    if not guarded:
        monkeypatch.setattr(book, "lock", contextlib.nullcontext())
    threads = [threading.Thread(target=refund) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(book.refunds), refused) == (made, ["REFUND_EXCEEDS_PAYMENT"] * (16 - made))
