"""Two of the staff, or one who clicks twice, at the same moment. Each has a control without what decides it."""

from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import connection
from django.utils import timezone

from payments.customers import grants
from payments.manual import confirmations, requests, values
from payments.models import HandConfirmation, Transfer, ValueRequest
from tests.payments.manual.desk import broken, charge_of, silence, waiting_order
from tests.sabotage import afresh
from tests.threads import at_once, kinds, meeting
from tests.world import confirm_by_hand, give_by_hand, make_client, make_customer, points_fen

pytestmark = pytest.mark.django_db(transaction=True)


def decide(made, n, deeds):
    return deeds.approve(waiting_id=made.pk, actor=f"user:{n}", reason="seen", at=timezone.now())


def either(made, n, deeds):
    """The odd ones approve, the others refuse."""
    call = deeds.approve if n % 2 else deeds.refuse
    return call(waiting_id=made.pk, actor=f"user:{n}", reason="seen", at=timezone.now())


def granted():
    return Transfer.objects.filter(kind="grant", reference__startswith="grant:").count()


def test_of_two_who_approve_points_one_gives_them():
    lucky = make_customer(client=make_client())
    made = give_by_hand(lucky)

    outcomes = at_once(4, lambda n: decide(made, n, values))

    assert kinds(outcomes) == {"ValueRequest": 1, "NotToDecide": 3}
    assert (points_fen(lucky), granted()) == (500, 1)


def test_points_are_approved_or_refused_and_never_both():
    lucky = make_customer(client=make_client())
    made = give_by_hand(lucky)

    outcomes = at_once(6, lambda n: either(made, n, values))

    made.refresh_from_db()
    assert kinds(outcomes) == {"ValueRequest": 1, "NotToDecide": 5}
    assert (made.status, points_fen(lucky)) in {("done", 500), ("refused", 0)}
    assert [name for name in broken() if name.startswith("I16")] == []


def test_a_double_click_gives_points_once():
    lucky = make_customer(client=make_client(grant_approval_above_fen=None))

    outcomes = at_once(4, lambda _n: give_by_hand(lucky))

    assert kinds(outcomes) == {"ValueRequest": 4}
    assert (points_fen(lucky), ValueRequest.objects.count()) == (500, 1)


def test_at_once_no_more_is_given_alone_than_the_limit():
    lucky = make_customer(client=make_client(grant_approval_above_fen=1_000))

    outcomes = at_once(4, lambda n: give_by_hand(lucky, number=f"v-{n}"))

    assert Counter(made.status for made in outcomes) == {"done": 2, "to_approve": 2}
    assert points_fen(lucky) == 1_000


def test_a_payment_is_confirmed_or_refused_and_never_both():
    order = waiting_order()
    made = confirm_by_hand(charge_of(order), is_acknowledged=True)

    outcomes = at_once(4, lambda n: either(made, n, confirmations))

    made.refresh_from_db()
    order.refresh_from_db()
    assert kinds(outcomes)["HandConfirmation"] == 1
    assert (made.status, order.status) in {("done", "pay_finished"), ("refused", "point_paid")}
    assert [name for name in broken() if name.startswith("I16")] == []


def test_a_double_click_confirms_a_payment_once():
    order = waiting_order()
    silence(times=4)

    outcomes = at_once(4, lambda _n: confirm_by_hand(charge_of(order)))

    order.refresh_from_db()
    assert kinds(outcomes) == {"HandConfirmation": 4}
    assert (order.status, HandConfirmation.objects.count()) == ("pay_finished", 1)
    assert Transfer.objects.filter(kind="payment").count() == 1


def test_of_two_who_confirm_one_payment_one_does():
    order = waiting_order()
    silence(times=4)

    outcomes = at_once(4, lambda n: confirm_by_hand(charge_of(order), number=f"h-{n}", trade_no=f"bank-{n}"))

    assert kinds(outcomes)["HandConfirmation"] == 1
    assert set(kinds(outcomes)) <= {"HandConfirmation", "NotToConfirm", "ConfirmedMeanwhile", "GatewayConfirms"}
    assert Transfer.objects.filter(kind="payment").count() == 1


def test_control_without_the_lock_two_decide(monkeypatch):
    """Both have read that it waits before either has written; and the guard is off, which would stop the second."""
    lucky = make_customer(client=make_client())
    made = give_by_hand(lucky)
    meet = meeting(2)
    monkeypatch.setattr(values, "_lock", lambda *, customer_id: (lucky, dict.fromkeys(grants.Kind, 0)))
    monkeypatch.setattr(values.ValueRequest.objects, "select_for_update", lambda **_of: ValueRequest.objects.all())
    checked = requests.check_decidable

    def and_wait(**fields):
        checked(**fields)
        meet()

    monkeypatch.setattr(requests, "check_decidable", and_wait)
    with afresh(), unguarded():
        outcomes = at_once(2, lambda n: either(made, n, values))

        assert kinds(outcomes) == {"ValueRequest": 2}


@contextmanager
def unguarded():
    for state in ("DISABLE", "ENABLE"):
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE payments_valuerequest {state} TRIGGER valuerequest_guard")
        if state == "DISABLE":
            yield
