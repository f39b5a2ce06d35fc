import datetime

import pytest
from django.db import OperationalError
from django.utils import timezone

from checkout import fulfilment
from payments.machine import IllegalTransition
from payments.models import AuditRow, Order, Transfer
from payments.orders import operations as orders
from payments.orders.models import MoneyFlag
from payments.orders.states import TRANSITIONS, Event, Status, next_status
from payments.transactions import transaction
from tests.world import make_client, make_customer, place_order

pytestmark = pytest.mark.django_db


def place(*, points_fen=0):
    client = make_client()
    make_customer(client=client, points_fen=points_fen)
    return place_order(client=client, total_fen=10_000, shipping_fen=500)


def place_and_finish(order=None):
    """An order whose tenders are all there."""
    order = order or place()
    with transaction():
        locked = orders.lock(order_id=order.pk)
        orders.finish(order=locked, reference=f"{order.number}_1", actor="test", at=timezone.now())
    order.refresh_from_db()
    return order


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("event", Event)
def test_the_table_is_the_whole_truth(status, event):
    if event in TRANSITIONS[status]:
        assert next_status(status=status, event=event) == TRANSITIONS[status][event]
    else:
        with pytest.raises(IllegalTransition):
            next_status(status=status, event=event)


def test_closed_and_fully_refunded_become_nothing_ever():
    assert TRANSITIONS[Status.CLOSED] == TRANSITIONS[Status.TOTAL_REFUND] == {}


def test_a_move_is_a_row_with_the_next_sequence():
    order = place()

    with transaction():
        orders.apply(
            order=orders.lock(order_id=order.pk), event=Event.CLOSED, actor="test", at=timezone.now(), reason="why"
        )

    assert list(order.transitions.values_list("sequence", "source", "target", "reason")) == [
        (1, "unpaid", "point_paid", ""),
        (2, "point_paid", "closed", "why"),
    ]


def test_locking_needs_a_transaction():
    order = place()

    with pytest.raises(RuntimeError, match="needs an open transaction"):
        orders.lock(order_id=order.pk)


class TestFulfilment:
    def test_the_family_fulfils_in_the_transaction_of_the_payment(self, monkeypatch):
        fulfilled = []
        monkeypatch.setattr(fulfilment, "fulfil", lambda *, order: fulfilled.append(order.number))

        order = place_and_finish()

        assert (order.status, fulfilled) == ("pay_finished", [order.number])

    def test_if_it_cannot_the_payment_stands_and_it_is_due_again(self, monkeypatch):
        monkeypatch.setattr(fulfilment, "fulfil", _fail)

        order = place_and_finish()

        assert (order.status, order.money_flag) == ("pay_finished", "needs_attention")
        assert order.fulfil_due_at > timezone.now()
        assert Transfer.objects.filter(order=order).count() == 2

    def test_what_was_due_is_fulfilled_later_and_no_longer_due(self, monkeypatch):
        monkeypatch.setattr(fulfilment, "fulfil", _fail)
        order = place_and_finish()
        fulfilled = []
        monkeypatch.setattr(fulfilment, "fulfil", lambda *, order: fulfilled.append(order.number))
        later = timezone.now() + datetime.timedelta(minutes=2)

        assert (orders.fulfil_due(at=later), orders.fulfil_due(at=later)) == (1, 0)

        order.refresh_from_db()
        assert (fulfilled, order.fulfil_due_at) == ([order.number], None)

    def test_a_deadlock_is_nobodys_failure_so_the_payment_is_undone_whole(self, monkeypatch):
        monkeypatch.setattr(fulfilment, "fulfil", _deadlock)

        with pytest.raises(OperationalError):
            place_and_finish()

        order = Order.objects.get()
        assert (order.status, order.money_flag, order.fulfil_due_at) == ("point_paid", "", None)
        assert not Transfer.objects.filter(order=order).exists()

    def test_one_that_meets_a_deadlock_again_stays_due_and_holds_up_no_other(self, monkeypatch):
        monkeypatch.setattr(fulfilment, "fulfil", _fail)
        first = place_and_finish()
        second = place_and_finish(place_order(client=first.client, number="T2"))
        fulfilled = []
        monkeypatch.setattr(
            fulfilment,
            "fulfil",
            lambda *, order: _deadlock(order=order) if order == first else fulfilled.append(order.number),
        )
        later = timezone.now() + datetime.timedelta(minutes=2)

        assert orders.fulfil_due(at=later) == 2

        assert fulfilled == [second.number]
        first.refresh_from_db()
        assert first.fulfil_due_at <= later


def _deadlock(*, order):
    raise OperationalError("deadlock detected")


def _fail(*, order):
    Order.objects.filter(pk=order.pk).update(title="half done")
    raise RuntimeError("the family is in trouble")


def test_what_a_failing_fulfilment_did_is_undone(monkeypatch):
    monkeypatch.setattr(fulfilment, "fulfil", _fail)

    assert place_and_finish().title != "half done"


def test_a_flag_that_stands_is_kept_and_a_new_one_is_audited():
    order = place()
    with transaction():
        locked = orders.lock(order_id=order.pk)
        orders.flag(order=locked, money_flag=MoneyFlag.OVERPAID, actor="test", reason="first")
        orders.flag(order=locked, money_flag=MoneyFlag.PAID_LATE, actor="test", reason="second")

    order.refresh_from_db()
    assert order.money_flag == "overpaid"
    assert AuditRow.objects.filter(action="order.flag").count() == 1


@pytest.mark.parametrize("stands", [MoneyFlag.PAID_LATE, MoneyFlag.OVERPAID])
def test_what_needs_attention_is_not_hidden_by_a_flag_that_goes_with_its_money(stands):
    order = place()
    with transaction():
        locked = orders.lock(order_id=order.pk)
        orders.flag(order=locked, money_flag=stands, actor="test", reason="first")
        orders.flag(order=locked, money_flag=MoneyFlag.NEEDS_ATTENTION, actor="test", reason="second")
        orders.flag(order=locked, money_flag=stands, actor="test", reason="third")

    order.refresh_from_db()
    assert order.money_flag == "needs_attention"
    audited = AuditRow.objects.filter(action="order.flag").order_by("pk")
    assert [row.detail["flag"] for row in audited] == [stands, "needs_attention"]
