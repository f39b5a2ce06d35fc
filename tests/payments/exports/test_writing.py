"""Who writes which export: one of a person at a time, begun anew where a writer was killed, given up in words."""

import datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone, translation

from payments.errors import OnetillError
from payments.exports import operations, tables, writing
from payments.exports.sheets import CsvSheet
from payments.exports.states import TRANSITIONS, Event, Status
from payments.machine import IllegalTransition, move
from payments.models import AuditRow, Export, ExportPart
from tests.payments.exports.shelf import VIEWS, all_exports, ask, csv_of, failed, file_of, sheet_of, table_of, written
from tests.world import make_client, make_customer, make_staff, place_order

pytestmark = pytest.mark.django_db

NUMBERS = [f"T{n}" for n in range(6, -1, -1)]


@pytest.fixture
def shop():
    client = make_client()
    make_customer(client=client, phone="13800138000")
    for number in reversed(NUMBERS):
        place_order(client=client, number=number)
    return client


@pytest.fixture
def lin(shop):
    return make_staff("lin", "export_rows", "view_personal_data", *VIEWS)


@pytest.fixture
def small_batches(monkeypatch):
    monkeypatch.setattr("payments.exports.writing.BATCH_ROWS", 2)


def numbers(export):
    return [row["client's order number"] for row in table_of(export)]


def later(**ago):
    return timezone.now() + datetime.timedelta(**ago)


# --- states


def test_what_is_finished_moves_no_more():
    for status in (Status.DONE, Status.FAILED):
        for event in Event:
            with pytest.raises(IllegalTransition):
                move(TRANSITIONS, status=status, event=event)


def test_an_export_waits_is_written_and_is_ready(lin):
    export = ask(lin)
    assert (export.status, export.rows_done, export.finished_at) == ("queued", 0, None)

    claimed = writing.claim(at=timezone.now())
    assert (claimed.pk, claimed.status, claimed.attempts) == (export.pk, "running", 1)

    writing.write(export=claimed)
    export.refresh_from_db()
    assert (export.status, export.rows_done, export.leased_until) == ("done", 7, None)


# --- killed


class Killed(BaseException):
    """As SIGKILL would: nobody catches it."""


def test_a_writer_that_is_killed_between_batches_is_followed_by_one_that_writes_each_row_once(
    lin, small_batches, monkeypatch
):
    export = ask(lin)
    die_after(monkeypatch, rows=3)
    with pytest.raises(Killed):
        writing.write_due()
    monkeypatch.undo()
    assert all_exports() == ["running"]
    assert writing.write_due() == 0, "it is still leased"

    let_the_lease_run_out(export)
    assert writing.write_due() == 1

    export.refresh_from_db()
    assert (export.status, export.attempts, export.rows_done) == ("done", 2, 7)
    assert numbers(export) == NUMBERS


def test_a_writer_that_is_killed_while_it_stores_pieces_leaves_none_of_them(lin, monkeypatch):
    monkeypatch.setattr("payments.exports.sheets.PART_BYTES", 100)
    export = ask(lin)
    stored = []

    def die(**fields):
        stored.append(fields)
        if len(stored) == 3:
            raise Killed
        return create(**fields)

    create = ExportPart.objects.create
    monkeypatch.setattr(ExportPart.objects, "create", die)
    with pytest.raises(Killed):
        writing.write_due()
    monkeypatch.undo()
    assert export.parts.count() == 2

    let_the_lease_run_out(export)
    writing.write_due()

    assert numbers(export) == NUMBERS


def test_a_writer_that_was_only_slow_adds_nothing_to_its_followers_file(lin, monkeypatch):
    export = ask(lin)
    slow = writing.claim(at=timezone.now())
    let_the_lease_run_out(export)
    writing.write_due()
    export.refresh_from_db()
    before = (file_of(export), export.sha256, export.finished_at)

    writing.write(export=slow)

    export.refresh_from_db()
    assert (file_of(export), export.sha256, export.finished_at) == before


def test_control_a_writer_that_does_not_look_whose_it_is_spoils_the_file(lin, monkeypatch):
    export = ask(lin)
    slow = writing.claim(at=timezone.now())
    let_the_lease_run_out(export)
    follower = writing.claim(at=timezone.now())
    monkeypatch.setattr(writing, "_lock", lambda export: None)

    writing.write(export=slow)

    assert Export.objects.get(pk=export.pk).status == "done", "the first finished what the second was writing"
    assert follower.attempts == 2


def test_what_kills_its_writers_is_given_up(lin):
    export = ask(lin)
    for _attempt in range(3):
        writing.claim(at=timezone.now())
        let_the_lease_run_out(export)

    assert failed(export) == "It was begun several times and interrupted each time. Ask for it again."


def die_after(monkeypatch, *, rows):
    add, done = CsvSheet.add, []

    def killed(self, cells):
        done.append(cells)
        if len(done) > rows + 1:  # the head is one
            raise Killed
        add(self, cells)

    monkeypatch.setattr(CsvSheet, "add", killed)


def let_the_lease_run_out(export):
    Export.objects.filter(pk=export.pk).update(leased_until=later(seconds=-1))


# --- whose turn it is


def test_one_person_has_one_written_at_a_time_and_another_does_not_wait_for_it(lin):
    wang = make_staff("wang", "export_rows", *VIEWS)
    first, second, others = ask(lin), ask(lin), ask(wang)

    assert writing.claim(at=timezone.now()) == first
    assert writing.claim(at=timezone.now()) == others
    assert writing.claim(at=timezone.now()) is None
    assert Export.objects.get(pk=second.pk).status == "queued"


def test_the_database_has_no_two_of_a_person_written_at_once(lin):
    first, second = ask(lin), ask(lin)
    writing.claim(at=timezone.now())

    with pytest.raises(IntegrityError, match="export_one_at_a_time"), transaction.atomic():
        Export.objects.filter(pk=second.pk).update(status="running", leased_until=timezone.now())
    assert first.pk != second.pk


def test_no_more_than_two_are_written_at_once(lin):
    for name in ("wang", "zhao", "qian"):
        ask(make_staff(name, "export_rows", *VIEWS))

    assert [writing.claim(at=timezone.now()) is not None for _try in range(3)] == [True, True, False]


def test_a_sixth_that_waits_is_refused(lin):
    for _number in range(5):
        ask(lin)

    with pytest.raises(operations.TooManyWaiting) as refusal:
        ask(lin)

    with translation.override("en"):
        assert refusal.value.sentence().startswith("5 exports of yours are being written or wait for it already.")
    assert len(all_exports()) == 5


# --- what a file takes


@pytest.mark.parametrize("file_format", ["csv", "xlsx"])
def test_a_file_that_takes_no_more_says_so_in_itself_and_on_its_row(lin, small_batches, monkeypatch, file_format):
    monkeypatch.setitem(writing.ROWS_MAX, file_format, 3)
    sentence = "Only the newest 3 rows are in this file: it takes no more. Choose fewer days for the others."

    export = written(lin, file_format=file_format)

    assert (export.is_cut, export.rows_done) == (True, 3)
    if file_format == "csv":
        rows = csv_of(export)
    else:
        rows = [[cell for cell in row if cell] for row in sheet_of(export).iter_rows(values_only=True)]
    assert [row[4] if len(row) > 4 else row for row in rows[1:]] == [*NUMBERS[:3], [sentence]]


def test_a_file_that_is_just_full_is_not_called_cut(lin, small_batches, monkeypatch):
    monkeypatch.setitem(writing.ROWS_MAX, "csv", 7)

    export = written(lin)

    assert (export.is_cut, export.rows_done, numbers(export)) == (False, 7, NUMBERS)


def test_files_of_many_pieces_come_together_again(lin, monkeypatch):
    monkeypatch.setattr("payments.exports.sheets.PART_BYTES", 100)

    export = written(lin)

    assert export.parts.count() > 10
    assert numbers(export) == NUMBERS


# --- who may not any more


def test_an_export_of_somebody_who_was_switched_off_fails(lin):
    export = ask(lin)
    lin.is_active = False
    lin.save(update_fields=["is_active"])

    assert failed(export) == "Whoever asked for this may not export this list, or not any more."


@pytest.mark.parametrize("gone", ["export_rows", "view_order"])
def test_an_export_of_somebody_who_lost_a_permission_fails(lin, gone):
    export = ask(lin)
    lose(lin, gone)

    assert failed(export) == "Whoever asked for this may not export this list, or not any more."


def test_who_may_see_less_while_it_is_written_gets_nothing(lin, small_batches, monkeypatch):
    export = ask(lin)
    add = CsvSheet.add

    def take_away(self, cells):
        add(self, cells)
        lose(lin, "view_personal_data")

    monkeypatch.setattr(CsvSheet, "add", take_away)

    assert failed(export) == "What you may see is less than what is in this file. Ask for a new one."


def lose(user, permission):
    user.user_permissions.remove(*user.user_permissions.filter(codename=permission))


def test_nobody_asks_for_what_they_may_not_see(shop):
    looker, blind = make_staff("looker", *VIEWS), make_staff("blind", "export_rows")
    scoped = make_staff("scoped", "export_rows", *VIEWS, clients=[shop])

    for person, model in ((looker, "payments.order"), (blind, "payments.order"), (scoped, "payments.auditrow")):
        with pytest.raises(tables.MayNotExport):
            ask(person, model=model)
    assert all_exports() == []


@pytest.mark.parametrize("model", ["payments.gatewayaccount", "auth.user", "payments.exportpart", "no.model", "x", ""])
def test_what_has_no_columns_for_it_is_not_exported(lin, model):
    lin.is_superuser = True

    with pytest.raises(tables.MayNotExport):
        ask(lin, model=model)
    assert all_exports() == []


# --- bad input


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 201}, "reason"),
        ({"reason": "a\x00b"}, "reason"),
        ({"file_format": "pdf"}, "format"),
        ({"query": "q=" + "9" * 2_000}, "query"),
    ],
)
def test_bad_input_names_its_field(lin, asked, field):
    with pytest.raises(OnetillError) as refusal:
        ask(lin, **asked)

    assert refusal.value.field == field
    assert all_exports() == []


@pytest.mark.parametrize("query", ["nothing=1", "customer__user__password=x", "id__gt=x"])
def test_filters_that_the_list_does_not_know_are_refused(lin, query):
    with pytest.raises(tables.FiltersUnreadable):
        ask(lin, query=query)


# --- what is kept


def test_files_are_deleted_after_a_week_and_who_took_out_what_stays(lin):
    old, new = written(lin), written(lin)

    assert operations.prune(at=old.finished_at + datetime.timedelta(days=7)) == 0
    assert operations.prune(at=old.finished_at + datetime.timedelta(days=7, microseconds=1)) == 1
    assert operations.prune(at=old.finished_at + datetime.timedelta(days=7, microseconds=1)) == 0

    assert (old.parts.count(), new.parts.count()) == (0, 1)
    old.refresh_from_db()
    assert (old.status, old.rows_done, old.pruned_at is not None) == ("done", 7, True)
    with pytest.raises(operations.FileGone):
        operations.hand_over(export=old, user=lin, actor="user:lin")


@pytest.mark.parametrize(
    "change",
    ["reason = 'x'", "query = 'x'", "requested_by_id = requested_by_id + 1", "sha256 = 'x'", "rows_done = 1"],
)
def test_the_database_keeps_what_was_asked_and_what_came_of_it(lin, change):
    export = written(lin)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE payments_export SET {change} WHERE id = %s", [export.pk])
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_exportpart SET body = ''")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM payments_exportpart; DELETE FROM payments_export")
    export.refresh_from_db()
    assert numbers(export) == NUMBERS


def test_asking_and_taking_are_audited(lin):
    export = written(lin, query="q=T3")
    list(operations.hand_over(export=export, user=lin, actor="user:lin"))

    asked, taken = AuditRow.objects.filter(subject=export.subject).order_by("pk")

    assert (asked.actor, asked.action) == ("user:lin", "export.request")
    assert asked.detail == {
        "model": "payments.order", "query": "q=T3", "filters": "search: T3", "format": "csv", "reason": "month's end",
    }  # fmt: skip
    assert (taken.actor, taken.action) == ("user:lin", "export.download")
    assert taken.detail == {
        "model": "payments.order", "filters": "search: T3", "rows": 1, "sha256": export.sha256,
    }  # fmt: skip
