"""A bill is a merchant's, whichever of its accounts asks: clients that share it, and its apps."""

import pytest

from payments.models import Difference
from payments.reconciliation import operations as reconciliation
from tests.payments.reconciliation.statements import DAY, MORNING, book, payment, refund
from tests.world import make_memory_account

pytestmark = pytest.mark.django_db


def reconcile(account):
    return reconciliation.reconcile(account_id=account.pk, day=DAY, at=MORNING)


def test_accounts_of_one_merchant_share_a_bill(account, order, statements):
    twin = make_memory_account(client=order.client)
    book(order, account, 1)
    book(order, twin, 2)
    statements.put(payment("C0001"), payment("C0002"))

    bills = {reconcile(account).pk, reconcile(twin).pk}

    assert len(bills) == 1
    assert not Difference.objects.exists()
    assert statements.asked == [DAY]


@pytest.fixture
def apps():
    return [make_memory_account(app_id=app_id, merchant_id="m") for app_id in ("one", "two")]


def test_a_payment_by_any_of_our_apps_is_found_whichever_asks(apps, order, statements):
    one, two = apps
    book(order, one, 1)
    book(order, two, 2)
    statements.put(payment("C0001", app_id="one"), payment("C0002", app_id="two"))

    bill = reconcile(two)

    assert (bill.account, bill.payments, bill.payments_fen) == (one, 2, 20_000)
    assert bill.lines.filter(is_matched=True).count() == 2
    assert not Difference.objects.exists()


def test_what_came_by_an_app_that_is_not_ours_is_left_out(apps, order, statements):
    book(order, apps[0], 1)
    statements.put(payment("C0001", app_id="one"), payment("X", app_id="theirs"), refund("X", "RX", app_id="theirs"))

    bill = reconcile(apps[0])

    assert (bill.status, bill.payments, bill.refunds) == ("matched", 1, 0)
    assert not Difference.objects.exists()


def test_a_line_that_says_no_app_counts(apps, order, statements):
    statements.put(payment("X"))

    reconcile(apps[0])

    assert list(Difference.objects.values_list("kind", "number")) == [("ours_missing", "X")]


def test_a_second_payment_by_the_second_app_is_found(apps, order, statements):
    (charge,) = book(order, apps[1], 2)
    twice = payment("C0002", app_id="two"), payment("C0002", app_id="two", trade_no="t-again")
    statements.put(*twice)

    reconcile(apps[0])

    assert list(Difference.objects.values_list("kind", "trade_no", "remedy", "charge")) == [
        ("ours_missing", "t-again", "refund_surplus", charge.pk)
    ]
