"""Ranges of days over rows that are written when they happen, without an index on their times."""

import datetime
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from payments.admin.base import DayFilter

# How much later than a neighbour of a higher id a row may have been written: transactions are short, clocks differ.
SLACK = datetime.timedelta(hours=6)

# Halves the ids until one is left: some thirty look-ups of a row by its key.
_FIRST_ID = """
WITH RECURSIVE halved (low, high) AS (
    SELECT coalesce(min(id), 0), coalesce(max(id), 0) + 1 FROM {table}
    UNION ALL
    SELECT CASE WHEN seen.at < %(moment)s THEN seen.id + 1 ELSE low END,
        CASE WHEN seen.at < %(moment)s THEN high ELSE middle END
    FROM halved CROSS JOIN LATERAL (SELECT low + (high - low) / 2 AS middle) half
    LEFT JOIN LATERAL (
        SELECT id, {column} AS at FROM {table} WHERE id >= middle AND id < high ORDER BY id LIMIT 1
    ) seen ON true
    WHERE low < high
)
SELECT max(low) FROM halved
"""


class WrittenDayFilter(DayFilter):
    """
    Days of rows whose ids rise with their times, give or take SLACK: where they begin and end is found among the ids.

    An index on the times would cost every payment; whoever looks at a day of last year can wait a millisecond.
    """

    leads = False

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        first, last = self.ends()
        found = super().queryset(request, queryset)
        if first is not None:
            found = found.filter(pk__gte=_first_id(queryset.model, self.field_path, moment=first - SLACK))
        if last is not None:
            found = found.filter(pk__lt=_first_id(queryset.model, self.field_path, moment=last + SLACK))
        return found


def _first_id(model: type[Model], field: str, *, moment: datetime.datetime) -> int:
    """Return the id from which on rows are of `moment` or later."""
    described = model._meta  # noqa: SLF001  Django documents _meta
    names = {"table": described.db_table, "column": described.get_field(field).column}
    quoted = {key: connection.ops.quote_name(name) for key, name in names.items()}
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_ID.format(**quoted), {"moment": moment})
        (found,) = cursor.fetchone()
    return int(found)
