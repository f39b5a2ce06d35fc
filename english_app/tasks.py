"""What Celery runs for the English app. Every due time is a row, so a lost task is found again."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from english_app import deliveries, returns


@shared_task(name=deliveries.TASK)
def deliver_due(**_kwargs: Any) -> None:
    deliveries.deliver_due(at=timezone.now())


@shared_task(name=returns.TASK)
def settle_due_returns(**_kwargs: Any) -> None:
    returns.settle_due(at=timezone.now())
