"""Whose request a deed was: the one at work, none for a job, which works for many, or the one it says."""

import pytest
from structlog.contextvars import bound_contextvars

from payments import audit
from payments.models import AuditRow
from payments.transactions import transaction

pytestmark = pytest.mark.django_db


def record():
    with transaction():
        audit.record(actor="user:lin", action="a.deed", subject="order:1")
    return AuditRow.objects.latest("pk").request_id


def test_a_deed_of_a_request_carries_its_id():
    with bound_contextvars(request_id="shop-0001"):
        assert record() == "shop-0001"
    assert record() == ""


def test_a_deed_of_a_job_is_of_no_request_whoever_woke_it():
    with bound_contextvars(request_id="shop-0001", task="payments.sweep"):
        assert record() == ""


def test_a_job_may_say_on_whose_behalf_it_works():
    with bound_contextvars(request_id="shop-0001", task="payments.batch"):
        with audit.on_behalf_of("desk-0001"):
            assert record() == "desk-0001"
        assert record() == ""


def test_rows_written_together_carry_it_too():
    with bound_contextvars(request_id="shop-0001"):
        assert audit.row(actor="user:lin", action="a.deed", subject="order:1").request_id == "shop-0001"
