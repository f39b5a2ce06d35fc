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
    """At noon of yesterday, so that the bill of that day is there by now."""
    noon = timezone.localtime().replace(hour=12) - datetime.timedelta(days=1)
    type(order).objects.filter(pk=order.pk).update(created_at=noon - datetime.timedelta(hours=1))
    attempt(order)
    silence()
    confirm_by_hand(charge_of(order), paid_at=noon)
    return charge_of(order)


def differences(day):
    reconciliation.reconcile(account_id=GatewayAccount.objects.get().pk, day=day, at=timezone.now())
    return list(Difference.objects.values_list("kind", "number", "ours_fen", "theirs_fen"))


def test_money_that_never_came_is_missing_in_the_bill(confirmed):
    day = timezone.localdate(confirmed.paid_at)

    assert differences(day) == [("theirs_missing", confirmed.number, 100, None)]


def test_money_that_came_agrees_with_the_bill(confirmed):
    payment = book().payments[confirmed.number]
    payment.closed_at, payment.paid_at = None, confirmed.paid_at

    assert differences(timezone.localdate(confirmed.paid_at)) == []
