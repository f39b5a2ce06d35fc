"""
What Prometheus may ask: requests, measured as they pass, and the state of the book, read when it is asked.

The book's numbers come from partial indexes and stop counting at COUNT_MAX, so that a scrape costs the same on ten
million orders as on ten; every process answers the same. The requests' are added up over the processes that share
PROMETHEUS_MULTIPROC_DIR.
"""

import datetime
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from config import jobs
from payments import invariants
from payments.charges import queries as charges
from payments.charges import states as charge_states
from payments.closing import queries as closing
from payments.inbox.models import GENUINE, Verdict
from payments.models import (
    Charge,
    Difference,
    GatewayBill,
    InboundNotification,
    Order,
    OutboxEvent,
    Refund,
    RefundLeg,
    WebhookDelivery,
    WebhookEndpoint,
)
from payments.orders import states as order_states
from payments.orders.models import MoneyFlag
from payments.outbox import models as outbox
from payments.reconciliation.states import BillStatus, DifferenceKind, DifferenceStatus
from payments.refunds import queries as refunds
from payments.refunds import states as refund_states

COUNT_MAX = 10_000
RECENT = datetime.timedelta(hours=1)
WAITING = [status for status, moves in order_states.TRANSITIONS.items() if order_states.Event.CLOSED in moves]


def exposition() -> bytes:
    """Return everything in Prometheus' text format."""
    registry = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(BookCollector())
        return generate_latest(registry)
    registry.register(BookCollector())
    return generate_latest(REGISTRY) + generate_latest(registry)


class BookCollector(Collector):
    """Each number is exact up to COUNT_MAX and means "at least" there."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from _orders()
        yield from _charges()
        yield from _refunds()
        yield from _notifications()
        yield from _webhooks()
        yield from _reconciliation()
        yield from _tasks()
        yield from _invariants()


def _orders() -> Iterator[GaugeMetricFamily]:
    waiting = Order.objects.filter(status__in=WAITING).values_list("status", flat=True)
    yield _by("status", "onetill_orders_waiting", "Orders not yet paid in full.", waiting, WAITING)
    recent = Order.objects.filter(created_at__gte=timezone.now() - RECENT).order_by("-created_at", "-id")
    yield _by(
        "status", "onetill_orders_of_the_last_hour", "Orders made in the last hour, by what became of them.",
        recent.values_list("status", flat=True), order_states.Status,
    )  # fmt: skip
    flagged = Order.objects.exclude(money_flag="").values_list("money_flag", flat=True)
    flags = [flag for flag in MoneyFlag if flag]
    yield _by("money_flag", "onetill_orders_flagged", "Orders whose money staff must look at.", flagged, flags)
    due = Order.objects.filter(fulfil_due_at__isnull=False).values_list("fulfil_due_at", flat=True)
    oldest = closing.due(at=timezone.now()).values_list("expires_at", flat=True).first()
    yield _age("onetill_orders_closing_overdue_seconds", "How late closing is.", oldest)
    yield _one("onetill_orders_fulfilment_due", "Paid orders whose fulfilment failed.", len(due[:COUNT_MAX]))


def _charges() -> Iterator[GaugeMetricFamily]:
    waiting = Charge.objects.filter(next_query_at__isnull=False).values_list("status", flat=True)
    yield _by("status", "onetill_charges_waiting", "Charges the sweep asks after.", waiting, charge_states.OPEN)
    next_query_at = charges.due_for_query(at=timezone.now()).values_list("next_query_at", flat=True).first()
    yield _age("onetill_charges_query_overdue_seconds", "How late the sweep is.", next_query_at)
    surplus = Charge.objects.filter(status=charge_states.Status.SURPLUS).values_list("paid_fen", flat=True)
    amounts = list(surplus[:COUNT_MAX])
    yield _one("onetill_charges_surplus", "Charges paid beyond need, due to go back.", len(amounts))
    yield _one("onetill_charges_surplus_fen", "What was paid on them, in fen.", sum(fen or 0 for fen in amounts))


def _refunds() -> Iterator[GaugeMetricFamily]:
    waiting = Refund.objects.filter(status__in=[refund_states.Status.TO_APPROVE, refund_states.Status.PENDING])
    yield _by(
        "status", "onetill_refunds_waiting", "Refunds that wait for a second person, or for a gateway.",
        waiting.values_list("status", flat=True), [refund_states.Status.TO_APPROVE, refund_states.Status.PENDING],
    )  # fmt: skip
    stuck = RefundLeg.objects.filter(status=refund_states.LegStatus.STUCK).values_list("pk", flat=True)
    yield _one("onetill_refunds_stuck", "Refunds that staff must lead on at a gateway.", len(stuck[:COUNT_MAX]))
    next_query_at = refunds.due_for_query(at=timezone.now()).values_list("next_query_at", flat=True).first()
    yield _age("onetill_refunds_query_overdue_seconds", "How late the sweep of refunds is.", next_query_at)


def _notifications() -> Iterator[GaugeMetricFamily]:
    due = InboundNotification.objects.filter(verdict=Verdict.ACCEPTED, processed_at__isnull=True).order_by("id")
    received = list(due.values_list("received_at", flat=True)[:COUNT_MAX])
    yield _one("onetill_notifications_due", "Notifications accepted and not yet processed.", len(received))
    yield _age("onetill_notifications_oldest_due_seconds", "Age of the first of them.", next(iter(received), None))
    refused = InboundNotification.objects.exclude(verdict__in=GENUINE).filter(received_at__gte=timezone.now() - RECENT)
    yield _by(
        "verdict", "onetill_notifications_refused_of_the_last_hour", "Notifications refused in the last hour.",
        refused.values_list("verdict", flat=True), [verdict for verdict in Verdict if verdict not in GENUINE],
    )  # fmt: skip


def _webhooks() -> Iterator[GaugeMetricFamily]:
    waiting = WebhookDelivery.objects.filter(status__in=outbox.WAITING).values_list("status", flat=True)
    yield _by(
        "status", "onetill_webhooks_waiting", "Webhook deliveries that are due or parked.", waiting, outbox.WAITING
    )
    events = OutboxEvent.objects.filter(dispatched_at__isnull=True).order_by("id").values_list("created_at", flat=True)
    yield _age("onetill_webhooks_oldest_undispatched_seconds", "How late the fan-out is.", events.first())
    parked = WebhookEndpoint.objects.filter(parked_at__isnull=False).values_list("pk", flat=True)
    yield _one("onetill_webhook_endpoints_parked", "Receivers that staff must look at.", len(parked[:COUNT_MAX]))


def _reconciliation() -> Iterator[GaugeMetricFamily]:
    found = Difference.objects.filter(status=DifferenceStatus.OPEN).values_list("kind", flat=True)
    yield _by(
        "kind", "onetill_reconciliation_differences", "Open differences between bills and our book.", found,
        DifferenceKind,
    )  # fmt: skip
    missing = GatewayBill.objects.exclude(status=BillStatus.MATCHED).values_list("pk", flat=True)
    yield _one("onetill_bills_missing", "Bills not had, or not compared yet.", len(missing[:COUNT_MAX]))


def _tasks() -> Iterator[GaugeMetricFamily]:
    """When each scheduled task last succeeded: an empty answer means that Redis, the worker or beat is gone."""
    family = GaugeMetricFamily(
        "onetill_task_last_success_timestamp_seconds", "When it last succeeded.", labels=["task"]
    )
    for task, at in (jobs.last_runs() or {}).items():
        family.add_metric([task], at.timestamp())
    yield family


def _invariants() -> Iterator[GaugeMetricFamily]:
    """What the last audit found; nothing where none is known."""
    family = GaugeMetricFamily("onetill_invariant_breaches", "Breaches at the last audit.", labels=["invariant"])
    for name, breaches in invariants.last_breaches().items():
        family.add_metric([name], breaches)
    yield family


def _by(
    label: str, name: str, documentation: str, values: QuerySet[Any, str], known: Iterable[str]
) -> GaugeMetricFamily:
    """One series per known value, present even at zero, so that an alarm can rely on it."""
    counts = Counter(values[:COUNT_MAX])
    family = GaugeMetricFamily(name, documentation, labels=[label])
    for value in known:
        family.add_metric([str(value)], counts[str(value)])
    return family


def _one(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=value)


def _age(name: str, documentation: str, since: datetime.datetime | None) -> GaugeMetricFamily:
    """Zero where there is nothing, or nothing is late."""
    seconds = (timezone.now() - since).total_seconds() if since else 0
    return _one(name, documentation, max(0, seconds))
