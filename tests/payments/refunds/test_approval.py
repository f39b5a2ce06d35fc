import pytest
from django.utils import timezone

from payments.four_eyes import NotToDecide, SamePerson
from payments.models import AuditRow
from payments.refunds import operations as refunds
from payments.refunds import submission
from tests.payments.refunds.shop import (
    book,
    left,
    paid_order,
    refund,
    statuses,
    sweep,
)

pytestmark = pytest.mark.django_db


# --- two people -------------------------------------------------------------------------------------------------------


def test_above_the_limit_a_refund_waits_and_keeps_its_money_reserved():
    order = paid_order(approval_above_fen=5_000)

    made = refund(order, goods_fen=5_001, refund_no="R1")

    assert statuses(made) == ("to_approve", ["started"])
    assert left(order) == (5_001, 0, 0, 0)
    assert sweep() == 0
    assert list(book().refunds) == []


def test_up_to_the_limit_one_person_is_enough():
    order = paid_order(approval_above_fen=5_000)

    assert refund(order, goods_fen=5_000).status == "succeeded"


def test_what_one_person_refunded_in_pieces_counts_together():
    order = paid_order(approval_above_fen=5_000)
    refund(order, goods_fen=3_000)

    assert refund(order, goods_fen=2_001).status == "to_approve"


def test_a_second_person_lets_it_go():
    order = paid_order(approval_above_fen=0)
    made = refund(order, goods_fen=5_000, actor="user:lin")

    refunds.approve(refund_id=made.pk, actor="user:wang", reason="seen", at=timezone.now())

    assert statuses(made) == ("succeeded", ["succeeded"])
    assert (made.requested_by, made.decided_by, made.decision) == ("user:lin", "user:wang", "seen")
    assert AuditRow.objects.filter(action="refund.approved", actor="user:wang").count() == 1


def test_the_sweep_leaves_a_fresh_decision_to_whoever_made_it():
    order = paid_order(approval_above_fen=0)
    made = refund(order, goods_fen=5_000, actor="user:lin")
    swept = []
    book().script(lambda: swept.append(submission.sweep_due()), verb="refund")

    refunds.approve(refund_id=made.pk, actor="user:wang", reason="seen", at=timezone.now())

    assert swept == [0]
    assert [call for call in book().calls if call[0] == "refund"] == [("refund", made.number)]


def test_whoever_asked_cannot_decide():
    order = paid_order(approval_above_fen=0)
    made = refund(order, goods_fen=5_000, actor="user:lin")

    for decide in (refunds.approve, refunds.refuse):
        with pytest.raises(SamePerson):
            decide(refund_id=made.pk, actor="user:lin", reason="mine", at=timezone.now())

    assert statuses(made) == ("to_approve", ["started"])


def test_a_refund_that_is_refused_frees_what_it_kept():
    order = paid_order(approval_above_fen=0)
    made = refund(order, goods_fen=5_000, actor="user:lin")

    refunds.refuse(refund_id=made.pk, actor="user:wang", reason="no", at=timezone.now())

    assert statuses(made) == ("refused", ["failed"])
    assert (left(order), list(book().refunds)) == ((0, 0, 0, 0), [])
    with pytest.raises(NotToDecide):
        refunds.approve(refund_id=made.pk, actor="user:wang", reason="yes", at=timezone.now())
