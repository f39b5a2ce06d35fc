"""
What gateways tell us, kept raw before it is believed.

receive  verifies a delivery, keeps it with its verdict, processes it, and answers in the gateway's own bytes
process  settles an accepted one, exactly as the query would; again, if the first time was cut short
"""

import datetime
from collections.abc import Mapping

import structlog
from django.db import IntegrityError
from django.utils import timezone

from payments import transactions
from payments.charges import settlement, sweep
from payments.gateways import registry
from payments.gateways.base import (
    Acknowledgement,
    AcknowledgementBytes,
    Notification,
    NotificationKind,
    NotificationRejected,
    RawNotification,
)
from payments.gateways.models import GatewayAccount
from payments.inbox import verification
from payments.inbox.models import BODY_BYTES_MAX, GENUINE, InboundNotification, Verdict
from payments.refunds import console
from payments.transactions import transaction

log = structlog.get_logger(__name__)

# Refused deliveries are anybody's to send: so many a minute are kept, for so long.
REFUSED_KEPT_PER_MINUTE = 120
REFUSED_KEPT_FOR = datetime.timedelta(days=30)
# A refund that its gateway does not know after a day is for the bill to tell.
REFUND_ASKED_FOR = datetime.timedelta(days=1)
TASK = "payments.process_notification"
# Whoever takes a notification processes it at once. If they were cut short, it is due then, and again ever more rarely.
LEFT_AFTER = datetime.timedelta(seconds=30)
DROPPED_HEADERS = ("authorization", "cookie")


def receive(
    *, kind: str, headers: Mapping[str, str], body: bytes, remote_address: str | None, at: datetime.datetime
) -> AcknowledgementBytes:
    """Take one delivery of a gateway and return what to answer. Answered `success` only after COMMIT."""
    raw = RawNotification(headers=headers, body=body[: BODY_BYTES_MAX + 1], received_at=at)
    gateways = verification.gateways_of(kind=kind)
    account, told, refusal = verification.verify(gateways=gateways, raw=raw)
    kept = _keep(kind=kind, account=account, told=told, refusal=refusal, raw=raw, address=remote_address)
    if account and told and kept and kept.verdict in {Verdict.ACCEPTED, Verdict.REPEAT}:
        _act(row=first(kept), told=told, at=at)
        return gateways[account].acknowledgement(Acknowledgement.SUCCESS)
    if not gateways:
        return AcknowledgementBytes(status=503, content_type="text/plain", body=b"failure")
    return next(iter(gateways.values())).acknowledgement(Acknowledgement.FAILURE)


def _keep(
    *,
    kind: str,
    account: GatewayAccount | None,
    told: Notification | None,
    refusal: NotificationRejected | None,
    raw: RawNotification,
    address: str | None,
) -> InboundNotification | None:
    verdict, charge, detail = verification.judge(account=account, told=told, refusal=refusal)
    if verdict not in GENUINE:
        log.warning("notification_refused", gateway=kind, verdict=verdict, detail=detail, address=address)
        if _too_many_refused():
            return None
    elif verdict != Verdict.ACCEPTED:
        log.error("notification_alarm", gateway=kind, verdict=verdict, detail=detail)
    row = InboundNotification(
        gateway=kind,
        gateway_account=account,
        received_at=raw.received_at,
        notification_id=told.notification_id if told else "",
        verdict=verdict,
        detail=detail[:200],
        charge=charge,
        remote_address=address,
        due_at=raw.received_at + LEFT_AFTER if verdict == Verdict.ACCEPTED else None,
        headers={name: value for name, value in raw.headers.items() if name.lower() not in DROPPED_HEADERS},
        body=raw.body[:BODY_BYTES_MAX],
    )
    try:
        with transaction():
            row.save(force_insert=True)
            if verdict == Verdict.WRONG_AMOUNT and charge is not None:
                # Believe the gateway's own book, not the notice: ask at once.
                sweep.ask_soon(charge_id=charge.pk, at=timezone.now())
    except IntegrityError:
        row.verdict, row.due_at = Verdict.REPEAT, None
        row.save(force_insert=True)
    return row


def _too_many_refused() -> bool:
    since = timezone.now() - datetime.timedelta(minutes=1)
    refused = InboundNotification.objects.exclude(verdict__in=GENUINE).filter(received_at__gte=since)
    return refused[: REFUSED_KEPT_PER_MINUTE + 1].count() > REFUSED_KEPT_PER_MINUTE


def first(row: InboundNotification) -> InboundNotification:
    """Return the accepted delivery that `row` is or repeats."""
    if row.verdict == Verdict.ACCEPTED:
        return row
    return InboundNotification.objects.get(
        gateway_account=row.gateway_account, notification_id=row.notification_id, verdict=Verdict.ACCEPTED
    )


def process(*, notification_id: int, at: datetime.datetime) -> None:
    """Act on an accepted notification that was kept. Repeating it changes nothing."""
    row = InboundNotification.objects.select_related("gateway_account").get(pk=notification_id)
    if row.verdict != Verdict.ACCEPTED or row.gateway_account is None:
        return
    raw = RawNotification(headers=row.headers, body=bytes(row.body), received_at=row.received_at)
    try:
        told = registry.adapter(row.gateway_account).parse_notification(raw)
    except NotificationRejected:
        # It was proven when it came; the keys have changed since. The gateway itself is asked instead.
        log.exception("notification_no_longer_proven", notification_id=notification_id)
        _ask(row=row, at=at)
    else:
        if told.refund is not None and row.processed_at is None and row.charge_id is not None:
            _process_refund(row=row, number=told.refund.number, at=at)
        else:
            _act(row=row, told=told, at=at)


def _act(*, row: InboundNotification, told: Notification, at: datetime.datetime) -> None:
    """
    Settle what a notice tells. Only a payment is booked from it; anything else makes us ask the gateway.

    About a refund it is asked in a task: the gateway that waits for our answer is not called meanwhile.
    """
    if row.processed_at is not None or row.charge_id is None:
        return
    if told.kind is NotificationKind.PAYMENT:
        settlement.settle(charge_id=row.charge_id, state=told.payment, at=at)
        mark_processed(row=row, at=at)
    elif told.refund is not None:
        transactions.wake(TASK, notification_id=row.pk)
    else:
        _ask(row=row, at=at)


def _process_refund(*, row: InboundNotification, number: str, at: datetime.datetime) -> None:
    """Ask about the refund that a notice tells of. What is not answered stays due, for a day."""
    assert row.charge_id is not None
    if console.recognise(charge_id=row.charge_id, number=number, at=at):
        mark_processed(row=row, at=at)
    elif at > row.received_at + REFUND_ASKED_FOR:
        log.error("refund_notice_unconfirmed", notification_id=row.pk, refund=number)
        mark_processed(row=row, at=at)


def mark_processed(*, row: InboundNotification, at: datetime.datetime) -> None:
    """Say that nothing is left to be done about an accepted notification."""
    InboundNotification.objects.filter(pk=row.pk, processed_at__isnull=True).update(processed_at=at, due_at=None)


def _ask(*, row: InboundNotification, at: datetime.datetime) -> None:
    with transaction():
        if row.charge_id is not None:
            sweep.ask_soon(charge_id=row.charge_id, at=at)
        mark_processed(row=row, at=at)


def process_due(*, limit: int = 100) -> int:
    """Process accepted notifications that were left, e.g. by a process killed between keeping and settling."""
    leased = _lease_due(at=timezone.now(), limit=limit)
    for notification_id in leased:
        try:
            process(notification_id=notification_id, at=timezone.now())
        except Exception:  # the others must not wait for one; it stays due and staff see it
            log.exception("notification_failed", notification_id=notification_id)
    return len(leased)


def _lease_due(*, at: datetime.datetime, limit: int) -> list[int]:
    """Take what is due, so that two at once process nothing twice; it is due again as an attempt's query would be."""
    with transaction():
        due = InboundNotification.objects.filter(due_at__lte=at).order_by("due_at")
        rows = list(due.select_for_update(of=("self",), skip_locked=True)[:limit])
        for row in rows:
            row.tries += 1
            row.due_at = sweep.next_query_at(queries=row.tries, at=at)
        InboundNotification.objects.bulk_update(rows, ["tries", "due_at"])
    return [row.pk for row in rows]


def prune_refused(*, limit: int = 10_000) -> int:
    """Delete refused deliveries that are past keeping. Returns how many."""
    old = InboundNotification.objects.exclude(verdict__in=GENUINE).filter(
        received_at__lt=timezone.now() - REFUSED_KEPT_FOR
    )
    deleted, _by_model = InboundNotification.objects.filter(pk__in=old.values("pk")[:limit]).delete()
    return deleted
