"""Reading refunds, and what of an order can still go back."""

import dataclasses
import datetime
from collections import Counter
from collections.abc import Iterable, Sequence

from django.db.models import F, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from payments.charges.models import CASH, Charge, Tender
from payments.charges.states import Status as ChargeStatus
from payments.clients.models import LateMoneyPolicy
from payments.errors import NotFound
from payments.orders.models import Order
from payments.orders.states import TRANSITIONS
from payments.orders.states import Event as OrderEvent
from payments.refunds import settlement
from payments.refunds.models import Kind, Refund, RefundLeg
from payments.refunds.planner import Tendered
from payments.refunds.states import LEG_OPEN, LegStatus, Status

# Statuses of an order of which something can be refunded.
REFUNDABLE = tuple(status for status, moves in TRANSITIONS.items() if OrderEvent.REFUNDED_IN_FULL in moves)


class RefundUnknown(NotFound):
    code = "refund_unknown"
    message = _("There is no refund of yours with this refund_no.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shares:
    """What of a refund goes into the customer's own accounts, and what back by a gateway."""

    points_fen: int
    balance_fen: int
    cash_fen: int


def by_refund_no(*, client_id: int, refund_no: str) -> Refund | None:
    """Return the client's refund of its own number, with its order; None if there is none."""
    found = Refund.objects.filter(~Q(refund_no=""), client_id=client_id, refund_no=refund_no)
    return found.select_related("order").first()


def detail(*, client_id: int, refund_no: str) -> Refund:
    """
    Return the client's refund of its own number, with its order.

    :raises RefundUnknown: if the client has none
    """
    found = by_refund_no(client_id=client_id, refund_no=refund_no)
    if found is None:
        raise RefundUnknown(field="refund_no")
    return found


def shares(refund: Refund) -> Shares:
    """Return what of a refund goes where."""
    fen: Counter[str] = Counter()
    for leg in refund.legs.select_related("charge"):
        fen[leg.charge.tender] += leg.amount_fen
    return Shares(
        points_fen=fen[Tender.POINTS], balance_fen=fen[Tender.BALANCE], cash_fen=sum(fen[cash] for cash in CASH)
    )


def paying(*, order: Order) -> QuerySet[Charge]:
    """Return the charges that paid an order, each with its tender's gateway account."""
    return order.charges.filter(status=ChargeStatus.SUCCEEDED).select_related("gateway_account").order_by("attempt")


def tendered(charges: Iterable[Charge]) -> list[Tendered]:
    return [
        Tendered(charge_id=charge.pk, is_cash=charge.tender in CASH, left_fen=charge.left_fen) for charge in charges
    ]


def goods_left_fen(order: Order) -> int:
    """What of the goods neither went back nor is on its way."""
    return int(order.goods_fen - order.refunded_goods_fen - order.refunding_goods_fen)


def shipping_left_fen(order: Order) -> int:
    return int(order.shipping_fen - order.refunded_shipping_fen - order.refunding_shipping_fen)


def refunded_alone_fen(*, order_ids: Sequence[int], kind: Kind = Kind.ORDER) -> dict[int, int]:
    """Return, of each order with such refunds, what went back or is on its way without a second person."""
    alone = Refund.objects.filter(
        order__in=order_ids, kind=kind, decided_by="", status__in=[Status.PENDING, Status.SUCCEEDED]
    )  # fmt: skip
    sums = alone.order_by().values("order").annotate(fen=Sum(F("goods_fen") + F("shipping_fen")))
    return {row["order"]: int(row["fen"]) for row in sums}


def needs_second_person(*, order: Order, amount_fen: int, alone_fen: int) -> bool:
    """Whether a second person must agree to a refund of an order of which `alone_fen` went back without one."""
    limit_fen = order.client.approval_above_fen
    return limit_fen is not None and alone_fen + amount_fen > limit_fen


def due_for_query(*, at: datetime.datetime) -> QuerySet[RefundLeg]:
    return RefundLeg.objects.filter(next_query_at__lte=at).order_by("next_query_at", "pk")


def at_gateways(*, refund: Refund) -> QuerySet[RefundLeg]:
    """Return the legs of a refund that were let go, and of which a gateway has not said yet what became of them."""
    return refund.legs.filter(
        status__in=LEG_OPEN, refund__status=Status.PENDING, charge__gateway_account__isnull=False
    ).select_related("charge")  # fmt: skip


def stuck() -> QuerySet[RefundLeg]:
    """Return what left us and did not reach the payer, oldest first."""
    return RefundLeg.objects.filter(status=LegStatus.STUCK).order_by("pk")


def overdue(*, at: datetime.datetime) -> QuerySet[RefundLeg]:
    """Return what no gateway has answered for hours, or is at for longer than any bank, oldest first."""
    silent = Q(status=LegStatus.UNKNOWN, queries__gte=settlement.OVERDUE_AFTER_QUERIES)
    slow = Q(status=LegStatus.PENDING, created_at__lt=at - settlement.OVERDUE_AFTER)
    return RefundLeg.objects.filter(silent | slow, next_query_at__isnull=False).order_by("pk")


def surplus_due() -> QuerySet[Charge]:
    """Return the payments beyond need that go back by themselves: nobody has tried to return them yet."""
    return Charge.objects.filter(
        status=ChargeStatus.SURPLUS,
        refund_legs__isnull=True,
        order__client__late_money_policy=LateMoneyPolicy.REFUND,
    ).order_by("pk")
