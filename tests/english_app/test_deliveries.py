"""Paid goods reach their customer once; what fails is tried again on its schedule, and then waits for staff."""

import datetime

import pytest
from django.db import OperationalError
from django.utils import timezone

from english_app import deliveries, memberships, tasks
from english_app.deliveries import AGAIN_AFTER, NotToDeliver
from english_app.memberships import LAST_DAY
from english_app.models import MESSAGE_LENGTH_MAX, EnglishOrder, Grant, Membership
from payments.models import AuditRow, Order
from payments.orders import operations as orders
from tests.english_app import world
from tests.english_app.dealings import (
    DAY,
    NOW,
    ask,
    broken,
    ends_on,
    everything,
    now_of,
    paid,
    pay,
    refund,
    refuse,
    standing,
    status_of,
)
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ages(shop):
    """A membership that no calendar of ours holds, until staff shorten it: a line keeps what was sold."""
    return world.make_month(client=shop, periods=1_200, title="百年卡")


def deliver(at):
    return deliveries.deliver_due(at=at)


def fail_for_good(document, *, at=NOW):
    for later in (datetime.timedelta(), *AGAIN_AFTER):
        at += later
        assert deliver(at) == 1
    return now_of(document)


@pytest.fixture
def too_long(shop, learner, ages):
    """Paid, and its two hundred years reach beyond the limit."""
    with world.no_limit():
        return paid(client=shop, goods={ages: 2}, at=NOW)


def test_what_is_paid_wakes_the_task_which_delivers_it(shop, learner, month, monkeypatch):
    card, woken = world.make_item(client=shop), []
    monkeypatch.setattr(deliveries, "wake", woken.append)
    document = paid(client=shop, goods={month: 2, card: 3})
    assert woken == [deliveries.TASK]
    assert (status_of(document.order), standing(document)) == (2, {})

    tasks.deliver_due()

    assert status_of(document.order) == 4
    assert standing(document) == {month.title: 2, card.title: 3}
    assert ends_on(learner) > timezone.localdate()
    assert AuditRow.objects.filter(action="english.deliver", subject=document.order.subject).count() == 1


def test_nothing_is_delivered_before_it_is_due(shop, learner, month):
    document = paid(client=shop, goods={month: 1}, at=NOW)
    before = everything()

    assert deliver(NOW - datetime.timedelta(seconds=1)) == 0
    deliveries.deliver(order_id=document.order_id, at=NOW - datetime.timedelta(seconds=1))

    assert everything() == before


def test_what_is_delivered_is_not_delivered_again(shop, learner, month):
    document = world.buy(client=shop, goods={month: 1})
    before = everything()

    assert deliver(timezone.now() + DAY) == 0
    deliveries.deliver(order_id=document.order_id, at=timezone.now() + DAY)

    assert everything() == before


def test_a_delivery_that_fails_is_tried_on_its_schedule_and_then_waits_for_staff(learner, too_long):
    at = NOW
    for attempt, later in enumerate(AGAIN_AFTER, 1):
        assert deliver(at) == 1
        failed = now_of(too_long)
        assert (failed.delivery, failed.delivery_attempts, failed.deliver_due_at) == ("waiting", attempt, at + later)
        assert status_of(too_long.order) == 2
        assert deliver(at + later - datetime.timedelta(seconds=1)) == 0
        at += later

    assert deliver(at) == 1

    given_up = now_of(too_long)
    assert (given_up.delivery, given_up.delivery_attempts, given_up.deliver_due_at) == ("failed", 5, None)
    assert status_of(too_long.order) == 3
    assert str(LAST_DAY.year) in given_up.message
    assert (Grant.objects.count(), Membership.objects.count(), given_up.delivered_at) == (0, 0, None)
    assert balance_fen(learner) == 100_000 - 2 * world.MONTH_FEN
    assert deliver(at + 30 * DAY) == 0


def test_nothing_of_an_order_is_granted_where_a_part_of_it_cannot_be(shop, learner, ages):
    card = world.make_item(client=shop)
    with world.no_limit():
        document = paid(client=shop, goods={card: 1, ages: 2}, at=NOW)

    deliver(NOW)

    assert (standing(document), ends_on(learner)) == ({}, None)


def test_a_failure_of_ours_is_told_without_its_details(shop, learner, month, monkeypatch):
    document = paid(client=shop, goods={month: 1}, at=NOW)

    def fail(**_of):
        raise ValueError("secret detail")

    with monkeypatch.context() as broken_code:
        broken_code.setattr(memberships, "recount", fail)
        failed = fail_for_good(document)

    assert (status_of(document.order), failed.message) == (3, str(deliveries.FAILED))
    assert Grant.objects.count() == 0


def test_a_long_message_is_cut_to_its_column(shop, learner, month, monkeypatch):
    document = paid(client=shop, goods={month: 1}, at=NOW)

    def fail(**_of):
        raise memberships.MembershipTooLong("长" * 500)

    monkeypatch.setattr(memberships, "recount", fail)

    deliver(NOW)

    assert now_of(document).message == "长" * MESSAGE_LENGTH_MAX


def test_one_that_fails_keeps_no_other_waiting(shop, learner, month, too_long):
    other = world.make_learner(client=shop, user_id="2", balance_fen=10_000)
    document = paid(client=shop, goods={month: 1}, at=NOW, user_id="2")

    assert deliver(NOW) == 2

    assert (now_of(too_long).delivery, now_of(document).delivery) == ("waiting", "delivered")
    assert ends_on(other) == datetime.date(2026, 7, 15)


def test_the_database_s_own_trouble_is_no_failure_of_a_delivery(shop, learner, month, monkeypatch):
    document = paid(client=shop, goods={month: 1}, at=NOW)
    before = everything()

    def hang(**_of):
        raise OperationalError("canceling statement due to lock timeout")

    with monkeypatch.context() as busy:
        busy.setattr(memberships, "recount", hang)
        assert deliver(NOW) == 1
    assert everything() == before

    assert deliver(NOW) == 1
    assert now_of(document).delivery == "delivered"


def test_deliver_again_grants_once_the_cause_is_gone(shop, learner, month, too_long):
    """The shop has raised what it can hold; or an earlier membership was taken back."""
    fail_for_good(too_long)
    at = NOW + DAY

    with world.no_limit():
        deliveries.deliver_again(order_id=too_long.order_id, actor="user:lin", at=at)
        waiting = now_of(too_long)
        assert (waiting.delivery, waiting.delivery_attempts, waiting.deliver_due_at) == ("waiting", 0, at)
        assert deliver(at) == 1

        delivered = now_of(too_long)
        assert (delivered.delivery, delivered.message, status_of(too_long.order)) == ("delivered", "", 4)
        assert ends_on(learner) == datetime.date(2226, 6, 16)
        assert not broken()
        refund(too_long, too_long.order.total_fen)  # what the limit does not know is gone before the audit
    assert AuditRow.objects.get(action="english.deliver_again").actor == "user:lin"


def test_deliver_again_that_fails_again_has_all_its_attempts(too_long):
    fail_for_good(too_long)

    deliveries.deliver_again(order_id=too_long.order_id, actor="user:lin", at=NOW + DAY)
    failed = fail_for_good(too_long, at=NOW + DAY)

    assert (failed.delivery, failed.delivery_attempts) == ("failed", 5)


@pytest.mark.parametrize("what", ["waits", "delivered", "unpaid", "return asked for", "refunded"])
def test_deliver_again_is_refused_where_nothing_has_failed_for_good(shop, learner, month, too_long, what):
    document = too_long
    if what == "delivered":
        document = world.buy(client=shop, goods={month: 1})
    elif what == "unpaid":
        document = world.document(world.init(client=shop, goods={month: 1}).purchase)
    elif what == "return asked for":
        fail_for_good(too_long)
        ask(too_long, at=NOW)
    elif what == "refunded":
        fail_for_good(too_long)
        refund(too_long, too_long.order.total_fen)
    before = everything()

    with pytest.raises(NotToDeliver):
        deliveries.deliver_again(order_id=document.order_id, actor="user:lin", at=NOW)

    assert everything() == before


def test_a_delivery_that_failed_and_whose_return_was_refused_can_be_tried_again(too_long):
    fail_for_good(too_long)
    ask(too_long, at=NOW)
    refuse(too_long, at=NOW)
    assert now_of(too_long).deliver_due_at is None

    deliveries.deliver_again(order_id=too_long.order_id, actor="user:lin", at=NOW)

    assert now_of(too_long).deliver_due_at == NOW


def test_what_was_refunded_in_full_before_its_delivery_is_never_delivered(shop, learner, month):
    document = paid(client=shop, goods={month: 1}, at=NOW)

    refund(document, document.order.total_fen)

    assert deliver(NOW + DAY) == 0
    assert (status_of(document.order), standing(document)) == (7, {})
    assert balance_fen(learner) == 100_000


def test_what_was_refunded_in_part_is_delivered_all_the_same(shop, learner, month):
    document = paid(client=shop, goods={month: 1}, at=NOW)

    refund(document, 100)
    deliver(NOW)

    assert status_of(document.order) == 4
    assert standing(document) == {month.title: 1}


def test_a_due_time_that_should_not_be_there_delivers_nothing_and_goes(shop, learner, month):
    """Nothing of ours leaves one behind; if something did, it is seen to under the lock."""
    document = world.document(world.init(client=shop, goods={month: 1}, at=NOW).purchase)
    EnglishOrder.objects.filter(pk=document.pk).update(deliver_due_at=NOW)

    assert deliver(NOW) == 1

    assert (now_of(document).delivery, now_of(document).deliver_due_at) == ("waiting", None)
    assert (standing(document), ends_on(learner)) == ({}, None)


def test_fulfilment_that_failed_is_made_up_for_and_delivers_once(shop, learner, month, monkeypatch):
    made = world.init(client=shop, goods={month: 1}, at=NOW)

    def fail(**_of):
        raise ValueError

    with monkeypatch.context() as broken_code:
        broken_code.setattr(deliveries, "start", fail)
        pay(made.purchase, at=NOW)
    assert world.document(made.purchase).deliver_due_at is None
    assert deliver(NOW + DAY) == 0

    for _again in range(2):
        orders.fulfil_due(at=NOW + DAY)
        deliver(NOW + DAY)

    document = world.document(made.purchase)
    assert (document.delivery, standing(document)) == ("delivered", {month.title: 1})
    orders.dismiss_flag(order_id=document.order_id, actor="user:lin", reason="seen")


def test_fulfilment_that_is_made_up_for_while_a_return_is_asked_for_waits_for_the_decision(
    shop, learner, month, monkeypatch
):
    made = world.init(client=shop, goods={month: 1}, at=NOW)

    def fail(**_of):
        raise ValueError

    with monkeypatch.context() as broken_code:
        broken_code.setattr(deliveries, "start", fail)
        pay(made.purchase, at=NOW)
    document = world.document(made.purchase)
    ask(document, at=NOW)

    orders.fulfil_due(at=NOW + DAY)
    order = Order.objects.get(pk=document.order_id)
    assert (order.fulfil_due_at, now_of(document).deliver_due_at) == (None, None)
    refuse(document, at=NOW + DAY)
    deliver(NOW + DAY)

    assert standing(document) == {month.title: 1}


def test_an_agent_s_customer_gets_the_same(shop, learner, month):
    agent = world.make_agent(client=shop)

    document = world.buy(client=shop, goods={month: 1}, agent_id=agent.pk)

    assert (document.agent, status_of(document.order)) == (agent, 4)
