"""Refunds of many orders against themselves and against single ones. Each race has a control without its guard."""

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from payments.gateways import memory
from payments.models import AuditRow, Order, Refund, RefundBatch, RefundBatchLine
from payments.orders import operations as orders
from payments.refunds import batches
from payments.refunds import operations as refunds
from payments.refunds.batches import Chosen
from tests.payments.refunds.shop import book, left, paid_order, refund
from tests.threads import at_once, insist, kinds, meeting
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = f"batch-{'0' * 32}"


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


def confirm(*placed):
    chosen = [Chosen(order_id=o.pk, goods_fen=o.goods_fen, shipping_fen=o.shipping_fen) for o in placed]
    return batches.confirm(number=NUMBER, chosen=chosen, reason="recalled", actor="user:lin", at=timezone.now())


def by_points(count):
    client = make_client()
    make_customer(client=client, points_fen=100 * count)
    return [place_order(client=client, number=f"T{n}", total_fen=100) for n in range(count)]


def single_or_batch(order, line_id):
    """Eight who refund ten yuan of an order each, and two workers that have a batch's line of it."""

    def call(n):
        if n < 8:
            return insist(lambda: refund(order, goods_fen=1_000, actor=f"user:{n}"))
        return insist(lambda: batches.process(line_id=line_id, at=timezone.now()))

    return call


def test_of_a_batch_and_single_refunds_at_once_no_order_gives_back_what_was_not_seen():
    order = paid_order()
    confirm(order)
    line = RefundBatchLine.objects.get()

    outcomes = at_once(10, single_or_batch(order, line.pk))

    line.refresh_from_db()
    batched = line.status == "done"
    assert line.refusal == ("" if batched else "refunded_meanwhile")
    assert kinds(outcomes)["Refund"] == (0 if batched else 8)
    assert left(order) == ((0, 0, 9_000, 1_000) if batched else (0, 0, 8_000, 0))
    assert AuditRow.objects.filter(action__in=["refund_batch.asked", "refund_batch.refused"]).count() == 1
    assert book().refunded_fen(f"{order.number}_2") == 7_000


def test_control_without_the_order_s_lock_they_collide(monkeypatch):
    order = paid_order()
    confirm(order)
    line = RefundBatchLine.objects.get()
    monkeypatch.setattr(orders, "lock", lambda *, order_id: Order.objects.get(pk=order_id))
    meet, number_of = meeting(2), refunds.number_of
    monkeypatch.setattr(refunds, "number_of", lambda **of: meet() or number_of(**of))

    outcomes = at_once(
        2,
        lambda n: refund(order, goods_fen=1_000) if n else batches.process(line_id=line.pk, at=timezone.now()),
    )

    assert [isinstance(outcome, IntegrityError) for outcome in outcomes].count(True) == 1


def test_of_four_workers_at_once_each_order_is_asked_for_once():
    placed = by_points(20)
    confirm(*placed)

    outcomes = at_once(4, lambda n: batches.process_due())

    assert sum(outcomes) == 20
    assert set(RefundBatchLine.objects.values_list("status", flat=True)) == {"done"}
    assert (Refund.objects.count(), AuditRow.objects.filter(action="refund_batch.asked").count()) == (20, 20)


def test_control_without_the_lease_workers_take_the_same_lines_and_still_ask_once(monkeypatch):
    placed = by_points(4)
    confirm(*placed)
    lines = list(RefundBatchLine.objects.values_list("pk", flat=True))
    taken = {n: iter(lines) for n in range(4)}

    outcomes = at_once(4, lambda n: [batches.process(line_id=pk, at=timezone.now()).status for pk in taken[n]])

    assert outcomes == [["done"] * 4] * 4
    assert (Refund.objects.count(), AuditRow.objects.filter(action="refund_batch.asked").count()) == (4, 4)


def test_one_number_twenty_times_at_once_is_one_batch():
    placed = by_points(3)

    outcomes = at_once(20, lambda n: confirm(*placed))

    assert len({batch.pk for batch, _is_new in outcomes}) == 1
    assert [is_new for _batch, is_new in outcomes].count(True) == 1
    assert (RefundBatch.objects.count(), RefundBatchLine.objects.count()) == (1, 3)


def test_control_without_the_unique_number_there_are_many(monkeypatch):
    placed = by_points(1)
    meet = meeting(4)

    def make(*, number, defaults):
        meet()
        return RefundBatch.objects.create(number=number, **defaults), True

    monkeypatch.setattr(RefundBatch.objects, "get_or_create", make)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE payments_refundbatch DROP CONSTRAINT refund_batch_number_once")
    try:
        at_once(4, lambda n: confirm(*placed))

        assert RefundBatch.objects.count() == 4
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE payments_refundbatch CASCADE")
            cursor.execute("ALTER TABLE payments_refundbatch ADD CONSTRAINT refund_batch_number_once UNIQUE (number)")
