"""What a list of orders says of each, beyond its fields."""

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from payments.admin import labels
from payments.charges.models import CASH, Tender
from payments.models import Charge, Order
from payments.money import yuan_text

TITLE_SHOWN_MAX = 14


class OrderColumns:
    """Needs the order's charges that pay as `paying`: see `filters.PAYING`."""

    @display(description=_("status"), label=labels.ORDERS)  # type: ignore[untyped-decorator]
    def shown_status(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    @display(description=_("money flag"), label=labels.FLAGS)  # type: ignore[untyped-decorator]
    def shown_flag(self, order: Order) -> tuple[str, str] | None:
        return (order.money_flag, order.get_money_flag_display()) if order.money_flag else None

    @admin.display(description=_("title"))
    def short_title(self, order: Order) -> str:
        return Truncator(order.title).chars(TITLE_SHOWN_MAX)

    @admin.display(description=_("customer"))
    def whose(self, order: Order) -> str:
        return order.customer.phone or order.customer.user_id

    @admin.display(description=_("tender"))
    def tenders(self, order: Order) -> str:
        """What each tender bears; where one bears it all, the total has said how much."""
        borne = [(order.cash_fen, _cash_of(order) or str(_("cash")))] if order.cash_fen else []
        borne = [*_own(order), *borne]
        if len(borne) == 1:
            return borne[0][1]
        return " · ".join(f"{name} {yuan_text(fen)}" for fen, name in borne)

    def family_words(self, order: Order) -> str:
        return str(labels.family_words(order.family))

    def paid_with(self, order: Order) -> str:
        """In a file, which has a column for how much."""
        return ", ".join([*(name for _fen, name in _own(order)), *filter(None, [_cash_of(order)])])


def _own(order: Order) -> list[tuple[int, str]]:
    """Return what the customer's accounts bear, in fen, each with its name."""
    own = ((order.points_fen, Tender.POINTS.label), (order.balance_fen, Tender.BALANCE.label))
    return [(fen, str(name)) for fen, name in own if fen]


def _cash_of(order: Order) -> str:
    charges: list[Charge] = order.paying  # type: ignore[attr-defined]  # list_prefetch
    names = {str(charge.get_tender_display()) for charge in charges if charge.tender in CASH}
    return ", ".join(sorted(names))
