"""Pages of look-ups: they follow each other whatever comes between, and one far back costs what the first costs."""

import base64
import itertools
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection

from payments.models import Customer, Order
from tests.calls import signed
from tests.payments.api.look_ups import CHARGES, ORDERS, cursor, data, found, get, make_charge, make_order, pages
from tests.world import TOKEN, make_client

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop():
    return make_client()


@pytest.fixture
def seven(shop):
    return [make_order(client=shop).number for _ in range(7)]


def test_pages_follow_each_other_there_and_back(seven):
    newest_first = seven[::-1]

    first = data(get(ORDERS, page_size="3"))
    second = data(get(ORDERS, page_size="3", cursor=cursor(first["next"])))
    back = data(get(ORDERS, page_size="3", cursor=cursor(second["previous"])))

    assert list(pages(ORDERS, page_size="3")) == [newest_first[:3], newest_first[3:6], newest_first[6:]]
    assert back["results"] == first["results"]


def test_links_keep_the_filters_and_drop_time_and_sign(seven):
    link = data(get(ORDERS, **signed({"page_size": "3", "user_id": "442090"})))["next"]

    assert parse_qs(urlsplit(link).query).keys() == {"cursor", "page_size", "user_id"}


@pytest.mark.parametrize("path", [ORDERS, CHARGES])
def test_orders_that_come_between_two_pages_shift_none(shop, path):
    """Each order has three attempts, so that pages end within an order."""
    for order, attempt in itertools.product([make_order(client=shop) for _ in range(4)], (1, 2, 3)):
        make_charge(order=order, attempt=attempt)
    before = found(path)

    seen = []
    for page in pages(path, page_size="2"):
        seen += page
        make_charge(order=make_order(client=shop))

    assert seen == before


def test_a_new_attempt_at_the_order_where_a_page_ends_shifts_nothing(shop):
    older, newer = make_order(client=shop), make_order(client=shop)
    for order, attempt in itertools.product((older, newer), (1, 2, 3)):
        make_charge(order=order, attempt=attempt)

    first = data(get(CHARGES, page_size="2"))
    make_charge(order=newer, attempt=4)
    second = data(get(CHARGES, page_size="3", cursor=cursor(first["next"])))

    assert [row["charge_number"] for row in first["results"] + second["results"]] == [
        f"{newer.number}_1", f"{newer.number}_2", f"{newer.number}_3", f"{newer.number}_4", f"{older.number}_1",
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "statements"), [(ORDERS, 2), (CHARGES, 2), ("/api/orders/1111/", 4)])
def test_a_look_takes_so_many_statements_however_much_there_is(shop, django_assert_num_queries, path, statements):
    for number in ("1111", "2222", "3333"):
        order = make_order(client=shop, number=number)
        for attempt in (1, 2):
            make_charge(order=order, attempt=attempt)

    with django_assert_num_queries(
        statements
    ) as captured:  # the client, then the rows, for one order its charges, its refunds
        data(get(path))

    assert not [query["sql"] for query in captured.captured_queries if "COUNT(" in query["sql"].upper()]


MANY = 20_000
FEW = 300  # the page and, where it is cheaper than 100 look-ups, all 200 customers


@pytest.fixture
def many(shop):
    """A big client's orders, each with two charges, and among them a small client's, one in a thousand."""
    small = make_client(name="small")
    Customer.objects.bulk_create(
        Customer(client=client, user_id=str(n), ee_no="") for client in (shop, small) for n in range(100)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payments_order (number, family, client_id, customer_id, client_order_no, client_pay_no,
                fingerprint, title, total_fen, shipping_fen, points_fen, cash_fen, status, money_flag, expires_at,
                created_at)
            SELECT 'N' || n, 'checkout', customer.client_id, customer.id, 'T' || n, '', '', '', 100, 0, 0, 100,
                'unpaid', '', now(), timestamptz '2018-06-15' + n * interval '1 minute'
            FROM generate_series(1, %s) n
            JOIN payments_customer customer ON customer.user_id = ((n / 1000 + n) %% 100)::text
                AND customer.client_id = CASE WHEN n %% 1000 = 0 THEN %s ELSE %s END
            ORDER BY n
            """,
            [MANY, small.pk, shop.pk],
        )
        cursor.execute(
            """
            INSERT INTO payments_charge (order_id, attempt, number, tender, amount_fen, status, gateway_trade_no,
                payload, last_answer, mode, payer_id, payer_address, return_url, queries)
            SELECT id, attempt, number || '_' || attempt, 'points', 1, 'failed', '', '{}', '', '', '', '', '', 0
            FROM payments_order, generate_series(1, 2) attempt WHERE number LIKE 'N%'
            """
        )
        cursor.execute("ANALYZE payments_order, payments_charge, payments_customer")


def rows_touched(captured):
    """Return how many rows PostgreSQL reads to answer the last statement, by its own account."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {captured.captured_queries[-1]['sql']}")
        [[plan]] = cursor.fetchall()
    plan = plan if isinstance(plan, list) else json.loads(plan)
    return sum(_rows(plan[0]["Plan"]))


def _rows(node):
    below = node.get("Plans", [])
    if not below:
        read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        yield read * node["Actual Loops"]
    for child in below:
        yield from _rows(child)


@pytest.mark.parametrize("token", [TOKEN, "small-token"])
@pytest.mark.parametrize("path", [ORDERS, CHARGES])
def test_a_page_far_back_reads_no_more_than_the_first(many, django_assert_num_queries, path, token):
    middle = Order.objects.filter(number="N10000").get()
    encoded = deep_cursor(middle.pk if path == ORDERS else f"{middle.pk},1")

    with django_assert_num_queries(2) as first:
        data(get(path, token=token, page_size="5"))
    with django_assert_num_queries(2) as deep:
        rows = data(get(path, token=token, page_size="5", cursor=encoded))["results"]

    assert len(rows) == 5
    assert rows_touched(first) <= FEW
    assert rows_touched(deep) <= FEW


@pytest.mark.parametrize("day", [{"created_to": "2018-06-16 08:00:00"}, {"created_from": "2018-06-28 00:00:00"}])
def test_a_day_long_ago_is_read_without_what_came_since(many, django_assert_num_queries, day):
    with django_assert_num_queries(2) as captured:
        data(get(ORDERS, page_size="10", **day))

    assert rows_touched(captured) <= FEW


def test_pages_of_a_time_follow_each_other(shop):
    numbers = [make_order(client=shop).number for _ in range(5)]  # all of one moment

    assert list(pages(ORDERS, page_size="2", created_to="2018-06-16 00:00:00")) == [
        [numbers[4], numbers[3]], [numbers[2], numbers[1]], [numbers[0]],
    ]  # fmt: skip


def deep_cursor(position):
    return base64.b64encode(f"p={position}".encode()).decode()


@pytest.mark.parametrize(
    "params",
    [
        {"user_id": "none"},
        {"out_trade_no": "T777"},
        {"order_number": "N777"},
        {"charge_number": "N777_1"},
        {"gateway_trade_no": "none"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", [ORDERS, CHARGES])
def test_a_number_is_looked_up_in_an_index(many, django_assert_num_queries, path, params):
    with django_assert_num_queries(2) as captured:
        data(get(path, **params))

    assert rows_touched(captured) <= 20
