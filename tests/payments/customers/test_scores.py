"""What an order brings in points: once, and back as far as it reaches, once."""

import pytest

from payments.customers import scores
from payments.ledger import operations as ledger
from payments.ledger.operations import Posting, PostingConflict
from payments.models import AuditRow, Transfer
from payments.transactions import transaction
from tests.threads import at_once, meeting
from tests.world import grant as grant_points
from tests.world import make_client, make_customer, place_by_balance, points_fen

pytestmark = pytest.mark.django_db


@pytest.fixture
def order():
    return place_by_balance(customer=make_customer(client=make_client(), balance_fen=10_000))


def grant(order, amount_fen=300, reference="S1"):
    with transaction():
        scores.grant(
            customer_id=order.customer_id, order_id=order.pk, amount_fen=amount_fen, reference=reference
        )  # fmt: skip


def take_back(order, amount_fen=300, reference="S1"):
    with transaction():
        return scores.take_back(
            customer_id=order.customer_id, order_id=order.pk, amount_fen=amount_fen, reference=reference
        )


def spend(order, amount_fen):
    """Let the customer be without some of their points."""
    own = f"points:{order.customer_id}"
    with transaction():
        ledger.post(Posting(debit=own, credit="points_issued", amount_fen=amount_fen, kind="grant", reference="spent"))


def posted():
    scored = Transfer.objects.filter(kind__startswith="score").order_by("id")
    return list(scored.values_list("debit", "credit", "amount_fen", "kind", "reference", "order_id"))


def test_score_is_granted_once_for_its_reference(order):
    grant(order)
    grant(order)

    assert points_fen(order.customer) == 300
    assert posted() == [("points_issued", f"points:{order.customer_id}", 300, "score", "S1", order.pk)]


def test_a_reference_does_not_stand_for_another_amount(order):
    grant(order)

    with pytest.raises(PostingConflict):
        grant(order, amount_fen=301)

    assert points_fen(order.customer) == 300


def test_a_score_of_nothing_writes_nothing(order):
    grant(order, amount_fen=0)
    audited = AuditRow.objects.count()

    assert take_back(order, amount_fen=0) == 0

    assert (posted(), points_fen(order.customer), AuditRow.objects.count()) == ([], 0, audited)


def test_score_is_taken_back_and_asked_again_no_more_is_taken(order):
    grant(order)

    assert (take_back(order, amount_fen=200), take_back(order, amount_fen=200)) == (200, 200)

    assert points_fen(order.customer) == 100
    assert posted()[1:] == [(f"points:{order.customer_id}", "points_issued", 200, "score_back", "S1", order.pk)]
    row = AuditRow.objects.get(action="customer.score_back")
    assert (row.actor, row.subject) == ("system", f"customer:{order.customer_id}")
    assert row.detail == {
        "reference": "S1", "asked_fen": 200, "taken_fen": 200, "before_fen": 300, "after_fen": 100,
    }  # fmt: skip


@pytest.mark.parametrize("spent_fen", [120, 300])
def test_of_score_that_was_spent_only_what_is_there_is_taken_and_later_points_stay(order, spent_fen):
    grant(order)
    spend(order, spent_fen)

    assert take_back(order) == 300 - spent_fen
    grant_points(customer=order.customer, amount_fen=1_000, reference="later")
    assert take_back(order) == 300 - spent_fen

    assert points_fen(order.customer) == 1_000
    assert sum(row[2] for row in posted()[1:]) == 300 - spent_fen


def test_no_more_is_taken_than_the_order_brought(order):
    grant(order)
    grant_points(customer=order.customer, amount_fen=1_000, reference="other")

    taken = [take_back(order, amount_fen=200, reference=f"R{n}") for n in range(3)]

    assert taken == [200, 100, 0]
    assert points_fen(order.customer) == 1_000


def order_with_score_and_other_points():
    order = place_by_balance(customer=make_customer(client=make_client(), points_fen=500, balance_fen=10_000))
    grant(order)
    return order


@pytest.mark.django_db(transaction=True)
def test_asked_for_twenty_times_at_once_score_is_taken_back_once():
    order = order_with_score_and_other_points()

    assert at_once(20, lambda _n: take_back(order)) == [300] * 20

    assert (points_fen(order.customer), len(posted())) == (500, 2)


@pytest.mark.django_db(transaction=True)
def test_twenty_refunds_at_once_take_together_what_the_order_brought():
    order = order_with_score_and_other_points()

    taken = at_once(20, lambda n: take_back(order, reference=f"R{n}"))

    assert sorted(taken) == [0] * 19 + [300]
    assert points_fen(order.customer) == 500


@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_they_take_more(monkeypatch):
    order = order_with_score_and_other_points()
    meet = meeting(5)
    seen = scores._left_fen
    monkeypatch.setattr(scores.Account.objects, "select_for_update", lambda **_how: scores.Account.objects)
    monkeypatch.setattr(scores, "_left_fen", lambda order_id: (seen(order_id), meet())[0])

    at_once(5, lambda n: take_back(order, reference=f"R{n}"))

    assert points_fen(order.customer) < 500
