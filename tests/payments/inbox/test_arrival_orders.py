"""
All orders in which five notices of one payment can arrive, each as the simulator sent it over the wire: whatever the
order, the end is the same.
"""

import itertools
from collections import Counter
from contextlib import contextmanager

import pytest
from django.db import transaction
from django.utils import timezone

from payments import invariants
from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.inbox import operations as inbox
from payments.models import Charge, InboundNotification, OrderTransition, Transfer
from tests.faults.gateways import CASH_FEN, SIDES, V2_HMAC, catch, place, refund, start
from tests.payments.gateways.simulated import receiver

__all__ = ["receiver"]

pytestmark = pytest.mark.django_db
SIDES = {**SIDES, "v2-hmac": V2_HMAC}


@pytest.fixture(params=SIDES.values(), ids=list(SIDES))
def side(request):
    return request.param


@pytest.fixture
def five(simulator, receiver, side):
    """
    The payment, its repeat, a refund of a part, a lie about the amount, and one that was changed on its way. None of
    them has reached us yet; the gateway's own book says paid, and partly given back.
    """
    account = side.connect(simulator, notify_base=receiver.url.removesuffix("/notify"))
    order = place()
    charge = start(order, side)
    simulator.pay(charge.number)
    told = {fault: catch(simulator, receiver, side, charge, fault=fault) for fault in ("", "wrong_amount", "tampered")}
    again = catch(simulator, receiver, side, charge)
    refund(simulator, charge, amount_fen=1_000, notify_url=receiver.url)
    given_back = catch(simulator, receiver, side, charge, event="refunded")
    return order, account, {
        "paid": told[""], "repeat": again, "refund": given_back, "wrong amount": told["wrong_amount"],
        "tampered": told["tampered"],
    }  # fmt: skip


@contextmanager
def undone():
    """What happens here has not happened afterwards, though operations may commit in it as in a test."""
    scene = transaction.atomic()
    scene._from_testcase = True
    with scene:
        yield
        transaction.set_rollback(True)


def deliver(account, notice):
    answer = inbox.receive(
        kind=account.kind, headers=notice.headers, body=notice.body, remote_address=None, at=timezone.now()
    )
    return answer.status, answer.body


def books(order):
    order.refresh_from_db()
    charge = Charge.objects.get(order=order, gateway_account__isnull=False)
    return (
        (order.status, order.money_flag),
        (charge.status, charge.paid_fen, charge.gateway_trade_no != "", charge.next_query_at),
        sorted(Transfer.objects.values_list("debit", "credit", "amount_fen", "kind", "reference")),
        list(OrderTransition.objects.filter(order=order).order_by("sequence").values_list("source", "event", "target")),
        sorted(Counter(InboundNotification.objects.values_list("verdict", flat=True)).items()),
        InboundNotification.objects.filter(verdict="accepted", processed_at__isnull=True).count(),
    )


def broken_invariants():
    """But the one that what customers of `tests.world` begin with breaks."""
    with transaction.atomic():
        return [found.name for found in invariants.findings() if found.breaches and found.name != "I15c"]


def test_every_order_of_arrival_ends_the_same(five, side):
    order, account, notices = five
    ends, sums = Counter(), set()
    expected = dict.fromkeys(("paid", "repeat", "refund"), side.yes) | dict.fromkeys(
        ("wrong amount", "tampered"), side.no
    )

    for arrival in itertools.permutations(notices):
        with undone():
            answers = {name: deliver(account, notices[name]) for name in arrival}
            charges.sweep_due()  # what the notices made us ask about
            charges.sweep_due()
            assert answers == expected, arrival
            ends[repr(books(order))] += 1
            sums.add(
                tuple(Transfer.objects.filter(credit="escrow", kind="payment").values_list("amount_fen", flat=True))
            )
            assert not broken_invariants(), arrival

    assert list(ends.values()) == [120], ends
    (end,) = ends
    assert end.startswith("(('pay_finished', ''), ('succeeded', 201272, True, None)")


def test_control_the_orders_of_arrival_start_from_nothing(five, side):
    order, account, notices = five
    before = books(order)

    with undone():
        assert deliver(account, notices["paid"]) == side.yes
        assert books(order) != before

    assert books(order) == before


@pytest.mark.parametrize("end", ["finished", "refunded"])
def test_alipays_finished_and_closed_before_its_success(simulator, receiver, end):
    """A payment that is finished or was given back in full (TRADE_CLOSED) was a payment, whatever came first."""
    side = SIDES["alipay"]
    account = side.connect(simulator, notify_base=receiver.url.removesuffix("/notify"))
    order = place()
    charge = start(order, side, Mode.APP)  # Alipay tells of the end of a code's trade to nobody
    simulator.use_app(charge.payload["order_string"])
    paid = catch(simulator, receiver, side, charge)
    if end == "finished":
        simulator.finish(charge.number)
    else:
        refund(simulator, charge, amount_fen=CASH_FEN, notify_url=receiver.url)
    other = catch(simulator, receiver, side, charge, event=end)
    ends = set()

    for arrival in itertools.permutations((paid, other)):
        with undone():
            assert [deliver(account, notice) for notice in arrival] == [side.yes] * 2
            charges.sweep_due()
            ends.add(repr(books(order)))

    assert len(ends) == 1, ends
    assert ends.pop().startswith("(('pay_finished', ''), ('succeeded', 201272, True, None)")
