"""
Writing events, in one statement however many orders they are of.

The body is made here and never again: thin, without anything personal. Whoever is told asks for the rest
(`GET /api/orders/<order_number>/`).
"""

import datetime
from typing import Any

from payments.outbox.models import EventKind
from payments.wire.encoding import encode
from payments.wire.fields import SHANGHAI

# What a source must offer of each order.
COLUMNS = ("id", "number", "family", "client_id", "client_order_no", "client_pay_no", "status")


def telling(*, source: str) -> str:
    """
    Return an `INSERT … SELECT` that writes an event of each row of `source` (SQL: a table with COLUMNS of orders).

    Its parameters are `parameters(…)`. The orders are locked, or new: their versions must not be counted twice.
    """
    return f"""
    INSERT INTO payments_outboxevent (uid, order_id, client_id, kind, version, body, created_at)
    SELECT uid, id, client_id, %(told_kind)s::text, version, json_strip_nulls(json_build_object(
        'type', %(told_kind)s::text,
        'timestamp', %(told_at)s::text,
        'data', json_build_object(
            'id', uid, 'version', version, 'order_number', number, 'out_trade_no', client_order_no,
            'client_pay_id', client_pay_no, 'family', family, 'status', status,
            'refund_no', %(told_refund)s::json -> 'refund_no',
            'refund_number', %(told_refund)s::json -> 'refund_number',
            'amount', %(told_refund)s::json -> 'amount')))::text, %(at)s
    FROM (
        SELECT source.*, 'evt_' || replace(gen_random_uuid()::text, '-', '') AS uid,
            (SELECT coalesce(max(version), 0) + 1 FROM payments_outboxevent before WHERE before.order_id = source.id)
                AS version
        FROM {source} source
    ) told
    """  # noqa: S608  the source is a constant of ours


def parameters(*, kind: EventKind, at: datetime.datetime, refund: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the parameters of `telling`. `refund`: refund_no, refund_number and amount, of an event of a refund."""
    return {
        "told_kind": kind.value,
        "told_at": at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
        "told_refund": encode(refund or {}),
        "at": at,
    }
