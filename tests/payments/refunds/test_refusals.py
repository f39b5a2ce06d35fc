import pytest
from django.utils import timezone

from payments.closing import operations as closing
from payments.errors import Malformed
from payments.models import Refund
from payments.refunds.operations import (
    OrderClosed,
    OrderNotPaid,
    OrderRefunded,
    RefundCommand,
    RefundedMeanwhile,
    RefundNumberReused,
    preview,
)
from payments.refunds.planner import RefundExceeds
from tests.payments.refunds.shop import (
    book,
    left,
    paid_order,
    pay,
    posted,
    refund,
)
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_the_same_refund_number_is_the_same_refund_and_tells_the_gateway_once():
    order = paid_order()

    first = refund(order, goods_fen=5_000, refund_no="R1")
    again = refund(order, goods_fen=5_000, refund_no="R1", reason="another reason")

    assert first.pk == again.pk
    assert Refund.objects.count() == 1
    assert [call for call in book().calls if call[0] == "refund"] == [("refund", first.number)]


def test_who_has_seen_that_more_was_left_is_refused_and_told():
    order = paid_order()
    first = refund(order, goods_fen=1_000, refund_no="R1", seen_left_fen=(9_000, 1_000))

    with pytest.raises(RefundedMeanwhile):
        refund(order, goods_fen=1_000, seen_left_fen=(9_000, 1_000))

    assert (Refund.objects.count(), left(order)) == (1, (0, 0, 1_000, 0))
    assert refund(order, goods_fen=1_000, refund_no="R1", seen_left_fen=(9_000, 1_000)) == first


def test_what_is_previewed_is_what_is_given_back():
    order = paid_order(refund_policy="pro_rata")
    command = RefundCommand(goods_fen=3_333, shipping_fen=1)

    split = preview(order=order, command=command)

    assert left(order) == (0, 0, 0, 0)
    made = refund(order, goods_fen=3_333, shipping_fen=1)
    assert [(charge, part.goods_fen, part.shipping_fen) for charge, part in split] == [
        (leg.charge, leg.goods_fen, leg.shipping_fen) for leg in made.legs.order_by("pk")
    ]


@pytest.mark.parametrize("other", [{"goods_fen": 4_999}, {"goods_fen": 5_000, "shipping_fen": 1}])
def test_the_same_refund_number_with_other_amounts_is_a_conflict(other):
    order = paid_order()
    refund(order, goods_fen=5_000, refund_no="R1")

    with pytest.raises(RefundNumberReused) as refused:
        refund(order, refund_no="R1", **other)

    assert refused.value.field == "refund_no"
    assert left(order) == (0, 0, 5_000, 0)


def test_the_same_refund_number_for_another_order_is_a_conflict():
    order = paid_order()
    refund(order, goods_fen=5_000, refund_no="R1")
    other = place_order(client=order.client, number="T2", total_fen=100)
    pay(other)

    with pytest.raises(RefundNumberReused):
        refund(other, goods_fen=100, refund_no="R1")

    assert left(other) == (0, 0, 0, 0)


def test_a_repeat_of_a_refund_of_an_order_that_is_refunded_in_full_answers_with_it():
    order = paid_order()
    first = refund(order, goods_fen=9_000, shipping_fen=1_000, refund_no="R1")

    assert refund(order, goods_fen=9_000, shipping_fen=1_000, refund_no="R1").pk == first.pk


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "field", "left_yuan"),
    [
        ({"goods_fen": 9_001}, "goods_amount", "90.00"),
        ({"shipping_fen": 1_001}, "shipping_amount", "10.00"),
        ({"goods_fen": 9_001, "shipping_fen": 1_000}, "goods_amount", "90.00"),
    ],
)
def test_more_than_is_left_is_refused_and_nothing_moves(asked, field, left_yuan):
    order = paid_order()

    with pytest.raises(RefundExceeds) as refused:
        refund(order, **asked)

    assert (refused.value.field, refused.value.context) == (field, {"left": left_yuan})
    assert left(order) == (0, 0, 0, 0)
    assert (posted(order), Refund.objects.count(), list(book().refunds)) == ([], 0, [])


def test_what_is_on_its_way_counts_as_gone():
    order = paid_order()
    book().refunds_take_time = True
    refund(order, goods_fen=9_000)

    with pytest.raises(RefundExceeds):
        refund(order, goods_fen=1)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "goods_amount"),
        ({"goods_fen": -1}, "goods_amount"),
        ({"goods_fen": 5, "shipping_fen": -1}, "shipping_amount"),
        ({"goods_fen": 1, "reason": "x" * 201}, "reason"),
    ],
)
def test_what_asks_for_nothing_that_can_be_is_malformed(asked, field):
    order = paid_order()

    with pytest.raises(Malformed) as refused:
        refund(order, **asked)

    assert refused.value.field == field
    assert Refund.objects.count() == 0


def test_an_order_that_is_not_paid_is_not_refunded():
    client = make_client()
    make_customer(client=client, points_fen=50)
    order = place_order(client=client, total_fen=100)

    with pytest.raises(OrderNotPaid):
        refund(order, goods_fen=10)

    assert Refund.objects.count() == 0


def test_an_order_that_is_refunded_in_full_is_not_refunded_again():
    order = paid_order()
    refund(order, goods_fen=9_000, shipping_fen=1_000)

    with pytest.raises(OrderRefunded):
        refund(order, goods_fen=1)


def test_a_closed_order_is_not_refunded():
    client = make_client()
    make_customer(client=client, points_fen=50)
    order = place_order(client=client, total_fen=100)
    closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())

    with pytest.raises(OrderClosed):
        refund(order, goods_fen=10)
