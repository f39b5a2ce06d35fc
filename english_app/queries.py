"""Reading what the English app sells, and its orders."""

import datetime

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from english_app.models import Agent, EnglishOrder, OrderType
from payments.errors import NotFound
from payments.orders.queries import OrderUnknown
from payments.orders.states import AWAITING_CASH, Status


class AgentUnknown(NotFound):
    code = "agent_unknown"
    message = _("There is no agent of that id. Send none, or one that the shop has set up.")


def agent(*, client_id: int, agent_id: int) -> Agent:
    """:raises AgentUnknown: if the client has none of that id"""
    found = Agent.objects.filter(client_id=client_id, pk=agent_id).first()
    if found is None:
        raise AgentUnknown(field="agent_id")
    return found


def documents() -> QuerySet[EnglishOrder]:
    """Return English orders with all that is told of them."""
    return EnglishOrder.objects.select_related("order__customer", "agent")


def page(*, customer_id: int, page: int, limit: int) -> list[EnglishOrder]:
    """
    Return a page of a customer's orders, newest first; pages are counted from 1.

    Their ids are read first, from an index alone: what lies before the page is counted off and never looked at.
    """
    first = (page - 1) * limit
    own = EnglishOrder.objects.filter(customer_id=customer_id).order_by("-pk")
    ids = list(own.values_list("pk", flat=True)[first : first + limit])
    return list(documents().filter(pk__in=ids).order_by("-pk"))


def detail(*, number: str, client_id: int, user_id: str) -> EnglishOrder:
    """
    Return the order of that number, of a client's customer.

    :raises OrderUnknown: if there is none
    """
    document = (
        documents()
        .filter(order__number=number, order__client_id=client_id, order__customer__user_id=user_id)
        .first()
    )  # fmt: skip
    if document is None:
        raise OrderUnknown(field="order_sn")
    return document


def waiting(*, customer_id: int, fingerprint: str, payable_at: datetime.datetime) -> EnglishOrder | None:
    """
    Return the newest purchase that the same call made, if it can still be paid, and its recharge too or it has come in.

    Who has paid a recharge is not asked to pay another one: their app died before it could pay the purchase.
    """
    recharge_waits = (
        Q(recharge__isnull=True)
        | Q(recharge__order__status=Status.PAY_FINISHED)
        | Q(recharge__order__status__in=AWAITING_CASH, recharge__order__expires_at__gt=payable_at)
    )
    return (
        documents()
        .filter(
            recharge_waits,
            customer_id=customer_id,
            type=OrderType.PURCHASE,
            order__status__in=AWAITING_CASH,
            order__fingerprint=fingerprint,
            order__expires_at__gt=payable_at,
        )
        .select_related("recharge__order")
        .order_by("-pk")
        .first()
    )
