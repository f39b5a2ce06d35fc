"""Bills that are late, broken or refused: nothing is compared, what there was is kept, and they are tried for again."""

import dataclasses
import datetime

import pytest
import structlog

from payments.gateways.base import Bill, BillNotReady, BillUnusable, GatewayRefused, GatewayUnavailable
from payments.models import BillLine, Difference, GatewayBill
from payments.reconciliation import bills
from payments.reconciliation import operations as reconciliation
from payments.transactions import transaction
from tests.payments.reconciliation.statements import DAY, MORNING, NEXT, book, payment, refund

pytestmark = pytest.mark.django_db

HALF_AN_HOUR = datetime.timedelta(minutes=30)
LATER = MORNING + datetime.timedelta(hours=1)


def reconcile(account, *, at=MORNING, again=False):
    return reconciliation.reconcile(account_id=account.pk, day=DAY, at=at, again=again)


@pytest.mark.parametrize("reason", BillUnusable.REASONS)
def test_a_bill_that_cannot_be_believed_is_noted_and_told_and_nothing_is_compared(account, order, statements, reason):
    book(order, account, 1)
    statements.fail(BillUnusable(reason, "so it is"))

    with structlog.testing.capture_logs() as logged:
        bill = reconcile(account)

    assert (bill.status, bill.reason, bill.attempts) == ("unusable", f"{reason}: so it is", 1)
    assert bill.next_try_at == MORNING + HALF_AN_HOUR
    assert [(line["event"], line["log_level"]) for line in logged] == [("bill_unusable", "error")]
    assert not BillLine.objects.exists()
    assert not Difference.objects.exists()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BillNotReady("made at ten"), "not_ready"),
        (GatewayUnavailable("made at ten"), "due"),
        (GatewayRefused("made at ten"), "due"),
    ],
    ids=str,
)
def test_a_bill_that_is_not_there_is_tried_for_again(account, order, statements, error, status):
    book(order, account, 1)
    statements.fail(error)

    bill = reconcile(account)

    assert (bill.status, bill.reason, bill.sha256) == (status, "made at ten", "")
    assert bill.next_try_at == MORNING + HALF_AN_HOUR
    assert not Difference.objects.exists()


def test_it_is_compared_once_it_comes(account, order, statements):
    book(order, account, 1)
    statements.fail(BillUnusable("truncated"))
    reconcile(account)
    statements.put(payment("C0001"))

    reconciliation.reconcile_due(at=MORNING + datetime.timedelta(minutes=29))
    assert GatewayBill.objects.get(day=DAY).status == "unusable"
    reconciliation.reconcile_due(at=MORNING + HALF_AN_HOUR)

    bill = GatewayBill.objects.get(day=DAY)
    assert (bill.status, bill.reason, bill.attempts) == ("matched", "", 0)


def test_it_is_tried_for_ever_more_rarely(account, statements):
    at, waits = MORNING, []
    for _attempt in range(7):
        bill = bills.fetch(account_id=account.pk, day=DAY, at=at)
        waits.append((bill.next_try_at - at).total_seconds() // 60)
        at = bill.next_try_at

    assert waits == [30, 30, 60, 120, 240, 240, 240]


def test_what_was_had_before_survives_a_bad_second_fetch(account, order, statements):
    book(order, account, 1)
    statements.put(payment("C0001", amount_fen=1))
    reconcile(account)
    statements.fail(BillUnusable("hash"))

    bill = reconcile(account, at=LATER, again=True)

    assert (bill.status, bill.reason) == ("matched", "hash")
    assert bill.lines.count() == 1
    assert Difference.objects.get().status == "open"


def test_a_bill_of_another_day_is_unusable(account, order, statements):
    statements.put(payment("C0001"))
    statements.answers[DAY] = dataclasses.replace(statements.answers[DAY], day=NEXT)

    bill = reconcile(account)

    assert (bill.status, bill.reason) == ("unusable", "wrong_day: 2018-06-16")


@pytest.mark.parametrize(
    "entry",
    [
        payment("C" * 65),
        payment("C\x00"),
        payment("C1", trade_no="t" * 65),
        payment("C1", amount_fen=0),
        refund("C1", "R" * 65),
    ],
    ids=repr,
)
def test_a_line_that_no_row_can_hold_makes_the_bill_unusable(account, statements, entry):
    statements.put(payment("C0001"), entry)

    bill = reconcile(account)

    assert bill.status == "unusable"
    assert bill.reason.startswith("malformed: ")
    assert not BillLine.objects.exists()


def test_a_line_that_stands_twice_is_kept_twice(account, order, statements):
    book(order, account, 1)
    statements.put(payment("C0001"), payment("C0001"))

    bill = reconcile(account)

    assert list(bill.lines.order_by("pk").values_list("occurrence", "is_matched")) == [(1, True), (2, False)]
    assert bill.payments_fen == 20_000


def test_the_same_file_again_is_not_written_again(account, statements):
    statements.put(payment("C0001"), refund("C0001", "R1", fee_fen=-1))
    reconcile(account)
    before = list(BillLine.objects.values())

    bill = bills.fetch(account_id=account.pk, day=DAY, at=LATER)

    assert list(BillLine.objects.values()) == before
    assert (bill.refunds, bill.refunds_fen, bill.fees_fen) == (1, 1_000, -1)


def test_no_gateway_is_asked_inside_a_transaction(account, statements):
    with pytest.raises(RuntimeError, match="must not run inside a transaction"), transaction():
        bills.fetch(account_id=account.pk, day=DAY, at=MORNING)

    assert statements.asked == []


def test_no_bill_of_a_day_on_which_we_were_paid_is_a_late_one(account, order, statements):
    book(order, account, 1)
    statements.answers[DAY] = Bill(day=DAY, entries=(), sha256=bills.NO_BILL)

    early = reconcile(account)
    late = reconcile(account, at=MORNING + bills.LATE_FOR)

    assert (early.status, early.reason) == ("not_ready", "empty, though we were paid that day")
    assert late.status == "matched"
    assert Difference.objects.get().kind == "theirs_missing"


def test_a_payment_that_the_bill_shows_as_taken_back_is_one_difference_of_that_payment(account, order, statements):
    (charge,) = book(order, account, 1)
    statements.put(refund(charge.number, "", amount_fen=10_000, trade_no=charge.gateway_trade_no))

    reconcile(account)

    told = Difference.objects.values_list("kind", "entry", "number", "remedy", "detail")
    assert list(told) == [("status", "payment", charge.number, "check_by_hand", "taken back, says the bill")]
