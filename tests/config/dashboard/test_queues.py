"""What waits for a person, and what the audit found."""

import datetime
import re

import pytest
from django.core.cache import cache
from django.urls import reverse

from config.dashboard import queues as queues_of_the_house
from payments import invariants
from tests.config.dashboard.page import index
from tests.payments.refunds.shop import book, paid_order, refund
from tests.world import make_client, make_staff

pytestmark = pytest.mark.django_db


def test_where_nothing_waits_it_says_so():
    assert "Nothing waits for a person." in index(boss=True)


def test_a_refund_that_waits_for_a_second_person_is_counted():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)

    page = index(boss=True)

    assert "Refunds to approve 1" in page
    assert "Deliveries that failed 0" in page
    assert "Nothing waits for a person." not in page


def test_a_refund_that_is_stuck_is_counted_once():
    order = paid_order()
    book().refunds_take_time = True
    refund(order, goods_fen=1_000).legs.update(status="stuck")

    assert "Refunds stuck at a gateway 1" in index(boss=True)


def test_nobody_sees_a_queue_whose_rows_they_may_not_see():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)

    assert "Refunds to approve" not in index("view_order")


def test_in_a_queue_are_the_rows_of_ones_own_clients_alone():
    refund(paid_order(approval_above_fen=0), goods_fen=1_000)
    other = make_client(name="other")

    assert "Refunds to approve 0" in index("view_refund", clients=[other])


def test_every_queue_leads_to_the_list_of_its_rows(client):
    client.force_login(make_staff("boss", boss=True))
    page = client.get(reverse("admin:index")).content.decode()
    (queues,) = re.findall(r'<ul class="board-list board-queues">(.*?)</ul>', page, re.DOTALL)

    answers = {link: client.get(link.replace("&amp;", "&")).status_code for link in re.findall(r'href="(.*?)"', queues)}

    assert len(answers) == len(queues_of_the_house.TABLE)
    assert set(answers.values()) == {200}


def test_a_breach_of_the_last_audit_is_told():
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 3, "I4": 0})

    page = index(boss=True)

    assert "The last audit found the books wrong. I2a: 3" in page
    assert "I4" not in page


def test_books_that_are_right_are_told_with_the_time_of_the_audit():
    at = datetime.datetime(2018, 6, 15, 4, 5, tzinfo=datetime.UTC)
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 0})
    cache.set(invariants.LAST_CHECKED_KEY, int(at.timestamp()))

    assert "The last audit found the books right. June 15, 2018, 12:05 p.m." in index(boss=True)


def test_the_audit_is_about_every_client_and_shown_to_who_sees_every_client():
    cache.set(invariants.LAST_BREACHES_KEY, {"I2a": 3})

    assert "The last audit" not in index("view_transfer", clients=[make_client()])
