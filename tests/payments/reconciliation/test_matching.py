"""The comparison alone: every injected difference is found, and nothing else."""

import dataclasses
import datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.reconciliation import matching
from payments.reconciliation.matching import Ours, Theirs, agreed_fee_fen
from payments.reconciliation.states import DifferenceKind, Entry, Remedy
from tests.payments.reconciliation.statements import BEFORE, DAY, NEXT, clock

RATE = Decimal(6)
FAULTS = (None, *DifferenceKind)


def ours(number="C1", **changes):
    fields = {
        "kind": Entry.PAYMENT, "trade_no": f"t-{number}", "amount_fen": 10_000, "total_fen": 10_000, "at": clock(),
        "charge_id": 1,
    }  # fmt: skip
    return Ours(number=number, **(fields | changes))


def theirs(number="C1", **changes):
    fields = {
        "kind": Entry.PAYMENT, "trade_no": f"t-{number}", "amount_fen": 10_000, "fee_fen": 60, "line_id": 7,
        "charge_id": 1,
    }  # fmt: skip
    return Theirs(number=number, **(fields | changes))


def compare(ours_, theirs_, **options):
    return list(matching.compare(day=DAY, ours=ours_, theirs=theirs_, **options))


def told(found):
    return [(one.kind.value, one.number, one.ours_fen, one.theirs_fen, one.remedy.value) for one in found]


def line_of(our, *, line_id):
    """The line that agrees with an entry of ours."""
    fee_fen = agreed_fee_fen(our, fee_per_mille=RATE)
    fields = {name: getattr(our, name) for name in ("kind", "number", "refund_number", "trade_no", "amount_fen")}
    return Theirs(**fields, fee_fen=fee_fen, line_id=line_id, charge_id=our.charge_id)


@st.composite
def days_of_trade(draw):
    """A book and a bill of the same day, and exactly what differs: {(kind, entry, number, refund number)}."""
    book, bill, injected = [], [], set()
    for n in range(draw(st.integers(0, 25))):
        total_fen = draw(st.integers(2, 1_000_000))
        entry = draw(st.sampled_from(Entry))
        amount_fen = total_fen if entry is Entry.PAYMENT else draw(st.integers(1, total_fen))
        our = ours(
            f"C{n}", kind=entry, refund_number="R" if entry is Entry.REFUND else "", amount_fen=amount_fen,
            total_fen=total_fen, charge_id=n, at=clock("00:00:00") + datetime.timedelta(seconds=draw(SECONDS)),
        )  # fmt: skip
        line = line_of(our, line_id=n)
        fault = draw(st.sampled_from(FAULTS))
        if fault is not None:
            injected.add((fault, entry, our.number, our.refund_number))
        if fault is DifferenceKind.STATUS:
            our = dataclasses.replace(our, unbooked=Remedy.ASK_GATEWAY)
        if fault is DifferenceKind.AMOUNT:
            line = dataclasses.replace(line, amount_fen=line.amount_fen + draw(st.sampled_from([-1, 1])))
        if fault is DifferenceKind.FEE:
            line = dataclasses.replace(line, fee_fen=line.fee_fen + draw(st.sampled_from([-1, 1])))
        if fault is not DifferenceKind.OURS_MISSING:
            book.append(our)
        if fault is not DifferenceKind.THEIRS_MISSING:
            bill.append(line)
    return sorted(book, key=lambda one: one.order), sorted(bill, key=lambda one: one.order), injected


SECONDS = st.integers(0, 86_399)


@settings(max_examples=300, deadline=None)
@given(days_of_trade())
def test_exactly_what_was_injected_is_found(trade):
    book, bill, injected = trade

    found = compare(book, bill, fee_per_mille=RATE)

    assert len(found) == len(injected)
    assert {(one.kind, one.entry, one.number, one.refund_number) for one in found} == injected


def test_what_agrees_makes_no_difference():
    assert compare([ours()], [theirs()], fee_per_mille=RATE) == []


def test_a_payment_that_we_do_not_know_is_checked_by_hand():
    found = compare([], [theirs(charge_id=None)])

    assert told(found) == [("ours_missing", "C1", None, 10_000, "check_by_hand")]


def test_a_refund_of_a_charge_of_ours_that_we_did_not_make_was_made_at_the_console():
    line = theirs(kind=Entry.REFUND, refund_number="by hand", fee_fen=-60)

    found = compare([ours()], [line])

    assert {one[0]: one[4] for one in told(found)} == {
        "theirs_missing": "check_by_hand",  # the payment, which this bill lacks
        "ours_missing": "book_console_refund",
    }


def test_a_charge_that_is_not_booked_has_its_gateway_asked():
    our = ours(unbooked=Remedy.ASK_GATEWAY, status="closed", at=None)

    (found,) = compare([our], [theirs(amount_fen=9_999)])

    assert told([found]) == [("status", "C1", 10_000, 9_999, "ask_gateway")]
    assert (found.detail, found.is_drift) == ("closed", False)


def test_a_charge_that_is_not_booked_nor_in_the_bill_is_nobodys_business():
    assert compare([ours(unbooked=Remedy.ASK_GATEWAY)], []) == []


def test_a_refund_that_is_on_its_way_may_dissolve_by_itself():
    our = ours(kind=Entry.REFUND, refund_number="R1", unbooked=Remedy.WAIT_NEXT_DAY)

    (found,) = compare([our], [theirs(kind=Entry.REFUND, refund_number="R1")])

    assert (found.kind, found.remedy, found.is_drift) == ("status", "wait_next_day", True)


@pytest.mark.parametrize(
    ("time", "is_drift"),
    [("00:00:00", True), ("00:29:59", True), ("00:30:00", False), ("23:29:59", False), ("23:30:00", True)],
)
def test_what_we_booked_near_midnight_may_be_in_a_neighbouring_bill(time, is_drift):
    (found,) = compare([ours(at=clock(time))], [])

    assert found.is_drift is is_drift
    assert found.remedy == ("wait_next_day" if is_drift else "check_by_hand")


@pytest.mark.parametrize("day", [BEFORE, NEXT])
def test_what_we_booked_on_another_day_is_not_missing_in_this_days_bill(day):
    at = clock(day=day)

    assert compare([ours(at=at)], []) == []
    assert compare([ours(at=at)], [theirs()]) == []


def test_what_was_found_in_another_bill_is_not_missing_here():
    assert compare([ours(elsewhere=NEXT)], []) == []


def test_what_stands_in_two_bills_was_booked_twice_by_the_gateway():
    found = compare([ours(elsewhere=BEFORE)], [theirs()])

    assert told(found) == [("ours_missing", "C1", None, 10_000, "refund_surplus")]
    assert found[0].detail == "also in the bill of 2018-06-14"


def test_a_line_that_stands_twice_is_one_too_many():
    found = compare([ours()], [theirs(), theirs(occurrence=2, line_id=8)])

    assert told(found) == [("ours_missing", "C1", None, 10_000, "refund_surplus")]
    assert (found[0].line_id, found[0].occurrence) == (8, 2)


def test_another_trade_of_the_same_number_is_another_payment():
    found = compare([ours()], [theirs(trade_no="t-other")])

    assert [one[0] for one in told(found)] == ["theirs_missing", "ours_missing"]


def test_of_two_trades_under_one_number_ours_is_found_whichever_comes_first():
    other = theirs(trade_no="a", line_id=8)

    for lines in ([other, theirs()], [theirs(), other]):
        (found,) = compare([ours()], lines)
        assert (found.kind, found.line_id) == ("ours_missing", 8)


def test_a_charge_whose_trade_we_never_learnt_is_found_by_its_number():
    assert compare([ours(trade_no="")], [theirs()]) == []


def test_a_fee_is_judged_where_the_rest_is_right_and_a_rate_is_agreed():
    assert compare([ours()], [theirs(fee_fen=61)]) == []
    assert told(compare([ours()], [theirs(fee_fen=61)], fee_per_mille=RATE)) == [("fee", "C1", 60, 61, "correct_fee")]
    assert [one[0] for one in told(compare([ours()], [theirs(amount_fen=9, fee_fen=61)], fee_per_mille=RATE))] == [
        "amount"
    ]


@pytest.mark.parametrize(
    ("amount_fen", "rate", "fee_fen"),
    [(10_000, "6", 60), (83, "6", 0), (84, "6", 1), (250, "6", 2), (249, "6", 1), (10_000, "3.8", 38), (1, "0", 0)],
)
def test_a_fee_is_rounded_half_up_to_the_fen(amount_fen, rate, fee_fen):
    our = ours(amount_fen=amount_fen, total_fen=amount_fen)

    assert agreed_fee_fen(our, fee_per_mille=Decimal(rate)) == fee_fen


@pytest.mark.parametrize(("refund_fen", "fee_fen"), [(10_000, -60), (5_000, -30), (3_333, -20), (83, 0), (84, -1)])
def test_a_refund_gives_its_part_of_the_fee_back(refund_fen, fee_fen):
    our = ours(kind=Entry.REFUND, refund_number="R1", amount_fen=refund_fen)

    assert agreed_fee_fen(our, fee_per_mille=RATE) == fee_fen


def test_a_side_that_is_not_sorted_is_refused():
    with pytest.raises(ValueError, match="comes after"):
        compare([ours("C2"), ours("C1")], [])


def test_a_bill_is_walked_in_the_memory_of_one_number():
    """Neither side is read further ahead than the other needs."""
    read = []

    def stream(side, make):
        for n in range(1_000):
            read.append(side)
            yield make(f"C{n:04}", charge_id=n)

    found = matching.compare(day=DAY, ours=stream("ours", ours), theirs=stream("theirs", differing))
    next(found)

    assert len(read) < 10


def differing(number, **changes):
    return theirs(number, amount_fen=1, **changes)
