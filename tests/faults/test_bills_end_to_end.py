"""
The simulator's bills against our book, over HTTP: two hundred differences ordered there are found here, and nothing
else is. What a recall of 1.0 (all are found) and a precision of 1.0 (nothing else is) are counted over.
"""

import datetime
import time

import pytest
from django.utils import timezone

from payments.charges import operations as charges
from payments.gateways.base import Mode
from payments.models import Difference, Order
from payments.reconciliation import days
from payments.reconciliation import operations as reconciliation
from payments.refunds import operations as refunds
from payments.refunds import submission
from payments.refunds.operations import RefundCommand
from tests.faults.gateways import SIDES
from tests.simulator_process import _app_key, simulator, simulator_process
from tests.web_process import eventually
from tests.world import make_client, make_customer, place_order

__all__ = ["simulator", "simulator_process"]

PAYMENTS, REFUNDS = 60, 12
INJECTED = {"missing": 13, "extra": 14, "amount": 14, "status": 13, "fee": 13}  # 67 of each gateway, 201 in all
KINDS = {
    "missing": "theirs_missing",
    "extra": "ours_missing",
    "amount": "amount",
    "status": "status",
    "fee": "fee",
}


def pay(simulator, side, order):
    charge = charges.pay_by(
        order_id=order.pk, channel=side.channel, mode=Mode.QR, actor="test", at=timezone.now()
    )  # fmt: skip
    simulator.pay(charge.number)
    charge = charges.reconcile(charge_id=charge.pk, at=timezone.now())
    assert charge.status == "succeeded"
    return charge


def give_back(order):
    command = RefundCommand(goods_fen=1_000)
    made = refunds.refund(order_id=order.pk, command=command, actor="client:shop", at=timezone.now())
    leg = made.legs.get()

    def is_settled():
        submission.reconcile(leg_id=leg.pk, at=timezone.now())
        leg.refresh_from_db()
        return leg.status == "succeeded"

    eventually(is_settled)


def wait_for_a_day_that_lasts():
    """A day's trade must not fall on two days."""
    left = days.bounds(days.day_of(timezone.now()))[1] - timezone.now()
    if left < datetime.timedelta(minutes=3):
        time.sleep(left.total_seconds() + 1)


@pytest.mark.parametrize("name", SIDES)
def test_every_difference_that_was_ordered_is_found_and_nothing_else(simulator, name):
    wait_for_a_day_that_lasts()
    side = SIDES[name]
    account = side.connect(simulator, notify_base="http://127.0.0.1:9")  # nobody there: the query tells
    if name == "v2":  # takes refunds with this certificate
        (known,) = [merchant for merchant in simulator.merchants() if merchant["app_id"] == account.app_id]
        certificate = {"client_cert": known["app_certificate"], "client_key": _app_key()[0]}
        account.set_credentials(account.credentials() | certificate)
    account.options = {**account.options, "fee_per_mille": 6}
    account.save()
    client = make_client()
    make_customer(client=client)
    orders = [place_order(client=client, number=f"T{n}", total_fen=1_000 * (n + 2)) for n in range(PAYMENTS)]
    for order in orders:
        pay(simulator, side, order)
    for order in Order.objects.order_by("pk")[:REFUNDS]:
        give_back(order)
    ordered = simulator.spoil_bill(account.app_id, **INJECTED, seed=28)
    assert len(ordered) == sum(INJECTED.values())

    tomorrow = days.bounds(days.day_of(timezone.now()))[1] + datetime.timedelta(hours=11)
    bill = reconciliation.reconcile(account_id=account.pk, day=days.day_of(timezone.now()), at=tomorrow)

    assert bill.status == "matched"
    found = Difference.objects.values_list("kind", "number", "refund_number")
    wanted = {(KINDS[each["kind"]], each["number"], each["refund_number"]) for each in ordered}
    assert sorted(found) == sorted(wanted)
