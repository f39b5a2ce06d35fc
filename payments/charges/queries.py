"""Reading charges, and what an order can be paid with."""

import datetime

from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from payments.charges.models import CASH, Charge
from payments.charges.states import OPEN
from payments.errors import OnetillError
from payments.gateways.models import GatewayAccount
from payments.orders.models import Order


class NoGatewayAccount(OnetillError):
    """The client has no active account at that gateway, and there is none for every client."""

    code = "no_gateway_account"
    message = _("This way to pay is not set up. Choose another one.")


def open_charges(*, order_id: int) -> QuerySet[Charge]:
    """Return the attempts of an order on which a gateway may still take money."""
    return Charge.objects.filter(order_id=order_id, tender__in=CASH, status__in=OPEN).order_by("attempt")


def _accounts(*, client_id: int) -> QuerySet[GatewayAccount]:
    serving = Q(client_id=client_id) | Q(client__isnull=True)
    return GatewayAccount.objects.filter(serving, is_active=True).order_by(F("client_id").asc(nulls_last=True), "pk")


def account_for(*, client_id: int, kind: str) -> GatewayAccount:
    """
    Return the merchant account that takes a client's money at a gateway: its own, else the one for everybody.

    :raises NoGatewayAccount: if there is neither
    """
    account = _accounts(client_id=client_id).filter(kind=kind).first()
    if account is None:
        raise NoGatewayAccount
    return account


def ways_to_pay(*, order: Order) -> list[str]:
    """Return the gateways at which an order can be paid, e.g. `["alipay"]`."""
    return list(dict.fromkeys(_accounts(client_id=order.client_id).values_list("kind", flat=True)))


def due_for_query(*, at: datetime.datetime) -> QuerySet[Charge]:
    return Charge.objects.filter(next_query_at__lte=at).order_by("next_query_at", "pk")
