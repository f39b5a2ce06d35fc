"""Days of rows whose times no index knows: they are found among the ids."""

import datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from payments.admin.days import SLACK, first_id
from payments.models import AuditRow

pytestmark = pytest.mark.django_db

AUDIT = reverse("admin:payments_auditrow_changelist")
NOON = datetime.datetime(2026, 3, 1, 12, tzinfo=timezone.get_default_timezone())
DAY = datetime.timedelta(days=1)


def write(*times):
    """Audit rows of these times, and far between their ids."""
    return [
        AuditRow.objects.create(pk=1_000 + 977 * n, at=at, actor="test", action="test", subject=f"test:{n}")
        for n, at in enumerate(times)
    ]  # fmt: skip


def shown(boss, first="", last=""):
    return list(boss.get(AUDIT, {"at_from": first, "at_to": last}).context["cl"].result_list)


def test_a_range_shows_its_days_the_first_and_the_last_included_newest_first(boss):
    rows = write(NOON - 2 * DAY, NOON - DAY, NOON, NOON + DAY, NOON + 2 * DAY)

    assert shown(boss, "2026-02-28", "2026-03-02") == [rows[3], rows[2], rows[1]]
    assert shown(boss, "2026-03-02") == [rows[4], rows[3]]
    assert shown(boss, last="2026-02-28") == [rows[1], rows[0]]


def test_a_day_begins_and_ends_at_midnight_here(boss):
    midnight = NOON - datetime.timedelta(hours=12)
    second = datetime.timedelta(seconds=1)
    rows = write(midnight - second, midnight, midnight + DAY - second, midnight + DAY)

    assert shown(boss, "2026-03-01", "2026-03-01") == [rows[2], rows[1]]


def test_days_before_the_first_row_and_after_the_last_are_empty(boss):
    write(NOON)

    assert shown(boss, "2025-01-01", "2025-02-01") == []
    assert shown(boss, "2026-03-02") == []


def test_days_of_nothing_are_empty(boss):
    assert shown(boss, "2026-03-01", "2026-03-01") == []


def test_a_row_that_was_written_late_is_on_its_day_all_the_same(boss):
    midnight = NOON - datetime.timedelta(hours=12)
    rows = write(midnight, midnight + DAY, midnight + DAY - SLACK / 2)

    assert shown(boss, "2026-03-01", "2026-03-01") == [rows[2], rows[0]]


@pytest.mark.parametrize("gap", [0, 1, 2, 3, 4])
def test_the_first_id_of_a_moment_is_that_of_the_first_row_from_then_on(gap):
    rows = write(*(NOON + n * DAY for n in range(5)))
    before = rows[gap - 1].pk if gap else 0

    first = first_id(AuditRow, "at", moment=NOON + gap * DAY)

    assert before < first <= rows[gap].pk


def test_after_the_last_row_it_is_beyond_it():
    [row] = write(NOON)

    assert first_id(AuditRow, "at", moment=NOON + DAY) == row.pk + 1
