"""A bill against the book, in the database: found once, settled when it vanishes, never settled twice."""

import datetime
from collections import Counter

import pytest
from django.db import IntegrityError, transaction

from payments.gateways import memory
from payments.models import AuditRow, BillLine, Charge, Difference, GatewayBill
from payments.reconciliation import book as our_book
from payments.reconciliation import operations as reconciliation
from payments.reconciliation.matching import Ours
from payments.reconciliation.states import Entry, Remedy
from tests.payments.reconciliation.statements import (
    BEFORE,
    DAY,
    MORNING,
    NEXT,
    book,
    clock,
    make_charge,
    payment,
    refund,
)
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db

LATER = MORNING + datetime.timedelta(hours=1)
KEY = ("kind", "number", "refund_number")


def reconcile(account, *, day=DAY, at=MORNING, again=False):
    return reconciliation.reconcile(account_id=account.pk, day=day, at=at, again=again)


def differences(*fields, **wanted):
    return list(Difference.objects.filter(**wanted).order_by("pk").values_list(*(fields or KEY)))


def everything():
    return [list(model.objects.order_by("pk").values()) for model in (GatewayBill, BillLine, Difference)]


def test_a_day_that_agrees_leaves_no_difference(account, order, statements):
    first, second = book(order, account, 1, 2)
    statements.put(payment("C0001", fee_fen=60), payment("C0002", fee_fen=60))

    bill = reconcile(account)

    assert not Difference.objects.exists()
    assert (bill.status, bill.payments, bill.payments_fen, bill.fees_fen) == ("matched", 2, 20_000, 120)
    assert (bill.matched_at, bill.next_try_at, bill.reason) == (MORNING, None, "")
    assert list(BillLine.objects.order_by("number").values_list("charge", "is_matched")) == [
        (first.pk, True), (second.pk, True),
    ]  # fmt: skip


def test_two_hundred_differences_among_hundreds_of_rows_are_found_and_nothing_else(account, order, statements):
    account.options = {"fee_per_mille": "6"}
    account.save(update_fields=["options", "updated_at"])
    kinds = ("ours_missing", "theirs_missing", "status", "amount", "fee")
    faults = {n: kinds[n // 3 % 5] for n in range(600) if n % 3 == 0}  # 40 of each
    charges, lines = [], []
    for n in range(600):
        fault, amount_fen = faults.get(n), 1_000 + 7 * n
        fee_fen = (amount_fen * 6 + 500) // 1_000
        unbooked = {"status": "closed", "paid_fen": None, "paid_at": None, "gateway_trade_no": ""}
        if fault != "ours_missing":
            charges.append(
                make_charge(order, account, n, amount_fen=amount_fen, **(unbooked if fault == "status" else {}))
            )
        if fault != "theirs_missing":
            shown_fen = amount_fen + (1 if fault == "amount" else 0)
            fee_fen += 1 if fault == "fee" else 0
            lines.append(payment(f"C{n:04}", amount_fen=shown_fen, fee_fen=fee_fen))
    Charge.objects.bulk_create(charges)
    statements.put(*lines)

    reconcile(account)

    injected = {(kind, f"C{n:04}") for n, kind in faults.items()}
    found = differences("kind", "number")
    assert Counter(kind for kind, _number in injected) == dict.fromkeys(kinds, 40)
    assert len(found) == len(injected) == 200
    assert set(found) == injected


def test_comparing_again_changes_nothing(account, order, statements):
    book(order, account, 1, 2)
    statements.put(payment("C0001", amount_fen=1), payment("X"), refund("C0001", "by hand"))
    bill = reconcile(account)
    before = everything()

    reconciliation.match(bill_id=bill.pk, at=MORNING)
    after_a_match = everything()
    reconcile(account, again=True)

    assert len(before[2]) == 4
    for row in before[0]:
        row["next_try_at"] += datetime.timedelta(hours=23)  # nothing new was found: it is tried for daily
    assert after_a_match == before
    assert everything() == before


def test_a_bill_that_was_compared_is_not_fetched_again_unless_asked_for(account, order, statements):
    statements.put()
    reconcile(account)

    reconcile(account)
    assert statements.asked == [DAY]

    reconcile(account, again=True)
    assert statements.asked == [DAY, DAY]


def test_a_day_that_is_not_over_has_no_bill(account, statements):
    with pytest.raises(reconciliation.DayNotOver):
        reconcile(account, day=NEXT)

    assert statements.asked == []
    assert not GatewayBill.objects.exists()


def test_a_charge_of_another_merchant_is_neither_missed_nor_found(account, order, statements):
    other = make_memory_account(app_id="other")
    book(order, other, 1)
    statements.put(payment("C0001"))

    reconcile(account)

    assert differences("kind", "number", "charge") == [("ours_missing", "C0001", None)]


class TestOverMidnight:
    def test_what_we_booked_before_midnight_is_found_in_the_next_days_bill(self, account, order, statements):
        book(order, account, 1, at=clock("23:59:59"))
        statements.put()
        statements.put(payment("C0001", at=clock("00:00:01", NEXT)), day=NEXT)

        reconcile(account)
        assert differences("kind", "status", "remedy") == [("theirs_missing", "pooled", "wait_next_day")]
        next_morning = MORNING + datetime.timedelta(days=1)
        reconcile(account, day=NEXT, at=next_morning)

        (difference,) = Difference.objects.all()
        assert (difference.status, difference.settled_by, difference.settled_at) == ("settled", "system", next_morning)
        assert difference.settled_reason == "found in the bill of 2018-06-16"

    def test_what_we_booked_after_midnight_is_found_in_the_last_days_bill(self, account, order, statements):
        book(order, account, 1, at=clock("00:00:01"))
        statements.put(payment("C0001", at=clock("23:59:59", BEFORE)), day=BEFORE)
        statements.put()

        reconcile(account, day=BEFORE)
        reconcile(account)

        assert not Difference.objects.exists()

    def test_bills_that_come_in_the_wrong_order_settle_it_too(self, account, order, statements):
        book(order, account, 1, at=clock("00:00:01"))
        statements.put()
        statements.put(payment("C0001", at=clock("23:59:59", BEFORE)), day=BEFORE)

        reconcile(account)
        assert differences("kind", "status") == [("theirs_missing", "pooled")]
        reconcile(account, day=BEFORE)

        assert differences("status", "settled_reason") == [("settled", "found in the bill of 2018-06-14")]

    def test_what_no_bill_has_is_open_after_three_days(self, account, order, statements):
        book(order, account, 1, at=clock("23:59:59"))
        for n in range(5):
            statements.put(day=DAY + datetime.timedelta(days=n))
        reconcile(account)

        reconciliation.reconcile_due(at=MORNING + datetime.timedelta(days=2, hours=23))
        assert differences("status") == [("pooled",)]
        reconciliation.reconcile_due(at=MORNING + datetime.timedelta(days=3))

        assert differences("status", "remedy", "pooled_until") == [("open", "check_by_hand", None)]

    def test_what_stays_open_is_found_in_a_bill_that_comes_late(self, account, order, statements):
        book(order, account, 1)
        statements.put()
        statements.put(payment("C0001"), day=NEXT)
        reconcile(account)
        assert differences("kind", "status") == [("theirs_missing", "open")]

        reconcile(account, day=NEXT, at=MORNING + datetime.timedelta(days=1))

        assert differences("status") == [("settled",)]


class TestACorrectedBill:
    def test_differences_that_vanished_settle_themselves_and_new_ones_come(self, account, order, statements):
        book(order, account, 1, 2)
        statements.put(payment("C0001", amount_fen=1), payment("C0002"))
        reconcile(account)
        statements.put(payment("C0001"), payment("X"))

        bill = reconcile(account, at=LATER, again=True)

        assert differences("kind", "number", "status", "settled_reason") == [
            ("amount", "C0001", "settled", "gone when the bill was compared again"),
            ("theirs_missing", "C0002", "open", ""),
            ("ours_missing", "X", "open", ""),
        ]
        assert (bill.payments, bill.payments_fen, bill.fetched_at) == (2, 20_000, LATER)
        assert sorted(bill.lines.values_list("number", "is_matched")) == [("C0001", True), ("X", False)]

    def test_what_vanished_and_comes_back_is_open_again(self, account, order, statements):
        book(order, account, 1)
        for entries in ((payment("C0001", amount_fen=1),), (payment("C0001"),), (payment("C0001", amount_fen=1),)):
            statements.put(*entries)
            reconcile(account, again=True)

        assert differences("kind", "status", "settled_by", "settled_at") == [("amount", "open", "", None)]

    def test_what_a_person_settled_stays_settled_until_the_amounts_are_others(self, account, order, statements):
        book(order, account, 1)
        statements.put(payment("C0001", amount_fen=1))
        reconcile(account)
        difference = Difference.objects.get()
        reconciliation.settle(difference_id=difference.pk, actor="user:lin", reason="known", at=LATER)

        reconcile(account, again=True)
        assert differences("status", "settled_by") == [("settled", "user:lin")]

        statements.put(payment("C0001", amount_fen=2))
        reconcile(account, again=True)
        assert differences("status", "settled_by", "theirs_fen") == [("open", "", 2)]


class TestRefunds:
    """Our side of them comes through one function of `book`."""

    @pytest.fixture
    def leg(self, account, order, statements, monkeypatch):
        """Return a function that has our book tell of one refund, of a charge that is in the bill."""
        (charge,) = book(order, account, 1)
        statements.put(payment("C0001"), refund("C0001", "R1"))

        def tell(**changes):
            fields = {
                "kind": Entry.REFUND, "number": "C0001", "refund_number": "R1", "trade_no": "t-C0001", "at": clock(),
                "amount_fen": 1_000, "total_fen": 10_000, "charge_id": charge.pk,
            }  # fmt: skip
            monkeypatch.setattr(our_book, "_refunds", lambda bill: iter([Ours(**(fields | changes))]))

        return tell

    def test_one_that_both_sides_have_makes_no_difference(self, account, leg):
        leg()

        reconcile(account)

        assert not Difference.objects.exists()

    def test_one_that_we_did_not_make_was_made_at_the_console(self, account, leg):
        reconcile(account)

        assert differences("kind", "refund_number", "remedy") == [("ours_missing", "R1", "book_console_refund")]

    def test_one_on_its_way_waits_and_settles_itself(self, account, leg):
        leg(unbooked=Remedy.WAIT_NEXT_DAY, status="pending", at=None)
        reconcile(account)
        assert differences("kind", "status", "detail") == [("status", "pooled", "pending")]

        leg(at=LATER)
        reconcile(account, again=True)

        assert differences("status") == [("settled",)]

    def test_one_on_its_way_that_fails_waits_no_longer(self, account, leg):
        leg(unbooked=Remedy.WAIT_NEXT_DAY, status="pending", at=None)
        reconcile(account)

        leg(unbooked=Remedy.CHECK_BY_HAND, status="failed", at=None)
        reconcile(account, again=True)

        assert differences("status", "remedy", "detail", "pooled_until") == [("open", "check_by_hand", "failed", None)]


class TestAskingTheGateway:
    @pytest.fixture
    def lost(self, order, account):
        """A charge that we hold for closed and that the payer paid."""
        fields = {"status": "closed", "paid_fen": None, "paid_at": None, "gateway_trade_no": ""}
        (charge,) = book(order, account, 1, **fields)
        return charge

    def test_a_payment_that_we_have_not_booked_makes_the_sweep_ask(self, account, lost, statements):
        statements.put(payment("C0001"))

        reconcile(account)

        lost.refresh_from_db()
        assert lost.next_query_at == MORNING
        assert differences("kind", "remedy", "detail", "charge") == [("status", "ask_gateway", "closed", lost.pk)]
        assert ("query_payment", "C0001") not in memory.book("memory-app").calls, "the sweep asks, not we"

    def test_it_settles_itself_an_hour_after_the_answer(self, account, lost, statements):
        statements.put(payment("C0001"))
        bill = reconcile(account)
        assert bill.next_try_at == LATER
        Charge.objects.filter(pk=lost.pk).update(
            status="surplus", paid_fen=10_000, paid_at=clock(), gateway_trade_no="t-C0001"
        )  # fmt: skip

        reconciliation.reconcile_due(at=LATER)

        assert differences("status") == [("settled",)]
        assert GatewayBill.objects.get().next_try_at is None

    def test_nothing_else_is_done_without_a_person(self, account, order, statements):
        statements.put(payment("X"), refund("X", "by hand"))
        reconcile(account)

        for difference in Difference.objects.all():
            with pytest.raises(reconciliation.RemedyByHand):
                reconciliation.apply_remedy(difference_id=difference.pk, at=MORNING)


class TestSettling:
    @pytest.fixture
    def difference(self, account, statements):
        statements.put(payment("X"))
        reconcile(account)
        return Difference.objects.get()

    def settle(self, difference, reason="refunded by hand"):
        return reconciliation.settle(difference_id=difference.pk, actor="user:lin", reason=reason, at=LATER)

    def test_a_person_says_how_and_it_is_audited(self, difference):
        self.settle(difference, reason="  refunded by hand ")

        difference.refresh_from_db()
        assert (difference.status, difference.settled_by, difference.settled_at) == ("settled", "user:lin", LATER)
        assert difference.settled_reason == "refunded by hand"
        row = AuditRow.objects.get(action="difference.settle")
        assert (row.actor, row.subject) == ("user:lin", f"difference:{difference.pk}")
        assert (row.detail["number"], row.detail["reason"]) == ("X", "refunded by hand")

    @pytest.mark.parametrize("reason", ["", "  \n", "x" * 201, "\x00"])
    def test_without_a_reason_nothing_moves(self, difference, reason):
        with pytest.raises(reconciliation.ReasonMissing) as refused:
            self.settle(difference, reason=reason)

        assert refused.value.field == "reason"
        assert differences("status") == [("open",)]
        assert not AuditRow.objects.filter(action="difference.settle").exists()

    def test_it_settles_once(self, difference):
        self.settle(difference)

        with pytest.raises(reconciliation.DifferenceSettled):
            self.settle(difference, reason="another")

        assert differences("settled_reason") == [("refunded by hand",)]

    def test_one_that_is_not_there_is_unknown(self, db):
        with pytest.raises(reconciliation.DifferenceUnknown):
            reconciliation.settle(difference_id=1, actor="user:lin", reason="x", at=LATER)

    @pytest.mark.parametrize(
        "changes",
        [
            {"status": "settled"},
            {"settled_reason": "so"},
            {"status": "pooled"},
            {"pooled_until": LATER},
            {"ours_fen": 1},
            {"theirs_fen": None},
            {"kind": "amount"},
            {"remedy": "hope"},
        ],
        ids=str,
    )
    def test_the_database_refuses_half_a_difference(self, difference, changes):
        with pytest.raises(IntegrityError), transaction.atomic():
            Difference.objects.update(**changes)
