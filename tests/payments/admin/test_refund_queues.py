"""What waits for a second person, and what a gateway holds up: who sees what of it, who decides, who asks."""

import datetime
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from payments.gateways import memory
from payments.models import AuditRow, Refund, RefundLeg
from payments.refunds import settlement
from tests.payments.admin.forms import errors
from tests.payments.admin.test_decisions import browser
from tests.payments.admin.test_pages import text
from tests.payments.admin.test_refund_form import table
from tests.payments.refunds.shop import book, left, paid_order, refund, statuses, sweep
from tests.world import make_client, make_staff

pytestmark = pytest.mark.django_db

TO_APPROVE = reverse("admin:payments_refund_to_approve")
HELD_UP = reverse("admin:payments_refund_held_up")
DECIDES = ("view_refund", "approve_refund")


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


@pytest.fixture
def waiting():
    """A refund that lin has asked for an hour ago and that needs a second person."""
    made = refund(paid_order(approval_above_fen=0), goods_fen=8_000, actor="user:lin", reason="too small")
    Refund.objects.filter(pk=made.pk).update(requested_at=timezone.now() - datetime.timedelta(hours=1))
    return made


@pytest.fixture
def on_its_way():
    """A refund that the gateway is at."""
    order = paid_order()
    book().refunds_take_time = True
    return refund(order, goods_fen=5_000, actor="user:lin")


def page(made, name):
    return reverse(f"admin:payments_refund_{name}", args=[made.pk])


def links(response):
    return re.findall(r'href="([^"]*)"', response.content.decode())


def decide(client, made, name, reason="seen the parcel"):
    return client.post(page(made, name), {"reason": reason}, follow=True)


def test_the_queue_says_who_asked_for_what_since_when_and_where_it_goes(waiting):
    answer = browser("wang", *DECIDES).get(TO_APPROVE)

    (row,) = table(answer, "queue")
    number, *told = [re.sub(r"\s+", " ", cell) for cell in row]
    assert number == f"{waiting.number}order {waiting.order}shop"
    assert told[:5] == ["¥80.00", "in memory ¥70.00 + points 10.00", "too small", "staff lin", "1 hour"]
    assert {page(waiting, "approve"), page(waiting, "refuse")} <= set(links(answer))


def test_a_second_person_approves_on_the_refunds_own_page_and_the_money_goes(waiting):
    wang = browser("wang", *DECIDES)
    shown = text(wang.get(page(waiting, "approve")))

    answer = decide(wang, waiting, "approve")

    for said in ("¥80.00", "in memory ¥70.00 + points 10.00", "too small", "staff lin", waiting.order.number):
        assert said in shown
    assert f"Refund {waiting.number} is approved: succeeded." in text(answer)
    assert statuses(waiting) == ("succeeded", ["succeeded", "succeeded"])
    assert (waiting.decided_by, waiting.decision) == ("user:wang", "seen the parcel")
    assert AuditRow.objects.get(action="refund.approved").actor == "user:wang"


def test_a_refused_refund_goes_nowhere_and_its_reservation_is_free(waiting):
    assert left(waiting.order) == (8_000, 0, 0, 0)

    answer = decide(browser("wang", *DECIDES), waiting, "refuse", "no parcel")

    assert "is refused: nothing goes back" in text(answer)
    assert statuses(waiting) == ("refused", ["failed", "failed"])
    assert (left(waiting.order), book().refunds) == ((0, 0, 0, 0), {})
    assert AuditRow.objects.get(action="refund.refused").detail["reason"] == "no parcel"


@pytest.mark.parametrize("name", ["approve", "refuse"])
def test_who_asked_for_it_sees_that_a_colleague_decides_and_cannot(waiting, name):
    lin = browser("lin", *DECIDES)

    answer = decide(lin, waiting, name)

    assert errors(answer) == {"__all__": ["Whoever asked for this cannot decide on it. Ask a colleague."]}
    assert statuses(waiting) == ("to_approve", ["started", "started"])
    for where in (TO_APPROVE, page(waiting, "change")):
        shown = lin.get(where)
        assert {page(waiting, "approve"), page(waiting, "refuse")} & set(links(shown)) == set()
        assert "colleague" in text(shown)


def test_control_another_finds_both_buttons_on_the_refunds_page(waiting):
    shown = browser("wang", *DECIDES).get(page(waiting, "change"))

    assert {page(waiting, "approve"), page(waiting, "refuse")} <= set(links(shown))


def test_what_was_decided_meanwhile_is_told_and_stays(waiting):
    decide(browser("wang", *DECIDES), waiting, "refuse")

    answer = decide(browser("zhao", *DECIDES), waiting, "approve")

    assert errors(answer) == {"__all__": ["This does not wait for a decision (any more)."]}
    assert statuses(waiting) == ("refused", ["failed", "failed"])


def test_without_a_reason_nothing_is_decided(waiting):
    answer = decide(browser("wang", *DECIDES), waiting, "approve", " ")

    assert list(errors(answer)) == ["reason"]
    assert statuses(waiting) == ("to_approve", ["started", "started"])


def test_who_may_look_alone_decides_and_asks_nothing(waiting):
    looker = browser("looker", "view_refund")

    shown = looker.get(TO_APPROVE)

    assert waiting.number in text(shown)
    assert page(waiting, "approve") not in links(shown)
    for name in ("approve", "refuse", "ask"):
        assert looker.get(page(waiting, name)).status_code == 403
        assert looker.post(page(waiting, name), {"reason": "x"}).status_code == 403
    assert statuses(waiting) == ("to_approve", ["started", "started"])


@pytest.mark.parametrize("path", [TO_APPROVE, HELD_UP])
def test_the_queues_are_for_who_may_look_at_refunds(client, path):
    assert browser("someone", "view_order").get(path).status_code == 403
    assert client.get(path)["Location"].startswith("/admin/login/")
    assert browser("wang", "view_refund").post(path).status_code == 405


def test_refunds_of_other_clients_are_not_there(client, waiting):
    client.force_login(make_staff("zhao", *DECIDES, "query_gateway", clients=[make_client(name="rival")]))

    assert waiting.number not in text(client.get(TO_APPROVE))
    for name in ("approve", "refuse", "ask"):
        assert client.post(page(waiting, name), {"reason": "x"}).status_code == 404
    assert statuses(waiting) == ("to_approve", ["started", "started"])


def test_many_that_wait_are_read_in_as_many_statements_as_one(waiting):
    wang = browser("wang", *DECIDES)
    counts = []

    for _time in range(2):
        with CaptureQueriesContext(connection) as asked:
            wang.get(TO_APPROVE)
        counts.append(len(asked))
        refund(waiting.order, goods_fen=100, actor="user:lin")

    assert counts[0] == counts[1]


# --- what a gateway holds up


def stuck(made):
    RefundLeg.objects.filter(refund=made).update(status="stuck", last_answer="ABNORMAL")
    return made


def test_what_is_stuck_says_what_the_gateway_said_and_what_to_do(on_its_way):
    stuck(on_its_way)

    answer = browser("wang", "view_refund", "query_gateway").get(HELD_UP)

    assert f"{on_its_way.number} · in memory ¥50.00" in text(answer)
    assert "the gateway's last word: ABNORMAL" in text(answer)
    assert "Never refund again: lead it on in the gateway's merchant console" in text(answer)
    assert page(on_its_way, "ask") in links(answer)


@pytest.mark.parametrize(
    ("leg", "is_there"),
    [
        ({"status": "unknown", "queries": settlement.OVERDUE_AFTER_QUERIES}, True),
        ({"status": "unknown", "queries": settlement.OVERDUE_AFTER_QUERIES - 1}, False),
        ({"status": "pending", "created_at": timezone.now() - datetime.timedelta(days=4, hours=1)}, True),
        ({"status": "pending", "created_at": timezone.now() - datetime.timedelta(days=3)}, False),
    ],
)
def test_what_takes_longer_than_it_may_is_there_too(on_its_way, leg, is_there):
    RefundLeg.objects.filter(refund=on_its_way).update(**leg)

    assert (on_its_way.number in text(browser("wang", "view_refund").get(HELD_UP))) is is_there


def test_asked_now_the_gateway_says_what_became_of_it(on_its_way):
    stuck(on_its_way)
    book().settle_refund(on_its_way.number)
    wang = browser("wang", "view_refund", "query_gateway")

    answer = wang.post(page(on_its_way, "ask"), follow=True)

    assert f"The gateway says: {on_its_way.number} · succeeded · succeeded." in text(answer)
    assert statuses(on_its_way) == ("succeeded", ["succeeded"])
    asked = AuditRow.objects.get(action="refund.ask_gateway")
    assert (asked.actor, asked.detail) == ("user:wang", {"refund": on_its_way.number})


def test_where_no_gateway_is_at_it_there_is_nothing_to_ask(waiting):
    wang = browser("wang", "view_refund", "query_gateway")

    answer = wang.post(page(waiting, "ask"))

    assert "No gateway is at this refund" in text(answer)
    assert page(waiting, "ask") not in links(wang.get(page(waiting, "change")))
    assert AuditRow.objects.filter(action="refund.ask_gateway").count() == 0
    sweep()
    assert statuses(waiting) == ("to_approve", ["started", "started"])
