"""What Celery runs for the partner programme. Every due time is a row, so a lost task is found again."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from partner_orders import shipping


@shared_task(name=shipping.TASK)
def receive_due(**_kwargs: Any) -> None:
    shipping.receive_due(at=timezone.now())
