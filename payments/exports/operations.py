"""
Rows of lists as files. What is asked for is a row; `writing` makes the file of it, which is kept for a week.

request   one transaction: queue it
hand_over who may have the file takes it away, and that is recorded
prune     delete files that are past keeping; what was taken out, by whom and why stays known
"""

import datetime
from collections.abc import Iterator
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.errors import Conflict, Malformed, NotFound
from payments.exports import tables
from payments.exports.models import QUERY_LENGTH_MAX, REASON_LENGTH_MAX, Export, ExportPart, Format
from payments.exports.states import UNFINISHED, Status
from payments.transactions import transaction, wake

TASK = "payments.write_due_exports"
WAITING_MAX = 5  # of one person
KEPT_FOR = datetime.timedelta(days=7)
PRUNED_AT_ONCE = 20


class ReasonMissing(Malformed):
    message = _("Say what the rows are for, in at most %(longest)s characters.")


class FormatUnknown(Malformed):
    message = _("Choose one of the formats.")


class FiltersTooLong(Malformed):
    message = _("So many filters do not fit. Choose fewer.")


class TooManyWaiting(Conflict):
    message = _("%(most)s exports of yours are being written or wait for it already. Wait until one of them is ready.")


class FileGone(NotFound):
    message = _("There is no file: it is not ready, or a week has passed and it was deleted.")


def request(*, user: Any, actor: str, model: str, query: str, file_format: str, reason: str) -> Export:
    """
    Queue an export of what the list of `model` shows `user` at `query`, in the language now spoken.

    :raises MayNotExport: without the permission, or if this person may not see the list
    :raises ReasonMissing: without a reason, or with one that is too long
    :raises FormatUnknown: for another format
    :raises FiltersTooLong: for an address that is too long
    :raises FiltersUnreadable: if the list would not take these filters
    :raises TooManyWaiting: if this person has that many unfinished ones
    """
    reason = reason.strip()
    if not reason or len(reason) > REASON_LENGTH_MAX or "\x00" in reason:
        raise ReasonMissing(field="reason", longest=REASON_LENGTH_MAX)
    if file_format not in Format.values:
        raise FormatUnknown(field="format")
    if len(query) > QUERY_LENGTH_MAX:
        raise FiltersTooLong(field="query")
    tables.check_may_export(user=user, model=model)
    filters = tables.table(user=user, model=model, query=query).filters
    with transaction():
        get_user_model().objects.select_for_update(of=("self",), no_key=True).get(pk=user.pk)
        if Export.objects.filter(requested_by=user, status__in=UNFINISHED).count() >= WAITING_MAX:
            raise TooManyWaiting(most=WAITING_MAX)
        export = Export.objects.create(
            requested_by=user, model=model, query=query, filters=filters, format=file_format, reason=reason,
            language=translation.get_language() or "en",
        )  # fmt: skip
        audit.record(
            actor=actor, action="export.request", subject=export.subject, model=model,
            query=query, filters=filters, format=file_format, reason=reason,
        )  # fmt: skip
        wake(TASK)
    return export


def hand_over(*, export: Export, user: Any, actor: str) -> Iterator[bytes]:
    """
    Record that `user` takes the file, and return it in pieces.

    :raises FileGone: if it is not there, or is another's
    :raises MayNotExport: if this person may not export this list any more
    :raises SightChanged: if this person may see less now than what is in it
    """
    if export.requested_by_id != user.pk or export.status != Status.DONE or export.pruned_at is not None:
        raise FileGone
    tables.check_may_export(user=user, model=export.model)
    if not tables.sight_of(user).covers(tables.sight_in(export)):
        raise tables.SightChanged
    with transaction():
        audit.record(
            actor=actor, action="export.download", subject=export.subject, model=export.model,
            filters=export.filters, rows=export.rows_done, sha256=export.sha256,
        )  # fmt: skip
    return _bodies(export)


def _bodies(export: Export) -> Iterator[bytes]:
    numbers = list(ExportPart.objects.filter(export=export).order_by("number").values_list("pk", flat=True))
    for pk in numbers:
        yield bytes(ExportPart.objects.values_list("body", flat=True).get(pk=pk))


def prune(*, at: datetime.datetime) -> int:
    """Delete files that are past keeping. Returns how many."""
    for pruned in range(PRUNED_AT_ONCE):
        with transaction():
            export = (
                Export.objects.filter(status=Status.DONE, pruned_at__isnull=True, finished_at__lt=at - KEPT_FOR)
                .select_for_update(of=("self",), skip_locked=True)
                .order_by("finished_at")
                .first()
            )
            if export is None:
                return pruned
            export.parts.all().delete()
            export.pruned_at = at
            export.save(update_fields=["pruned_at"])
    return PRUNED_AT_ONCE
