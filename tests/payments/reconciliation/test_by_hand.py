"""The gateway's bill has the last word on a payment that staff confirmed by hand."""

import datetime

import pytest
from django.utils import timezone

from payments.models import Difference, GatewayAccount
from payments.reconciliation import operations as reconciliation
from tests.payments.manual.desk import attempt, book, charge_of, silence
from tests.world import confirm_by_hand

pytestmark = pytest.mark.django_db


@pytest.fixture
def confirmed(order):
    attempt(order)
    silence()
    confirm_by_hand(charge_of(order), trade_no=f"memory-{charge_of(order).number}")
    return charge_of(order)


def differences(day):
    """As they are found on the next day."""
    tomorrow = timezone.now() + datetime.timedelta(days=1)
    reconciliation.reconcile(account_id=GatewayAccount.objects.get().pk, day=day, at=tomorrow)
    return list(Difference.objects.values_list("kind", "number", "ours_fen", "theirs_fen"))


def test_money_that_never_came_is_missing_in_the_bill(confirmed):
    day = timezone.localdate(confirmed.paid_at)

    assert differences(day) == [("theirs_missing", confirmed.number, 100, None)]


def test_money_that_came_agrees_with_the_bill(confirmed):
    payment = book().payments[confirmed.number]
    payment.closed_at, payment.paid_at = None, confirmed.paid_at

    assert differences(timezone.localdate(confirmed.paid_at)) == []
