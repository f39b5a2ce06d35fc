"""Goods given back: the customer asks, staff decide, the money goes to the balance, the goods are taken back."""

import datetime

import pytest
from django.test import override_settings
from django.utils import timezone

from english_app import deliveries
from english_app.models import MESSAGE_LENGTH_MAX, RETURN_ASKS_MAX
from english_app.returns import (
    NotPaid,
    NotToDecide,
    RechargeNotReturnable,
    ReturnAskedTooOften,
    Returned,
    ReturnTooLate,
)
from payments.closing import operations as closing
from payments.errors import Malformed
from payments.models import Transfer
from payments.refunds.operations import RefundedMeanwhile
from payments.refunds.planner import RefundExceeds
from tests.english_app import world
from tests.english_app.dealings import (
    DAY,
    FIRST,
    NOW,
    actions,
    approve,
    ask,
    decide,
    end_attempts,
    ends_on,
    everything,
    now_of,
    paid,
    refund,
    refuse,
    standing,
    status_of,
)
from tests.english_app.world import MONTH_FEN
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)

SECOND_OF_TIME = datetime.timedelta(seconds=1)


# --- asking -----------------------------------------------------------------------------------------------------------


def test_asking_again_while_it_is_asked_for_changes_nothing(bought):
    ask(bought, at=NOW)
    before = everything()

    ask(bought, at=NOW + DAY)

    assert everything() == before
    assert status_of(bought.order) == 5
    assert actions(bought) == [("deliver", "system"), ("return_ask", "client:english")]


def test_an_approved_return_is_asked_for_already(bought, limited):
    ask(bought, at=NOW)
    approve(bought, at=NOW)
    before = everything()

    ask(bought, at=NOW)

    assert everything() == before


def test_a_return_asked_for_before_the_delivery_pauses_it_and_a_refusal_resumes_it(shop, learner, month):
    document = paid(client=shop, goods={month: 1}, at=NOW)

    ask(document, at=NOW)
    assert deliveries.deliver_due(at=NOW + DAY) == 0
    deliveries.deliver(order_id=document.order_id, at=NOW + DAY)
    assert (status_of(document.order), standing(document)) == (5, {})
    refuse(document, at=NOW + DAY)
    assert (status_of(document.order), now_of(document).deliver_due_at) == (6, NOW + DAY)
    assert deliveries.deliver_due(at=NOW + DAY) == 1

    assert (status_of(document.order), standing(document)) == (6, {month.title: 1})
    assert now_of(document).message == "用过了"


def test_a_return_approved_before_the_delivery_delivers_nothing(shop, learner, month):
    document = paid(client=shop, goods={month: 1}, at=NOW)
    ask(document, at=NOW)

    approve(document, at=NOW)

    assert deliveries.deliver_due(at=NOW + DAY) == 0
    assert (status_of(document.order), standing(document), balance_fen(learner)) == (7, {}, 100_000)
    assert now_of(document).delivery == "waiting"


def test_of_a_delivery_that_failed_the_return_is_asked_for_and_its_remark_goes(shop, learner):
    ages = world.make_month(client=shop, periods=1_200)
    with world.no_limit():
        document = paid(client=shop, goods={ages: 2}, at=NOW)
    at = NOW
    for later in (datetime.timedelta(), *deliveries.AGAIN_AFTER):
        at += later
        deliveries.deliver_due(at=at)
    assert (status_of(document.order), bool(now_of(document).message)) == (3, True)

    ask(document, at=at)
    assert (status_of(document.order), now_of(document).message) == (5, "")
    approve(document, at=at)

    assert (status_of(document.order), balance_fen(learner)) == (7, 100_000)


@pytest.mark.parametrize("days", [7, 30])
def test_a_return_is_asked_for_within_the_days_of_the_setting_counted_from_the_payment(bought, days):
    with override_settings(ENGLISH_RETURN_DAYS=days):
        before = everything()
        with pytest.raises(ReturnTooLate) as refused:
            ask(bought, at=NOW + days * DAY + SECOND_OF_TIME)
        assert str(days) in refused.value.sentence()
        assert everything() == before

        ask(bought, at=NOW + days * DAY)

    assert status_of(bought.order) == 5


@pytest.mark.parametrize("what", ["unpaid", "closed", "recharge", "paid recharge", "refunded", "returned"])
def test_nothing_is_asked_back_of_what_is_not_a_paid_purchase(shop, learner, month, what):
    made = world.init(client=shop, goods={month: 1}, money_fen=MONTH_FEN, at=NOW)
    document = world.document(made.recharge if "recharge" in what else made.purchase)
    error = NotPaid
    if what == "closed":
        close_due(NOW + DAY)
    elif what == "recharge":
        error = RechargeNotReturnable
    elif what == "paid recharge":
        world.settle(made.charge, at=NOW)
        error = RechargeNotReturnable
    elif what != "unpaid":
        document = world.buy(client=shop, goods={month: 2}, at=NOW)
        error = Returned
        if what == "returned":
            ask(document, at=NOW)
            approve(document, at=NOW)
        else:
            refund(document, 2 * MONTH_FEN)
    before = everything()

    with pytest.raises(error) as refused:
        ask(document, at=NOW)

    assert (refused.value.field, refused.value.status) == ("order_sn", 409)
    assert everything() == before


def close_due(at):
    for recharge in world.recharges():
        end_attempts(recharge.order)
    assert closing.close_due(at=at) == 2


def test_what_was_refunded_in_part_can_be_returned_and_the_rest_goes_back(bought, learner):
    refund(bought, 900)
    assert (status_of(bought.order), balance_fen(learner)) == (4, 100_000 - MONTH_FEN + 900)

    ask(bought, at=NOW)
    approve(bought, at=NOW)

    assert (status_of(bought.order), balance_fen(learner), standing(bought)) == (7, 100_000, {})
    assert now_of(bought).refund.goods_fen == MONTH_FEN - 900


# --- refusing ---------------------------------------------------------------------------------------------------------


def test_a_refused_return_is_asked_for_once_more_and_not_twice(bought, learner):
    for n in range(RETURN_ASKS_MAX):
        ask(bought, at=NOW)
        assert (status_of(bought.order), now_of(bought).message, now_of(bought).return_asks) == (5, "", n + 1)
        refuse(bought, at=NOW, reason=f"原因{n}")
        assert (status_of(bought.order), now_of(bought).message) == (6, f"原因{n}")
    before = everything()

    with pytest.raises(ReturnAskedTooOften):
        ask(bought, at=NOW)

    assert everything() == before
    assert balance_fen(learner) == 100_000 - MONTH_FEN
    assert len(standing(bought)) == 1


@pytest.mark.parametrize("reason", ["", "长" * (MESSAGE_LENGTH_MAX + 1)])
def test_a_refusal_has_a_reason_that_the_app_can_show(bought, reason):
    ask(bought, at=NOW)
    before = everything()

    with pytest.raises(Malformed) as refused:
        refuse(bought, reason=reason)

    assert refused.value.field == "reason"
    assert everything() == before


@pytest.mark.parametrize("decision", [approve, refuse])
@pytest.mark.parametrize("state", ["nothing asked for", "refused", "returned", "approved", "unpaid"])
@pytest.mark.usefixtures("limited")
def test_what_does_not_wait_for_a_decision_is_not_decided(shop, bought, month, state, decision):
    document = bought
    if state == "unpaid":
        document = world.document(world.init(client=shop, goods={month: 1}).purchase)
    elif state != "nothing asked for":
        ask(document, at=NOW)
        if state == "refused":
            refuse(document, at=NOW)
        else:
            approve(document, at=NOW)
        if state == "returned":
            decide(document, lets_go=True)
    before = everything()

    with pytest.raises(NotToDecide):
        decision(document, at=NOW)

    assert everything() == before


# --- approving --------------------------------------------------------------------------------------------------------


def test_an_approved_return_gives_back_every_fen_and_takes_back_what_it_granted_alone(shop, learner, month, bought):
    card = world.make_item(client=shop)
    other = world.buy(client=shop, goods={month: 1, card: 2}, at=NOW)
    assert ends_on(learner) == datetime.date(2026, 8, 15)
    ask(bought, at=NOW)

    returned = approve(bought, at=NOW)

    assert (returned.returning, returned.decided_by, returned.refund.status) == ("returned", FIRST, "succeeded")
    assert (status_of(bought.order), standing(bought)) == (7, {})
    assert (status_of(other.order), standing(other)) == (4, {month.title: 1, card.title: 2})
    assert ends_on(learner) == datetime.date(2026, 7, 15)
    assert balance_fen(learner) == 100_000 - other.order.total_fen
    rows = Transfer.objects.filter(order=bought.order, credit=f"balance:{learner.pk}")
    assert [row.amount_fen for row in rows] == [MONTH_FEN]
    assert actions(bought)[1:] == [("return_ask", "client:english"), ("return_approve", FIRST)]


# --- staff refund past every return -----------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", ["not", "asked", "refused", "asked again"])
def test_a_refund_in_full_by_staff_alone_returns_the_order_and_takes_the_goods_back(bought, learner, asked):
    if asked != "not":
        ask(bought, at=NOW)
    if asked in {"refused", "asked again"}:
        refuse(bought, at=NOW)
    if asked == "asked again":
        ask(bought, at=NOW)

    refund(bought, MONTH_FEN)

    assert (status_of(bought.order), now_of(bought).returning, now_of(bought).message) == (7, "returned", "")
    assert (balance_fen(learner), standing(bought), ends_on(learner)) == (100_000, {}, None)
    assert now_of(bought).returned_at <= timezone.now()


def test_a_refund_in_part_leaves_the_status_and_the_goods(bought, learner):
    refund(bought, MONTH_FEN - 1)

    assert (status_of(bought.order), len(standing(bought))) == (4, 1)
    assert ends_on(learner) == datetime.date(2026, 7, 15)

    refund(bought, 1)

    assert (status_of(bought.order), standing(bought), balance_fen(learner)) == (7, {}, 100_000)


def test_a_refund_in_part_leaves_a_return_as_asked_for(bought):
    ask(bought, at=NOW)

    refund(bought, 900)

    assert status_of(bought.order) == 5


def test_a_refund_of_more_than_there_is_moves_nothing(bought):
    before = everything()

    with pytest.raises(RefundExceeds):
        refund(bought, MONTH_FEN + 1)

    assert everything() == before


def test_while_a_return_s_refund_waits_nothing_else_can_be_refunded(bought, limited):
    ask(bought, at=NOW)
    approve(bought, at=NOW)
    before = everything()

    with pytest.raises((RefundExceeds, RefundedMeanwhile)):
        refund(bought, 1)

    assert everything() == before
