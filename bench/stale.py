"""
P7: closing stale orders and giving their points back, beside one SQL statement that does the same.

A tenth of the orders is stale and lies among the others, so that nearly every page of the table holds one. Both write
the same rows: order, history, charge, transfer, account; each has its own half of the stale orders in every round.
"""

import resource
import statistics
import time
from collections.abc import Callable

from django.db import connection
from django.utils import timezone

from bench.report import Line, count
from payments.clients.operations import Keys
from payments.closing import operations as closing
from payments.closing import queries
from payments.models import Order
from payments.outbox import events
from payments.outbox.models import EventKind
from payments.transactions import transaction

POINTS_FEN = 100
FINDS = 20

# Stale ones wait for cash and have their points in escrow.
_ORDERS = """
WITH placed AS (
    INSERT INTO payments_order (number, family, client_id, customer_id, client_order_no, client_pay_no, fingerprint,
        title, total_fen, shipping_fen, points_fen, cash_fen, status, money_flag, created_at, expires_at, finished_at)
    SELECT 's' || %(round)s || lpad(n::text, 12, '0'), 'checkout', %(client)s,
        %(customer)s + (n / 10) %% %(customers)s, '', '', '', 'Order', 2144, 500, %(points)s, 2144 - %(points)s,
        CASE n %% 10 WHEN 0 THEN 'point_paid' ELSE 'pay_finished' END, '', now() - interval '1 day',
        now() - interval '1 hour' + n * interval '1 ms', NULL
    FROM generate_series(0, %(orders)s - 1) AS n
    RETURNING id, number, customer_id, status
), moved AS (
    INSERT INTO payments_ordertransition (order_id, sequence, source, event, target, reason, actor, at)
    SELECT id, 1, 'unpaid', 'points_settled', 'point_paid', '', 'bench', now() FROM placed
), charged AS (
    INSERT INTO payments_charge (order_id, attempt, number, tender, mode, amount_fen, paid_fen, status,
        gateway_trade_no, payload, last_answer, created_at, paid_at, queries)
    SELECT id, 1, number || '_1', 'points', '', %(points)s, %(points)s, 'succeeded', '', '{}', '', now(), now(), 0
    FROM placed
)
INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id)
SELECT 'points:' || customer_id, 'escrow', %(points)s, 'payment', number || '_1', id FROM placed
"""

_ONE_STATEMENT = """
WITH stale AS (
    SELECT id, status, customer_id FROM payments_order orders
    WHERE status IN ('unpaid', 'point_paid') AND expires_at <= %(at)s AND NOT EXISTS (
        SELECT FROM payments_charge charge
        WHERE charge.order_id = orders.id AND charge.status IN ('started', 'unknown', 'pending')
    )
), moved AS (
    INSERT INTO payments_ordertransition (order_id, sequence, source, event, target, reason, actor, at)
    SELECT id, 1 + (SELECT max(sequence) FROM payments_ordertransition move WHERE move.order_id = stale.id), status,
        'closed', 'closed', 'expired', 'system', %(at)s
    FROM stale
), closed AS (
    UPDATE payments_order SET status = 'closed', closed_at = %(at)s FROM stale WHERE payments_order.id = stale.id
), released AS (
    UPDATE payments_charge charge SET status = 'released' FROM stale
    WHERE charge.order_id = stale.id AND charge.tender = 'points' AND charge.status IN ('held', 'succeeded')
    RETURNING charge.number, charge.amount_fen, charge.order_id, stale.customer_id
), posted AS (
    INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id)
    SELECT 'escrow', 'points:' || customer_id, amount_fen, 'release', number, order_id FROM released
), told AS (
    {event}
)
UPDATE payments_account account SET balance_fen = account.balance_fen + back.fen
FROM (SELECT customer_id, sum(amount_fen) AS fen FROM released GROUP BY customer_id) back
WHERE account.customer_id = back.customer_id AND account.kind = 'points'
"""


def closing_stale(keys: Keys, *, stale: int, rounds: int) -> list[Line]:
    """Return P7: `stale` orders closed by each of the two, in all rounds together."""
    with connection.cursor() as cursor:  # closing is a worker's: the web's limit of 5 s is not for it, nor for filling
        cursor.execute("SET statement_timeout = 0")
    ours, reference, finds = [], [], []
    grown_kb = 0
    for n in range(rounds):
        for measure, seconds in ((_ours, ours), (_in_one_statement, reference)):
            _populate(keys, name=f"{n}{len(seconds)}{measure is _ours:d}", orders=10 * stale // rounds)
            finds += _find_times() if measure is _ours else []
            before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seconds.append(_timed(measure))
            grown_kb = max(grown_kb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb)
    times = [mine / theirs for mine, theirs in zip(ours, reference, strict=True)]
    each = stale // rounds
    return [
        Line(
            name=f"P7 {each:,} stale closed / one statement, time",
            ours=f"{statistics.median(ours):.1f} s",
            reference=f"{statistics.median(reference):.1f} s",
            value=round(statistics.median(times), 2),
            spread=f"{min(times):.2f}–{max(times):.2f}",
            goal=1.5,
            shame=4,
            at_least=False,
        ),
        count("P7 memory grown while closing, MB", value=round(grown_kb / 1024, 1), at_most=20),
        count("P7 next batch found, ms (median)", value=round(statistics.median(finds), 1), at_most=5),
    ]


def _populate(keys: Keys, *, name: str, orders: int) -> None:
    first = keys.client.customer_set.order_by("pk").values_list("pk", flat=True)
    with connection.cursor() as cursor:
        cursor.execute(
            _ORDERS,
            {
                "round": name, "client": keys.client.pk, "customer": first[0], "customers": len(first),
                "points": POINTS_FEN, "orders": orders,
            },
        )  # fmt: skip
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def _find_times() -> list[float]:
    """How long PostgreSQL takes to find a batch: handing a thousand rows to Python is part of closing them."""
    times = []
    for _n in range(FINDS):
        started = time.perf_counter()
        assert queries.due(at=timezone.now())[: closing.BATCH].count() == closing.BATCH
        times.append((time.perf_counter() - started) * 1_000)
    return times


def _timed(measure: Callable[[], None]) -> float:
    started = time.perf_counter()
    measure()
    seconds = time.perf_counter() - started
    assert not Order.objects.filter(status="point_paid", expires_at__lte=timezone.now()).exists()
    return seconds


def _ours() -> None:
    closing.close_due(at=timezone.now())


def _in_one_statement() -> None:
    at = timezone.now()
    columns = ", ".join(f"payments_order.{name}" for name in events.COLUMNS if name != "status")
    told = f"(SELECT {columns}, 'closed' AS status FROM payments_order JOIN stale USING (id))"
    statement = _ONE_STATEMENT.replace("{event}", events.telling(source=told))
    with transaction(), connection.cursor() as cursor:
        cursor.execute(statement, events.parameters(kind=EventKind.ORDER_CLOSED, at=at))
