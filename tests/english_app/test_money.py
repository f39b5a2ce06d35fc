"""What comes in for a purchase: paid, late, twice, in part, given back; and customers whom nothing is sold to."""

import datetime

import pytest
from django.utils import timezone

from english_app import deliveries, operations
from english_app.operations import BalanceTooSmall, MoneyTooLittle, RechargeNotPayable
from payments.charges import operations as charges
from payments.charges.operations import OrderClosed, OrderExpired, OrderRefunded
from payments.closing import late_money
from payments.closing import operations as closing
from payments.customers.queries import CustomerFrozen
from payments.ledger.operations import NotEnough
from payments.ledger.queries import balance_fen as held_fen
from payments.models import Customer, Order
from payments.orders.queries import OrderUnknown
from tests.english_app import world
from tests.english_app.dealings import (
    end_attempts,
    ends_on,
    everything,
    gateway_refunds,
    pay,
    refund,
    standing,
    status_of,
)
from tests.english_app.world import MONTH_FEN
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def poor(shop):
    return world.make_learner(client=shop, balance_fen=0)


@pytest.fixture
def made(shop, poor, month):
    """A purchase that its recharge pays for, to the fen."""
    return world.init(client=shop, goods={month: 1}, money_fen=MONTH_FEN)


def refused(error, call, *, field="order_sn"):
    before = everything()
    with pytest.raises(error) as told:
        call()
    assert told.value.field == field
    assert everything() == before
    return told.value


def close_both(made, at):
    end_attempts(made.recharge)
    return closing.close_due(at=at)


# --- recharges --------------------------------------------------------------------------------------------------------


def test_a_recharge_told_of_twice_is_booked_once(made, poor):
    for _told in range(2):
        world.settle(made.charge)

    assert (status_of(made.recharge), balance_fen(poor), held_fen(code="suspense")) == (4, MONTH_FEN, 0)


def test_a_recharge_paid_by_two_attempts_gives_the_second_back(shop, made, poor):
    end_attempts(made.recharge)
    second = charges.pay_by(
        order_id=made.recharge.pk, channel="alipay", mode="app", actor="client:english", at=timezone.now()
    )  # fmt: skip
    assert second.attempt == 2

    for charge in (second, made.charge):
        world.settle(charge)

    assert (balance_fen(poor), held_fen(code="suspense")) == (MONTH_FEN, MONTH_FEN)
    assert Order.objects.get(pk=made.recharge.pk).money_flag == "overpaid"
    assert late_money.refund_due() == 1
    gateway_refunds()
    assert (balance_fen(poor), held_fen(code="suspense"), status_of(made.recharge)) == (MONTH_FEN, 0, 4)


@pytest.mark.parametrize("paid_fen", [1, MONTH_FEN - 1, MONTH_FEN + 1])
def test_a_recharge_paid_in_another_amount_brings_nothing_and_goes_back(made, poor, paid_fen):
    world.settle(made.charge, paid_fen=paid_fen)

    assert (status_of(made.recharge), balance_fen(poor), held_fen(code="suspense")) == (0, 0, paid_fen)
    refused(BalanceTooSmall, lambda: pay(made.purchase))
    late_money.refund_due()
    gateway_refunds()
    assert held_fen(code="suspense") == 0


def test_a_recharge_paid_after_it_closed_goes_back_and_brings_nothing(made, poor):
    assert close_both(made, made.purchase.expires_at) == 2
    assert (status_of(made.recharge), status_of(made.purchase)) == (1, 1)

    world.settle(made.charge)

    assert (status_of(made.recharge), balance_fen(poor), held_fen(code="suspense")) == (1, 0, MONTH_FEN)
    late_money.refund_due()
    gateway_refunds()
    assert (balance_fen(poor), held_fen(code="suspense")) == (0, 0)


def test_a_recharge_that_is_paid_in_its_last_minute_still_buys_what_it_was_for(made, poor):
    at = made.recharge.expires_at
    world.settle(made.charge, at=at)

    pay(made.purchase, at=at + 29 * MINUTE)

    assert (status_of(made.purchase), balance_fen(poor)) == (2, 0)


def test_a_recharge_whose_purchase_closed_leaves_its_money_in_the_balance(made, poor):
    closing.close(order_id=made.purchase.pk, actor="client:english", at=timezone.now())

    world.settle(made.charge)

    assert (status_of(made.purchase), status_of(made.recharge), balance_fen(poor)) == (1, 4, MONTH_FEN)
    refused(OrderClosed, lambda: pay(made.purchase))


def test_a_purchase_never_paid_closes_after_its_recharge_and_takes_nothing(made, poor):
    end_attempts(made.recharge)

    assert closing.close_due(at=made.recharge.expires_at) == 1
    assert (status_of(made.recharge), status_of(made.purchase)) == (1, 0)
    assert closing.close_due(at=made.purchase.expires_at - MINUTE) == 0
    assert closing.close_due(at=made.purchase.expires_at) == 1

    assert (status_of(made.recharge), status_of(made.purchase), balance_fen(poor)) == (1, 1, 0)


@pytest.mark.parametrize("is_spent", [False, True])
def test_a_recharge_that_was_not_spent_can_be_given_back_and_a_spent_one_cannot(made, poor, is_spent):
    world.settle(made.charge)
    document = world.document(made.recharge)
    if is_spent:
        pay(made.purchase)
        refused(NotEnough, lambda: refund(document, MONTH_FEN), field="")
        return

    refund(document, MONTH_FEN)
    assert balance_fen(poor) == 0
    gateway_refunds()

    assert (status_of(made.recharge), status_of(made.purchase), balance_fen(poor)) == (7, 0, 0)
    refused(BalanceTooSmall, lambda: pay(made.purchase))


def test_a_recharge_given_back_in_part_stays_done(made, poor):
    world.settle(made.charge)

    refund(world.document(made.recharge), 900)
    gateway_refunds()

    assert (status_of(made.recharge), balance_fen(poor)) == (4, MONTH_FEN - 900)


# --- paying -----------------------------------------------------------------------------------------------------------


def test_paying_again_changes_nothing_before_and_after_the_delivery(shop, learner, month):
    made = world.init(client=shop, goods={month: 1})
    pay(made.purchase)
    for _again in range(2):
        before = everything()
        pay(made.purchase)
        assert everything() == before
        deliveries.deliver_due(at=timezone.now())

    assert balance_fen(learner) == 100_000 - MONTH_FEN


def test_what_is_not_one_s_own_purchase_is_not_paid(shop, learner, month):
    made = world.init(client=shop, goods={month: 1}, money_fen=MONTH_FEN)
    world.make_learner(client=shop, user_id="2", balance_fen=100_000)
    other = world.make_english_client(name="other", app_id=2)
    world.make_learner(client=other, balance_fen=100_000)

    def pay_as(client, user_id, number):
        return lambda: operations.pay(client=client, user_id=user_id, number=number, at=timezone.now())

    refused(OrderUnknown, pay_as(shop, "2", made.purchase.number))
    refused(OrderUnknown, pay_as(other, "1", made.purchase.number))
    refused(OrderUnknown, pay_as(shop, "1", "2" * 20))
    refused(RechargeNotPayable, pay_as(shop, "1", made.recharge.number))


@pytest.mark.parametrize("fen", [1, MONTH_FEN])
def test_a_refunded_purchase_is_not_paid_again(shop, learner, month, fen):
    document = world.buy(client=shop, goods={month: 1})
    refund(document, fen)

    refused(OrderRefunded, lambda: pay(document.order))


def test_nothing_is_paid_past_its_time_closed_or_not(shop, learner, month):
    made = world.init(client=shop, goods={month: 1})

    refused(OrderExpired, lambda: pay(made.purchase, at=made.purchase.expires_at))

    pay(made.purchase, at=made.purchase.expires_at - datetime.timedelta(seconds=1))
    assert status_of(made.purchase) == 2


@pytest.mark.parametrize(
    ("balance", "money_fen", "is_enough"),
    [
        (MONTH_FEN, 0, True), (MONTH_FEN - 1, 0, False), (0, MONTH_FEN, True), (0, MONTH_FEN - 1, False),
        (1_000, MONTH_FEN - 1_000, True), (1_000, MONTH_FEN - 1_001, False),
    ],
)  # fmt: skip
def test_money_and_balance_together_must_cover_the_price_to_the_fen(shop, month, balance, money_fen, is_enough):
    customer = world.make_learner(client=shop, balance_fen=balance)

    if not is_enough:
        refused(MoneyTooLittle, lambda: world.init(client=shop, goods={month: 1}, money_fen=money_fen), field="money")
        assert Order.objects.count() == 0
        return
    made = world.init(client=shop, goods={month: 1}, money_fen=money_fen)
    if made.charge:
        world.settle(made.charge)
    pay(made.purchase)
    assert balance_fen(customer) == 0


def test_two_purchases_for_one_balance_are_made_and_one_is_paid(shop, month):
    customer = world.make_learner(client=shop, balance_fen=MONTH_FEN)
    first, second = (world.init(client=shop, goods={month: 1}, title=title) for title in ("甲", "乙"))
    pay(second.purchase)

    refused(BalanceTooSmall, lambda: pay(first.purchase))

    assert (status_of(first.purchase), status_of(second.purchase), balance_fen(customer)) == (0, 2, 0)


# --- frozen -----------------------------------------------------------------------------------------------------------


def test_a_frozen_customer_buys_nothing_and_pays_nothing_and_keeps_what_was_paid(shop, learner, month):
    waiting = world.init(client=shop, goods={month: 1})
    bought = world.init(client=shop, goods={month: 2})
    pay(bought.purchase)
    Customer.objects.filter(pk=learner.pk).update(is_frozen=True)

    refused(CustomerFrozen, lambda: world.init(client=shop, goods={month: 3}), field="user_id")
    refused(CustomerFrozen, lambda: pay(waiting.purchase), field="user_id")
    pay(bought.purchase)
    deliveries.deliver_due(at=timezone.now())

    assert standing(world.document(bought.purchase)) == {month.title: 2}
    assert ends_on(learner) is not None


def test_money_that_comes_for_a_frozen_customer_is_theirs(made, poor):
    Customer.objects.filter(pk=poor.pk).update(is_frozen=True)

    world.settle(made.charge)

    assert (status_of(made.recharge), balance_fen(poor)) == (4, MONTH_FEN)
    refused(CustomerFrozen, lambda: pay(made.purchase), field="user_id")
