"""What the database itself refuses of refunds, whoever asks: here by plain SQL, past every rule of ours."""

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.models import Charge, Order, Refund, RefundLeg
from payments.refunds.states import LEG_TRANSITIONS, TRANSITIONS, LegStatus, Status
from payments.transactions import savepoint
from tests.payments.refunds.shop import paid_order
from tests.world import place_order

pytestmark = pytest.mark.django_db

REFUND = {
    "number": "2018061500000001_R1", "sequence": 1, "goods_fen": 100, "shipping_fen": 5, "policy": "cash_first",
    "status": "pending", "requested_by": "user:lin", "refund_no": "R1",
}  # fmt: skip


@pytest.fixture
def the_books_are_right_in_the_end():
    """Here they are wrong on purpose: instead of what every other module of this directory checks."""


def sql(statement, *parameters):
    with savepoint(), connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def make_refund(order=None, **changes):
    order = order or paid_order(total_fen=3_000)
    with savepoint():
        return Refund.objects.create(order=order, client=order.client, **(REFUND | changes))


def make_leg(refund, **changes):
    fields = {"charge": refund.order.charges.get(), "number": refund.number, "goods_fen": 100, "shipping_fen": 5}
    with savepoint():
        return RefundLeg.objects.create(refund=refund, **(fields | changes))


@pytest.mark.parametrize(
    "change",
    [
        "number = 'x'", "sequence = 2", "refund_no = 'R2'", "kind = 'console'", "goods_fen = 101", "shipping_fen = 4",
        "policy = 'pro_rata'", "requested_by = 'user:wang'",
    ],
)  # fmt: skip
def test_a_refund_keeps_its_number_its_amounts_and_whoever_asked(change):
    made = make_refund()

    with pytest.raises(DatabaseError, match="keeps its number"):
        sql(f"UPDATE payments_refund SET {change}")

    assert Refund.objects.values(*REFUND).get(pk=made.pk) == REFUND


def test_a_refund_stays_with_its_order_and_client():
    made = make_refund()
    other = place_order(client=made.client, number="T2", total_fen=100)

    for change in (f"order_id = {other.pk}", "client_id = 0"):
        with pytest.raises(DatabaseError, match="keeps its number"):
            sql(f"UPDATE payments_refund SET {change}")


@pytest.mark.parametrize("change", ["number = 'x'", "foreign_number = 'x'", "goods_fen = 1", "shipping_fen = 0"])
def test_a_leg_keeps_its_numbers_and_amounts(change):
    make_leg(make_refund())

    with pytest.raises(DatabaseError, match="keeps its number"):
        sql(f"UPDATE payments_refundleg SET {change}")


def test_a_leg_stays_with_its_refund_and_charge():
    make_leg(make_refund())

    for column in ("refund_id", "charge_id"):
        with pytest.raises(DatabaseError, match="keeps its number"):
            sql(f"UPDATE payments_refundleg SET {column} = 0")


PAIRS = [(source, target) for source in Status for target in Status if source != target]
MOVES = {(source, target) for source, row in TRANSITIONS.items() for target in row.values()}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_refund_moves_as_the_table_says_and_no_other_way(source, target):
    made = make_refund(status=source)

    if (source, target) in MOVES:
        sql("UPDATE payments_refund SET status = %s", target.value)
        made.refresh_from_db()
        assert made.status == target
        return

    with pytest.raises(DatabaseError, match=f"cannot go from {source} to {target}"):
        sql("UPDATE payments_refund SET status = %s", target.value)
    made.refresh_from_db()
    assert made.status == source


LEG_PAIRS = [(source, target) for source in LegStatus for target in LegStatus if source != target]
LEG_MOVES = {(source, target) for source, row in LEG_TRANSITIONS.items() for target in row.values()}


@pytest.mark.parametrize(("source", "target"), [pair for pair in LEG_PAIRS if pair in LEG_MOVES])
def test_a_leg_makes_every_move_of_the_table(source, target):
    leg = make_leg(make_refund(), status=source)

    sql("UPDATE payments_refundleg SET status = %s", target.value)

    leg.refresh_from_db()
    assert leg.status == target


@pytest.mark.parametrize("target", [status for status in LegStatus if status != LegStatus.SUCCEEDED])
def test_what_went_back_went_back(target):
    leg = make_leg(make_refund(), status=LegStatus.SUCCEEDED)

    with pytest.raises(DatabaseError, match=f"went back and cannot be {target}"):
        sql("UPDATE payments_refundleg SET status = %s", target.value)

    leg.refresh_from_db()
    assert (leg.status, LEG_TRANSITIONS[LegStatus.SUCCEEDED]) == (LegStatus.SUCCEEDED, {})


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"goods_fen": -1}, "refund_amount_positive"),
        ({"shipping_fen": -1}, "refund_amount_positive"),
        ({"goods_fen": 0, "shipping_fen": 0}, "refund_amount_positive"),
        ({"status": "odd"}, "refund_status_known"),
        ({"kind": "odd"}, "refund_kind_known"),
        ({"policy": "odd"}, "refund_policy_known"),
        ({"decided_by": "user:lin"}, "refund_decided_by_another"),
    ],
)
def test_a_refund_that_makes_no_sense_is_refused(changes, constraint):
    with pytest.raises(IntegrityError, match=constraint):
        make_refund(**changes)

    assert not Refund.objects.exists()


def test_whoever_asked_cannot_be_written_as_whoever_decided():
    make_refund(status="to_approve")

    with pytest.raises(IntegrityError, match="refund_decided_by_another"):
        sql("UPDATE payments_refund SET status = 'pending', decided_by = requested_by")

    sql("UPDATE payments_refund SET status = 'pending', decided_by = 'user:wang'")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"number": "x", "sequence": 2}, "refund_no_once"),
        ({"refund_no": "", "sequence": 2}, "refund_number_once"),
        ({"refund_no": "", "number": "x"}, "refund_sequence_once"),
    ],
)
def test_a_refund_s_numbers_are_used_once(changes, constraint):
    made = make_refund()

    with pytest.raises(IntegrityError, match=constraint):
        make_refund(order=made.order, **changes)

    assert Refund.objects.get().pk == made.pk


def test_refunds_without_a_number_of_the_client_do_not_collide():
    made = make_refund(refund_no="")

    make_refund(order=made.order, refund_no="", number="x", sequence=2)

    assert Refund.objects.count() == 2


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"goods_fen": -1}, "refund_leg_amount_positive"),
        ({"goods_fen": 0, "shipping_fen": 0}, "refund_leg_amount_positive"),
        ({"status": "odd"}, "refund_leg_status_known"),
    ],
)
def test_a_leg_that_makes_no_sense_is_refused(changes, constraint):
    made = make_refund()

    with pytest.raises(IntegrityError, match=constraint):
        make_leg(made, **changes)


def test_a_leg_s_numbers_are_used_once():
    first = make_refund()
    second = make_refund(order=first.order, refund_no="", number="x", sequence=2)
    make_leg(first, foreign_number="console-1")

    with pytest.raises(IntegrityError, match="refund_leg_once_per_charge"):
        make_leg(first, number="y")
    with pytest.raises(IntegrityError, match="refund_leg_number_once"):
        make_leg(second, number=first.number)
    with pytest.raises(IntegrityError, match="refund_leg_foreign_number_once"):
        make_leg(second, foreign_number="console-1")


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"refunding_goods_fen": 9_000, "refunded_goods_fen": 1}, "order_goods_refunded_within"),
        ({"refunding_goods_fen": -1}, "order_goods_refunded_within"),
        ({"refunded_goods_fen": -1}, "order_goods_refunded_within"),
        ({"refunding_shipping_fen": 1, "refunded_shipping_fen": 1_000}, "order_shipping_refunded_within"),
        ({"refunding_shipping_fen": -1}, "order_shipping_refunded_within"),
        ({"refunded_shipping_fen": -1}, "order_shipping_refunded_within"),
    ],
)
def test_of_an_order_no_more_is_reserved_and_refunded_than_it_cost(changes, constraint):
    order = paid_order()

    with pytest.raises(IntegrityError, match=constraint), savepoint():
        Order.objects.filter(pk=order.pk).update(**changes)


@pytest.mark.parametrize(
    "changes", [{"refunding_fen": 7_000, "refunded_fen": 1}, {"refunding_fen": -1}, {"refunded_fen": -1}]
)
def test_of_a_payment_no_more_is_reserved_and_refunded_than_was_paid(changes):
    paying = Charge.objects.filter(order=paid_order(), tender="memory")

    with pytest.raises(IntegrityError, match="charge_refunded_within_paid"), savepoint():
        paying.update(**changes)


def test_of_a_payment_that_did_not_come_nothing_is_reserved():
    order = place_order(client=paid_order().client, number="T2", total_fen=100)
    charge = charges.start(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())

    with pytest.raises(IntegrityError, match="charge_refunded_within_paid"), savepoint():
        Charge.objects.filter(pk=charge.pk).update(refunding_fen=1)
