"""
After the noise: every trade at the gateways comes to an end, and ours follows.

Staff lead on at the gateway what stands still there. Then the house is left alone with its own sweeps. What they have
not asked about after `patience_s` (they wait ever longer) is asked about at once. An attempt whose number no gateway
knows is given up a minute after it has run out: for those the clock is put forward. What that sets in motion (orders
that can be closed now, money that came late) comes to its end in the same way.
"""

import contextlib
import datetime
import random
import time

from django.core.management import CommandError, call_command
from django.utils import timezone

from payments.charges import operations as charges
from payments.charges import queries, sweep
from payments.charges.models import CASH
from payments.charges.states import Status
from payments.closing import late_money
from payments.closing import operations as closing
from payments.closing import queries as closing_queries
from payments.inbox import operations as inbox
from payments.inbox.models import InboundNotification, Verdict
from payments.ledger.models import TransferKind
from payments.models import Charge, Order, OutboxEvent, RefundLeg, Transfer, WebhookDelivery, WebhookEndpoint
from payments.orders.states import AWAITING_CASH
from payments.outbox import operations as outbox
from payments.outbox.models import DeliveryStatus
from payments.refunds import queries as refund_queries
from payments.refunds import submission
from payments.refunds.states import LEG_OPEN
from tests.soak import staff
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
        self._staff_see_to_refunds()
        if not until(self._is_still, seconds=patience_s, pause=0.5):
            self._look_whether_sweeps_run()
            until(self._is_still_when_hurried, seconds=HURRY_S, pause=2)
        until(self._is_given_up, seconds=HURRY_S)
        until(self._is_still_when_hurried, seconds=HURRY_S, pause=1)
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
        if charge is None:
            return False
        is_over = charge.order.status not in AWAITING_CASH or charge.order.expires_at <= timezone.now()
        return charge.is_replaced or is_over

    def _do(self, trade, act):
        """Whatever the trade has become meanwhile: paid, or closed by us."""
        with contextlib.suppress(AssertionError):
            self._house.simulator.call("POST", f"trades/{trade.number}/{act}", {})

    def _is_still(self):
        return not (
            self._open()
            or _left().exists()
            or self._book.notices_under_way()
            or closing_queries.due(at=timezone.now()).exists()
            or Charge.objects.filter(status=Status.SURPLUS).exists()
            or RefundLeg.objects.filter(status__in=LEG_OPEN).exists()
            or OutboxEvent.objects.filter(dispatched_at__isnull=True).exists()
            or _undelivered().exists()
        )

    def _staff_see_to_refunds(self):
        for _refund in range(staff.lead_on_refunds(book=self._book)):
            self._tally.add("staff", "led a refund on at the gateway")
        for _charge in range(staff.give_surplus_back()):
            self._tally.add("staff", "gave late money back that had not gone")

    def _look_whether_sweeps_run(self):
        """What is done at once from now on would hide a worker that stands still."""
        since = timezone.now() - OVERDUE
        undone = {
            "attempts were to be asked about": queries.due_for_query(at=since),
            "refunds were to be asked about": refund_queries.due_for_query(at=since),
            "notifications were left": _left().filter(received_at__lt=since),
            "orders that nobody began to pay were to be closed": closing_queries.due(at=since).exclude(
                charges__tender__in=CASH
            ),
            "payments beyond need were to go back": refund_queries.surplus_due().filter(number__in=_booked(since)),
            "webhooks were to be sent": _undelivered().filter(due_at__lt=since, endpoint__paused_until__isnull=True),
        }
        for what, rows in undone.items():
            if overdue := rows.count():
                self._tally.trouble(f"{overdue} {what} {OVERDUE} ago: nobody does it")

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
        self._hurry_refunds()
        self._hurry_webhooks()

    def _hurry_refunds(self):
        closing.close_due(at=timezone.now())
        late_money.refund_due()
        self._staff_see_to_refunds()
        for leg in RefundLeg.objects.filter(status__in=LEG_OPEN):
            if leg.number not in self._hurried:
                self._tally.add("in the end", f"refund asked about at once: {leg.status}")
            self._hurried.add(leg.number)
        RefundLeg.objects.filter(next_query_at__isnull=False).update(next_query_at=timezone.now())
        submission.sweep_due()

    def _hurry_webhooks(self):
        """The worker sends them; that receivers were ailing is forgotten."""
        for endpoint in WebhookEndpoint.objects.filter(parked_at__isnull=False):
            self._tally.add("staff", "unparked a receiver")
            outbox.unpark(endpoint_id=endpoint.pk, actor="user:soak", reason="soak", at=timezone.now())
        WebhookEndpoint.objects.update(paused_until=None)
        _undelivered().update(due_at=timezone.now())

    def _is_given_up(self):
        """Ask about what is left as if its time were over. Whether nothing is open any more."""
        for charge in queries.every_open():
            late = charge.expires_at + sweep.NOT_FOUND_IS_FINAL_AFTER + datetime.timedelta(seconds=1)
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


def _undelivered():
    return WebhookDelivery.objects.filter(status=DeliveryStatus.DUE)


def _booked(since):
    """The numbers of payments beyond need that have stood in our books since then."""
    return Transfer.objects.filter(kind=TransferKind.SURPLUS, at__lt=since).values("reference")
