"""How the order book reaches the family that an order belongs to: through a literal table, never by import."""

from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from django.conf import settings

if TYPE_CHECKING:
    from payments.orders.models import Order


class Family(Protocol):
    """What a module of ORDER_FAMILIES exports. All idempotent, database only."""

    LABELS: Mapping[str, Any]  # what people call the keys of `describe`, and the family's deeds in audit rows
    PERSONAL: Collection[str]  # the keys of `describe` that tell who somebody is

    def fulfil(self, *, order: "Order") -> None: ...
    def release(self, *, order_ids: list[int]) -> None: ...
    def take_back(self, *, order: "Order", refund: Any) -> None: ...
    def describe(self, *, order: "Order") -> dict[str, str]: ...
    def look_up(self, *, term: str) -> Iterable[tuple[Any, Any]]: ...  # by its numbers: label, rows of order ids
    def audit(self) -> list[str]: ...


def family(name: str) -> Family:
    return cast("Family", import_module(settings.ORDER_FAMILIES[name]))


def every_family() -> list[Family]:
    return [family(name) for name in settings.ORDER_FAMILIES]
