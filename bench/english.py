"""
P8: the English app's list, whose pages are numbered: page 1 and page 10,000 of a customer who has every order of half
the table, and of one among a thousand in the other half.

The two halves lie one among the other, so that a page's rows are where they are after years of trade.
"""

import statistics
import time

from django.db import connection

from bench.report import Line, count
from english_app import answers, queries
from english_app.serializers import PAGE_SIZE, PAGE_SIZE_MAX
from payments.clients.operations import Keys

LAST_PAGE = 10_000
TIMES = 20

_ORDERS = """
WITH placed AS (
    INSERT INTO payments_order (number, family, kind, client_id, customer_id, client_order_no, client_pay_no,
        fingerprint, title, total_fen, shipping_fen, points_fen, balance_fen, cash_fen, status, money_flag, notify_url,
        created_at, expires_at, finished_at)
    SELECT 'e' || lpad(n::text, 19, '0'), 'english_app', 'goods', %(client)s,
        %(customer)s + CASE n %% 2 WHEN 0 THEN 0 ELSE 1 + (n / 2) %% %(others)s END, '', '', '', 'Order', 2900, 0, 0,
        2900, 0, 'pay_finished', '', '', now(), now(), now()
    FROM generate_series(1, 2 * %(orders)s) AS n
    RETURNING id, customer_id
)
INSERT INTO english_app_englishorder (order_id, customer_id, type, app_id, user_name, imeil, pay_way, price_total_fen,
    delivery, delivered_at)
SELECT id, customer_id, 1, 1, 'name', '', 'balance', 2900, 'delivered', now() FROM placed ORDER BY id
"""


def lists(keys: Keys, *, orders: int) -> list[Line]:
    """Return P8 of the English app, at `orders` of one customer beside as many of all the others."""
    customers = list(keys.client.customer_set.order_by("pk").values_list("pk", flat=True))
    with connection.cursor() as cursor:  # filling is not the web's: its limit of 5 s is not for it
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            _ORDERS,
            {
                "client": keys.client.pk, "customer": customers[0], "others": len(customers) - 1, "orders": orders,
            },
        )  # fmt: skip
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    first, last = (_median_ms(customer_id=customers[0], page=page, limit=PAGE_SIZE) for page in (1, LAST_PAGE))
    among_many = _median_ms(customer_id=customers[1], page=1, limit=PAGE_SIZE)
    deepest = _median_ms(customer_id=customers[0], page=orders // PAGE_SIZE_MAX, limit=PAGE_SIZE_MAX)
    name = f"P8 English list at {orders:,} of one customer"
    detail = f"{last:.1f} (page 1: {first:.1f}; of one among many: {among_many:.1f})"
    return [
        count(f"{name}, page {LAST_PAGE:,}, ms", value=round(last, 1), at_most=50, shame=150, detail=detail),
        Line(name=f"{name}, last page of {PAGE_SIZE_MAX}, ms", ours=f"{deepest:.1f}", value=round(deepest, 1)),
    ]


def _median_ms(*, customer_id: int, page: int, limit: int) -> float:
    times = []
    for _n in range(TIMES):
        started = time.perf_counter()
        rows = [answers.row(document) for document in queries.page(customer_id=customer_id, page=page, limit=limit)]
        times.append((time.perf_counter() - started) * 1_000)
        assert len(rows) == limit
    return statistics.median(times)
