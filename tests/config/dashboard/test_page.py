"""What the first page costs, and how it writes numbers."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from config.dashboard import shown
from payments.days import day_of
from payments.figures import operations as figures
from tests.config.dashboard.page import answer, received
from tests.payments.refunds.shop import paid_order, refund
from tests.world import make_client, make_memory_account, make_staff

pytestmark = pytest.mark.django_db


def test_its_queries_are_bounded_and_their_number_does_not_grow(django_assert_max_num_queries):
    boss = make_staff("lin", boss=True)
    client = Client()
    client.force_login(boss)

    def statements():
        with django_assert_max_num_queries(30) as captured:
            client.get(reverse("admin:index"))
        return [query["sql"] for query in captured.captured_queries]

    empty = statements()
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)
    for n in range(3):
        make_memory_account(app_id=f"app{n}")
        received(make_client(name=f"shop{n}"), 100, days=n)
    figures.compute(day=day_of(timezone.now()), at=timezone.now())

    full = statements()

    assert len(full) == len(empty)
    waiting = [sql for sql in full if 'FROM "payments_' in sql or 'FROM "english_app_' in sql]
    assert len(waiting) > 20
    assert all("LIMIT" in sql or 'FROM "payments_dayfigure"' in sql for sql in waiting)


def test_its_scripts_and_styles_are_files_of_our_own():
    received(make_client(), 100)

    page = answer(boss=True).content.decode()

    assert re.findall(r"<script(?![^>]*src=)", page) == []
    assert 'href="/static/back_office/dashboard.css"' in page


@pytest.mark.parametrize(
    ("now", "before", "told"),
    [
        (150, 100, "+50%"), (50, 100, "−50%"), (0, 100, "−100%"), (100, 100, "±0%"), (1_001, 1_000, "±0%"),
        (1_005, 1_000, "+1%"), (99_500, 100, ">+999%"), (5, 0, ""), (0, 0, ""), (5, -3, ""),
    ],
)  # fmt: skip
def test_a_change_is_told_in_per_cent_rounded(now, before, told):
    assert shown.change(now, before) == told


@pytest.mark.parametrize(
    ("fen", "told"), [(0, "¥0.00"), (5, "¥0.05"), (123_456_789, "¥1,234,567.89"), (-5_050, "−¥50.50")]
)
def test_money_is_told_to_the_fen(fen, told):
    assert shown.yuan(fen) == told
