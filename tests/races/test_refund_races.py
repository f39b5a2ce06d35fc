"""Many refunds at once. Each race has a control: the same race with its guard taken away, which must go wrong."""

from collections import Counter
from contextlib import contextmanager, suppress

import pytest
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from payments import invariants
from payments.charges import operations as charges
from payments.closing import late_money
from payments.closing import operations as closing
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.gateways.registry import GatewayBusy
from payments.inbox import operations as inbox
from payments.models import AuditRow, Charge, InboundNotification, Order, Refund, RefundLeg
from payments.orders import operations as orders
from payments.refunds import console, submission
from payments.refunds import operations as refunds
from payments.refunds.operations import RefundCommand
from payments.refunds.states import Event
from payments.transactions import transaction
from tests.payments.refunds.shop import (
    book,
    left,
    paid_order,
    refund,
    refund_at_console,
    sweep,
    tell_of_refund,
)
from tests.threads import at_once, insist, meeting
from tests.world import make_client, make_customer, make_memory_account, place_order, points_fen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh_gateway():
    memory.forget_everything()


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def broken():
    """The invariants that do not hold, but for the world's own grants, which leave no audit rows."""
    with transaction():
        return {finding.name for finding in invariants.findings() if finding.breaches} - {"I15c"}


def refund_calls():
    return Counter(number for verb, number in book().calls if verb == "refund")


def without_the_order_s_lock(monkeypatch):
    monkeypatch.setattr(orders, "lock", lambda *, order_id: Order.objects.get(pk=order_id))


@contextmanager
def dropped(constraint, *, columns, condition=""):
    """Take a unique constraint of refunds away; what was written meanwhile goes with its return."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"DROP INDEX {constraint}" if condition else f"ALTER TABLE payments_refund DROP CONSTRAINT {constraint}"
        )
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE payments_refund CASCADE")
            cursor.execute(
                f"CREATE UNIQUE INDEX {constraint} ON payments_refund ({columns}) WHERE {condition}"
                if condition
                else f"ALTER TABLE payments_refund ADD CONSTRAINT {constraint} UNIQUE ({columns})"
            )


# --- more than there is -----------------------------------------------------------------------------------------------


def a_tenth(order, n):
    return refund(order, goods_fen=900, shipping_fen=100, refund_no=f"R{n}")


def test_a_hundred_refunds_of_a_tenth_at_once_are_ten_to_the_fen():
    order = paid_order()

    outcomes = at_once(100, lambda n: insist(lambda: a_tenth(order, n)))
    sweep()

    found = kinds(outcomes)
    assert found["Refund"] == 10
    assert found["RefundExceeds"] + found["OrderRefunded"] == 90
    assert left(order) == (0, 0, 9_000, 1_000)
    assert (order.status, points_fen(order.customer)) == ("total_refund", 3_000)
    assert book().refunded_fen(f"{order.number}_2") == 7_000
    assert set(refund_calls().values()) == {1}
    assert set(refund_calls()) == set(
        RefundLeg.objects.filter(charge__tender="memory").values_list("number", flat=True)
    )
    assert broken() == set()


def test_control_without_the_order_s_lock_nine_of_the_ten_collide(monkeypatch):
    order = paid_order()
    without_the_order_s_lock(monkeypatch)
    # Asked for between looking what is left and writing.
    meet, number_of = meeting(20), refunds.number_of
    monkeypatch.setattr(refunds, "number_of", lambda **of: meet() or number_of(**of))

    outcomes = at_once(20, lambda n: a_tenth(order, n))

    assert kinds(outcomes) == {"Refund": 1, "IntegrityError": 19}


def test_control_without_lock_and_sequence_twice_as_much_is_asked_back_as_was_paid(monkeypatch):
    order = paid_order()
    without_the_order_s_lock(monkeypatch)
    meet, numbers = meeting(20), iter(range(20))
    monkeypatch.setattr(refunds, "number_of", lambda **_of: meet() or f"R{next(numbers)}")
    command = RefundCommand(goods_fen=900, shipping_fen=100)
    with dropped("refund_sequence_once", columns="order_id, sequence"):
        outcomes = at_once(
            20, lambda n: refunds.request(order_id=order.pk, command=command, actor="test", at=timezone.now())
        )

        assert kinds(outcomes) == {"tuple": 20}
        assert RefundLeg.objects.aggregate(fen=Sum("goods_fen") + Sum("shipping_fen"))["fen"] == 20_000


# --- one number -------------------------------------------------------------------------------------------------------

NUMBERED = {"columns": "client_id, refund_no", "condition": "NOT (refund_no = '')"}


def test_one_refund_number_a_hundred_times_at_once_is_one_refund_and_a_hundred_equal_answers():
    order = paid_order()

    outcomes = at_once(100, lambda n: insist(lambda: refund(order, goods_fen=900, refund_no="R1")))

    assert kinds(outcomes) == {"Refund": 100}
    assert len({(made.pk, made.number, made.goods_fen, made.shipping_fen) for made in outcomes}) == 1
    assert Refund.objects.count() == 1
    assert refund_calls() == {f"{order.number}_R1": 1}
    assert left(order) == (0, 0, 900, 0)
    assert broken() == set()


def test_control_of_calls_that_do_not_look_first_the_unique_number_lets_one_through(monkeypatch):
    order = paid_order()
    monkeypatch.setattr(refunds, "_known", lambda **_of: None)

    outcomes = at_once(10, lambda n: refund(order, goods_fen=900, refund_no="R1"))

    assert kinds(outcomes) == {"Refund": 1, "RefundNumberReused": 9}


def test_control_without_the_unique_number_either_all_are_refunded(monkeypatch):
    order = paid_order()
    monkeypatch.setattr(refunds, "_known", lambda **_of: None)
    with dropped("refund_no_once", **NUMBERED):
        at_once(10, lambda n: refund(order, goods_fen=900, refund_no="R1"))

        assert Refund.objects.count() == 10


def test_one_refund_number_for_twenty_orders_at_once_is_a_refund_of_one_of_them():
    client = make_client()
    customer = make_customer(client=client, points_fen=2_000)
    paid = [place_order(client=client, number=f"T{n}", total_fen=100) for n in range(20)]

    outcomes = at_once(20, lambda n: refund(paid[n], goods_fen=50, refund_no="R1"))

    assert kinds(outcomes) == {"Refund": 1, "RefundNumberReused": 19}
    assert (Refund.objects.count(), points_fen(customer)) == (1, 50)
    assert broken() == set()


# --- two people -------------------------------------------------------------------------------------------------------


def decide(made, n):
    verb = refunds.refuse if n % 3 == 2 else refunds.approve
    return verb(refund_id=made.pk, actor=f"user:{n}", reason="seen", at=timezone.now())


def test_of_thirty_who_approve_and_refuse_at_once_one_decides():
    order = paid_order(approval_above_fen=0)
    made = refund(order, goods_fen=5_000, actor="user:lin")

    outcomes = at_once(30, lambda n: insist(lambda: decide(made, n)))

    assert kinds(outcomes) == {"Refund": 1, "NotToDecide": 29}
    made.refresh_from_db()
    decided = AuditRow.objects.get(action__in=["refund.approved", "refund.refused"])
    assert decided.actor == made.decided_by
    if decided.action == "refund.approved":
        assert (made.status, refund_calls()) == ("succeeded", {made.number: 1})
    else:
        assert (made.status, refund_calls()) == ("refused", {})
    assert broken() == set()


def test_control_without_locks_everybody_decides(monkeypatch):
    order = paid_order(approval_above_fen=0)
    made = refund(order, goods_fen=5_000, actor="user:lin")
    monkeypatch.setattr(
        refunds.settlement, "lock", lambda *, refund_id: (order, Refund.objects.get(pk=refund_id))
    )  # fmt: skip
    # Asked for between looking whether it waits for a decision and writing.
    meet, next_status = meeting(10), refunds.next_status
    monkeypatch.setattr(refunds, "next_status", lambda **of: meet() or next_status(**of))

    approved = {"refund_id": made.pk, "event": Event.APPROVED, "reason": "", "at": timezone.now()}
    at_once(10, lambda n: refunds._decide(**approved, actor=f"user:{n}"))

    assert AuditRow.objects.filter(action="refund.approved").count() == 10


# --- the console ------------------------------------------------------------------------------------------------------


def told_of_refund_at_console(order, amount_fen):
    """Return a notice, kept and not processed, of a refund that the console made."""
    charge = order.charges.get(tender="memory")
    refund_at_console(charge, amount_fen)
    raw = book().notification(charge.number, refund_number="console-1")
    inbox.receive(kind="memory", headers=raw.headers, body=raw.body, remote_address=None, at=timezone.now())
    return InboundNotification.objects.get(body=raw.body)


def process(row):
    return insist(lambda: inbox.process(notification_id=row.pk, at=timezone.now()))


def process_when_free(row):
    """At most half of a process's threads ask gateways at once; what had no place stays due."""
    while InboundNotification.objects.filter(pk=row.pk, processed_at__isnull=True).exists():
        with suppress(GatewayBusy):
            process(row)


def test_a_notice_of_the_console_s_refund_processed_by_twenty_at_once_is_booked_once():
    order = paid_order()
    row = told_of_refund_at_console(order, 2_000)

    outcomes = at_once(20, lambda n: process_when_free(row))

    assert kinds(outcomes) == {"NoneType": 20}
    assert Refund.objects.count() == 1
    assert left(order) == (0, 0, 2_000, 0)
    assert broken() == set()


def test_control_without_the_order_s_lock_the_bookings_collide(monkeypatch):
    order = paid_order()
    row = told_of_refund_at_console(order, 2_000)
    without_the_order_s_lock(monkeypatch)
    monkeypatch.setattr(
        console.charge_settlement,
        "lock",
        lambda *, charge_id: (Order.objects.get(pk=order.pk), Charge.objects.get(pk=charge_id)),
    )
    meet, number_of = meeting(4), console.number_of
    monkeypatch.setattr(console, "number_of", lambda **of: meet() or number_of(**of))

    outcomes = at_once(4, lambda n: inbox.process(notification_id=row.pk, at=timezone.now()))

    assert kinds(outcomes) == {"NoneType": 1, "IntegrityError": 3}


def test_a_refund_of_ours_and_one_of_the_console_at_once_leave_both_books_equal():
    found = Counter()
    client = make_client()
    make_customer(client=client)
    make_memory_account()
    for n in range(10):
        order = place_order(client=client, number=f"T{n}", total_fen=10_000, shipping_fen=1_000)
        charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.PAGE, actor="t", at=timezone.now())
        book().pay(charge.number)
        charges.reconcile(charge_id=charge.pk, at=timezone.now())
        refund_at_console(charge, 6_000, f"console-{n}")

        ours, _told = at_once(
            2,
            lambda k, order=order, charge=charge, n=n: (
                tell_of_refund(charge, f"console-{n}") if k else refund(order, goods_fen=5_000)
            ),
        )
        sweep()

        found[ours.status if isinstance(ours, Refund) else type(ours).__name__] += 1
        charge.refresh_from_db()
        assert charge.refunded_fen == book().refunded_fen(charge.number) == 6_000
        assert left(order) == (0, 0, 6_000, 0)
    assert set(found) <= {"failed", "RefundExceeds"}
    assert broken() == set()


# --- workers ----------------------------------------------------------------------------------------------------------


def paid_late(*, orders_count):
    """Orders that were closed while their code could still be scanned, and then the codes were paid."""
    client = make_client()
    make_customer(client=client)
    make_memory_account()
    for n in range(orders_count):
        order = place_order(client=client, number=f"T{n}", total_fen=100)
        charge = charges.pay_by(order_id=order.pk, channel="memory", mode=Mode.QR, actor="test", at=timezone.now())
        closing.close(order_id=order.pk, actor="test", at=timezone.now())
        book().pay(charge.number)
        charges.reconcile(charge_id=charge.pk, at=timezone.now())
    return list(Charge.objects.filter(status="surplus").order_by("pk"))


def test_late_money_found_by_two_workers_at_once_goes_back_once():
    late = paid_late(orders_count=10)

    begun = at_once(2, lambda n: late_money.refund_due())

    assert sum(begun) == 10
    assert refund_calls() == {f"{charge.order.number}_R1": 1 for charge in late}
    assert Charge.objects.filter(status="released", refunded_fen=100).count() == 10
    assert broken() == set()


def test_control_without_the_order_s_lock_two_workers_collide(monkeypatch):
    (late,) = paid_late(orders_count=1)
    monkeypatch.setattr(
        refunds.charge_settlement,
        "lock",
        lambda *, charge_id: (Order.objects.get(pk=late.order_id), Charge.objects.get(pk=charge_id)),
    )
    meet, number_of = meeting(2), refunds.number_of
    monkeypatch.setattr(refunds, "number_of", lambda **of: meet() or number_of(**of))

    outcomes = at_once(
        2, lambda n: refunds.request_surplus(charge_id=late.pk, actor="system", reason="", at=timezone.now())
    )

    assert kinds(outcomes) == {"Refund": 1, "IntegrityError": 1}


def due_legs(count):
    """Refunds that were committed, and nobody has told the gateway."""
    order = paid_order(points_fen=0)
    for _n in range(count):
        command = RefundCommand(goods_fen=100)
        refunds.request(order_id=order.pk, command=command, actor="test", at=timezone.now())
    RefundLeg.objects.update(next_query_at=timezone.now())
    return list(RefundLeg.objects.order_by("pk"))


def test_two_sweeps_at_once_tell_the_gateway_of_each_refund_once():
    legs = due_legs(40)

    swept = at_once(2, lambda n: submission.sweep_due() + submission.sweep_due())

    assert sum(swept) == 40
    assert refund_calls() == {leg.number: 1 for leg in legs}
    assert set(Refund.objects.values_list("status", flat=True)) == {"succeeded"}
    assert broken() == set()


def test_control_without_leases_both_tell_the_gateway(monkeypatch):
    (leg,) = due_legs(1)
    monkeypatch.setattr(submission, "lease_due", lambda **_of: [(leg.pk, None)])
    meet = meeting(2)
    book().script(meet, meet, verb="refund")

    at_once(2, lambda n: submission.sweep_due())

    assert refund_calls() == {leg.number: 2}
    assert book().refunded_fen(leg.charge.number) == 100
