"""
A kept notification once more, because somebody of the staff asks for it.

One that was refused is verified anew as at its arrival: the account may have been missing then, or its keys wrong. One
that is accepted, then or now, is acted upon again; what is booked already is booked once, as with every repeat.
"""

import dataclasses
import datetime

from django.db import IntegrityError
from django.utils.translation import gettext_lazy as _

from payments import audit
from payments.charges import operations as charges
from payments.charges import settlement
from payments.charges.states import Status
from payments.errors import Conflict
from payments.gateways import registry
from payments.gateways.base import NotificationKind, NotificationRejected, RawNotification
from payments.inbox import operations, verification
from payments.inbox.models import InboundNotification, Verdict
from payments.refunds import console
from payments.transactions import outside_transaction, savepoint, transaction, transaction_required

BELIEVED = (Verdict.ACCEPTED, Verdict.REPEAT)


class ReplayedMeanwhile(Conflict):
    code = "replayed_meanwhile"
    message = _("Somebody else has had this notification processed meanwhile. See what came of it.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Replayed:
    """What came of it. Of the charge that it tells of, if it tells of one: number and statuses."""

    before: Verdict
    after: Verdict
    detail: str
    charge: str = ""
    charge_before: Status | None = None
    charge_after: Status | None = None
    is_asked: bool = False  # the notice itself was not believed: the gateway was asked instead


@outside_transaction
def replay(
    *, notification_id: int, actor: str, reason: str, at: datetime.datetime
) -> Replayed:  # fmt: skip
    """
    Process a notification again, and verify it before that if it was refused. Nothing moves twice.

    :raises ReplayedMeanwhile: if somebody else does the same at this moment
    :raises registry.GatewayMisconfigured: if the account's keys or options do not fit together
    """
    row = _load(notification_id)
    before = Verdict(row.verdict)
    if before not in BELIEVED:
        _verify_anew(row=row, actor=actor, reason=reason)
        row = _load(notification_id)
    charge, is_asked = row.charge, False
    charge_before = Status(charge.status) if charge else None
    if row.verdict in BELIEVED:
        is_asked = _act_again(row=operations.first(row), at=at)
    elif row.verdict == Verdict.WRONG_AMOUNT and charge is not None:
        # Believe the gateway's own book, not the notice.
        charges.reconcile(charge_id=charge.pk, at=at)
        is_asked = True
    if charge is not None:
        charge.refresh_from_db()
    found = Replayed(
        before=before, after=Verdict(row.verdict), detail=row.detail, charge=charge.number if charge else "",
        charge_before=charge_before, charge_after=Status(charge.status) if charge else None, is_asked=is_asked,
    )  # fmt: skip
    with transaction():
        audit.record(
            actor=actor, action="notification.replay", subject=_subject(row), reason=reason,
            notification=row.pk, verdict=row.verdict, charge=found.charge,
            status=charge.status if charge else "", is_asked=is_asked,
        )  # fmt: skip
    return found


def _load(notification_id: int) -> InboundNotification:
    return InboundNotification.objects.select_related("gateway_account", "charge__order").get(pk=notification_id)


def _subject(row: InboundNotification) -> str:
    return row.charge.order.subject if row.charge else f"notification:{row.pk}"


def _raw(row: InboundNotification) -> RawNotification:
    return RawNotification(headers=row.headers, body=bytes(row.body), received_at=row.received_at)


def _verify_anew(*, row: InboundNotification, actor: str, reason: str) -> None:
    """Judge a refused delivery as at its arrival, by the keys of today."""
    gateways = verification.gateways_of(kind=row.gateway)
    account, told, refusal = verification.verify(gateways=gateways, raw=_raw(row))
    verdict, charge, detail = verification.judge(account=account, told=told, refusal=refusal)
    with transaction():
        now = InboundNotification.objects.select_for_update(of=("self",)).get(pk=row.pk)
        if now.verdict != row.verdict:
            raise ReplayedMeanwhile
        now.gateway_account, now.charge, now.detail = account, charge, detail[:200]
        now.notification_id = told.notification_id if told else ""
        _say(now, verdict=verdict)
        if now.verdict != row.verdict:
            audit.record(
                actor=actor, action="notification.verify", subject=_subject(now),
                notification=row.pk, before=row.verdict, after=now.verdict, reason=reason,
            )  # fmt: skip


@transaction_required
def _say(row: InboundNotification, *, verdict: Verdict) -> None:
    """Write the verdict. What the gateway has delivered again meanwhile, and was accepted, makes this one a repeat."""
    fields = ["gateway_account", "charge", "detail", "notification_id", "verdict", "due_at"]
    try:
        with savepoint():
            row.verdict = verdict
            row.due_at = row.received_at + operations.LEFT_AFTER if verdict == Verdict.ACCEPTED else None
            row.save(update_fields=fields)
    except IntegrityError:
        row.verdict, row.due_at = Verdict.REPEAT, None
        row.save(update_fields=fields)


def _act_again(*, row: InboundNotification, at: datetime.datetime) -> bool:
    """Do what an accepted notification tells, and return whether the gateway was asked because it proves no more."""
    assert row.gateway_account is not None and row.charge_id is not None  # noqa: PT018  of what is accepted, both are
    try:
        told = registry.adapter(row.gateway_account).parse_notification(_raw(row))
    except NotificationRejected:
        charges.reconcile(charge_id=row.charge_id, at=at)
        operations.mark_processed(row=row, at=at)
        return True
    if told.kind is NotificationKind.PAYMENT:
        settlement.settle(charge_id=row.charge_id, state=told.payment, at=at)
    elif told.refund is None:
        charges.reconcile(charge_id=row.charge_id, at=at)
    elif not console.recognise(charge_id=row.charge_id, number=told.refund.number, at=at):
        return True  # the gateway does not confirm it (yet): what is due stays due
    operations.mark_processed(row=row, at=at)
    return told.kind is not NotificationKind.PAYMENT
