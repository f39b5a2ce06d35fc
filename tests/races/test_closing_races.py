"""Closing an order against its being paid. Each race has a control: its guard taken away, it goes wrong."""

import datetime
import os
import random
import threading
import time
from collections import Counter

import pytest
from django.utils import timezone
from structlog.testing import capture_logs

from payments import invariants
from payments.charges import operations as charges
from payments.charges import settlement
from payments.closing import late_money, queries
from payments.closing import operations as closing
from payments.closing.operations import OrderNotClosable
from payments.gateways import memory
from payments.gateways.base import Mode
from payments.inbox import operations as inbox
from payments.ledger.queries import balance_fen
from payments.models import AuditRow, Charge, Order, OrderTransition, Refund
from payments.orders import operations as orders
from payments.orders.models import OrderKind
from payments.transactions import transaction
from tests.payments.refunds.shop import book
from tests.threads import at_once, meeting
from tests.world import make_client, make_customer, make_memory_account, place_order, points_fen

pytestmark = pytest.mark.django_db(transaction=True)

# A thousand rounds take minutes: `CLOSING_ROUNDS=1000` before a release, a part of them for every change.
ROUNDS = int(os.environ.get("CLOSING_ROUNDS", "100"))


@pytest.fixture
def client():
    memory.forget_everything()
    client = make_client()
    make_customer(client=client, points_fen=1_000)
    make_memory_account()
    return client


def broken():
    """The invariants that do not hold, but for the world's own grants, which leave no audit rows."""
    with transaction():
        return {finding.name for finding in invariants.findings() if finding.breaches} - {"I15c"}


def kinds(outcomes):
    return Counter(type(outcome).__name__ for outcome in outcomes)


def attempt(order, mode=Mode.PAGE):
    return charges.pay_by(order_id=order.pk, channel="memory", mode=mode, actor="test", at=timezone.now())


def pay_and_tell(charge, at=None):
    """The payer pays, if the gateway still takes it, and the gateway tells us."""
    try:
        book().pay(charge.number)
    except ValueError:
        return "too late at the gateway"
    raw = book().notification(charge.number)
    answer = inbox.receive(
        kind="memory", headers=raw.headers, body=raw.body, remote_address=None, at=at or timezone.now()
    )  # fmt: skip
    return answer.body.decode()


def close(order, charge):
    """As a client does, who may be told that it is paid."""
    try:
        closing.close(order_id=order.pk, actor="client:shop", at=timezone.now())
    except OrderNotClosable:
        return "paid"
    return "closed"


def expire(order, charge):
    """Let the order's time have run out, its attempt's at the gateway too: what the sweep and the closing do then."""
    long_ago = timezone.now() - datetime.timedelta(minutes=5)
    Order.objects.filter(pk=order.pk).update(expires_at=long_ago)
    Charge.objects.filter(pk=charge.pk).update(expires_at=long_ago - datetime.timedelta(minutes=1))


def sweep_and_close_due(order, charge):
    charges.ask(charge_id=charge.pk, at=timezone.now())
    return closing.close_due(at=timezone.now())


# --- close against notification ---------------------------------------------------------------------------------------


# When the payer pays: at once, when the closing has come to a call of the gateway, or when it is through.
MOMENTS = ("", "query_payment", "close_payment", "after")


def play(pool):
    """
    Close and pay each order of the pool at the same moment, in two threads. Returns the payer's answers.

    The moments are as many ways to come before, amid and after the closing, on a machine of any speed.
    """
    start, chance = threading.Barrier(2), random.Random(0)
    rounds = [
        (order, charge, MOMENTS[n // 4 % 4], threading.Event(), chance.uniform(0, 0.02))
        for n, (order, charge) in enumerate(pool)
    ]

    def close_each():
        for n, (order, charge, moment, reached, _late) in enumerate(rounds):
            if n % 2:
                expire(order, charge)
            book().be_well()
            if moment == "":
                reached.set()
            elif moment != "after":
                book().script(reached.set, verb=moment)
            start.wait(60)
            (sweep_and_close_due if n % 2 else close)(order, charge)
            reached.set()

    def pay_each():
        answers = []
        for _order, charge, _moment, reached, late in rounds:
            start.wait(60)
            reached.wait(60)
            time.sleep(late)
            answers.append(pay_and_tell(charge))
        return answers

    closed, answers = at_once(2, lambda n: pay_each() if n else close_each())
    assert closed is None, closed
    return answers


def settle_late_money():
    while late_money.refund_due():
        pass


def what_became_of(order, charge):
    """Return how an order ended: paid and sold, or closed with nothing of it kept."""
    order.refresh_from_db()
    charge.refresh_from_db()
    kept_fen = (charge.paid_fen or 0) - charge.refunded_fen
    taken_fen = (charge.amount_fen if book().payments[charge.number].paid_at else 0) - book().refunded_fen(
        charge.number
    )
    assert kept_fen == taken_fen
    if order.status == "pay_finished":
        assert (charge.status, kept_fen) == ("succeeded", order.cash_fen)
        return "paid"
    assert (order.status, kept_fen) == ("closed", 0)
    return "paid late and refunded" if charge.status == "released" else "closed unpaid"


def test_closing_against_a_payment_ends_in_one_or_the_other_and_no_fen_is_kept(client, record_property):
    pool = []
    for n in range(ROUNDS):
        order = place_order(client=client, number=f"T{n}", total_fen=100)
        if order.cash_fen:
            pool.append((order, attempt(order, Mode.QR if n % 4 < 2 else Mode.PAGE)))

    answers = play(pool)
    settle_late_money()

    assert set(answers) <= {"success", "too late at the gateway"}
    split = Counter(what_became_of(order, charge) for order, charge in pool)
    record_property("split", dict(split))
    assert set(split) == {"paid", "paid late and refunded", "closed unpaid"}
    assert balance_fen(code="suspense") == balance_fen(code="escrow") == 0
    points = sum(Order.objects.filter(cash_fen=0).values_list("total_fen", flat=True))
    assert balance_fen(code="sales") == 100 * split["paid"] + points
    assert broken() == set()


def test_control_without_the_order_s_lock_only_the_database_stops_both_from_happening(client, monkeypatch):
    order = place_order(client=client, total_fen=10_000)
    charge = attempt(order)
    monkeypatch.setattr(orders, "lock", lambda *, order_id: Order.objects.get(pk=order_id))
    # Both have seen that the order waits, and neither has written.
    meet, next_status = meeting(2), settlement.next_status
    monkeypatch.setattr(settlement, "next_status", lambda **of: meet() or next_status(**of))

    outcomes = at_once(2, lambda n: pay_and_tell(charge) if n else closing_itself(order, look=meet))

    assert kinds(outcomes)["IntegrityError"] == 1


def closing_itself(order, *, look):
    """What `close` does once the gateway has been asked; `look` is called when it has read that the order waits."""
    with transaction():
        seen = orders.lock(order_id=order.pk)
        look()
        if seen.status in orders.CLOSABLE:
            closing._close_locked(order_ids=[order.pk], actor="client:shop", at=timezone.now(), reason="")


def test_at_the_very_second_of_its_end_an_order_is_closed_or_paid_and_never_both(client):
    pool = []
    for n in range(12):
        order = place_order(client=client, number=f"T{n}", total_fen=1_500)
        pool.append((order, attempt(order, Mode.QR)))
    order, _charge = pool[-1]
    end = order.expires_at
    Order.objects.update(expires_at=end)
    Charge.objects.filter(tender="memory").update(expires_at=end - charges.GATEWAY_MARGIN)

    for order, charge in pool:

        def expire_or_pay(n, order=order, charge=charge):
            if n:
                return pay_and_tell(charge, at=end)
            charges.ask(charge_id=charge.pk, at=end + datetime.timedelta(seconds=1))
            return closing.close_due(at=end)

        _closed, answer = at_once(2, expire_or_pay)
        assert answer == "success"
    charges_left = Charge.objects.filter(next_query_at__isnull=False)
    charges_left.update(next_query_at=timezone.now())
    charges.sweep_due()
    settle_late_money()

    moves = Counter(OrderTransition.objects.filter(event__in=["closed", "all_settled"]).values_list("order", flat=True))
    assert set(moves.values()) == {1}
    assert set(Counter(what_became_of(*pair) for pair in pool)) <= {"paid", "paid late and refunded"}
    assert broken() == set()


# --- two at once ------------------------------------------------------------------------------------------------------


def stale_orders(client, count):
    """Orders past their time, with their audit rows: as many as no test could place one by one."""
    customer = client.customer_set.get()
    past = timezone.now() - datetime.timedelta(minutes=5)
    stale = [
        Order(
            number=f"20180615{n:08d}", family="payments", kind=OrderKind.GOODS, client=client, customer=customer,
            fingerprint="0" * 64, title="t", total_fen=100, cash_fen=100, expires_at=past,
        )
        for n in range(count)
    ]  # fmt: skip
    placed = [AuditRow(actor="test", action="order.place", subject=order.subject) for order in stale]
    Order.objects.bulk_create(stale, batch_size=1_000)
    AuditRow.objects.bulk_create(placed, batch_size=1_000)


def test_two_jobs_at_once_share_three_thousand_stale_orders_and_close_each_once(client, monkeypatch):
    monkeypatch.setattr(closing, "BATCH", 100)
    with_points = [place_order(client=client, number=f"T{n}", total_fen=100) for n in range(3)]
    with_points.append(place_order(client=client, number="T3", total_fen=1_000))
    stale_orders(client, 2_999)
    Order.objects.filter(number=with_points[-1].number).update(expires_at=timezone.now())

    with capture_logs() as logged:
        closed = at_once(2, lambda n: closing.close_due(at=timezone.now()))

    assert sum(closed) == 3_000
    assert min(closed) > 0
    assert Order.objects.filter(status="closed").count() == 3_000
    assert OrderTransition.objects.filter(event="closed").count() == 3_000
    assert points_fen(client.customer_set.get()) == 700
    assert [line for line in logged if line["log_level"] == "error"] == []
    assert broken() == set()


def test_control_without_locks_both_close_the_same_unless_the_database_refuses_one(client, monkeypatch):
    stale_orders(client, 10)
    place_of = list(queries.due(at=timezone.now()).values_list("expires_at", "pk"))
    meet = meeting(2)
    monkeypatch.setattr(
        queries, "lock_due", lambda *, at, limit, after=None: meet() or ([] if after else place_of)
    )  # fmt: skip

    with capture_logs() as logged:
        at_once(2, lambda n: closing.close_due(at=timezone.now()))

    refused = [line for line in logged if line["event"] == "closing_batch_failed"]
    assert refused or OrderTransition.objects.filter(event="closed").count() == 20


def test_a_client_who_closes_twenty_times_at_once_closes_once(client):
    order = place_order(client=client, total_fen=5_000)
    assert points_fen(order.customer) == 0

    outcomes = at_once(
        20, lambda n: closing.close(order_id=order.pk, actor="client:shop", at=timezone.now()).status
    )  # fmt: skip

    assert outcomes == ["closed"] * 20
    assert order.transitions.filter(event="closed").count() == 1
    assert (points_fen(order.customer), Refund.objects.count()) == (1_000, 0)
    assert broken() == set()
