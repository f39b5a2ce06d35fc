import pytest
from django.db import IntegrityError
from django.utils import timezone

from payments.customers import grants
from payments.customers.grants import Direction, GrantCommand
from payments.gateways.base import Outcome, RefundState
from payments.gateways.memory import Fault
from payments.ledger.accounts import Kind
from payments.ledger.operations import NotEnough
from payments.models import Charge, Refund
from payments.orders.states import Status as OrderStatus
from payments.refunds import operations as refunds
from payments.refunds import settlement, submission
from payments.refunds.operations import (
    RefundCommand,
)
from payments.transactions import savepoint
from tests.payments.refunds.shop import (
    balance_fen,
    book,
    left,
    paid_order,
    posted,
    recharge,
    refund,
    statuses,
    sweep,
)
from tests.world import points_fen

pytestmark = pytest.mark.django_db


def test_cash_goes_back_first_and_the_order_is_partly_refunded():
    order = paid_order()

    made = refund(order, goods_fen=4_000, shipping_fen=500, refund_no="R1")

    assert statuses(made) == ("succeeded", ["succeeded"])
    assert made.number == f"{order.number}_R1"
    assert book().refunded_fen(f"{order.number}_2") == 4_500
    assert posted(order) == [("sales", "clearing", 4_000, "refund"), ("shipping", "clearing", 500, "shipping_refund")]
    assert left(order) == (0, 0, 4_000, 500)
    assert order.status == OrderStatus.PARTLY_REFUND
    assert points_fen(order.customer) == 0


def test_what_is_left_goes_back_as_cash_and_points_and_the_order_is_fully_refunded():
    order = paid_order()
    refund(order, goods_fen=4_000, shipping_fen=500)

    made = refund(order, goods_fen=5_000, shipping_fen=500)

    assert statuses(made) == ("succeeded", ["succeeded", "succeeded"])
    assert sorted(made.legs.values_list("number", "goods_fen", "shipping_fen")) == [
        (f"{order.number}_R2", 2_000, 500),
        (f"{order.number}_R2p", 3_000, 0),
    ]
    assert left(order) == (0, 0, 9_000, 1_000)
    assert order.status == OrderStatus.TOTAL_REFUND
    assert points_fen(order.customer) == 3_000
    assert book().refunded_fen(f"{order.number}_2") == 7_000


def test_points_alone_go_back_at_once():
    order = paid_order(total_fen=3_000)

    made = refund(order, goods_fen=1_000)

    assert statuses(made) == ("succeeded", ["succeeded"])
    assert points_fen(order.customer) == 1_000
    assert posted(order) == [("sales", "points", 1_000, "refund")]


@pytest.mark.parametrize(
    ("policy", "cash_fen", "own_fen"),
    [("cash_first", 5_000, 0), ("points_first", 2_000, 3_000), ("pro_rata", 3_500, 1_500)],
)
def test_the_clients_policy_says_what_goes_back_where(policy, cash_fen, own_fen):
    order = paid_order(refund_policy=policy)

    refund(order, goods_fen=5_000)

    assert book().refunded_fen(f"{order.number}_2") == cash_fen
    assert points_fen(order.customer) == own_fen


def test_points_wait_for_the_cash_and_go_back_with_it():
    order = paid_order(refund_policy="pro_rata")
    book().refunds_take_time = True

    made = refund(order, goods_fen=5_000)

    assert statuses(made) == ("pending", ["started", "pending"])
    assert left(order) == (5_000, 0, 0, 0)
    assert (order.status, posted(order), points_fen(order.customer)) == ("pay_finished", [], 0)

    book().settle_refund(made.number)
    sweep()

    assert statuses(made) == ("succeeded", ["succeeded", "succeeded"])
    assert left(order) == (0, 0, 5_000, 0)
    assert points_fen(order.customer) == 1_500


def test_a_refund_that_the_gateway_closes_moves_nothing_and_frees_what_it_kept():
    order = paid_order(refund_policy="pro_rata")
    book().refunds_take_time = True
    made = refund(order, goods_fen=5_000)
    book().trouble_refund(made.number, "CLOSED")

    sweep()

    assert statuses(made) == ("failed", ["failed", "failed"])
    assert left(order) == (0, 0, 0, 0)
    assert (order.status, order.money_flag) == ("pay_finished", "needs_attention")
    assert (posted(order), points_fen(order.customer)) == ([], 0)

    again = refund(order, goods_fen=9_000, shipping_fen=1_000)

    assert again.number == f"{order.number}_R2"
    book().settle_refund(again.number)
    sweep()
    assert left(order) == (0, 0, 9_000, 1_000)


def test_a_stuck_refund_is_no_failure_is_flagged_and_never_made_twice():
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=5_000)
    book().trouble_refund(made.number, "STUCK")

    sweep()
    sweep()

    assert statuses(made) == ("pending", ["stuck"])
    assert left(order) == (5_000, 0, 0, 0)
    assert order.money_flag == "needs_attention"
    assert [call for call in book().calls if call[0] == "refund"] == [("refund", made.number)]

    book().settle_refund(made.number)
    sweep()

    assert statuses(made) == ("succeeded", ["succeeded"])


@pytest.mark.parametrize("fault", [Fault.LOST_REQUEST, Fault.LOST_RESPONSE, Fault.UNCLEAR, Fault.REFUSED_FOR_NOW])
def test_an_answer_that_says_nothing_leaves_the_refund_unknown_until_the_sweep_knows(fault):
    order = paid_order()
    book().script(fault, verb="refund")

    made = refund(order, goods_fen=5_000)

    assert statuses(made) == ("pending", ["unknown"])
    assert left(order) == (5_000, 0, 0, 0)
    sweep()
    assert statuses(made) == ("succeeded", ["succeeded"])
    assert book().refunded_fen(f"{order.number}_2") == 5_000
    assert left(order) == (0, 0, 5_000, 0)


def test_a_refund_that_the_gateway_refuses_for_good_fails():
    order = paid_order()
    book().script(Fault.REFUSED, verb="refund")

    made = refund(order, goods_fen=5_000)

    assert statuses(made) == ("failed", ["failed"])
    assert (left(order), posted(order)) == ((0, 0, 0, 0), [])


def test_a_refund_whose_process_died_before_it_told_the_gateway_is_told_by_the_sweep():
    order = paid_order()
    made, is_new = refunds.request(
        order_id=order.pk, command=RefundCommand(goods_fen=5_000), actor="client:shop", at=timezone.now()
    )
    assert is_new

    sweep()

    assert statuses(made) == ("succeeded", ["succeeded"])


def test_the_sweep_leaves_a_fresh_refund_to_whoever_made_it():
    order = paid_order()
    refunds.request(order_id=order.pk, command=RefundCommand(goods_fen=5_000), actor="client:shop", at=timezone.now())

    assert submission.sweep_due() == 0


def test_a_failed_refund_that_went_back_after_all_is_booked_and_flagged():
    order = paid_order()
    book().script(Fault.REFUSED, verb="refund")
    made = refund(order, goods_fen=5_000)
    leg = made.legs.get()
    settlement.settle(
        leg_id=leg.pk,
        state=RefundState(outcome=Outcome.SUCCEEDED, number=leg.number, amount_fen=5_000),
        at=timezone.now(),
    )

    assert statuses(made) == ("succeeded", ["succeeded"])
    assert left(order) == (0, 0, 5_000, 0)
    assert (order.status, order.money_flag) == ("partly_refund", "needs_attention")


def test_of_a_failed_refund_whose_cash_went_back_after_all_the_points_stay_and_the_order_moves():
    order = paid_order(refund_policy="pro_rata")
    book().script(Fault.REFUSED, verb="refund")
    made = refund(order, goods_fen=5_000)
    leg = made.legs.get(number=made.number)

    settlement.settle(
        leg_id=leg.pk,
        state=RefundState(outcome=Outcome.SUCCEEDED, number=leg.number, amount_fen=3_500),
        at=timezone.now(),
    )

    assert statuses(made) == ("failed", ["failed", "succeeded"])
    assert (left(order), points_fen(order.customer)) == ((0, 0, 3_500, 0), 0)
    assert (order.status, order.money_flag) == ("partly_refund", "needs_attention")

    refund(order, goods_fen=5_500, shipping_fen=1_000)

    assert left(order) == (0, 0, 9_000, 1_000)
    assert (order.status, points_fen(order.customer)) == ("total_refund", 3_000)


def test_a_refund_of_another_amount_is_not_believed():
    order = paid_order()
    book().refunds_take_time = True
    made = refund(order, goods_fen=5_000)
    leg = made.legs.get()

    settlement.settle(
        leg_id=leg.pk,
        state=RefundState(outcome=Outcome.SUCCEEDED, number=leg.number, amount_fen=4_000),
        at=timezone.now(),
    )

    assert statuses(made) == ("pending", ["pending"])
    assert (left(order), posted(order)) == ((5_000, 0, 0, 0), [])
    assert order.money_flag == "needs_attention"


# --- recharges --------------------------------------------------------------------------------------------------------


def test_a_recharge_is_taken_out_of_the_balance_before_it_goes_back():
    order = recharge()
    book().refunds_take_time = True

    made = refund(order, goods_fen=2_000)

    assert balance_fen(order) == 3_000
    assert posted(order) == [("balance", "refunding", 2_000, "take_back")]
    book().settle_refund(made.number)
    sweep()
    assert posted(order)[1:] == [("refunding", "clearing", 2_000, "refund")]
    assert order.customer.accounts.get(kind="balance").balance_fen == 3_000


def test_a_recharge_whose_refund_fails_is_in_the_balance_again():
    order = recharge()
    book().script(Fault.REFUSED, verb="refund")

    refund(order, goods_fen=2_000)

    assert balance_fen(order) == 5_000
    assert left(order) == (0, 0, 0, 0)


def test_a_recharge_that_is_spent_is_not_refunded():
    order = recharge()
    spend = GrantCommand(grant_no="g1", kind=Kind.BALANCE, direction=Direction.OUT, amount_fen=4_000)
    grants.grant(client_id=order.client_id, user_id="442090", command=spend, actor="test")

    with pytest.raises(NotEnough):
        refund(order, goods_fen=1_001)

    assert (balance_fen(order), left(order), Refund.objects.count()) == (1_000, (0, 0, 0, 0), 0)


def test_refunds_leave_the_database_no_way_to_reserve_more_than_was_paid():
    order = paid_order()
    charges = Charge.objects.filter(order=order, tender="memory")

    with pytest.raises(IntegrityError, match="charge_refunded_within_paid"), savepoint():
        charges.update(refunded_fen=7_001)


def test_a_leg_is_settled_when_the_gateway_says_it_was():
    order = paid_order()

    made = refund(order, goods_fen=100)

    leg = made.legs.get()
    assert leg.settled_at == book().refunds[leg.number].settled_at
