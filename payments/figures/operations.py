"""
Adding up a day: one statement over that day's rows alone, so that pages which show figures never count anything.

What was received and what was refunded is what the ledger says of the day, by when it was booked: a gateway may tell
late of what it did on another. Refunded is all that went back, even where that was more than was due; what paid no
order is neither. An order is made once and paid in full once: on the day that the ledger moved what it paid out of
escrow. Of an order that closed, what its customer's account paid is given back. Orders and transfers never go away, so
a day that is over is added up once more after its last bookings have surely committed, and then stands.
"""

import datetime

from django.db import connection
from django.db.models import Max

from payments.charges.states import Status as ChargeStatus
from payments.days import bounds, day_of
from payments.figures.models import ONCE, DayFigure
from payments.gateways.models import GatewayKind
from payments.ledger.models import TransferKind
from payments.transactions import transaction

TASK = "payments.add_up_figures"
KEPT_UP = datetime.timedelta(days=35)  # how far back missing days are added up by themselves
SETTLED_AFTER = datetime.timedelta(hours=3)  # no transaction is open so long
AT_ONCE = 6  # days in one run of the job

FINISHING = (TransferKind.SALE, TransferKind.SHIPPING, TransferKind.RECHARGE)
REFUNDING = (TransferKind.REFUND, TransferKind.SHIPPING_REFUND, TransferKind.EXCESS)
SUMS = (
    "orders_made", "orders_paid", "received_fen", "payments", "released_fen", "releases", "refunded_fen", "refunds",
)  # fmt: skip

# Whoever adds up a day waits for who is at it, and sees what they have not: figures never go back.
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('payments.figures'), %s)"
# An order is looked up for each transfer (LIMIT): joined, a busy day would have every order there is read.
_ADD_UP = f"""
WITH moved AS MATERIALIZED (
    SELECT of_order.client_id, of_order.family, transfer.kind, transfer.reference, transfer.amount_fen,
        transfer.order_id,
        CASE transfer.kind WHEN '{TransferKind.PAYMENT}' THEN transfer.debit
            WHEN '{TransferKind.RELEASE}' THEN transfer.credit ELSE '' END AS account
    FROM payments_transfer transfer
    CROSS JOIN LATERAL (SELECT client_id, family FROM payments_order WHERE id = transfer.order_id LIMIT 1) of_order
    WHERE transfer.at >= %(start)s AND transfer.at < %(end)s AND transfer.kind = ANY (%(kinds)s)
), gateway AS (
    SELECT 'clearing:' || account.id AS account, of_kind.channel
    FROM payments_gatewayaccount account
    JOIN unnest(%(gateways)s::text[], %(channels)s::text[]) AS of_kind (kind, channel) USING (kind)
), summed (client_id, family, tender, {", ".join(SUMS)}) AS (
    SELECT id, unnest(families), '', 0, 0, 0, 0, 0, 0, 0, 0 FROM payments_apiclient
    UNION ALL
    SELECT client_id, family, '', count(*), 0, 0, 0, 0, 0, 0, 0
    FROM payments_order WHERE created_at >= %(start)s AND created_at < %(end)s GROUP BY client_id, family
    UNION ALL
    SELECT client_id, family, '', 0, count(DISTINCT order_id), 0, 0, 0, 0, 0, 0
    FROM moved WHERE kind = ANY (%(finishing)s) GROUP BY client_id, family
    UNION ALL
    SELECT client_id, family, coalesce(channel, split_part(account, ':', 1)), 0, 0,
        coalesce(sum(amount_fen) FILTER (WHERE kind = '{TransferKind.PAYMENT}'), 0),
        count(*) FILTER (WHERE kind = '{TransferKind.PAYMENT}'),
        coalesce(sum(amount_fen) FILTER (WHERE kind = '{TransferKind.RELEASE}'), 0),
        count(*) FILTER (WHERE kind = '{TransferKind.RELEASE}'), 0, 0
    FROM moved LEFT JOIN gateway USING (account) WHERE account <> '' GROUP BY 1, 2, 3
    UNION ALL
    SELECT client_id, family, charge.tender, 0, 0, 0, 0, 0, 0, sum(moved.amount_fen), count(DISTINCT moved.reference)
    FROM moved JOIN payments_refundleg leg ON leg.number = moved.reference
    JOIN payments_charge charge ON charge.id = leg.charge_id
    WHERE moved.kind = ANY (%(refunding)s)
        AND charge.status = '{ChargeStatus.SUCCEEDED}' -- and no surplus, which never paid an order
    GROUP BY 1, 2, 3
)
INSERT INTO payments_dayfigure AS stands (day, client_id, family, tender, {", ".join(SUMS)}, computed_at)
SELECT %(day)s, client_id, family, tender, {", ".join(f"sum({name})" for name in SUMS)}, %(at)s
FROM summed GROUP BY client_id, family, tender
ON CONFLICT ON CONSTRAINT {ONCE} DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in SUMS)},
    computed_at = greatest(stands.computed_at, EXCLUDED.computed_at)
"""  # noqa: S608  constants


def compute(*, day: datetime.date, at: datetime.datetime) -> int:
    """Add up a day anew and return how many rows it has. `at` is what the rows will say about when that was."""
    start, end = bounds(day)
    with transaction(), connection.cursor() as cursor:
        cursor.execute(_ALONE, [day.toordinal()])
        cursor.execute(
            _ADD_UP,
            {
                "day": day, "start": start, "end": end, "at": at, "gateways": GatewayKind.values,
                "channels": [kind.channel.value for kind in GatewayKind],
                "kinds": _values(TransferKind.PAYMENT, TransferKind.RELEASE, *FINISHING, *REFUNDING),
                "finishing": _values(*FINISHING), "refunding": _values(*REFUNDING),
            },
        )  # fmt: skip
        return int(cursor.rowcount)


def _values(*kinds: TransferKind) -> list[str]:
    return [kind.value for kind in kinds]


def compute_due(*, at: datetime.datetime) -> list[datetime.date]:
    """Add up today and the newest of the days that are due, a few at once, and return them."""
    days = due_days(at=at)[:AT_ONCE]
    for day in days:
        compute(day=day, at=at)
    return days


def due_days(*, at: datetime.datetime) -> list[datetime.date]:
    """Return today and, the newest first, the days of the last weeks that were never added up or not yet for good."""
    today = day_of(at)
    lately = DayFigure.objects.filter(day__gt=today - KEPT_UP, day__lt=today)
    computed = dict(lately.values_list("day").annotate(Max("computed_at")))
    before = [today - datetime.timedelta(days=n) for n in range(1, KEPT_UP.days)]
    return [today, *(day for day in before if day not in computed or computed[day] < bounds(day)[1] + SETTLED_AFTER)]
