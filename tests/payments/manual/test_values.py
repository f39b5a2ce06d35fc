"""Points and balance by staff: alone up to the client's limit, by two people above it, never more than there is."""

import datetime

import pytest
from django.utils import timezone

from payments import four_eyes
from payments.customers.grants import Direction, GrantUnfit
from payments.errors import Malformed
from payments.ledger.accounts import Kind
from payments.manual import requests, values
from payments.models import AuditRow, Transfer, ValueRequest
from tests.payments.manual.desk import broken, deeds, refused
from tests.world import balance_fen, give_by_hand, make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db


def customer(**client_fields):
    return make_customer(client=make_client(**client_fields), points_fen=1_000, balance_fen=2_000)


def decide(made, decision=values.approve, actor="user:wang", reason="seen"):
    return decision(waiting_id=made.pk, actor=actor, reason=reason, at=timezone.now())


def test_a_new_client_has_every_gift_approved():
    assert make_client().grant_approval_above_fen == 0


def test_up_to_the_limit_points_are_given_at_once():
    lucky = customer(grant_approval_above_fen=500)

    made = give_by_hand(lucky)

    assert (made.status, made.decided_by, points_fen(lucky), balance_fen(lucky)) == ("done", "", 1_500, 2_000)
    transfer = Transfer.objects.get(reference=f"grant:{lucky.client_id}:v-1")
    assert (transfer.debit, transfer.credit, transfer.amount_fen) == ("points_issued", f"points:{lucky.pk}", 500)
    assert deeds("customer.grant_request", "customer.grant") == [
        ("user:lin", "customer.grant_request", "kept waiting"), ("user:lin", "customer.grant", "kept waiting"),
    ]  # fmt: skip
    assert AuditRow.objects.get(action="customer.grant_request").detail == {
        "number": "v-1", "kind": "points", "direction": "in", "amount_fen": 500, "reason": "kept waiting",
        "waits_for_approval": False,
    }  # fmt: skip


def test_without_a_limit_no_second_person_is_needed():
    lucky = customer(grant_approval_above_fen=None)

    assert give_by_hand(lucky, amount_fen=1_000_000).status == "done"


def test_above_the_limit_it_waits_and_nothing_moves():
    lucky = customer(grant_approval_above_fen=500)

    made = give_by_hand(lucky, amount_fen=501)

    assert (made.status, points_fen(lucky)) == ("to_approve", 1_000)
    assert not Transfer.objects.filter(reference__endswith=":v-1").exists()


def test_a_second_person_has_balance_given():
    lucky = customer()
    made = give_by_hand(lucky, kind=Kind.BALANCE)

    decide(made)

    made.refresh_from_db()
    assert (made.status, made.decided_by, made.decision) == ("done", "user:wang", "seen")
    assert (points_fen(lucky), balance_fen(lucky)) == (1_000, 2_500)
    assert deeds("customer.grant_approved") == [("user:wang", "customer.grant_approved", "seen")]


def test_a_second_person_may_refuse():
    lucky = customer()
    made = give_by_hand(lucky)

    decide(made, values.refuse, reason="no")

    made.refresh_from_db()
    assert (made.status, points_fen(lucky)) == ("refused", 1_000)
    assert deeds("customer.grant_refused") == [("user:wang", "customer.grant_refused", "no")]
    with refused(four_eyes.NotToDecide):
        decide(made)


@pytest.mark.parametrize("decision", [values.approve, values.refuse])
def test_whoever_asked_cannot_decide(decision):
    made = give_by_hand(customer())

    with refused(four_eyes.SamePerson):
        decide(made, decision, actor="user:lin")


def test_what_was_given_alone_within_a_day_counts_together():
    lucky = customer(grant_approval_above_fen=500)
    give_by_hand(lucky, amount_fen=300)

    assert give_by_hand(lucky, number="v-2", amount_fen=201, actor="user:zhao").status == "to_approve"
    assert give_by_hand(lucky, number="v-3", amount_fen=200).status == "done"
    assert give_by_hand(lucky, number="v-4", amount_fen=500, kind=Kind.BALANCE).status == "done"


def test_what_was_given_the_day_before_does_not_count():
    lucky = customer(grant_approval_above_fen=500)
    made = give_by_hand(lucky, amount_fen=500)
    later = made.requested_at + datetime.timedelta(days=1)

    assert not values._needs_approval(
        customer=lucky, made=ValueRequest(kind="points", direction="in", amount_fen=500), at=later
    )


def test_value_is_taken():
    lucky = customer(grant_approval_above_fen=None)

    give_by_hand(lucky, direction=Direction.OUT, amount_fen=1_000)

    assert points_fen(lucky) == 0
    assert Transfer.objects.get(reference__endswith=":v-1").credit == "points_issued"
    assert broken() == ["I15c"]  # of what they began with alone


@pytest.mark.parametrize("limit_fen", [None, 0], ids=["alone", "by two"])
def test_more_than_there_is_is_not_taken(limit_fen):
    lucky = customer(grant_approval_above_fen=limit_fen)

    with refused(values.TooLittleThere, field="amount", context={"has": "¥10.00"}):
        give_by_hand(lucky, direction=Direction.OUT, amount_fen=1_001)


def test_what_was_spent_before_the_decision_is_not_taken():
    lucky = customer()
    made = give_by_hand(lucky, direction=Direction.OUT, amount_fen=1_000)
    lucky.client.grant_approval_above_fen = None
    lucky.client.save(update_fields=["grant_approval_above_fen"])
    give_by_hand(lucky, number="v-2", direction=Direction.OUT, amount_fen=1)

    with refused(values.TooLittleThere, context={"has": "¥9.99"}):
        decide(made)


def test_the_same_number_again_gives_nothing_more():
    lucky = customer(grant_approval_above_fen=None)

    made, again = give_by_hand(lucky), give_by_hand(lucky)

    assert (made.pk, points_fen(lucky)) == (again.pk, 1_500)


@pytest.mark.parametrize("changes", [{"amount_fen": 501}, {"direction": Direction.OUT}, {"kind": Kind.BALANCE}])
def test_the_same_number_for_something_else_is_refused(changes):
    lucky = customer(grant_approval_above_fen=None)
    give_by_hand(lucky)

    with refused(requests.NumberReused):
        give_by_hand(lucky, **changes)


def test_the_same_number_for_another_customer_is_refused():
    lucky = customer(grant_approval_above_fen=None)
    give_by_hand(lucky)
    other = make_customer(client=lucky.client, user_id="442091")

    with refused(requests.NumberReused):
        give_by_hand(other)


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        ({"amount_fen": 0}, GrantUnfit, "amount"),
        ({"amount_fen": -1}, GrantUnfit, "amount"),
        ({"reason": ""}, Malformed, "reason"),
        ({"reason": "x" * 201}, GrantUnfit, "reason"),
        ({"reason": "a\x00"}, GrantUnfit, "reason"),
        ({"number": "a b"}, GrantUnfit, "grant_no"),
    ],
)
def test_what_cannot_be_kept_names_its_field(fields, error, field):
    lucky = customer()

    with refused(error, field=field):
        give_by_hand(lucky, **fields)
