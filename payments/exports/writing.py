"""
Who writes which export, and how: a lease, batches by key, and a file in pieces.

No transaction is open while rows are read. A writer that is killed leaves its lease to run out; whoever claims the
export then begins anew, and what the first may still write of it is refused: it is of another attempt.
"""

import datetime
import hashlib
from typing import Any

import structlog
from django.contrib.auth import get_user_model
from django.db import DataError, connection
from django.db.models import Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from payments import machine
from payments.errors import OnetillError
from payments.exports import tables
from payments.exports.models import ERROR_LENGTH_MAX, Export, ExportPart
from payments.exports.sheets import ROWS_MAX, SHEETS, Sheet
from payments.exports.states import TRANSITIONS, Event, Status
from payments.transactions import (
    DATABASE_TROUBLE,
    is_out_of_time,
    outside_transaction,
    transaction,
    transaction_required,
)

log = structlog.get_logger(__name__)

LEASE = datetime.timedelta(minutes=3)  # renewed with every batch, which takes seconds
BATCH_ROWS = 2_000
RUNNING_MAX = 2  # at once, of everybody: a worker has more to do
ATTEMPTS_MAX = 3
LONGEST = datetime.timedelta(minutes=20)  # of one file; a task ends within the broker's visibility timeout
NEXT_WITHIN = datetime.timedelta(minutes=5)
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('payments.exports.writing'))"


class ClaimedByAnother(Exception):
    """The lease ran out, and somebody else has begun anew."""


class TookTooLong(OnetillError):
    """It is not to be tried again."""


@outside_transaction
def write_due() -> int:
    """Write what waits, oldest first, one after the other. Returns how many were tried."""
    began, tried = timezone.now(), 0
    while timezone.now() - began < NEXT_WITHIN and (export := claim(at=timezone.now())) is not None:
        write(export=export)
        tried += 1
    return tried


def claim(*, at: datetime.datetime) -> Export | None:
    """Take the oldest export that may be written now: nobody has two at once, and all together no more than a few."""
    with transaction():
        with connection.cursor() as cursor:
            cursor.execute(_LOCK)
        running = Export.objects.filter(status=Status.RUNNING, leased_until__gt=at)
        if running.count() >= RUNNING_MAX:
            return None
        export = (
            Export.objects.filter(
                Q(status=Status.RUNNING, leased_until__lte=at)
                | (
                    Q(status=Status.QUEUED)
                    & ~Q(requested_by__in=Export.objects.filter(status=Status.RUNNING).values("requested_by"))
                )
            )
            .select_for_update(of=("self",), skip_locked=True)
            .order_by("pk")
            .first()
        )
        if export is None:
            return None
        export.parts.all().delete()
        export.status = machine.move(TRANSITIONS, status=Status(export.status), event=Event.CLAIMED)
        export.attempts += 1
        export.started_at = at
        export.leased_until = at + LEASE
        export.rows_done = 0
        export.save(update_fields=["status", "attempts", "started_at", "leased_until", "rows_done"])
    return export


@outside_transaction
def write(*, export: Export) -> None:
    """Write a claimed export to its end, or say why it cannot be."""
    with translation.override(export.language):
        sheet = SHEETS[export.format]()
        try:
            if export.attempts > ATTEMPTS_MAX:
                raise TookTooLong(_("It was begun several times and interrupted each time. Ask for it again."))
            _fill(export, sheet)
            _keep(export, sheet)
        except ClaimedByAnother:
            log.warning("export_claimed_by_another", export=export.pk, attempt=export.attempts)
        except OnetillError as error:
            _fail(export, error.sentence())
        except DATABASE_TROUBLE as error:
            if not is_out_of_time(error):
                raise  # the lease runs out, and it begins anew
            _fail(export, _("The rows took too long to read. Choose fewer days or another filter."))
        except DataError:
            _fail(export, tables.FiltersUnreadable().sentence())
        except Exception:
            log.exception("export_broke", export=export.pk)
            _fail(export, _("Something went wrong; it is in the log. Ask for it again."))
        finally:
            sheet.discard()


def _fill(export: Export, sheet: Sheet) -> None:
    """Read the rows batch by batch, downwards from the newest."""
    began, most = timezone.now(), ROWS_MAX[export.format]
    user, sight = _person(export)
    table = tables.table(user=user, model=export.model, query=export.query)
    export.clients = None if sight.clients is None else sorted(sight.clients)
    export.has_persons = sight.persons
    _hold(export, "clients", "has_persons")
    sheet.head(table.labels)
    last_pk: Any = None
    while not export.is_cut:
        rows = table.rows if last_pk is None else table.rows.filter(pk__lt=last_pk)
        batch = list(rows[:BATCH_ROWS])
        if batch and _person(export)[1] != sight:
            raise tables.SightChanged
        for row in batch[: most - export.rows_done]:
            sheet.add(table.cells(row))
        export.is_cut = export.rows_done + len(batch) > most
        export.rows_done = min(export.rows_done + len(batch), most)
        _hold(export, "rows_done", "is_cut")
        if len(batch) < BATCH_ROWS:
            break
        if timezone.now() - began > LONGEST:
            raise TookTooLong(_("It took too long to write. Choose fewer days or another filter."))
        last_pk = batch[-1].pk
    if export.is_cut:
        sheet.add([cut_sentence(export)])


def cut_sentence(export: Export) -> str:
    text = _("Only the newest %(rows)s rows are in this file: it takes no more. Choose fewer days for the others.")
    return text % {"rows": f"{ROWS_MAX[export.format]:,}"}


def _person(export: Export) -> tuple[Any, tables.Sight]:
    """Return who asked for it and what they may see, as it is now."""
    user = get_user_model().objects.get(pk=export.requested_by_id)
    tables.check_may_export(user=user, model=export.model)
    return user, tables.sight_of(user)


def _keep(export: Export, sheet: Sheet) -> None:
    """Store the file piece by piece, and then that it is there."""
    digest, size = hashlib.sha256(), 0
    for number, body in enumerate(sheet.parts()):
        digest.update(body)
        size += len(body)
        with transaction():
            _lock(export)
            ExportPart.objects.create(export=export, number=number, body=body)
            export.leased_until = timezone.now() + LEASE
            export.save(update_fields=["leased_until"])
    with transaction():
        _lock(export)
        export.sha256, export.bytes = digest.hexdigest(), size
        _finish(export, Event.WRITTEN)


def _fail(export: Export, sentence: str) -> None:
    with transaction():
        try:
            _lock(export)
        except ClaimedByAnother:
            return
        export.parts.all().delete()
        export.error = sentence[:ERROR_LENGTH_MAX]
        _finish(export, Event.GIVEN_UP)


@transaction_required
def _finish(export: Export, event: Event) -> None:
    export.status = machine.move(TRANSITIONS, status=Status(export.status), event=event)
    export.finished_at, export.leased_until = timezone.now(), None
    export.save(update_fields=["status", "finished_at", "leased_until", "sha256", "bytes", "error"])


def _hold(export: Export, *fields: str) -> None:
    """Say how far it is, and go on having it."""
    with transaction():
        _lock(export)
        export.leased_until = timezone.now() + LEASE
        export.save(update_fields=[*fields, "leased_until"])


@transaction_required
def _lock(export: Export) -> None:
    """
    :raises ClaimedByAnother: if it is not ours any more
    """
    held = Export.objects.filter(pk=export.pk, status=Status.RUNNING, attempts=export.attempts)
    if not list(held.select_for_update(of=("self",), no_key=True).values_list("pk")):
        raise ClaimedByAnother
