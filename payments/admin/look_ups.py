"""
How staff find what is a customer's, and an order by any number on it.

Every look-up is exact and answered by an index. A number that is unique per client or gateway account is indexed under
it: all of them are named, they are few.
"""

import dataclasses
import unicodedata
from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import QuerySet, Value
from django.utils.translation import gettext_lazy as _

from payments.inbox.models import Verdict
from payments.models import (
    ApiClient,
    Charge,
    Customer,
    GatewayAccount,
    InboundNotification,
    Order,
    OutboxEvent,
    Refund,
    RefundLeg,
)
from payments.orders.families import every_family

TERM_LENGTH_MAX = 128  # the longest of all numbers is a gateway's id of a notification
FOUND_MAX = 50

_Branch = tuple[Any, QuerySet[Order]]  # what people call the number; the orders that have it


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    order_id: int
    kinds: tuple[str, ...]  # what the term is of this order, in people's words


def of_customers(term: str) -> Iterable[QuerySet[Customer]]:
    """Yield look-ups of customers by their user id and by their phone, each answered by an index."""
    clients = list(ApiClient.objects.values_list("pk", flat=True))
    yield Customer.objects.filter(client__in=clients, user_id=term)
    yield Customer.objects.filter(phone=term)


def cleaned(text: str) -> str:
    """Return what somebody pasted as a number is written: no spaces, nothing invisible, no full-width characters."""
    text = unicodedata.normalize("NFKC", text[: 8 * TERM_LENGTH_MAX])
    return "".join(char for char in text if not char.isspace() and unicodedata.category(char)[0] != "C")


def find(term: str, *, orders: QuerySet[Order]) -> list[Found]:
    """
    Return those of `orders` that carry the cleaned `term`, newest first: FOUND_MAX, and one more if there are more.

    All look-ups go as one query; of each the newest count.
    """
    if not term or len(term) > TERM_LENGTH_MAX:
        return []
    branches = list(of_orders(term, orders=orders))
    first, *others = (
        rows.order_by("-pk").annotate(which=Value(which)).values_list("pk", "which")[: FOUND_MAX + 1]
        for which, (_label, rows) in enumerate(branches)
    )
    kinds: dict[int, list[str]] = {}
    for order_id, which in sorted(first.union(*others, all=True)):
        kinds.setdefault(order_id, []).append(str(branches[which][0]))
    newest = sorted(kinds, reverse=True)[: FOUND_MAX + 1]
    return [Found(order_id=order_id, kinds=tuple(kinds[order_id])) for order_id in newest]


def of_orders(term: str, *, orders: QuerySet[Order]) -> Iterable[_Branch]:
    """Yield look-ups of those of `orders` that carry `term`: as which number, and the rows."""
    clients = list(ApiClient.objects.values_list("pk", flat=True))
    accounts = list(GatewayAccount.objects.values_list("pk", flat=True))
    yield _("our number"), orders.filter(number=term)
    yield (
        _("client's order number"),
        orders.filter(client__in=clients, client_order_no=term).exclude(client_order_no=""),
    )
    yield _("client's payment number"), orders.filter(client__in=clients, client_pay_no=term).exclude(client_pay_no="")
    yield from _by_charges(term, orders=orders, accounts=accounts)
    yield from _by_refunds(term, orders=orders, clients=clients)
    yield _("webhook event"), orders.filter(pk__in=OutboxEvent.objects.filter(uid=term).values("order"))
    for label, field in ((_("phone"), "phone"), (_("employee number"), "ee_no")):
        yield label, orders.filter(customer__in=Customer.objects.filter(**{field: term}))
    yield _("user id"), orders.filter(customer__in=Customer.objects.filter(client__in=clients, user_id=term))
    for family in every_family():
        for label, order_ids in family.look_up(term=term):
            yield label, orders.filter(pk__in=order_ids)


def _by_charges(term: str, *, orders: QuerySet[Order], accounts: Collection[int]) -> Iterable[_Branch]:
    yield _("charge"), orders.filter(pk__in=Charge.objects.filter(number=term).values("order"))
    trades = Charge.objects.filter(gateway_account__in=accounts, gateway_trade_no=term).exclude(gateway_trade_no="")
    yield _("gateway's number"), orders.filter(pk__in=trades.values("order"))
    told = InboundNotification.objects.filter(
        verdict=Verdict.ACCEPTED, gateway_account__in=accounts, notification_id=term, charge__isnull=False
    )
    yield _("gateway notification"), orders.filter(pk__in=told.values("charge__order"))


def _by_refunds(term: str, *, orders: QuerySet[Order], clients: Collection[int]) -> Iterable[_Branch]:
    yield _("refund"), orders.filter(pk__in=Refund.objects.filter(number=term).values("order"))
    own = Refund.objects.filter(client__in=clients, refund_no=term).exclude(refund_no="")
    yield _("client's refund number"), orders.filter(pk__in=own.values("order"))
    yield _("leg of a refund"), orders.filter(pk__in=RefundLeg.objects.filter(number=term).values("charge__order"))
    console = RefundLeg.objects.filter(foreign_number=term).exclude(foreign_number="")
    yield _("refund at the gateway's console"), orders.filter(pk__in=console.values("charge__order"))
