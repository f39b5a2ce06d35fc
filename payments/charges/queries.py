"""Reading charges, and what an order can be paid with."""

import datetime

from django.db.models import F, FilteredRelation, Max, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from payments.charges.models import CASH, Charge
from payments.charges.states import OPEN
from payments.errors import OnetillError
from payments.gateways.base import Mode
from payments.gateways.models import Channel, GatewayAccount, GatewayDefault, GatewayKind
from payments.orders.models import Order


class NoGatewayAccount(OnetillError):
    """The client has no active account for that way to pay, and there is none for every client."""

    code = "no_gateway_account"
    message = _("This way to pay is not set up. Choose another one.")


def open_charges(*, order_id: int) -> QuerySet[Charge]:
    """Return the attempts of an order on which a gateway may still take money."""
    return Charge.objects.filter(order_id=order_id, tender__in=CASH, status__in=OPEN).order_by("attempt")


def next_attempt(*, order: Order) -> int:
    """Return the attempt that the next charge of a locked order is."""
    return int(order.charges.aggregate(n=Max("attempt", default=0))["n"]) + 1


def of_client(*, client_id: int) -> QuerySet[Charge]:
    """
    Return the charges of a client's orders (`of_order`), each with its order's `order_number`, to be read in order of
    (-order_key, attempt).

    `order_key` is the order's id by way of the order, so that PostgreSQL walks the client's orders, of which it has an
    index, and not everybody's charges.
    """
    return (
        Charge.objects.annotate(of_order=FilteredRelation("order"))
        .filter(of_order__client_id=client_id)
        .annotate(order_key=F("of_order__id"), order_number=F("of_order__number"))
    )


def account_for(*, client_id: int, channel: str, mode: Mode, family: str = "") -> GatewayAccount:
    """
    Return the merchant account that takes a client's money (of one family's orders) by one method.

    What staff chose as its default; else its own account; else what they chose for every client; else an account
    that serves every client.

    :raises NoGatewayAccount: if there is none
    """
    accounts = _accounts(client_id=client_id, channel=channel)
    serving = [account for account in accounts if account.serves(mode, family=family)]
    chosen = GatewayDefault.objects.filter(
        Q(client_id=client_id) | Q(client__isnull=True), channel=channel, mode=mode
    ).values_list("account_id", "client_id")
    rank = {account_id: (0 if owner else 2) for account_id, owner in chosen.order_by(F("client_id").desc())}
    ranked = sorted(serving, key=lambda account: rank.get(account.pk, 1 if account.client_id else 3))
    if not ranked:
        raise NoGatewayAccount
    return ranked[0]


def ways_to_pay(*, order: Order) -> dict[str, set[str]]:
    """Return the channels at which an order can be paid, each with its modes, e.g. `{"alipay": {"qr", "page"}}`."""
    ways: dict[str, set[str]] = {}
    for account in _accounts(client_id=order.client_id):
        modes = {mode for mode in GatewayKind(account.kind).modes if account.serves(mode, family=order.family)}
        ways.setdefault(account.channel, set()).update(modes)
    return ways


def app_ways(*, client_id: int, family: str) -> list[Channel]:
    """Return the channels that take payments inside the app of a client's family, WeChat before Alipay."""
    serving = {account.channel for account in _accounts(client_id=client_id) if account.serves(Mode.APP, family=family)}
    return [channel for channel in Channel if channel in serving]


def by_number(*, number: str) -> QuerySet[Charge]:
    """Return the attempts at cash of that number: of one attempt, or all of one order."""
    return Charge.objects.filter(Q(number=number) | Q(order__number=number), tender__in=CASH).order_by("pk")


def every_open() -> QuerySet[Charge]:
    """Return all attempts on which a gateway may still take money, the oldest first."""
    return Charge.objects.filter(tender__in=CASH, status__in=OPEN).order_by("pk")


def due_for_query(*, at: datetime.datetime) -> QuerySet[Charge]:
    return Charge.objects.filter(next_query_at__lte=at).order_by("next_query_at", "pk")


def _accounts(*, client_id: int, channel: str = "") -> QuerySet[GatewayAccount]:
    """Return the active accounts that may take a client's money, its own first."""
    serving = Q(client_id=client_id) | Q(client__isnull=True)
    kinds = [kind for kind in GatewayKind if channel in {"", kind.channel}]
    accounts = GatewayAccount.objects.filter(serving, is_active=True, kind__in=kinds)
    return accounts.order_by(F("client_id").asc(nulls_last=True), "pk")
