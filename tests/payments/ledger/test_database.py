"""What the database itself refuses, whoever asks: here by plain SQL, past every rule of ours."""

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.utils import timezone

from payments.models import AuditRow, Order, OrderTransition, Transfer
from payments.orders.states import TRANSITIONS, Status
from payments.transactions import savepoint
from tests.payments.books import make_books
from tests.world import make_client, make_customer

pytestmark = pytest.mark.django_db

APPEND_ONLY = [Transfer, OrderTransition, AuditRow]


def sql(statement, *parameters):
    with savepoint(), connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


@pytest.mark.parametrize("model", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET id = id + 1000000", "TRUNCATE {} CASCADE"])
def test_what_is_written_stays_as_it_is(model, statement):
    make_books()
    sql("SET CONSTRAINTS ALL IMMEDIATE")  # or TRUNCATE is refused for another reason
    before = list(model.objects.order_by("pk").values())

    with pytest.raises(DatabaseError, match="append-only"):
        sql(statement.format(model._meta.db_table))

    assert list(model.objects.order_by("pk").values()) == before != []


@pytest.mark.parametrize("model", APPEND_ONLY)
def test_the_orm_is_refused_as_well(model):
    make_books()

    with pytest.raises(DatabaseError, match="append-only"), savepoint():
        model.objects.first().delete()
    with pytest.raises(DatabaseError, match="append-only"), savepoint():
        model.objects.first().save()


TRANSFER = "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) VALUES (%s, %s, %s, %s, %s)"


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        (("escrow", "sales", 0, "sale", "r"), "transfer_amount_positive"),
        (("escrow", "sales", -1, "sale", "r"), "transfer_amount_positive"),
        (("escrow", "escrow", 1, "sale", "r"), "transfer_between_two"),
        (("escrow", "sales", 1, "gift", "r"), "transfer_kind_known"),
    ],
)
def test_a_transfer_that_is_none_is_refused(row, constraint):
    with pytest.raises(IntegrityError, match=constraint):
        sql(TRANSFER, *row)

    assert not Transfer.objects.exists()


def test_a_reference_of_one_kind_is_written_once():
    sql(TRANSFER, "escrow", "sales", 1, "sale", "r")
    sql(TRANSFER, "escrow", "shipping", 1, "shipping", "r")

    with pytest.raises(IntegrityError, match="transfer_once"):
        sql(TRANSFER, "escrow", "sales", 1, "sale", "r")

    assert Transfer.objects.count() == 2


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE payments_account SET balance_fen = -1", "account_not_overdrawn"),
        ("UPDATE payments_account SET kind = 'gold'", "account_kind_known"),
        ("UPDATE payments_account SET kind = 'points'", "account_once_per_customer"),
    ],
)
def test_an_account_stays_what_it_is_and_above_zero(statement, constraint):
    make_customer(client=make_client(), points_fen=100)

    with pytest.raises(IntegrityError, match=constraint):
        sql(statement)


KEPT = {
    "number": "'x'",
    "family": "'x'",
    "client_id": "client_id + 1",
    "customer_id": "customer_id + 1",
    "client_order_no": "'x'",
    "client_pay_no": "'x'",
    "fingerprint": "'x'",
    "total_fen": "total_fen + 1",
    "shipping_fen": "shipping_fen - 1",
    "points_fen": "points_fen + 1",
    "balance_fen": "balance_fen + 1",
    "cash_fen": "cash_fen + 1",
    "created_at": "now() + interval '1 day'",
}


@pytest.mark.parametrize("column", KEPT)
def test_price_owner_and_numbers_of_an_order_never_change(column):
    make_books()
    before = list(Order.objects.order_by("pk").values())

    with pytest.raises(DatabaseError, match="keeps its price, owner and numbers"):
        sql(f"UPDATE payments_order SET {column} = {KEPT[column]} WHERE client_order_no = 'waiting'")

    assert list(Order.objects.order_by("pk").values()) == before


def test_what_may_change_of_an_order_changes():
    make_books()

    sql(
        "UPDATE payments_order SET title = 'x', money_flag = 'overpaid', expires_at = now(), finished_at = now(), "
        "closed_at = now(), fulfil_due_at = now(), status = 'pay_finished' WHERE client_order_no = 'waiting'"
    )

    assert Order.objects.get(client_order_no="waiting").status == "pay_finished"


ORDER = {"total_fen": 100, "shipping_fen": 5, "points_fen": 40, "cash_fen": 60}


def make_order(**changes):
    client = make_client()
    customer = make_customer(client=client)
    fields = {
        "number": "2018061500000001", "family": "checkout", "client": client, "customer": customer,
        "title": "t", "expires_at": timezone.now(), **ORDER,
    }  # fmt: skip
    with savepoint():
        return Order.objects.create(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"total_fen": 0, "points_fen": 0, "cash_fen": 0, "shipping_fen": 0}, "order_total_positive"),
        ({"points_fen": -1, "cash_fen": 101}, "order_tenders_positive"),
        ({"balance_fen": -1, "cash_fen": 61}, "order_tenders_positive"),
        ({"cash_fen": -1, "points_fen": 101}, "order_tenders_positive"),
        ({"cash_fen": 61}, "order_tenders_add_up"),
        ({"balance_fen": 1}, "order_tenders_add_up"),
        (
            {"kind": "recharge", "shipping_fen": 0, "points_fen": 0, "cash_fen": 0, "balance_fen": 100},
            "order_recharge_is_cash",
        ),
        ({"shipping_fen": 101}, "order_goods_refunded_within"),
        ({"shipping_fen": -1}, "order_shipping_refunded_within"),
        ({"status": "paid"}, "order_status_known"),
        ({"money_flag": "odd"}, "order_money_flag_known"),
    ],
)
def test_an_order_whose_figures_make_no_sense_is_refused(changes, constraint):
    with pytest.raises(IntegrityError, match=constraint):
        make_order(**changes)

    assert not Order.objects.exists()


PAIRS = [(source, target) for source in Status for target in Status if source != target]
MOVES = {(source, target) for source, row in TRANSITIONS.items() for target in row.values()}


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_a_status_moves_as_the_table_says_and_no_other_way(source, target):
    order = make_order(status=source)

    if (source, target) in MOVES:
        sql("UPDATE payments_order SET status = %s", target.value)
        order.refresh_from_db()
        assert order.status == target
        return

    with pytest.raises(DatabaseError, match=f"cannot go from {source} to {target}"):
        sql("UPDATE payments_order SET status = %s", target.value)
    order.refresh_from_db()
    assert order.status == source
