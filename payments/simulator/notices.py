"""What the gateway has to tell, when it is due, and what became of it."""

import datetime
import threading

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from payments.simulator import faults, rooms
from payments.simulator.faults import Stage
from payments.simulator.models import Notification, NotificationDelivery, Refund, Trade, wire

State = Notification.State

bell = threading.Event()  # rings when something may be due earlier than thought


def enqueue(*, trade: Trade, event: str, refund: Refund | None = None) -> None:
    """Write down a notification in the transaction of what it tells, if this gateway tells it at all."""
    room = rooms.of(trade.merchant.gateway)
    facts = room.facts(trade, event, refund)
    url = room.notify_url(trade, refund)
    if facts is None or not url:
        return
    now = timezone.now()
    strike = faults.take(
        stage=Stage.NOTICE, out_trade_no=trade.out_trade_no, wire=wire(trade.merchant, (refund or trade).api)
    )
    late = datetime.timedelta(milliseconds=strike.delay_ms) if strike.delay_ms is not None else scaled(room.RETRIES[1])
    waits = strike.kind in {"late", "out_of_order"}
    Notification.objects.create(
        trade=trade,
        notify_id=room.new_notify_id(),
        refund=refund if refund and refund.api else None,
        event=event,
        facts=dict(facts),
        url=url,
        state={"lost": State.LOST, "out_of_order": State.HELD}.get(strike.kind, State.DUE),
        due_at=None if strike.kind == "lost" else now + late if waits else now,
        copies=1 if strike.kind == "duplicate" else 0,
        disturbed_by=strike.kind,
        made_at=now,
    )
    transaction.on_commit(bell.set)


def scaled(interval: datetime.timedelta) -> datetime.timedelta:
    """An interval of the real gateway on this simulator's faster clock."""
    return interval / settings.TIME_SCALE


def claim_due() -> list[int]:
    """The notifications to send now, marked as being sent."""
    due = Notification.objects.filter(state__in=[State.DUE, State.HELD], due_at__lte=timezone.now())
    if not due.exists():
        return []
    with transaction.atomic():
        ids = list(due.values_list("id", flat=True))
        Notification.objects.filter(pk__in=ids).update(state=State.SENDING)
    return ids


def next_due_at() -> datetime.datetime | None:
    waiting = Notification.objects.filter(state__in=[State.DUE, State.HELD]).order_by("due_at")
    return waiting.values_list("due_at", flat=True).first()


def forget_interrupted() -> None:
    """After a crash: what was being sent is due again."""
    Notification.objects.filter(state=State.SENDING).update(state=State.DUE, due_at=timezone.now())


@transaction.atomic
def record(*, delivery: NotificationDelivery, by_hand: bool) -> None:
    """Keep an attempt and decide what follows: an end, a copy, or the next repetition."""
    notification = Notification.objects.select_related("trade__merchant").get(pk=delivery.notification_id)
    delivery.save()
    now = timezone.now()
    if not by_hand:
        _follow_up(notification, accepted=delivery.accepted, now=now)
    elif delivery.accepted:
        notification.state, notification.due_at = State.DONE, None
    notification.save(update_fields=["state", "due_at", "failures", "copies"])
    overtaken = Q(trade=notification.trade, state=State.HELD, pk__lt=notification.pk)
    Notification.objects.filter(overtaken).update(due_at=now)


def _follow_up(notification: Notification, *, accepted: bool, now: datetime.datetime) -> None:
    if accepted and notification.copies:
        notification.copies -= 1
        notification.state, notification.due_at = State.DUE, now
    elif accepted:
        notification.state, notification.due_at = State.DONE, None
    else:
        retries = rooms.of(notification.trade.merchant.gateway).RETRIES
        notification.failures += 1
        if notification.failures > len(retries):
            notification.state, notification.due_at = State.GIVEN_UP, None
        else:
            notification.state = State.DUE
            notification.due_at = now + scaled(retries[notification.failures - 1])
