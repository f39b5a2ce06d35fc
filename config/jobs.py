"""The jobs of the schedule, for people and for Prometheus: what each is called, when it last ran, what it has to do."""

import datetime
from collections.abc import Iterable
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from config.logging import LAST_RUN_KEY
from english_app import deliveries, returns
from english_app.models import EnglishOrder
from partner_orders import shipping
from payments.charges import queries as charges
from payments.charges import settlement, sweep
from payments.closing import queries as closing
from payments.exports import operations as exports
from payments.exports.states import Status as ExportStatus
from payments.figures import operations as figures
from payments.models import Export, GatewayBill, InboundNotification, Order, RefundBatchLine, WebhookDelivery
from payments.outbox import operations as outbox
from payments.outbox.models import DeliveryStatus
from payments.reconciliation import operations as reconciliation
from payments.reconciliation import schedule
from payments.refunds import batches, submission
from payments.refunds import queries as refunds

TITLES: dict[str, Any] = {
    sweep.TASK: _("Ask gateways about payments"),
    submission.TASK: _("Tell and ask gateways about refunds"),
    batches.TASK: _("Ask for the refunds of many orders"),
    "payments.close_stale_orders": _("Close orders whose time has run out"),
    settlement.LATE_MONEY_TASK: _("Give back money that came late or twice"),
    "payments.process_due_notifications": _("Process notifications that were left"),
    outbox.TASK: _("Send webhooks"),
    "payments.fulfil_due_orders": _("Fulfil orders whose fulfilment failed"),
    figures.TASK: _("Add up the day's figures"),
    shipping.TASK: _("Receive partner orders shipped long ago"),
    deliveries.TASK: _("Deliver English orders"),
    returns.TASK: _("Settle returns of English orders"),
    reconciliation.TASK: _("Compare gateways' bills"),
    "payments.audit": _("Audit the books"),
    "payments.prune_refused_notifications": _("Prune refused notifications"),
    "payments.clear_ended_sessions": _("Clear sessions that have ended"),
    exports.TASK: _("Write exports"),
    "payments.prune_exports": _("Delete old files of exports"),
}

log = structlog.get_logger(__name__)


def schedules() -> dict[str, datetime.timedelta]:
    """Return how often each job runs."""
    entries: Iterable[dict[str, Any]] = settings.CELERY_BEAT_SCHEDULE.values()
    return {entry["task"]: datetime.timedelta(seconds=entry["schedule"]) for entry in entries}


def last_runs() -> dict[str, datetime.datetime] | None:
    """Return when each job last succeeded, as far as that is known; None where Redis does not tell."""
    keys = {LAST_RUN_KEY.format(task): task for task in schedules()}
    try:
        found = cache.get_many(keys)
    except Exception as error:  # noqa: BLE001  whatever ails Redis, the rest is wanted all the more
        log.warning("last_runs_not_read", error=type(error).__name__)
        return None
    return {keys[key]: datetime.datetime.fromtimestamp(at, datetime.UTC) for key, at in found.items()}


def due(*, at: datetime.datetime) -> dict[str, QuerySet[Any]]:
    """Return the rows that jobs have before them, each found by a partial index. Jobs without rows are left out."""
    return {
        sweep.TASK: charges.due_for_query(at=at),
        submission.TASK: refunds.due_for_query(at=at),
        batches.TASK: RefundBatchLine.objects.filter(due_at__lte=at),
        "payments.close_stale_orders": closing.due(at=at),
        settlement.LATE_MONEY_TASK: refunds.surplus_due(),
        "payments.process_due_notifications": InboundNotification.objects.filter(due_at__lte=at),
        outbox.TASK: WebhookDelivery.objects.filter(status=DeliveryStatus.DUE, due_at__lte=at),
        "payments.fulfil_due_orders": Order.objects.filter(fulfil_due_at__lte=at),
        shipping.TASK: shipping.to_receive(at=at),
        deliveries.TASK: EnglishOrder.objects.filter(deliver_due_at__lte=at),
        returns.TASK: returns.to_settle(),
        reconciliation.TASK: GatewayBill.objects.filter(next_try_at__lte=at, day__gte=schedule.oldest_day(at)),
        exports.TASK: Export.objects.filter(status=ExportStatus.QUEUED),
    }
