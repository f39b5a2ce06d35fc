"""The refund of an approved return: who lets it go, what stands in its way, and what a crash leaves of it."""

import pytest

from english_app import deliveries, returns, tasks
from english_app.models import RETURN_ASKS_MAX
from english_app.returns import ReturnAskedTooOften
from payments import four_eyes
from payments.models import ApiClient, Refund
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from tests.english_app import world
from tests.english_app.dealings import (
    FIRST,
    NOW,
    SECOND,
    actions,
    approve,
    ask,
    decide,
    everything,
    now_of,
    paid,
    refund,
    standing,
    status_of,
)
from tests.english_app.world import MONTH_FEN
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)


def test_above_the_client_s_limit_it_waits_for_a_second_person(bought, learner, limited):
    ask(bought, at=NOW)
    approve(bought, at=NOW)
    assert (status_of(bought.order), now_of(bought).refund.status) == (5, "to_approve")
    before = everything()
    with pytest.raises(four_eyes.SamePerson):
        refunds.approve(refund_id=now_of(bought).refund_id, actor=FIRST, reason="r", at=NOW)
    assert returns.settle_due(at=NOW) == 0
    assert everything() == before

    decide(bought, lets_go=True)

    assert (status_of(bought.order), balance_fen(learner), standing(bought)) == (7, 100_000, {})


def test_the_second_person_s_refusal_fails_the_return_which_can_be_asked_for_once_more(bought, learner, limited):
    ask(bought, at=NOW)
    approve(bought, at=NOW)
    first = now_of(bought).refund
    decide(bought, lets_go=False)
    tasks.settle_due_returns()
    assert (status_of(bought.order), bool(now_of(bought).message)) == (6, True)
    assert (balance_fen(learner), len(standing(bought))) == (100_000 - MONTH_FEN, 1)
    assert actions(bought)[-1] == ("return_fail", "system")

    ask(bought, at=NOW)
    assert (status_of(bought.order), now_of(bought).message, now_of(bought).refund) == (5, "", None)
    approve(bought, at=NOW)
    second = now_of(bought).refund
    assert (second.status, second.sequence) == ("to_approve", first.sequence + 1)
    decide(bought, lets_go=True)

    assert (status_of(bought.order), balance_fen(learner), standing(bought)) == (7, 100_000, {})


def test_refused_twice_by_the_second_person_it_is_over(bought, learner, limited):
    for _ask in range(RETURN_ASKS_MAX):
        ask(bought, at=NOW)
        approve(bought, at=NOW)
        decide(bought, lets_go=False)
        assert returns.settle_due(at=NOW) == 1
    before = everything()

    with pytest.raises(ReturnAskedTooOften):
        ask(bought, at=NOW)

    assert everything() == before
    assert status_of(bought.order) == 6


def test_what_failed_before_its_delivery_is_delivered_after_all(shop, learner, month, limited):
    document = paid(client=shop, goods={month: 1}, at=NOW)
    ask(document, at=NOW)
    approve(document, at=NOW)
    decide(document, lets_go=False)

    returns.settle_due(at=NOW)
    deliveries.deliver_due(at=NOW)

    assert (status_of(document.order), standing(document)) == (6, {month.title: 1})


@pytest.mark.parametrize("moment", ["before its refund is asked for", "before it is noted which it is"])
def test_an_approval_that_crashed_half_way_is_picked_up_and_gives_the_money_back_once(
    bought, learner, limited, monkeypatch, moment
):
    """Killed between two transactions: what stands is taken further by the task, however often it runs."""
    ask(bought, at=NOW)
    real = returns.refunds.refund

    def crash(**of):
        if moment == "before it is noted which it is":
            real(**of)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(returns.refunds, "refund", crash)
        with pytest.raises(KeyboardInterrupt):
            approve(bought, at=NOW)
    assert (now_of(bought).returning, now_of(bought).refund) == ("approved", None)

    for _again in range(3):
        returns.settle_due(at=NOW)

    assert now_of(bought).refund == Refund.objects.get()
    decide(bought, lets_go=True)
    assert (status_of(bought.order), balance_fen(learner)) == (7, 100_000)
    assert returns.settle_due(at=NOW) == 0


def test_a_refund_that_went_through_before_the_crash_returns_the_order(bought, learner, monkeypatch):
    ask(bought, at=NOW)
    real = returns.refunds.refund

    def crash(**of):
        real(**of)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(returns.refunds, "refund", crash)
        with pytest.raises(KeyboardInterrupt):
            approve(bought, at=NOW)

    assert returns.settle_due(at=NOW) == 0
    assert (status_of(bought.order), balance_fen(learner), Refund.objects.count()) == (7, 100_000, 1)


def test_while_another_refund_waits_the_return_waits_for_it_and_then_gives_back_what_is_left(shop, bought, learner):
    """Of two refunds on their way neither knows what the other leaves."""
    ApiClient.objects.filter(pk=shop.pk).update(approval_above_fen=0)
    waiting = refund(bought, 900)
    ask(bought, at=NOW)
    approve(bought, at=NOW)
    assert (now_of(bought).returning, now_of(bought).refund) == ("approved", None)
    assert returns.settle_due(at=NOW) == 1
    assert now_of(bought).refund is None

    refunds.refuse(refund_id=waiting.pk, actor=SECOND, reason="r", at=NOW)
    assert returns.settle_due(at=NOW) == 1
    assert now_of(bought).refund.goods_fen == MONTH_FEN
    decide(bought, lets_go=True)

    assert (status_of(bought.order), balance_fen(learner), standing(bought)) == (7, 100_000, {})


def test_another_refund_at_this_very_moment_is_waited_for(shop, bought, learner, monkeypatch):
    ask(bought, at=NOW)
    real = returns.refunds.refund

    def second(**of):
        monkeypatch.undo()
        refund(bought, 900)
        return real(**of)

    monkeypatch.setattr(returns.refunds, "refund", second)
    approve(bought, at=NOW)
    assert (now_of(bought).returning, now_of(bought).refund) == ("approved", None)

    assert returns.settle_due(at=NOW) == 1

    assert (status_of(bought.order), balance_fen(learner)) == (7, 100_000)


def test_many_that_wait_for_a_second_person_keep_none_waiting(shop, learner, month, limited, monkeypatch):
    monkeypatch.setattr(returns, "BATCH", 2)
    documents = [world.buy(client=shop, goods={month: 1}, at=NOW, title=f"第{n}单") for n in range(3)]
    for document in documents:
        ask(document, at=NOW)
        approve(document, at=NOW)
    decide(documents[-1], lets_go=False)

    assert returns.settle_due(at=NOW) == 1

    assert [status_of(document.order) for document in documents] == [5, 5, 6]


def test_many_for_which_another_refund_waits_keep_none_waiting(shop, learner, month, monkeypatch):
    ApiClient.objects.filter(pk=shop.pk).update(approval_above_fen=0)
    documents = [world.buy(client=shop, goods={month: 1}, at=NOW, title=f"第{n}单") for n in range(3)]
    waiting = [refund(document, 900) for document in documents]
    for document in documents:
        ask(document, at=NOW)
        approve(document, at=NOW)
    refunds.refuse(refund_id=waiting[-1].pk, actor=SECOND, reason="r", at=NOW)
    monkeypatch.setattr(returns, "BATCH", 2)

    assert returns.settle_due(at=NOW) == 2

    assert [bool(now_of(document).refund) for document in documents] == [False, False, True]


def test_a_number_that_the_client_used_itself_is_not_taken_for_the_return_s(shop, bought, learner, month):
    """It is told to staff, who can refund the order themselves: nothing is given back in its name."""
    other = world.buy(client=shop, goods={month: 1}, at=NOW, title="另一单")
    number = f"{bought.order.number}-return-1"
    refunds.refund(
        order_id=other.order_id, command=RefundCommand(goods_fen=100, refund_no=number), actor="client:english", at=NOW
    )
    ask(bought, at=NOW)

    with pytest.raises(refunds.RefundNumberReused):
        approve(bought, at=NOW)

    assert (now_of(bought).returning, now_of(bought).refund) == ("approved", None)
    refund(bought, MONTH_FEN)
    assert (status_of(bought.order), balance_fen(learner)) == (7, 100_000 - MONTH_FEN + 100)


def test_a_refund_that_is_noted_late_is_not_taken_for_that_of_the_next_ask(bought, limited, monkeypatch):
    """A worker held up between the refund and its note, for as long as people take to decide."""
    ask(bought, at=NOW)
    real = returns.refunds.refund

    def held_up(**of):
        monkeypatch.undo()
        made = real(**of)
        returns.settle_due(at=NOW)
        decide(bought, lets_go=False)
        returns.settle_due(at=NOW)
        ask(bought, at=NOW)
        return made

    monkeypatch.setattr(returns.refunds, "refund", held_up)
    approve(bought, at=NOW)

    assert (now_of(bought).returning, now_of(bought).refund) == ("asked", None)


def test_one_return_s_trouble_keeps_no_other_waiting(shop, learner, month, limited, monkeypatch):
    documents = [world.buy(client=shop, goods={month: 1}, at=NOW, title=f"第{n}单") for n in range(2)]
    for document in documents:
        ask(document, at=NOW)
        approve(document, at=NOW)
        decide(document, lets_go=False)
    real = returns._settle

    def trouble(*, order_id, at):
        if order_id == documents[0].order_id:
            raise ValueError
        real(order_id=order_id, at=at)

    monkeypatch.setattr(returns, "_settle", trouble)

    assert returns.settle_due(at=NOW) == 2

    assert [status_of(document.order) for document in documents] == [5, 6]
