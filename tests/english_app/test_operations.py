"""Buying in the English app: the pair of orders, the payment from the balance, the delivery."""

import datetime

import pytest
from django.utils import timezone

from english_app import deliveries, operations, returns
from english_app.memberships import MembershipTooLong
from english_app.models import EnglishOrder, Grant, Membership
from english_app.states import wire_status
from payments.charges import operations as charges
from payments.charges.operations import RefusedByGateway
from payments.gateways.base import Mode
from payments.ledger.models import Transfer
from payments.models import Charge, Order
from tests.english_app import world
from tests.world import balance_fen

pytestmark = pytest.mark.django_db(transaction=True)


def status_of(order):
    found = world.document(order)
    return wire_status(status=found.order.status, delivery=found.delivery, returning=found.returning)


def postings(order):
    rows = Transfer.objects.filter(order=order).order_by("pk")
    return [(row.debit.partition(":")[0], row.credit.partition(":")[0], row.amount_fen, row.kind) for row in rows]


@pytest.fixture
def client(db):
    client = world.make_english_client()
    world.make_alipay(client=client)
    return client


def test_a_recharge_and_the_purchase_that_it_is_for_are_made_as_a_pair(client):
    world.make_learner(client=client, balance_fen=1_000)
    month = world.make_month(client=client)

    made = world.init(client=client, goods={month: 2}, money_fen=4_800)

    assert (made.purchase.status, made.purchase.balance_fen, made.purchase.cash_fen) == ("unpaid", 5_800, 0)
    assert (made.recharge.status, made.recharge.kind, made.recharge.cash_fen) == ("unpaid", "recharge", 4_800)
    assert world.document(made.recharge).purchase == world.document(made.purchase)
    assert made.charge.order == made.recharge
    assert "order_string" in made.charge.payload
    assert len(made.purchase.number) == len(made.recharge.number) == 20
    assert Transfer.objects.filter(order__isnull=False).count() == 0


def test_the_money_comes_in_the_purchase_is_paid_and_delivered_once(client):
    customer = world.make_learner(client=client, balance_fen=1_000)
    month, card = world.make_month(client=client), world.make_item(client=client)
    made = world.init(client=client, goods={month: 1, card: 3}, money_fen=4_900)

    world.settle(made.charge)
    assert (status_of(made.recharge), status_of(made.purchase)) == (4, 0)
    assert balance_fen(customer) == 5_900
    for _again in range(2):
        operations.pay(client=client, user_id="1", number=made.purchase.number, at=timezone.now())
    assert status_of(made.purchase) == 2
    assert balance_fen(customer) == 5_900 - 2_900 - 2_970
    for _again in range(2):
        deliveries.deliver_due(at=timezone.now())

    assert status_of(made.purchase) == 4
    assert postings(made.recharge) == [
        ("clearing", "escrow", 4_900, "payment"), ("escrow", "balance", 4_900, "recharge"),
    ]  # fmt: skip
    assert postings(made.purchase) == [("balance", "escrow", 5_870, "payment"), ("escrow", "sales", 5_870, "sale")]
    assert [(grant.line.good, grant.line.num) for grant in Grant.objects.order_by("pk")] == [(month, 1), (card, 3)]


def test_a_return_that_staff_approve_gives_money_back_and_takes_goods_back(client):
    customer = world.make_learner(client=client, balance_fen=10_000)
    month = world.make_month(client=client)
    bought = world.buy(client=client, goods={month: 1})
    assert Membership.objects.get(customer=customer).ends_on > timezone.localdate()

    returns.ask(order_id=bought.order_id, actor="client:english", at=timezone.now())
    assert status_of(bought.order) == 5
    returns.approve(order_id=bought.order_id, actor="user:lin", at=timezone.now())

    assert status_of(bought.order) == 7
    assert balance_fen(customer) == 10_000
    assert Membership.objects.get(customer=customer).ends_on is None
    assert Grant.objects.filter(taken_back_at__isnull=True).count() == 0
    assert world.document(bought.order).refund.status == "succeeded"


def test_the_same_call_finds_the_pair_while_both_wait(client):
    world.make_learner(client=client)
    month = world.make_month(client=client)
    at = timezone.now()

    first = world.init(client=client, goods={month: 1}, money_fen=2_900, at=at)
    again = world.init(client=client, goods={month: 1}, money_fen=2_900, at=at + datetime.timedelta(minutes=5))
    late = world.init(client=client, goods={month: 1}, money_fen=2_900, at=at + datetime.timedelta(minutes=29))

    assert (again.purchase, again.charge) == (first.purchase, first.charge)
    assert late.purchase != first.purchase
    assert Order.objects.count() == EnglishOrder.objects.count() == 4


def test_a_client_whose_orders_wait_a_moment_still_has_recharges_that_can_be_paid(client):
    world.make_learner(client=client)
    type(client).objects.update(order_ttl_seconds=10)
    client.refresh_from_db()

    made = world.init(client=client, goods={world.make_month(client=client): 1}, money_fen=2_900)

    assert made.charge.payload["order_string"]


def just_before_the_gateway_is_asked(monkeypatch, happens):
    """`happens` is called with the attempt's id, once."""
    real = charges.submit

    def submit(*, charge_id, at):
        monkeypatch.setattr(charges, "submit", real)
        happens(Charge.objects.get(pk=charge_id))
        return real(charge_id=charge_id, at=at)

    monkeypatch.setattr(charges, "submit", submit)


def test_a_recharge_that_is_paid_while_the_same_call_comes_again_is_not_to_be_paid_again(client, monkeypatch):
    world.make_learner(client=client)
    month = world.make_month(client=client)
    first = world.init(client=client, goods={month: 1}, money_fen=2_900)
    just_before_the_gateway_is_asked(monkeypatch, world.settle)

    again = world.init(client=client, goods={month: 1}, money_fen=2_900)

    assert (again.purchase, again.recharge, again.charge) == (first.purchase, first.recharge, None)


def test_a_refusal_does_not_close_the_purchase_whose_recharge_was_paid_another_way(client, monkeypatch):
    customer = world.make_learner(client=client)
    month = world.make_month(client=client)

    def paid_elsewhere(charge):
        other = charges.start(
            order_id=charge.order_id, channel="alipay", mode=Mode.PAGE, actor="cashier", at=timezone.now()
        )
        Charge.objects.filter(pk=charge.pk).update(status="failed")
        world.settle(other)

    just_before_the_gateway_is_asked(monkeypatch, paid_elsewhere)
    made = world.init(client=client, goods={month: 1}, money_fen=2_900)

    assert (status_of(made.recharge), status_of(made.purchase), made.charge) == (4, 0, None)
    assert balance_fen(customer) == 2_900


def test_a_refusal_is_told_although_the_balance_has_paid_the_purchase_meanwhile(client, monkeypatch):
    world.make_learner(client=client, balance_fen=2_900)
    month = world.make_month(client=client)

    def paid_from_the_balance(charge):
        Charge.objects.filter(pk=charge.pk).update(status="failed")
        purchase = EnglishOrder.objects.get(recharge__order=charge.order_id).order
        operations.pay(client=client, user_id="1", number=purchase.number, at=timezone.now())

    just_before_the_gateway_is_asked(monkeypatch, paid_from_the_balance)
    with pytest.raises(RefusedByGateway):
        world.init(client=client, goods={month: 1}, money_fen=2_900)

    assert sorted(Order.objects.values_list("kind", "status")) == [("goods", "pay_finished"), ("recharge", "closed")]


def test_who_has_paid_the_recharge_is_not_asked_to_pay_another_one(client):
    """The app died between WeChat's or Alipay's SDK and `pay`: its customer begins anew."""
    customer = world.make_learner(client=client)
    month = world.make_month(client=client)
    first = world.init(client=client, goods={month: 1}, money_fen=2_900)
    world.settle(first.charge)

    again = world.init(client=client, goods={month: 1}, money_fen=2_900)

    assert (again.purchase, again.recharge, again.charge) == (first.purchase, first.recharge, None)
    operations.pay(client=client, user_id="1", number=again.purchase.number, at=timezone.now())
    assert (status_of(first.purchase), balance_fen(customer)) == (2, 0)
    third = world.init(client=client, goods={month: 1}, money_fen=2_900)
    assert third.purchase != first.purchase
    assert third.charge is not None


@pytest.mark.parametrize(("pieces", "fits"), [(1, True), (2, False), (999, False)])
def test_what_nobody_can_be_a_member_for_is_not_sold(client, pieces, fits):
    world.make_learner(client=client, balance_fen=10_000_000)
    century = world.make_month(client=client, periods=1_200)
    if fits:
        assert world.init(client=client, goods={century: pieces}).purchase.status == "unpaid"
        return

    with pytest.raises(MembershipTooLong) as refused:
        world.init(client=client, goods={century: pieces})

    assert refused.value.field == "goods_list"
    assert Order.objects.count() == 0
