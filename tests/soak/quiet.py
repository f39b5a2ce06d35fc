"""
After the noise: every trade at the gateways comes to an end, and ours follows.

First the house is left alone with its own sweeps. What they have not asked about after `patience_s` (they wait ever
longer) is asked about at once, by the command staff have for it. An attempt whose number no gateway knows is given up
a minute after it has run out: for those the clock is put forward.
"""

import datetime
import random
import time

from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import queries, settlement
from payments.inbox import operations as inbox
from payments.inbox.models import InboundNotification, Verdict
from payments.models import Charge, Order
from payments.orders.states import AWAITING_CASH
from tests.soak.house import until

HURRIES = 3
SEEN = 0.8  # of the rest, closed before a payer has seen it, Alipay will say that there is no such trade


class Quiet:
    """Ends what is open at the gateways, then waits. `seconds` says how long it took."""

    def __init__(self, *, seed, house, book, tally):
        self._rng = random.Random(f"{seed}-quiet")
        self._house, self._book, self._tally = house, book, tally
        self._hurried = set()

    def settle(self, *, patience_s):
        started = time.monotonic()
        self._house.wait_ready()
        self._end_trades()
        if not until(self._is_still, seconds=patience_s, pause=0.5):
            for _hurry in range(HURRIES):
                self._hurry()
                if until(self._is_still, seconds=2):
                    break
        self._put_the_clock_forward()
        until(lambda: not self._book.notices_under_way(), seconds=60)
        self.seconds = time.monotonic() - started

    def _end_trades(self):
        """
        Pay or close what can still be paid. What is ours to close (another attempt replaced it, or its order is paid)
        is mostly left to us, and only becomes old enough for WeChat.
        """
        for trade in self._book.trades():
            if not trade.is_payable:
                continue
            acts = ["age"] * 4 + ["pay"] if self._is_ours_to_close(trade.number) else ["pay", "close"]
            act = self._rng.choice(acts)
            if act == "age" or self._rng.random() < SEEN:
                self._do(trade, "open")
            self._do(trade, act)
            self._tally.add("in the end", {"age": "left to us to close", "pay": "paid", "close": "closed"}[act])

    def _is_ours_to_close(self, number):
        charge = Charge.objects.select_related("order").filter(number=number).first()
        return charge is not None and (charge.is_replaced or charge.order.status not in AWAITING_CASH)

    def _do(self, trade, act):
        """Whatever the trade has become meanwhile: paid, or closed by us."""
        self._house.simulator._http.post(f"trades/{trade.number}/{act}", json={})

    def _is_still(self):
        return not (self._open() or _left().exists() or self._book.notices_under_way())

    def _open(self):
        """The open attempts of which the gateways know more than that there is no such number."""
        known = {trade.number for trade in self._book.trades() if trade.is_known}
        return [charge for charge in queries.every_open() if charge.number in known]

    def _hurry(self):
        for charge in self._open():
            if charge.number not in self._hurried:
                self._tally.add("in the end", f"asked about at once: {charge.status}")
            self._hurried.add(charge.number)
        try:
            call_command("reconcile_charges", "--open", stdout=_Silence())
        except CommandError as error:
            self._tally.add("in the end", f"reconcile_charges: {error}")
        for row in _left():
            self._tally.add("in the end", "a notification processed at once")
            inbox.process(notification_id=row.pk, at=timezone.now())
        for order in Order.objects.filter(fulfil_due_at__isnull=False):
            self._tally.trouble(f"order {order.number} could not be fulfilled")

    def _put_the_clock_forward(self):
        for charge in queries.every_open():
            self._tally.add("in the end", f"given up after its time: {charge.status}")
            late = charge.expires_at + settlement.NOT_FOUND_IS_FINAL_AFTER + datetime.timedelta(seconds=1)
            charges.ask(charge_id=charge.pk, at=late)


class _Silence:
    def write(self, text):
        pass

    def flush(self):
        pass


def _left():
    return InboundNotification.objects.filter(verdict=Verdict.ACCEPTED, processed_at__isnull=True)
