"""Many at once. Each race has a control: the same race with its guard taken away, which must go wrong."""

import os
import random
from functools import partial

import pytest
from dateutil.relativedelta import relativedelta
from django.utils import timezone

from english_app import deliveries, returns
from english_app.models import EnglishOrder, Grant
from payments.charges.operations import OrderClosed
from payments.closing import operations as closing
from payments.closing.operations import OrderNotClosable
from payments.ledger import operations as ledger
from payments.models import AuditRow, Charge, Order, Refund, Transfer
from tests.english_app import world
from tests.english_app.dealings import (
    actions,
    approve,
    ask,
    broken,
    ends_on,
    now_of,
    paid,
    pay,
    refuse,
    standing,
    status_of,
)
from tests.english_app.racing import (
    both,
    without_the_customer_s_lock,
    without_the_document_s_lock,
    without_the_membership_s_lock,
    without_the_order_s_lock,
)
from tests.english_app.world import MONTH_FEN
from tests.sabotage import afresh
from tests.threads import at_once, at_once_behind, insist, kinds
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)

# More before a release; a part of them for every change.
ROUNDS = int(os.environ.get("ENGLISH_ROUNDS", "40"))


def owed(shop, goods, count):
    """So many purchases of one customer's that wait to be paid."""
    return [world.init(client=shop, goods=goods, title=f"第{n}单").purchase for n in range(count)]


def bought(shop, goods, count):
    """So many that are paid, and not delivered."""
    return [paid(client=shop, goods=goods, title=f"第{n}单") for n in range(count)]


def deliver(document):
    deliveries.deliver(order_id=document.order_id, at=timezone.now())


def close(order):
    closing.close(order_id=order.pk, actor="user:lin", at=timezone.now())


# --- pay --------------------------------------------------------------------------------------------------------------


def test_pay_a_hundred_times_at_once_is_paid_once_and_a_hundred_equal_answers(shop, learner, month):
    (order,) = owed(shop, {month: 1}, 1)

    outcomes = at_once(100, lambda n: insist(lambda: pay(order)))

    assert outcomes == [None] * 100
    assert balance_fen(learner) == 100_000 - MONTH_FEN
    assert Charge.objects.count() == 1
    assert Transfer.objects.filter(order=order).count() == 2
    assert AuditRow.objects.filter(subject=order.subject, action="charge.paid").count() == 1


def test_control_without_the_order_s_lock_pay_answers_unequally(shop, learner, month, monkeypatch):
    (order,) = owed(shop, {month: 1}, 1)
    without_the_order_s_lock(monkeypatch, count=10)

    outcomes = at_once(10, lambda n: pay(order))

    assert kinds(outcomes) == {"NoneType": 1, "IntegrityError": 9}
    assert balance_fen(learner) == 100_000 - MONTH_FEN


def test_twenty_purchases_on_a_balance_for_seven_are_seven(shop, month):
    customer = world.make_learner(client=shop, balance_fen=8 * MONTH_FEN - 1)
    purchases = owed(shop, {month: 1}, 20)

    outcomes = at_once(20, lambda n: insist(lambda: pay(purchases[n])))

    assert kinds(outcomes) == {"NoneType": 7, "BalanceTooSmall": 13}
    assert balance_fen(customer) == MONTH_FEN - 1
    assert Order.objects.filter(status="pay_finished").count() == 7


def test_control_with_a_balance_that_was_read_before_it_is_spent_twice(shop, month, monkeypatch):
    customer = world.make_learner(client=shop, balance_fen=7 * MONTH_FEN)
    purchases = owed(shop, {month: 1}, 20)
    monkeypatch.setattr(ledger, "_LOCK", f"SELECT 1 FROM {ledger._CHANGES}")
    monkeypatch.setattr(
        ledger,
        "_MOVE",
        f"""
        UPDATE payments_account account SET balance_fen = stale.balance_fen + change.by_fen
        FROM {ledger._CHANGES}, (SELECT id, balance_fen FROM payments_account) AS stale
        WHERE (account.kind, account.customer_id) = (change.kind, change.customer_id) AND stale.id = account.id
        """,
    )

    with afresh():
        lock = "SELECT 1 FROM payments_account WHERE customer_id = %s AND kind = 'balance' FOR UPDATE"
        at_once_behind(lock, customer.pk, count=20, call=lambda n: pay(purchases[n]), held_up=8)

        assert Order.objects.filter(status="pay_finished").count() > 7
        assert "I2a" in broken()


# --- init -------------------------------------------------------------------------------------------------------------


def test_init_twenty_times_at_once_is_one_pair_and_one_attempt(shop, learner, month):
    outcomes = at_once(20, lambda n: insist(lambda: world.init(client=shop, goods={month: 1}, money_fen=MONTH_FEN)))

    assert kinds(outcomes) == {"Initiated": 20}
    assert len({(made.purchase.pk, made.recharge.pk, made.charge.pk) for made in outcomes}) == 1
    assert (Order.objects.count(), EnglishOrder.objects.count(), Charge.objects.count()) == (2, 2, 1)
    assert len({made.charge.payload["order_string"] for made in outcomes}) == 1


def test_control_without_the_customer_s_lock_the_same_call_makes_a_pair_each(shop, learner, month, monkeypatch):
    without_the_customer_s_lock(monkeypatch, count=3)

    outcomes = at_once(3, lambda n: world.init(client=shop, goods={month: 1}, money_fen=MONTH_FEN))

    assert kinds(outcomes) == {"Initiated": 3}
    assert Order.objects.count() == 6


# --- pay against closing ----------------------------------------------------------------------------------------------


def test_each_of_many_purchases_that_is_paid_and_closed_at_once_is_either(shop, month):
    """Half of them are closed because their time is up, half by staff."""
    customer = world.make_learner(client=shop, balance_fen=ROUNDS * MONTH_FEN)
    purchases, chance, seen = owed(shop, {month: 1}, ROUNDS), random.Random(0), []

    for n, order in enumerate(purchases):
        end = partial(closing.close_due, at=order.expires_at) if n % 2 else partial(close, order)
        paying, closing_ = both(partial(pay, order), end, chance=chance)
        order.refresh_from_db()
        seen.append(order.status)
        if order.status == "pay_finished":
            assert paying is None
            assert closing_ == 0 if n % 2 else isinstance(closing_, OrderNotClosable)
        else:
            assert isinstance(paying, OrderClosed)
            assert closing_ == (1 if n % 2 else None)
    count = seen.count("pay_finished")
    assert balance_fen(customer) == (ROUNDS - count) * MONTH_FEN
    assert set(seen) == {"pay_finished", "closed"}


def test_control_without_the_order_s_lock_what_is_paid_and_closed_is_refused_by_the_database(
    shop, learner, month, monkeypatch
):
    (order,) = owed(shop, {month: 1}, 1)
    without_the_order_s_lock(monkeypatch, count=2)

    outcomes = both(partial(pay, order), partial(close, order))

    assert kinds(outcomes) == {"NoneType": 1, "IntegrityError": 1}


# --- deliveries -------------------------------------------------------------------------------------------------------


def test_eight_workers_deliver_each_of_twenty_purchases_once(shop, month):
    customer = world.make_learner(client=shop, balance_fen=1_000_000)
    documents = bought(shop, {month: 1}, 20)
    at = timezone.now()

    at_once(8, lambda n: insist(lambda: deliveries.deliver_due(at=at)))
    while EnglishOrder.objects.filter(deliver_due_at__lte=at).exists():  # what had to wait too long for its lock
        deliveries.deliver_due(at=at)

    assert {now_of(document).delivery_attempts for document in documents} == {0}
    assert Grant.objects.count() == 20
    assert ends_on(customer) == timezone.localdate(at) + relativedelta(months=20)
    assert AuditRow.objects.filter(action="english.deliver").count() == 20


def test_control_without_the_document_s_lock_the_database_refuses_the_second_delivery(
    shop, learner, month, monkeypatch
):
    (document,) = bought(shop, {month: 1}, 1)
    without_the_document_s_lock(monkeypatch, count=2)

    outcomes = at_once(2, lambda n: deliver(document))

    assert kinds(outcomes) == {"NoneType": 1, "IntegrityError": 1}
    assert Grant.objects.count() == 1


def test_two_deliveries_of_one_customer_at_once_both_count(shop, month):
    customer = world.make_learner(client=shop, balance_fen=1_000_000)
    documents, at = bought(shop, {month: 1}, 8), timezone.now()

    outcomes = at_once(
        8, lambda n: insist(lambda: deliver(documents[n]))
    )  # fmt: skip

    assert outcomes == [None] * 8
    assert ends_on(customer) == timezone.localdate(at) + relativedelta(months=8)


def test_control_without_the_membership_s_lock_a_delivery_is_forgotten(shop, month, monkeypatch):
    customer = world.make_learner(client=shop, balance_fen=1_000_000)
    world.buy(client=shop, goods={month: 1}, title="第一单")  # the membership is there
    documents = bought(shop, {month: 1}, 2)
    without_the_membership_s_lock(monkeypatch, count=2)

    with afresh():
        at_once(2, lambda n: deliver(documents[n]))
        monkeypatch.undo()

        assert ends_on(customer) == timezone.localdate() + relativedelta(months=2)
        assert broken().keys() == {"english_app"}


# --- deliveries against returns ---------------------------------------------------------------------------------------


def test_a_return_asked_for_while_it_is_delivered_is_asked_for_before_or_after(shop, month):
    world.make_learner(client=shop, balance_fen=1_000_000)
    chance, seen = random.Random(0), set()

    for document in bought(shop, {month: 1}, ROUNDS):
        assert both(partial(deliver, document), partial(ask, document), chance=chance) == [None, None]
        assert status_of(document.order) == 5
        is_delivered = now_of(document).delivery == "delivered"
        assert bool(standing(document)) is is_delivered
        assert [action for action, _actor in actions(document)] == ["deliver", "return_ask"][not is_delivered :]
        seen.add(is_delivered)
    assert seen == {True, False}


def give_back(document):
    """Asked for and approved at once: the money goes back and so do the goods."""
    insist(lambda: ask(document))
    insist(lambda: approve(document))


def test_what_is_returned_while_it_is_delivered_is_not_kept(shop, month):
    customer = world.make_learner(client=shop, balance_fen=1_000_000)

    for document in bought(shop, {month: 1}, ROUNDS):
        assert both(partial(deliver, document), partial(give_back, document)) == [None, None]
        assert (status_of(document.order), standing(document)) == (7, {})
    assert (balance_fen(customer), ends_on(customer)) == (1_000_000, None)


def test_control_without_the_document_s_lock_goods_are_delivered_that_were_returned(shop, learner, month, monkeypatch):
    (document,) = bought(shop, {month: 1}, 1)
    lock = deliveries.lock

    def read_before_it_was_returned(*, order_id):
        monkeypatch.setattr(deliveries, "lock", lock)
        seen = EnglishOrder.objects.select_related("order").get(order_id=order_id)
        elsewhere = at_once(1, lambda n: give_back(document))
        assert elsewhere == [None]
        return seen.order, seen

    monkeypatch.setattr(deliveries, "lock", read_before_it_was_returned)

    with afresh():
        deliver(document)

        assert (now_of(document).returning, bool(standing(document))) == ("returned", True)
        assert broken().keys() == {"english_app"}


# --- decisions --------------------------------------------------------------------------------------------------------


def asked(shop, goods, count):
    documents = bought(shop, goods, count)
    for document in documents:
        ask(document)
    return documents


def test_of_an_approval_and_a_refusal_at_once_one_decides(shop, month):
    customer = world.make_learner(client=shop, balance_fen=1_000_000)

    kept = 0
    for document in asked(shop, {month: 1}, ROUNDS):
        outcomes = both(partial(approve, document), partial(refuse, document))
        assert kinds(outcomes) == {"EnglishOrder": 1, "NotToDecide": 1}
        is_approved = isinstance(outcomes[0], EnglishOrder)
        assert status_of(document.order) == (7 if is_approved else 6)
        assert Refund.objects.filter(order=document.order).count() == int(is_approved)
        kept += not is_approved
    assert balance_fen(customer) == 1_000_000 - kept * MONTH_FEN


@pytest.mark.parametrize("crowd", [2, 8])
def test_approved_by_many_at_once_it_is_approved_once_and_the_money_goes_back_once(shop, learner, month, crowd):
    (document,) = asked(shop, {month: 1}, 1)

    outcomes = at_once(crowd, lambda n: insist(lambda: approve(document, actor=f"user:{n}")))

    assert kinds(outcomes) == {"EnglishOrder": 1, "NotToDecide": crowd - 1}
    assert (Refund.objects.count(), balance_fen(learner), status_of(document.order)) == (1, 100_000, 7)


def test_control_without_the_document_s_lock_both_decide(shop, learner, month, monkeypatch):
    (document,) = asked(shop, {month: 1}, 1)
    monkeypatch.setattr(returns, "_settle", lambda **_of: None)
    without_the_document_s_lock(monkeypatch, count=2)

    outcomes = both(partial(approve, document), partial(refuse, document))

    assert "NotToDecide" not in kinds(outcomes)


def test_control_without_the_document_s_lock_both_approve(shop, learner, month, monkeypatch):
    (document,) = asked(shop, {month: 1}, 1)
    monkeypatch.setattr(returns, "_settle", lambda **_of: None)
    without_the_document_s_lock(monkeypatch, count=2)

    outcomes = at_once(2, lambda n: approve(document, actor=f"user:{n}"))

    assert kinds(outcomes) == {"EnglishOrder": 2}
    approvals = [actor for action, actor in actions(document) if action == "return_approve"]
    assert sorted(approvals) == ["user:0", "user:1"]


def test_eight_workers_settle_an_approval_that_crashed_once(shop, learner, month, monkeypatch):
    (document,) = asked(shop, {month: 1}, 1)
    with monkeypatch.context() as killed:
        killed.setattr(returns, "_settle", lambda **_of: None)
        approve(document)

    at_once(8, lambda n: insist(lambda: returns.settle_due(at=timezone.now())))

    assert (Refund.objects.count(), balance_fen(learner), status_of(document.order)) == (1, 100_000, 7)
    assert now_of(document).refund == Refund.objects.get()
