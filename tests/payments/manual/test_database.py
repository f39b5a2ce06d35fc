"""What the database refuses of what staff do by hand, whatever the code does."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from payments.manual.states import TRANSITIONS, Status
from payments.models import HandConfirmation, ValueRequest
from tests.payments.manual.desk import approve, charge_of, waiting_order
from tests.world import confirm_by_hand, give_by_hand, make_client, make_customer

pytestmark = pytest.mark.django_db

TABLES = {"payments_handconfirmation": HandConfirmation, "payments_valuerequest": ValueRequest}


@pytest.fixture(params=TABLES)
def waiting(request):
    """A request that waits, of either table."""
    if request.param == "payments_handconfirmation":
        return confirm_by_hand(charge_of(waiting_order()), is_acknowledged=True)
    return give_by_hand(make_customer(client=make_client()))


def refused(statement, *parameters):
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def table(row):
    return row._meta.db_table


def test_nobody_decides_on_their_own(waiting):
    refused(
        f"UPDATE {table(waiting)} SET status = 'done', decided_at = now(), decided_by = requested_by WHERE id = %s",
        waiting.pk,
    )


def test_a_refusal_is_somebodys(waiting):
    refused(f"UPDATE {table(waiting)} SET status = 'refused' WHERE id = %s", waiting.pk)


@pytest.mark.parametrize("column", ["amount_fen = 1", "reason = 'x'", "requested_by = 'user:x'", "number = 'x'"])
def test_what_was_asked_for_never_changes(waiting, column):
    refused(f"UPDATE {table(waiting)} SET {column} WHERE id = %s", waiting.pk)


@pytest.mark.parametrize(
    "column",
    ["evidence = 'x'", "evidence_name = 'x.png'", "trade_no = 'x'", "paid_at = now()", "is_contradicted = false"],
)
def test_the_evidence_never_changes(column):
    made = confirm_by_hand(charge_of(waiting_order()), is_acknowledged=True)

    refused(f"UPDATE payments_handconfirmation SET {column} WHERE id = %s", made.pk)


def test_nothing_of_it_is_deleted(waiting):
    refused(f"DELETE FROM {table(waiting)} WHERE id = %s", waiting.pk)


def test_it_is_not_truncated(waiting):
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    refused(f"TRUNCATE {table(waiting)}")


def test_there_is_one_confirmation_of_a_payment():
    made = confirm_by_hand(charge_of(waiting_order()), is_acknowledged=True)
    copied = [
        field.attname for field in HandConfirmation._meta.concrete_fields if field.attname not in {"id", "number"}
    ]

    refused(
        f"INSERT INTO payments_handconfirmation (number, {', '.join(copied)}) "
        f"SELECT 'h-2', {', '.join(copied)} FROM payments_handconfirmation WHERE id = %s",
        made.pk,
    )


@pytest.mark.parametrize("source", Status)
@pytest.mark.parametrize("target", Status)
def test_the_trigger_and_the_table_agree(source, target):
    """Every pair of statuses, tried on a row that is there."""
    made = give_by_hand(make_customer(client=make_client()))
    if source != Status.TO_APPROVE:
        _move(made, source)
    allowed = target in TRANSITIONS[source].values()

    if allowed:
        _move(made, target)
        made.refresh_from_db()
        assert made.status == target
    else:
        with pytest.raises(IntegrityError), transaction.atomic():
            _move(made, target)


def _move(made, status):
    ValueRequest.objects.filter(pk=made.pk).update(status=status, decided_by="user:wang", decided_at=timezone.now())


def test_a_done_confirmation_stays_done():
    made = confirm_by_hand(charge_of(waiting_order()), is_acknowledged=True)
    approve(made)

    refused("UPDATE payments_handconfirmation SET status = 'to_approve', decided_by = '', decided_at = NULL")
