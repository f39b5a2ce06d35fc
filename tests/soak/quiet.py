"""
After the noise: every trade at the gateways comes to an end, and ours follows.

First the house is left alone with its own sweeps. What they have not asked about after `patience_s` (they wait ever
longer) is asked about at once, by the command staff have for it. An attempt whose number no gateway knows is given up
a minute after it has run out: for those the clock is put forward.
"""

import contextlib
import datetime
import random
import time

from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import queries, settlement
from payments.charges.states import Status
from payments.inbox import operations as inbox
from payments.inbox.models import InboundNotification, Verdict
from payments.models import Charge, Order
from payments.orders.states import AWAITING_CASH
from tests.soak.house import until

HURRY_S = 60  # a machine that is busy with other things may not answer the first time
OVERDUE = datetime.timedelta(seconds=90)  # more than the lease of a worker that was killed, and a sweep's period
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
            self._look_whether_sweeps_run()
            until(self._is_still_when_hurried, seconds=HURRY_S, pause=2)
        until(self._is_given_up, seconds=HURRY_S)
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
        with contextlib.suppress(AssertionError):
            self._house.simulator.call("POST", f"trades/{trade.number}/{act}", {})

    def _is_still(self):
        return not (self._open() or _left().exists() or self._book.notices_under_way())

    def _look_whether_sweeps_run(self):
        """What is done at once from now on would hide a worker that stands still."""
        since = timezone.now() - OVERDUE
        if overdue := queries.due_for_query(at=since).count():
            self._tally.trouble(f"{overdue} attempts were due to be asked about {OVERDUE} ago: the sweep stands still")
        if overdue := _left().filter(received_at__lt=since).count():
            self._tally.trouble(f"{overdue} notifications were left {OVERDUE} ago: nobody processes them")

    def _open(self):
        """The open attempts of which the gateways know more than that there is no such number."""
        known = {trade.number for trade in self._book.trades() if trade.is_known}
        return [charge for charge in queries.every_open() if charge.number in known]

    def _is_still_when_hurried(self):
        self._hurry()
        return self._is_still()

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

    def _is_given_up(self):
        """Ask about what is left as if its time were over. Whether nothing is open any more."""
        for charge in queries.every_open():
            late = charge.expires_at + settlement.NOT_FOUND_IS_FINAL_AFTER + datetime.timedelta(seconds=1)
            if charges.ask(charge_id=charge.pk, at=late).status == Status.CLOSED:
                self._tally.add("in the end", f"given up after its time: {charge.status}")
        return not queries.every_open().exists()


class _Silence:
    def write(self, text):
        pass

    def flush(self):
        pass


def _left():
    return InboundNotification.objects.filter(verdict=Verdict.ACCEPTED, processed_at__isnull=True)
