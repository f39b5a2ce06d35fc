"""`manage.py reconcile`: what it does, what it tells, how it exits."""

import datetime

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.gateways.base import BillUnusable
from payments.models import Difference, GatewayBill
from payments.reconciliation import days
from tests.payments.reconciliation.statements import book, clock, payment, refund
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def yesterday():
    return days.last_billed(timezone.now())


@pytest.fixture
def charge(account, order, yesterday):
    (booked,) = book(order, account, 1, at=clock(day=yesterday))
    return booked


def run(capsys, *args):
    """Return the lines that it tells, and its exit status."""
    try:
        call_command("reconcile", *args, "--no-color")
    except CommandError as error:
        return [*capsys.readouterr().out.splitlines(), str(error)], error.returncode
    return capsys.readouterr().out.splitlines(), 0


def test_a_day_that_agrees_is_told_in_a_table(capsys, account, charge, statements, yesterday):
    statements.put(payment("C0001", fee_fen=60), refund("C0001", "R1", fee_fen=-6), day=yesterday)
    Difference.objects.create(  # the console's refund, dealt with before
        account=account, day=yesterday, kind="ours_missing", entry="refund", number="C0001", refund_number="R1",
        trade_no="t-C0001", theirs_fen=1_000, remedy="book_console_refund", status="settled", found_at=timezone.now(),
        settled_at=timezone.now(), settled_by="user:lin", settled_reason="booked by hand",
    )  # fmt: skip

    lines, status = run(capsys)

    assert status == 0
    assert lines[0].split() == ["1/1", str(yesterday), "in", "memory", "memory", "…", "2", "lines"]
    assert lines[1].split() == [
        "day", "account", "payments", "yuan", "refunds", "yuan", "fees", "open", "waiting",
    ]  # fmt: skip
    assert lines[2].split() == [str(yesterday), "in", "memory", "memory", "1", "100.00", "1", "10.00", "0.54", "0", "0"]
    assert lines[3:] == ["No difference is open."]


def test_open_differences_are_exit_status_one(capsys, charge, statements, yesterday):
    statements.put(payment("C0001", amount_fen=1), payment("X"), day=yesterday)

    lines, status = run(capsys)

    assert (lines[-1], status) == ("Open differences: 2.", 1)


def test_differences_that_are_still_open_stay_exit_status_one(capsys, charge, statements, yesterday):
    statements.put(payment("C0001", amount_fen=1), day=yesterday)
    run(capsys)

    lines, status = run(capsys)

    assert (lines[-1], status) == ("Open differences: 1.", 1)
    assert statements.asked == [yesterday]


def test_a_bill_that_could_not_be_had_is_exit_status_two(capsys, charge, statements, yesterday):
    statements.fail(BillUnusable("truncated", "17 bytes"), day=yesterday)

    lines, status = run(capsys)

    assert lines[0].endswith(" came and cannot be believed: truncated: 17 bytes")
    assert (lines[1:], status) == (["Bills that could not be had: 1. They stay due."], 2)


def test_a_bug_over_one_bill_does_not_keep_the_others(capsys, account, order, statements, yesterday):
    before = yesterday - datetime.timedelta(days=1)
    book(order, account, 1, at=clock(day=before))
    statements.fail(KeyError("bug"), day=before)
    statements.put(day=yesterday)

    lines, status = run(capsys)

    assert status == 2
    assert lines[0].endswith(" KeyError: 'bug'")
    assert GatewayBill.objects.get(day=yesterday).status == "matched"


def test_nothing_due_is_told(capsys, account, statements):
    assert run(capsys) == (["No bill is due."], 0)


def test_a_day_and_an_account_can_be_named_and_done_again(capsys, account, charge, statements, yesterday):
    other = make_memory_account(app_id="other")
    statements.put(payment("C0001"), day=yesterday)
    date = ("--date", str(yesterday))

    run(capsys, *date)
    run(capsys, *date)
    assert statements.asked == [yesterday]

    run(capsys, *date, "--again")
    assert statements.asked == [yesterday] * 2

    run(capsys, *date, "--account", str(other.pk))
    assert statements.asked == [yesterday] * 3
    assert set(GatewayBill.objects.values_list("account", flat=True)) == {account.pk, other.pk}


@pytest.mark.parametrize("date", ["yesterday", "2018-02-30", "20180615", "2018-6-15 ", "", "0000-00-00"])
def test_what_is_no_day_is_refused(capsys, account, statements, date):
    assert run(capsys, f"--date={date}") == ([f"--date {date} is no day such as 2018-06-15."], 2)


@pytest.mark.parametrize("ahead", [0, 1, 1_000])
def test_a_day_that_is_not_over_is_refused(capsys, charge, statements, ahead):
    date = days.day_of(timezone.now()) + datetime.timedelta(days=ahead)

    lines, status = run(capsys, "--date", str(date))

    assert lines == [f"--date {date}: there is no bill of that day yet, it is not over in Shanghai."]
    assert status == 2
    assert statements.asked == []


def test_an_account_that_is_not_there_is_refused(capsys, statements):
    assert run(capsys, "--account", "7") == (["--account 7: there is no such gateway account."], 2)
