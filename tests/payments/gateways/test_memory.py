import contextlib
import dataclasses
import datetime
import threading
import time

import pytest

from payments.gateways import bills, memory
from payments.gateways.base import (
    BillEntryKind,
    BillNotReady,
    BillUnusable,
    GatewayRefused,
    GatewayUnavailable,
    Mode,
    NotificationRejected,
    Outcome,
    RawNotification,
)
from payments.gateways.memory import Fault, MemoryGateway
from tests.payments.gateways.bill_conformance import BillConformance, today
from tests.payments.gateways.conformance import GatewayConformance, Stage, payment_request, refund_request

SPOILT = {"amount": {"amount_fen": 1}, "status": {"kind": BillEntryKind.REFUND}, "fee": {"fee_fen": 5}}


class MemoryStage(Stage):
    modes = tuple(Mode)

    def __init__(self):
        self.gateway = MemoryGateway(merchant_id="shop")
        self._book = memory.book("shop")

    def scan(self, number):
        self._book.scan(number)

    def pay(self, number):
        self._book.pay(number)

    def refund_at_console(self, number, *, amount_fen):
        self._book.refund_at_console(number, amount_fen)
        return "console-1"

    def spoil_bill(self, **counts):
        entries = list(self._book.bill(today()).entries)
        done = []

        def tell(kind, entry, shows):
            done.append({"kind": kind, "number": entry.number, "refund_number": entry.refund_number, "shows": shows})
            return dataclasses.replace(entry, **shows)

        for kind, shows in SPOILT.items():
            for _ in range(counts[kind]):
                entries.append(tell(kind, entries.pop(0), shows))
        for extra in range(counts["extra"]):
            row = dataclasses.replace(entries[0], number=f"extra_{extra}")
            entries.append(tell("extra", row, {"amount_fen": 77, "fee_fen": 0}))
        for _ in range(counts["missing"]):
            tell("missing", entries.pop(0), {})
        self._book.bill_changes.append(lambda _: entries)
        return done

    def notification(self, number, *, refund_number=""):
        return self._book.notification(number, refund_number=refund_number)

    def strangers_notification(self, number):
        return self._book.notification(number, merchant_id="another shop")


class TestMemory(GatewayConformance, BillConformance):
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


# --- bills and the console


def test_a_refund_at_the_console_is_no_more_than_what_is_left(gateway, book, paid):
    book.refund_at_console(paid.number, 600)

    with pytest.raises(ValueError, match="400 fen left"):
        book.refund_at_console(paid.number, 401, refund_number="console-2")

    assert list(book.refunds) == ["console-1"]
    with pytest.raises(GatewayRefused, match="REFUND_EXCEEDS_PAYMENT"):
        gateway.refund(refund_request(paid, amount_fen=401))


@pytest.mark.parametrize(("amount_fen", "fee_fen"), [(1_000, 6), (1_083, 6), (1_084, 7), (83, 0), (84, 1)])
def test_a_fee_is_rounded_half_up_and_given_back_with_a_refund(gateway, book, amount_fen, fee_fen):
    book.fee_per_mille = 6
    request = payment_request(amount_fen=amount_fen)
    gateway.create_payment(request)
    book.pay(request.number)
    book.refund_at_console(request.number, amount_fen)

    assert [entry.fee_fen for entry in gateway.download_bill(today()).entries] == [fee_fen, -fee_fen]


def test_a_bill_is_of_a_day_of_shanghais_clock(gateway, book, paid):
    midnight = datetime.datetime.combine(today(), datetime.time(), bills.SHANGHAI)
    book.payments[paid.number].paid_at = (midnight - datetime.timedelta(microseconds=1)).astimezone(datetime.UTC)
    book.refund_at_console(paid.number, 1)
    book.refunds["console-1"].settled_at = midnight.astimezone(datetime.UTC)

    yesterday = gateway.download_bill(today() - datetime.timedelta(days=1))

    assert [entry.kind for entry in yesterday.entries] == [BillEntryKind.PAYMENT]
    assert [entry.kind for entry in gateway.download_bill(today()).entries] == [BillEntryKind.REFUND]


@pytest.mark.parametrize("trouble", [BillNotReady(), BillUnusable("hash")])
def test_a_book_in_trouble_has_no_bill(gateway, book, paid, trouble):
    book.bill_trouble = trouble

    with pytest.raises(type(trouble)):
        gateway.download_bill(today())

    book.bill_trouble = None
    assert len(gateway.download_bill(today()).entries) == 1


def test_a_bill_may_be_lost_on_the_way(gateway, book, paid):
    book.script(Fault.LOST_REQUEST, Fault.LOST_RESPONSE, verb="download_bill")

    for _ in range(2):
        with pytest.raises(GatewayUnavailable):
            gateway.download_bill(today())

    assert gateway.download_bill(today()).entries
