"""
Whose bill it is. A gateway bills a merchant; several of our accounts may be of one: clients share it, or it speaks v2
and APIv3, or has several apps. One account speaks for the merchant, so that no bill is fetched and compared twice.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

import structlog

from payments.gateways.models import GatewayAccount

log = structlog.get_logger(__name__)

FEE_OPTION = "fee_per_mille"


def accounts_of(account: GatewayAccount) -> list[int]:
    """Return the ids of all accounts of an account's merchant."""
    return [other.pk for other in _same(account)]


def apps_of(account: GatewayAccount) -> set[str]:
    """Return the ids of the merchant's apps that are ours. Other systems may have apps of the same merchant."""
    return {other.app_id for other in _same(account)}


def speaker_of(account: GatewayAccount) -> GatewayAccount:
    """Return the account through which the merchant's bills are fetched: its first active one, or its first."""
    return next(iter(_same(account)))


def speakers() -> list[GatewayAccount]:
    """Return the account that speaks, of every merchant."""
    first: dict[tuple[str, str, str], GatewayAccount] = {}
    for account in _in_order():
        first.setdefault(_merchant(account), account)
    return list(first.values())


def fee_per_mille(account: GatewayAccount) -> Decimal | None:
    """Return the fee that was agreed for an account, if staff entered one."""
    entered = account.options.get(FEE_OPTION)
    if entered is None or entered == "":
        return None
    try:
        rate = Decimal(str(entered))
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or not 0 <= rate < 1_000:
        log.error("fee_unreadable", account=account.pk, fee_per_mille=str(entered))
        return None
    return rate


def _in_order() -> Iterable[GatewayAccount]:
    return GatewayAccount.objects.order_by("-is_active", "pk")


def _same(account: GatewayAccount) -> list[GatewayAccount]:
    return [other for other in _in_order() if _merchant(other) == _merchant(account)]


def _merchant(account: GatewayAccount) -> tuple[str, str, str]:
    """An account without a merchant's number is its app's."""
    return account.channel, account.merchant_id, "" if account.merchant_id else account.app_id
