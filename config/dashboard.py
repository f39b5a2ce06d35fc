"""What the first page of the back-office says: whether the books are right, and what waits for whom."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from config.admin_site import may_see
from english_app.models import EnglishOrder
from english_app.states import Delivery, Return
from payments import invariants
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

COUNT_MAX = 1_000


@dataclasses.dataclass(frozen=True)
class Queue:
    """Rows that wait for a person, and the list that shows them. More than COUNT_MAX are "at least" that many."""

    title: Any
    rows: QuerySet[Any]
    model: str
    query: str

    @cached_property
    def count(self) -> int:
        return len(self.rows.order_by().values_list("pk")[:COUNT_MAX])

    @property
    def link(self) -> str:
        return f"{reverse(f'admin:{self.model}_changelist')}?{self.query}"


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add to the index what this person may see."""
    queues = [queue for queue in _queues() if may_see(request, queue.model)]
    context["queues"] = [queue for queue in queues if queue.count]
    if may_see(request, "payments_transfer"):
        breaches = invariants.last_breaches()
        context["audited"] = bool(breaches)
        context["broken"] = {name: count for name, count in breaches.items() if count}
    return context


def _queues() -> Iterator[Queue]:
    to_approve = Refund.objects.filter(status=RefundStatus.TO_APPROVE)
    yield Queue(_("Refunds to approve"), to_approve, "payments_refund", "status__exact=to_approve")
    confirmed = HandConfirmation.objects.filter(status=RequestStatus.TO_APPROVE)
    yield Queue(_("Payments by hand to approve"), confirmed, "payments_handconfirmation", "status__exact=to_approve")
    granted = ValueRequest.objects.filter(status=RequestStatus.TO_APPROVE)
    yield Queue(_("Points and balance to approve"), granted, "payments_valuerequest", "status__exact=to_approve")
    stuck = RefundLeg.objects.filter(status=LegStatus.STUCK)
    yield Queue(_("Refunds stuck at a gateway"), stuck, "payments_refund", "status__exact=pending")
    surplus = Charge.objects.filter(status=ChargeStatus.SURPLUS)
    yield Queue(_("Money that came late or twice"), surplus, "payments_charge", "status__exact=surplus")
    attention = Order.objects.filter(money_flag=MoneyFlag.NEEDS_ATTENTION)
    yield Queue(_("Orders that need attention"), attention, "payments_order", "money_flag__exact=needs_attention")
    asked = EnglishOrder.objects.filter(returning=Return.ASKED)
    yield Queue(_("Returns asked for"), asked, "english_app_englishorder", "returning__exact=asked")
    undelivered = EnglishOrder.objects.filter(delivery=Delivery.FAILED)
    yield Queue(_("Deliveries that failed"), undelivered, "english_app_englishorder", "delivery__exact=failed")
    differences = Difference.objects.filter(status=DifferenceStatus.OPEN)
    yield Queue(_("Differences with a gateway's bill"), differences, "payments_difference", "status__exact=open")
    parked = WebhookEndpoint.objects.filter(parked_at__isnull=False)
    yield Queue(_("Webhook endpoints parked"), parked, "payments_webhookendpoint", "parked_at__isempty=0")
