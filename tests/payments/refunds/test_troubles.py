"""Refunds that do not come to an end by themselves: staff are told, and nothing else is kept waiting."""

import datetime

import pytest
from django.utils import timezone

from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand
from payments.gateways import registry
from payments.gateways.base import Outcome, RefundState
from payments.gateways.memory import Fault
from payments.ledger.accounts import Kind
from payments.models import RefundLeg
from payments.refunds import console, settlement, submission
from tests.payments.refunds.shop import balance_fen, book, left, paid_order, posted, recharge, refund

pytestmark = pytest.mark.django_db


def ask(leg, *, times=1, at=None):
    for _time in range(times):
        leg.refresh_from_db()
        submission.reconcile(leg_id=leg.pk, at=at or leg.next_query_at)
    leg.refresh_from_db()


def test_a_refund_that_a_gateway_will_not_make_for_hours_is_shown_to_staff():
    order = paid_order()
    book().script(*[Fault.REFUSED_FOR_NOW] * 30, verb="refund")
    leg = refund(order, goods_fen=5_000).legs.get()

    ask(leg, times=settlement.OVERDUE_AFTER_QUERIES - 2)
    order.refresh_from_db()
    assert order.money_flag == ""
    ask(leg)

    order.refresh_from_db()
    assert (leg.status, order.money_flag) == ("unknown", "needs_attention")
    assert left(order) == (5_000, 0, 0, 0)


def test_a_refund_that_is_under_way_for_days_is_shown_to_staff():
    order = paid_order()
    book().refunds_take_time = True
    leg = refund(order, goods_fen=5_000).legs.get()

    ask(leg, at=timezone.now() + settlement.OVERDUE_AFTER - datetime.timedelta(hours=1))
    order.refresh_from_db()
    assert order.money_flag == ""
    ask(leg, at=timezone.now() + settlement.OVERDUE_AFTER)

    order.refresh_from_db()
    assert (leg.status, order.money_flag) == ("pending", "needs_attention")


def test_where_no_call_is_free_nothing_was_asked_and_the_schedule_does_not_move(monkeypatch):
    book().refunds_take_time = True
    leg = refund(paid_order(), goods_fen=5_000).legs.get()
    before = leg.queries

    def busy():
        raise registry.GatewayBusy

    monkeypatch.setattr(registry, "place_for_a_call", busy)
    ask(leg, times=5)

    assert leg.queries == before


def test_a_gateway_that_is_silent_is_asked_once_in_a_run_and_keeps_no_other_waiting():
    order = paid_order()
    book().refunds_take_time = True
    made = [refund(order, goods_fen=1_000) for _each in range(3)]
    RefundLeg.objects.update(next_query_at=timezone.now())
    calls = len(book().calls)
    book().script(*[Fault.LOST_RESPONSE] * 3, verb="query_refund")

    assert submission.sweep_due() == 3

    assert len(book().calls) == calls + 1
    assert {each.legs.get().status for each in made} == {"pending"}


def test_what_a_gateway_gave_back_beyond_a_recharge_that_is_spent_is_booked_to_the_fen():
    order = recharge(total_fen=5_000)
    spend_everything(order)
    charge = order.charges.get()
    state = RefundState(outcome=Outcome.SUCCEEDED, number="c1", amount_fen=5_090)

    console.book(charge_id=charge.pk, number="c1", state=state, at=timezone.now())

    assert balance_fen(order) == 0
    assert posted(order) == [("suspense", "clearing", 5_000, "refund"), ("suspense", "clearing", 90, "excess")]
    order.refresh_from_db()
    assert (order.status, order.money_flag) == ("total_refund", "needs_attention")


def spend_everything(order):
    command = GrantCommand(grant_no="g1", kind=Kind.BALANCE, direction=Direction.OUT, amount_fen=order.total_fen)
    grants.grant(client_id=order.client_id, user_id="442090", command=command, actor="test")
