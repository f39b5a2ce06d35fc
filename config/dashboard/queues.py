"""What waits for a person, each with the list that shows it."""

import dataclasses
from collections.abc import Callable
from typing import Any

from django.db.models import Model, Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from config.dashboard.shown import count, count_text, listing, rows_seen_by
from english_app.models import EnglishOrder
from english_app.states import Delivery, Return
from payments.charges.states import Status as ChargeStatus
from payments.manual.states import Status as RequestStatus
from payments.models import (
    Charge,
    Difference,
    HandConfirmation,
    Order,
    Refund,
    RefundLeg,
    ValueRequest,
    WebhookEndpoint,
)
from payments.orders.models import MoneyFlag
from payments.reconciliation.states import DifferenceStatus
from payments.refunds.states import LegStatus
from payments.refunds.states import Status as RefundStatus


def _stuck() -> Q:
    return Q(pk__in=RefundLeg.objects.filter(status=LegStatus.STUCK).values("refund"))


# title, model, its rows that wait (each found by a partial index), the filter of their list or a page of their own
TABLE: list[tuple[Any, type[Model], Q | Callable[[], Q], str]] = [
    (_("Refunds to approve"), Refund, Q(status=RefundStatus.TO_APPROVE), "admin:payments_refund_to_approve"),
    (_("Refunds stuck at a gateway"), Refund, _stuck, "admin:payments_refund_held_up"),
    (_("Money that came late or twice"), Charge, Q(status=ChargeStatus.SURPLUS), "status__exact=surplus"),
    (
        _("Orders that need attention"), Order, Q(money_flag=MoneyFlag.NEEDS_ATTENTION),
        "money_flag__exact=needs_attention",
    ),
    (
        _("Payments by hand to approve"), HandConfirmation, Q(status=RequestStatus.TO_APPROVE),
        "status__exact=to_approve",
    ),
    (
        _("Points and balance to approve"), ValueRequest, Q(status=RequestStatus.TO_APPROVE),
        "status__exact=to_approve",
    ),
    (_("Returns asked for"), EnglishOrder, Q(returning=Return.ASKED), "returning__exact=asked"),
    (_("Deliveries that failed"), EnglishOrder, Q(delivery=Delivery.FAILED), "delivery__exact=failed"),
    (_("Differences with a gateway's bill"), Difference, Q(status=DifferenceStatus.OPEN), "status__exact=open"),
    (_("Webhook endpoints parked"), WebhookEndpoint, Q(parked_at__isnull=False), "parked_at__isempty=0"),
]  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class Queue:
    title: Any
    number: int
    link: str

    @property
    def shown(self) -> str:
        return count_text(self.number)


def seen_by(request: HttpRequest) -> list[Queue] | None:
    """Return the queues whose rows this person may see, also the empty ones; None where there is none for them."""
    found = []
    for title, model, waits, query in TABLE:
        rows = rows_seen_by(request, model)
        if rows is not None:
            waiting = rows.filter(waits if isinstance(waits, Q) else waits())
            link = reverse(query) if query.startswith("admin:") else listing(model, query)
            found.append(Queue(title=title, number=count(waiting), link=link))
    return found or None
