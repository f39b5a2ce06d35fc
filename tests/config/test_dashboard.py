"""The first page of the back-office: the audit's result, and what waits for a person."""

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from payments import invariants
from payments.gateways import memory
from tests.payments.admin.test_pages import text
from tests.payments.refunds.shop import paid_order, refund
from tests.world import make_staff

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh():
    memory.forget_everything()
    cache.delete(invariants.LAST_BREACHES_KEY)


def index(*permissions, boss=False):
    user = make_staff("lin", *permissions, boss=boss)
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return " ".join(text(client.get(reverse("admin:index"))).split())


def test_where_nothing_waits_it_says_so():
    assert "Nothing waits for a person." in index(boss=True)


def test_a_refund_that_waits_for_a_second_person_is_counted():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)

    assert "Refunds to approve 1" in index(boss=True)


def test_nobody_sees_a_queue_whose_rows_they_may_not_see():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)

    assert "Refunds to approve" not in index("view_order")


def test_a_breach_of_the_last_audit_is_told():
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 3, "I4": 0})

    page = index(boss=True)

    assert "The last audit found the books wrong. I2a: 3" in page
    assert "I4" not in page


def test_books_that_are_right_are_told():
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 0})

    assert "The last audit found the books right." in index(boss=True)


def test_its_queries_are_bounded_and_do_not_grow(django_assert_max_num_queries):
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)

    with django_assert_max_num_queries(27) as captured:
        index(boss=True)

    asked = [query["sql"] for query in captured.captured_queries]
    waiting = [sql for sql in asked if 'FROM "payments_' in sql or 'FROM "english_app_' in sql]
    assert waiting
    assert all("LIMIT" in sql for sql in waiting)
