"""The gateways are asked about an order at once, and what they say is booked."""

import datetime

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.errors import Malformed
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.manual import inquiry
from payments.models import AuditRow, Charge
from tests.payments.manual.desk import attempt, book, charge_of, refused, silence, waiting_order
from tests.payments.refunds.shop import paid_order, refund
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db


def ask(order, reason="the customer calls"):
    return inquiry.ask(order_id=order.pk, actor="user:lin", reason=reason, at=timezone.now())


def told(answers):
    return [(each.number.rpartition("_")[2], str(each.outcome), each.said, str(each.after)) for each in answers]


def test_a_payment_that_was_not_heard_of_is_booked():
    order = waiting_order()
    book().pay(charge_of(order).number)

    assert told(ask(order)) == [("1", "succeeded", "PAID", "succeeded")]

    order.refresh_from_db()
    assert order.status == "pay_finished"
    row = AuditRow.objects.get(action="order.query")
    assert (row.actor, row.subject) == ("user:lin", order.subject)
    assert row.detail == {
        "reason": "the customer calls", "answers": f"{charge_of(order).number}: succeeded PAID",
    }  # fmt: skip


def test_every_attempt_is_asked_about_that_is_open_or_ended_lately():
    order = waiting_order()
    attempt(order, Mode.WAP)
    attempt(order, Mode.QR)
    Charge.objects.filter(attempt=2).update(expires_at=timezone.now() - datetime.timedelta(days=8))

    assert {charge.attempt: charge.status for charge in order.charges.all()} == {1: "closed", 2: "closed", 3: "pending"}
    assert [number for number, *_rest in told(ask(order))] == ["3", "1"]


def test_a_gateway_that_does_not_answer_is_asked_once_and_nothing_is_believed():
    order = waiting_order()
    attempt(order, Mode.WAP)
    silence()
    before = len([call for call in book().calls if call[0] == "query_payment"])

    assert [outcome for _number, outcome, *_rest in told(ask(order))] == ["unknown", "unknown"]

    assert len([call for call in book().calls if call[0] == "query_payment"]) == before + 1
    order.refresh_from_db()
    assert order.status == "point_paid"


def test_a_refund_on_its_way_is_asked_about():
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=7_000, actor="user:lin")
    leg = made.legs.get(charge__tender="memory")
    book().settle_refund(leg.number)

    answers = ask(order)

    assert [(each.number, str(each.outcome), str(each.before), str(each.after)) for each in answers] == [
        (leg.number, "succeeded", "pending", "succeeded")
    ]
    made.refresh_from_db()
    assert made.status == "succeeded"


def test_where_nothing_is_at_a_gateway_there_is_nothing_to_ask():
    client = make_client()
    make_customer(client=client, points_fen=1_000)
    order = place_order(client=client, total_fen=1_000)

    with refused(inquiry.NothingToAsk):
        ask(order)


def test_asking_has_a_reason():
    order = waiting_order()
    before = len(book().calls)

    with refused(Malformed, field="reason"):
        ask(order, reason=" ")
    assert len(book().calls) == before


def test_asking_twice_books_once():
    order = waiting_order()
    book().pay(charge_of(order).number)
    ask(order)

    with refused(inquiry.NothingToAsk):
        ask(order)


def test_a_gateway_out_of_order_is_told_and_the_order_stays():
    order = waiting_order()
    book().script(memory.Fault.REFUSED, verb="query_payment")

    ((_number, outcome, said, after),) = told(ask(order))

    assert (outcome, said, after) == ("unknown", "SCRIPTED", "pending")
    assert charges.queries.open_charges(order_id=order.pk).exists()
