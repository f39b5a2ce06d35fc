"""
What staff's pages ask PostgreSQL (DESIGN §8, P8 and P9): as many statements on ten million rows as on a few.

Exact on purpose: a statement more is a decision, not an accident.
"""

import datetime
import json

import pytest
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments.admin.base import PlainAdmin
from payments.models import Order

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:payments_order_changelist")
# Tables of which there are a few, whatever the number of orders.
SMALL = {
    "payments_apiclient", "payments_gatewayaccount", "payments_gatewaydefault", "payments_webhookendpoint",
    "partner_orders_giftpack", "partner_orders_coupon", "partner_orders_userlevel", "english_app_good",
    "english_app_agent", "auth_user", "auth_group", "payments_handconfirmation",
}  # fmt: skip


def asked(boss, path, **data):
    with CaptureQueriesContext(connection) as captured:
        assert boss.get(path, data).status_code == 200
    return len(captured)


def grow(order, *, count=60):
    """More orders like this one, of the same customer."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO payments_order (number, family, client_id, customer_id, client_order_no, client_pay_no,"
            "  fingerprint, title, total_fen, shipping_fen, points_fen, cash_fen, status, money_flag, expires_at)"
            " SELECT 'g' || n, family, client_id, customer_id, 'g' || n, '', '', '', 1, 0, 0, 1, 'unpaid', '', now()"
            " FROM payments_order, generate_series(1, %s) n WHERE id = %s",
            [count, order.pk],
        )


@pytest.mark.parametrize(
    ("question", "statements"),
    [
        ({}, 5),  # session, user, clients to choose from, orders, what pays them
        ({"p": "2"}, 5),
        ({"status__exact": "unpaid"}, 5),
        ({"created_at_from": "2026-01-01", "created_at_to": "2099-01-01"}, 5),
        ({"q": "442090"}, 8),  # clients, gateway accounts, all look-ups in one
    ],
    ids=["all", "page 2", "a status", "days", "look-up"],
)
def test_a_list_of_orders_takes_as_many_statements_however_long_it_is(boss, order, question, statements):
    grow(order)

    assert asked(boss, ORDERS, **question) == statements


def test_the_dashboard_takes_as_many_statements_however_much_waits(boss, order):
    index = reverse("admin:index")
    before = asked(boss, index)
    grow(order)
    Order.objects.filter(number__startswith="g").update(money_flag="needs_attention")

    assert asked(boss, index) == before == 29


def test_the_page_of_an_order_takes_as_many_statements_however_many_orders_there_are(boss, order):
    path = reverse("admin:payments_order_change", args=[order.pk])
    asked(boss, path)  # Django remembers what kinds of content there are
    before = asked(boss, path)
    grow(order)

    assert asked(boss, path) == before == 15


def scanned(rows):
    """Return the tables that PostgreSQL reads from end to end, though it would do anything else before."""
    [plan] = json.loads(rows.order_by("-pk").values("pk")[:200].explain(format="json"))
    found, nodes = set(), [plan["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node and not {"Index Cond", "Recheck Cond"} & node.keys():  # also along an index
            found.add(node["Relation Name"])
    return found - SMALL


def any_of(table):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT EXISTS (SELECT FROM {table})")
        return cursor.fetchone()[0]


@pytest.fixture
def reluctant(db):
    """
    PostgreSQL scans no table where an index can answer.

    It is made to forget how few rows there are, if it has noticed: where there are none, any way is as good. And how
    many there were: from the size of what other tests left behind it would guess at rows.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # or the books would refuse
        cursor.execute(
            "TRUNCATE " + ", ".join(table for table in connection.introspection.table_names() if not any_of(table))
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("DELETE FROM pg_statistic")
        cursor.execute("UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE relnamespace = 'public'::regnamespace")


def test_no_look_up_of_any_list_reads_a_table_from_end_to_end(reluctant, book):
    lists = {model._meta.label: pages for model, pages in admin.site._registry.items() if isinstance(pages, PlainAdmin)}

    found = {label: [scanned(rows) for rows in pages.find("20111111111")] for label, pages in lists.items()}

    assert {label: tables for label, tables in found.items() if set().union(*tables)} == {}
    assert len(found["payments.Order"]) == 18


def test_the_control_a_look_up_without_an_index_is_noticed(reluctant, order):
    assert scanned(Order.objects.filter(title="20111111111")) == {"payments_order"}


def test_days_of_orders_are_walked_along_their_index(reluctant, boss, order):
    days = timezone.localdate() - datetime.timedelta(days=1), timezone.localdate()

    answer = boss.get(ORDERS, dict(zip(("created_at_from", "created_at_to"), map(str, days), strict=True)))

    changes = answer.context["cl"]
    assert list(changes.result_list) == [order]
    assert changes.queryset.query.order_by[:2] == ("-created_at", "-pk")
    assert "order_by_created" in changes.queryset[:50].explain()
