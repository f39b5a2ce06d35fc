"""What Celery runs: keyword ids in, one operation out. Every due time is a row, so a lost task is found again."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from payments import invariants
from payments.charges import operations as charges
from payments.charges import settlement, sweep
from payments.closing import late_money
from payments.closing import operations as closing
from payments.exports import operations as exports
from payments.exports import writing
from payments.figures import operations as figures
from payments.inbox import operations as inbox
from payments.orders import operations as orders
from payments.outbox import operations as outbox
from payments.outbox import sending
from payments.reconciliation import operations as reconciliation
from payments.refunds import batches as refund_batches
from payments.refunds import submission as refund_submission
from payments.staff import operations as staff


@shared_task(name=sweep.TASK)
def reconcile_due_charges(**_kwargs: Any) -> None:
    charges.sweep_due()


@shared_task(name=refund_submission.TASK)
def sweep_due_refunds(**_kwargs: Any) -> None:
    refund_submission.sweep_due()


@shared_task(name=refund_batches.TASK)
def refund_batches_due(**_kwargs: Any) -> None:
    refund_batches.process_due()


@shared_task(name="payments.close_stale_orders")
def close_stale_orders(**_kwargs: Any) -> None:
    closing.close_due(at=timezone.now())


@shared_task(name=settlement.LATE_MONEY_TASK)
def refund_late_money(**_kwargs: Any) -> None:
    late_money.refund_due()


@shared_task(name=inbox.TASK)
def process_notification(*, notification_id: int, **_kwargs: Any) -> None:
    inbox.process(notification_id=notification_id, at=timezone.now())


@shared_task(name="payments.process_due_notifications")
def process_due_notifications(**_kwargs: Any) -> None:
    inbox.process_due()


@shared_task(name=outbox.TASK)
def send_due_webhooks(**_kwargs: Any) -> None:
    sending.send_due()


@shared_task(name="payments.fulfil_due_orders")
def fulfil_due_orders(**_kwargs: Any) -> None:
    orders.fulfil_due(at=timezone.now())


@shared_task(name="payments.prune_refused_notifications")
def prune_refused_notifications(**_kwargs: Any) -> None:
    inbox.prune_refused()


@shared_task(name="payments.clear_ended_sessions")
def clear_ended_sessions(**_kwargs: Any) -> None:
    staff.clear_ended_sessions()


@shared_task(name="payments.audit")
def audit(**_kwargs: Any) -> None:
    invariants.check()


@shared_task(name=reconciliation.TASK)
def reconcile_bills(**_kwargs: Any) -> None:
    reconciliation.reconcile_due(at=timezone.now())


@shared_task(name=figures.TASK)
def add_up_figures(**_kwargs: Any) -> None:
    figures.compute_due(at=timezone.now())


@shared_task(name=exports.TASK)
def write_due_exports(**_kwargs: Any) -> None:
    writing.write_due()


@shared_task(name="payments.prune_exports")
def prune_exports(**_kwargs: Any) -> None:
    exports.prune(at=timezone.now())
