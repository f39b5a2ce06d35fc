"""Which orders are due to be closed."""

import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from payments.charges.models import CASH, Charge
from payments.charges.states import OPEN
from payments.charges.states import Status as ChargeStatus
from payments.orders.models import Order
from payments.orders.operations import CLOSABLE
from payments.transactions import transaction_required


def closable(*, order_ids: list[int]) -> list[int]:
    """Return those of the orders that wait for cash, of which none has come."""
    paid = Charge.objects.filter(order=OuterRef("pk"), tender__in=CASH, status=ChargeStatus.SUCCEEDED)
    return list(Order.objects.filter(~Exists(paid), pk__in=order_ids, status__in=CLOSABLE).values_list("pk", flat=True))


def due(*, at: datetime.datetime) -> QuerySet[Order]:
    """Return the orders whose time has run out and of which no gateway can take money any more, the oldest first."""
    taken = Charge.objects.filter(order=OuterRef("pk"), tender__in=CASH, status__in=[*OPEN, ChargeStatus.SUCCEEDED])
    return Order.objects.filter(~Exists(taken), status__in=CLOSABLE, expires_at__lte=at).order_by("expires_at", "pk")


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


def past_its_order(*, at: datetime.datetime) -> Q:
    """What says of a charge that it is an open attempt of an order whose time has run out."""
    return Q(tender__in=CASH, status__in=OPEN, order__status__in=CLOSABLE, order__expires_at__lte=at)
