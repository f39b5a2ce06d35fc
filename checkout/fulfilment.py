"""What the order book asks of the checkout family. A points-mall order delivers nothing of ours."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from payments.models import Order

LABELS = {"redirect_url": _("where the customer is led back to")}
PERSONAL = ()


def fulfil(*, order: Order) -> None:
    """
    A paid checkout order is fulfilled by the client, who reads `pay_finished`.

    Should this ever do anything, `operations.pay` must call it too for an order that points alone finish.
    """


def release(*, order_ids: list[int]) -> None:
    """Closing gives nothing back beyond points, which payments does."""


def take_back(*, order: Order, refund: Any) -> None:
    """A refund takes nothing back beyond money, which payments does."""


def describe(*, order: Order) -> dict[str, str]:
    """Return what the order page shows of this family's document."""
    return {"redirect_url": order.checkout.redirect_url}


def look_up(*, term: str) -> list[tuple[Any, Any]]:
    """A checkout order has no number beyond its order's."""
    return []


def audit() -> list[str]:
    """Return the breaches of this family's invariants: a checkout order without its document."""
    orphans = Order.objects.filter(family="checkout", checkout__isnull=True).values_list("number", flat=True)[:100]
    return [f"order {number} has no checkout document" for number in orphans]
