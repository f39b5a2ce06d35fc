"""Which bills are due and when, and that two workers at once do one bill once."""

import datetime
from decimal import Decimal

import pytest
import structlog

from payments.charges import sweep
from payments.models import AuditRow, Charge, Difference, GatewayBill
from payments.reconciliation import bills, days, merchants, recording, schedule
from payments.reconciliation import operations as reconciliation
from tests.payments.reconciliation.statements import BEFORE, DAY, MORNING, NEXT, book, clock, payment
from tests.threads import at_once, meeting
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db


def due_days():
    return sorted(GatewayBill.objects.values_list("day", flat=True))


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (clock("10:29:59", NEXT), BEFORE),
        (clock("10:30:00", NEXT), DAY),
        (clock("23:59:59", NEXT), DAY),
        (clock("10:30:00", NEXT).astimezone(datetime.UTC), DAY),
    ],
)
def test_yesterdays_bill_is_there_at_half_past_ten_in_shanghai(at, day):
    assert days.last_billed(at) == day


def test_a_day_begins_and_ends_at_shanghais_midnight():
    start, end = days.bounds(DAY)

    assert (start, end) == (clock("00:00:00"), clock("00:00:00", NEXT))
    assert days.day_of(datetime.datetime(2018, 6, 15, 16, 0, tzinfo=datetime.UTC)) == NEXT


def test_a_merchant_without_charges_has_no_bills(account, statements):
    assert reconciliation.reconcile_due(at=MORNING) == 0

    assert statements.asked == []


def test_bills_are_due_from_the_day_of_the_first_charge(account, order, statements):
    book(order, account, 1, at=clock(day=BEFORE))

    assert reconciliation.reconcile_due(at=MORNING) == 2
    assert statements.asked == [BEFORE, DAY]


def test_days_missed_during_an_absence_are_caught_up_with_thirty_days_back(account, order, statements):
    book(order, account, 1)
    at = MORNING + datetime.timedelta(days=99)

    reconciliation.reconcile_due(at=at)

    assert statements.asked == [days.day_of(at) - datetime.timedelta(days=n) for n in range(30, 0, -1)]


def switch_off(account):
    account.is_active = False
    account.save(update_fields=["is_active", "updated_at"])


def test_a_merchant_that_is_switched_off_has_its_last_bills_compared(account, order, statements):
    book(order, account, 1)
    statements.put()
    switch_off(account)

    assert reconciliation.reconcile_due(at=MORNING) == 1

    assert statements.asked == [DAY]
    assert Difference.objects.get().kind == "theirs_missing"


def test_a_merchant_that_was_switched_off_long_ago_is_left_alone(account, order, statements):
    book(order, account, 1)
    schedule.note_due_days(at=MORNING)
    switch_off(account)

    assert reconciliation.reconcile_due(at=MORNING + schedule.CATCH_UP + datetime.timedelta(days=1)) == 0
    assert statements.asked == []


def test_of_a_merchant_whose_first_account_is_switched_off_a_bill_is_had_once(order, statements):
    off, on = (make_memory_account(app_id=app_id, merchant_id="m") for app_id in ("one", "two"))
    book(order, off, 1)
    schedule.note_due_days(at=MORNING)
    statements.put()
    switch_off(off)

    assert reconciliation.reconcile_due(at=MORNING) == 1

    assert GatewayBill.objects.get(status="matched").account == on
    assert statements.asked == [DAY]


def test_a_bill_is_due_once(account, order, statements):
    book(order, account, 1)
    statements.put()

    for _run in range(3):
        reconciliation.reconcile_due(at=MORNING)

    assert statements.asked == [DAY]


def test_the_trouble_of_one_bill_does_not_keep_the_others(account, order, statements):
    book(order, account, 1, at=clock(day=BEFORE))
    statements.fail(AttributeError("a bug"), day=BEFORE)
    statements.put()

    with structlog.testing.capture_logs() as logged:
        assert reconciliation.reconcile_due(at=MORNING) == 2

    assert [(line["event"], line["day"]) for line in logged if line["event"] == "bill_failed"] == [
        ("bill_failed", "2018-06-14")
    ]
    assert dict(GatewayBill.objects.values_list("day", "status"))[BEFORE] == "due"
    assert schedule.lease(at=MORNING) is None
    assert schedule.lease(at=MORNING + schedule.LEASE) is not None


def test_the_trouble_of_one_payment_does_not_keep_the_others_unasked(account, order, statements, monkeypatch):
    lost = book(order, account, 1, 2, status="closed", paid_fen=None, paid_at=None, gateway_trade_no="")
    statements.put(payment("C0001"), payment("C0002"))
    ask_soon = sweep.ask_soon

    def trips_over_the_first(*, charge_id, at):
        if charge_id == lost[0].pk:
            raise AttributeError("a bug")
        ask_soon(charge_id=charge_id, at=at)

    monkeypatch.setattr(sweep, "ask_soon", trips_over_the_first)

    with structlog.testing.capture_logs() as logged:
        reconciliation.reconcile_due(at=MORNING)

    assert GatewayBill.objects.get().status == "matched"
    assert [charge.next_query_at for charge in Charge.objects.order_by("pk")] == [None, MORNING]
    assert [line["event"] for line in logged if line["event"] == "remedy_failed"] == ["remedy_failed"]


def test_one_active_account_speaks_for_its_merchant():
    off, first, second, other = (
        make_memory_account(app_id=app_id, merchant_id=merchant_id, is_active=active)
        for app_id, merchant_id, active in (("a", "m", False), ("b", "m", True), ("c", "m", True), ("m", "", True))
    )

    assert merchants.speakers() == [first, other]
    assert merchants.speaker_of(off) == first
    assert set(merchants.accounts_of(second)) == {off.pk, first.pk, second.pk}


@pytest.mark.parametrize(("entered", "rate"), [("6", "6"), (6, "6"), ("3.8", "3.8"), (3.8, "3.8"), ("0", "0")])
def test_the_agreed_fee_is_what_staff_entered(account, entered, rate):
    account.options = {"fee_per_mille": entered}

    assert merchants.fee_per_mille(account) == Decimal(rate)


@pytest.mark.parametrize("entered", [None, ""])
def test_without_an_agreed_fee_none_is_judged(account, entered):
    account.options = {"fee_per_mille": entered}

    assert merchants.fee_per_mille(account) is None


@pytest.mark.parametrize("entered", ["six", "-1", "NaN", "Infinity", "1000", [6]])
def test_a_fee_that_is_none_is_told_and_not_judged(account, entered):
    account.options = {"fee_per_mille": entered}

    with structlog.testing.capture_logs() as logged:
        assert merchants.fee_per_mille(account) is None

    assert [line["event"] for line in logged] == ["fee_unreadable"]


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_a_bill_is_fetched_once(self, account, order, statements):
        book(order, account, 1)
        statements.put()
        schedule.note_due_days(at=MORNING)

        outcomes = at_once(2, lambda n: reconciliation.reconcile_due(at=MORNING))

        assert sorted(outcomes) == [0, 1]
        assert statements.asked == [DAY]

    def test_control_without_the_lease_it_is_fetched_twice(self, account, order, statements, monkeypatch):
        book(order, account, 1)
        statements.put()
        schedule.note_due_days(at=MORNING)
        meet = meeting(2)

        def lease_without_a_lock(*, at):
            bill_id = GatewayBill.objects.filter(next_try_at__lte=at).values_list("pk", flat=True).first()
            meet()
            GatewayBill.objects.filter(pk=bill_id).update(next_try_at=at + schedule.LEASE)
            return bill_id

        monkeypatch.setattr(schedule, "lease", lease_without_a_lock)

        at_once(2, lambda n: reconciliation.reconcile_due(at=MORNING))

        assert statements.asked == [DAY, DAY]

    @pytest.fixture
    def bill(self, account, order, statements):
        """A bill that was fetched, and from which two payments are missing."""
        book(order, account, 1, 2)
        statements.put()
        return bills.fetch(account_id=account.pk, day=DAY, at=MORNING)

    def test_a_bill_compared_twice_makes_each_difference_once(self, bill):
        outcomes = at_once(4, lambda n: reconciliation.match(bill_id=bill.pk, at=MORNING))

        assert [outcome.status for outcome in outcomes] == ["matched"] * 4
        assert Difference.objects.count() == 2

    def test_control_without_the_bills_lock_only_the_constraint_keeps_a_difference_one(self, bill, monkeypatch):
        meet, stand = meeting(2), recording._stand
        monkeypatch.setattr(
            reconciliation, "_lock_bill", lambda pk: GatewayBill.objects.select_related("account").get(pk=pk)
        )
        monkeypatch.setattr(recording, "_stand", lambda row, **told: meet() or stand(row, **told))

        outcomes = at_once(2, lambda n: reconciliation.match(bill_id=bill.pk, at=MORNING))

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["GatewayBill", "IntegrityError"]
        assert Difference.objects.count() == 2

    def test_a_difference_settled_by_two_people_is_settled_once(self, bill):
        reconciliation.match(bill_id=bill.pk, at=MORNING)
        difference = Difference.objects.first()

        outcomes = at_once(
            4,
            lambda n: reconciliation.settle(
                difference_id=difference.pk, actor=f"user:{n}", reason="known", at=MORNING
            ),
        )  # fmt: skip

        refused = [outcome for outcome in outcomes if isinstance(outcome, reconciliation.DifferenceSettled)]
        assert len(refused) == 3
        assert AuditRow.objects.filter(action="difference.settle").count() == 1

    def test_control_without_its_lock_a_difference_is_settled_twice(self, bill, monkeypatch):
        reconciliation.match(bill_id=bill.pk, at=MORNING)
        difference, meet = Difference.objects.first(), meeting(2)

        def unlocked(difference_id):
            found = Difference.objects.get(pk=difference_id)
            meet()
            return found

        monkeypatch.setattr(reconciliation, "_lock_difference", unlocked)

        at_once(
            2,
            lambda n: reconciliation.settle(
                difference_id=difference.pk, actor=f"user:{n}", reason="known", at=MORNING
            ),
        )  # fmt: skip

        assert AuditRow.objects.filter(action="difference.settle").count() == 2
