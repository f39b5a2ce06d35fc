"""Which orders are due to be closed."""

import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from payments.charges.models import Charge
from payments.charges.states import OPEN
from payments.orders.models import Order
from payments.orders.operations import CLOSABLE
from payments.transactions import transaction_required


def due(*, at: datetime.datetime) -> QuerySet[Order]:
    """Return the orders whose time has run out and of which no gateway can take money any more, the oldest first."""
    open_attempt = Charge.objects.filter(order=OuterRef("pk"), status__in=OPEN)
    return past_their_time(at=at).filter(~Exists(open_attempt)).order_by("expires_at", "pk")


# Where an order stands among those that are due: when its time runs out, and its id.
Place = tuple[datetime.datetime, int]


@transaction_required
def lock_due(*, at: datetime.datetime, limit: int, after: Place | None = None) -> list[Place]:
    """Lock the next orders that are due (behind one place), but for those that somebody else holds."""
    chosen = due(at=at)
    if after is not None:
        chosen = chosen.filter(Q(expires_at__gt=after[0]) | Q(expires_at=after[0], pk__gt=after[1]))
        chosen = chosen.filter(expires_at__gte=after[0])  # what the index understands
    locked = chosen.select_for_update(of=("self",), skip_locked=True)
    return list(locked.values_list("expires_at", "pk")[:limit])


def open_past_their_time(*, at: datetime.datetime) -> QuerySet[Charge]:
    """Return the open attempts of orders whose time has run out: the sweep ends them."""
    return Charge.objects.filter(status__in=OPEN, order__in=past_their_time(at=at)).order_by("pk")


def past_their_time(*, at: datetime.datetime) -> QuerySet[Order]:
    """Return the orders whose time has run out and that are not closed (yet)."""
    return Order.objects.filter(status__in=CLOSABLE, expires_at__lte=at)
