"""What the balance paid goes back into the balance, at once."""

import pytest

from payments.refunds.planner import RefundExceeds
from tests.payments.refunds.shop import balance_fen, left, posted, refund, statuses
from tests.world import make_client, make_customer, place_by_balance, points_fen

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    """An order of 100 yuan, 10 of them shipping, out of a balance of 120."""
    customer = make_customer(client=make_client(), points_fen=700, balance_fen=12_000)
    return place_by_balance(customer=customer, total_fen=10_000, shipping_fen=1_000)


@pytest.mark.parametrize("policy", ["cash_first", "points_first", "pro_rata"])
def test_a_part_goes_back_into_the_balance_by_every_policy(order, policy):
    made = refund(order, goods_fen=4_000, shipping_fen=500, policy=policy)

    assert statuses(made) == ("succeeded", ["succeeded"])
    assert made.legs.get().number == f"{order.number}_R1b"
    assert posted(order) == [("sales", "balance", 4_000, "refund"), ("shipping", "balance", 500, "shipping_refund")]
    assert left(order) == (0, 0, 4_000, 500)
    assert (order.status, balance_fen(order), points_fen(order.customer)) == ("partly_refund", 6_500, 700)


def test_the_rest_goes_back_and_the_order_is_refunded_in_full(order):
    refund(order, goods_fen=4_000, shipping_fen=500)

    refund(order, goods_fen=5_000, shipping_fen=500)

    assert left(order) == (0, 0, 9_000, 1_000)
    assert (order.status, balance_fen(order), points_fen(order.customer)) == ("total_refund", 12_000, 700)
    charge = order.charges.get()
    assert (charge.refunding_fen, charge.refunded_fen) == (0, 10_000)


def test_more_than_the_balance_paid_does_not_go_back(order):
    with pytest.raises(RefundExceeds):
        refund(order, goods_fen=9_001)

    assert (order.status, balance_fen(order), posted(order)) == ("pay_finished", 2_000, [])
