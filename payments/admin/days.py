"""
Where days begin and end among the ids of rows that are written when they happen.

Their ids rise with their times, give or take SLACK. An index on the times would cost every payment, and one of page
ranges knows no order: the newest fifty of a year would be all of it, sorted.
"""

import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

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


def bounded(
    rows: QuerySet[Any], field: str, *, start: datetime.datetime | None, end: datetime.datetime | None
) -> QuerySet[Any]:
    """Return `rows`, which are of times from `start` to before `end`, with bounds to their ids too."""
    if start is not None:
        rows = rows.filter(pk__gte=first_id(rows.model, field, moment=start - SLACK))
    if end is not None:
        rows = rows.filter(pk__lt=first_id(rows.model, field, moment=end + SLACK))
    return rows


def first_id(model: Any, field: str, *, moment: datetime.datetime) -> int:
    """Return the id from which on rows are of `moment` or later."""
    described = model._meta  # noqa: SLF001  Django documents _meta
    names = {"table": described.db_table, "column": described.get_field(field).column}
    quoted = {key: connection.ops.quote_name(name) for key, name in names.items()}
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_ID.format(**quoted), {"moment": moment})
        (found,) = cursor.fetchone()
    return int(found)
