"""What the database itself refuses of refunds of many orders, whoever asks."""

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from payments.models import RefundBatchLine
from payments.refunds.states import LINE_TRANSITIONS, LineStatus
from payments.transactions import savepoint
from tests.payments.refunds.shop import refund
from tests.payments.refunds.test_batches import confirm, paid

pytestmark = pytest.mark.django_db


def sql(statement):
    with savepoint(), connection.cursor() as cursor:
        cursor.execute(statement)


OF_ANOTHER_ORDER = """
    UPDATE payments_refundbatchline SET status = 'done', due_at = NULL, refund_id = (SELECT id FROM payments_refund)
"""


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payments_refundbatch SET reason = 'other'",
        "UPDATE payments_refundbatch SET requested_by = 'user:wang'",
        "DELETE FROM payments_refundbatchline",
        "UPDATE payments_refundbatchline SET seen_goods_fen = 1",
        "UPDATE payments_refundbatchline SET order_id = order_id + 1",
        "UPDATE payments_refundbatchline SET status = 'paid'",
        "UPDATE payments_refundbatchline SET due_at = NULL",
        "UPDATE payments_refundbatchline SET status = 'refused', due_at = NULL",
        "UPDATE payments_refundbatchline SET status = 'done', due_at = NULL",
        OF_ANOTHER_ORDER,
    ],
)
def test_what_was_confirmed_stays_as_it_was(shop, statement):
    order, other = paid(shop, "a", 3_000), paid(shop, "b", 2_000)
    refund(other, goods_fen=1)
    confirm(order)

    with pytest.raises(IntegrityError):
        sql(statement)


def test_control_a_line_may_be_refused(shop):
    confirm(paid(shop, "a", 3_000))

    sql("UPDATE payments_refundbatchline SET status = 'refused', due_at = NULL, refusal = 'order_closed'")

    assert RefundBatchLine.objects.get().status == "refused"


@pytest.mark.parametrize("status", ["waiting", "refused"])
def test_a_line_ends_once(shop, status):
    confirm(paid(shop, "a", 3_000))
    sql("UPDATE payments_refundbatchline SET status = 'refused', due_at = NULL, refusal = 'order_closed'")

    with pytest.raises(IntegrityError):
        sql(f"UPDATE payments_refundbatchline SET status = '{status}', refusal = 'x'")


def test_the_database_knows_the_moves_of_the_table():
    assert {(source, target) for source, moves in LINE_TRANSITIONS.items() for target in moves.values()} == {
        (LineStatus.WAITING, LineStatus.DONE), (LineStatus.WAITING, LineStatus.REFUSED),
    }  # fmt: skip


def test_an_order_is_in_a_batch_once(shop):
    batch, _is_new = confirm(paid(shop, "a", 3_000))
    line = batch.lines.get()

    with pytest.raises(IntegrityError), savepoint():
        RefundBatchLine.objects.create(batch=batch, order=line.order, seen_goods_fen=1, due_at=timezone.now())
