"""Whether a delivery is a gateway's and for us: when it comes, and again when staff have mended the keys."""

from collections.abc import Mapping
from contextlib import suppress

from payments.charges.models import TRADE_NO_LENGTH_MAX, Charge
from payments.gateways import registry
from payments.gateways.base import (
    Gateway,
    Notification,
    NotificationKind,
    NotificationRejected,
    Outcome,
    RawNotification,
)
from payments.gateways.models import GatewayAccount
from payments.inbox.models import NOTIFICATION_ID_LENGTH_MAX, Verdict

# Of several accounts that refuse a delivery, the most telling refusal is kept.
_TELLING = (Verdict.WRONG_MERCHANT, Verdict.BAD_SIGNATURE, Verdict.MALFORMED)


def gateways_of(*, kind: str) -> dict[GatewayAccount, Gateway]:
    """Return every account of a gateway with its adapter, active ones first. One that is out of order is left out."""
    gateways: dict[GatewayAccount, Gateway] = {}
    for account in GatewayAccount.objects.filter(kind=kind).order_by("-is_active", "pk"):
        with suppress(registry.GatewayMisconfigured):
            gateways[account] = registry.adapter(account)
    return gateways


def verify(
    *, gateways: Mapping[GatewayAccount, Gateway], raw: RawNotification
) -> tuple[GatewayAccount | None, Notification | None, NotificationRejected | None]:
    """Return the account whose keys prove the delivery and what it says, or why none does."""
    refusals: list[tuple[GatewayAccount, NotificationRejected]] = []
    for account, gateway in gateways.items():
        try:
            return account, _read(gateway=gateway, raw=raw), None
        except NotificationRejected as rejected:
            refusals.append((account, rejected))
    if not refusals:
        return None, None, NotificationRejected(Verdict.WRONG_MERCHANT, "no account of this gateway")
    account, refusal = min(refusals, key=lambda pair: _TELLING.index(Verdict(pair[1].reason)))
    return (account if refusal.reason == Verdict.WRONG_MERCHANT else None), None, refusal


def _read(*, gateway: Gateway, raw: RawNotification) -> Notification:
    """Return what a proven delivery tells. No gateway tells what no column holds: that would be a 500 for a day."""
    told = gateway.parse_notification(raw)
    texts = (told.notification_id, told.payment.number, told.payment.trade_no, told.payment.gateway_status)
    if (
        len(told.notification_id) > NOTIFICATION_ID_LENGTH_MAX
        or len(told.payment.trade_no) > TRADE_NO_LENGTH_MAX
        or any("\x00" in text for text in texts)
    ):
        raise NotificationRejected(Verdict.MALFORMED, "an id or a status that no column holds")
    return told


def judge(
    *, account: GatewayAccount | None, told: Notification | None, refusal: NotificationRejected | None
) -> tuple[Verdict, Charge | None, str]:
    """Return what to make of a delivery: verdict, the charge it tells of, and what there is to say of it."""
    if told is None or account is None:
        reason = refusal.reason if refusal else Verdict.MALFORMED
        return Verdict(reason), None, refusal.detail if refusal else ""
    # Clients may share a merchant: any row of the same one proves the notice, whichever made the attempt.
    same_merchant = GatewayAccount.objects.filter(
        kind=account.kind, app_id=account.app_id, merchant_id=account.merchant_id
    )
    charge = Charge.objects.filter(number=told.payment.number, gateway_account__in=same_merchant).first()
    if charge is None:
        return Verdict.UNKNOWN_NUMBER, None, told.payment.number
    is_paid = told.kind is NotificationKind.PAYMENT and told.payment.outcome is Outcome.SUCCEEDED
    if is_paid and told.payment.amount_fen != charge.amount_fen:
        return Verdict.WRONG_AMOUNT, charge, f"{told.payment.amount_fen} fen instead of {charge.amount_fen}"
    return Verdict.ACCEPTED, charge, ""
