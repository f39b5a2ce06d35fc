"""What must always hold of English orders: each statement tells what breaks its rule, over all rows."""

import datetime
import itertools
import operator
from collections.abc import Iterable

from django.db import connection

from english_app import memberships
from english_app.memberships import MembershipTooLong
from english_app.models import Grant, Membership
from english_app.states import PAID

EXAMPLES_MAX = 100

_RULES = (
    # The document, and what it says of the order.
    """
    SELECT 'order ' || orders.number || ' has no English document'
    FROM payments_order orders LEFT JOIN english_app_englishorder document ON document.order_id = orders.id
    WHERE orders.family = 'english_app' AND document.id IS NULL
    """,
    """
    SELECT 'order ' || orders.number || ' is another kind of order, or another customer''s, than its document says'
    FROM english_app_englishorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE orders.family <> 'english_app' OR orders.customer_id <> document.customer_id
        OR (orders.kind = 'recharge') <> (document.type = 0)
    """,
    """
    SELECT 'order ' || orders.number || ' costs another sum than its lines'
    FROM english_app_englishorder document JOIN payments_order orders ON orders.id = document.order_id
    LEFT JOIN (
        SELECT document_id, sum(price_fen * num) AS fen FROM english_app_orderline GROUP BY document_id
    ) lines ON lines.document_id = document.id
    WHERE document.type = 1
        AND (orders.total_fen IS DISTINCT FROM lines.fen OR orders.total_fen <> document.price_total_fen)
        OR document.type = 0 AND lines.fen IS NOT NULL
    """,
    """
    SELECT 'recharge ' || recharge.id || ' is for a purchase of another customer, or for another recharge'
    FROM english_app_englishorder recharge JOIN english_app_englishorder purchase ON purchase.id = recharge.purchase_id
    WHERE purchase.customer_id <> recharge.customer_id OR purchase.type <> 1
        OR purchase.price_total_fen <> recharge.price_total_fen
    """,
    # Delivery.
    """
    SELECT 'order ' || orders.number || ' is paid, and its delivery is forgotten'
    FROM english_app_englishorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE orders.status = ANY (%(paid)s) AND document.delivery = 'waiting' AND document.deliver_due_at IS NULL
        AND document.returning IN ('none', 'failed') AND orders.fulfil_due_at IS NULL
    """,
    """
    SELECT 'order ' || orders.number || ' is delivered, and never was paid'
    FROM english_app_englishorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE document.delivery = 'delivered' AND orders.finished_at IS NULL
    """,
    """
    SELECT 'line ' || line.id || CASE WHEN granted.id IS NULL
        THEN ' is delivered, and not granted' ELSE ' is granted, and not delivered' END
    FROM english_app_orderline line JOIN english_app_englishorder document ON document.id = line.document_id
    LEFT JOIN english_app_grant granted ON granted.line_id = line.id
    WHERE (granted.id IS NOT NULL) <> (document.delivery = 'delivered')
    """,
    """
    SELECT 'grant ' || granted.id || ' is another customer''s than its order'
    FROM english_app_grant granted JOIN english_app_orderline line ON line.id = granted.line_id
    JOIN english_app_englishorder document ON document.id = line.document_id
    WHERE granted.customer_id <> document.customer_id
    """,
    # Returns.
    """
    SELECT 'order ' || orders.number || ' has its money back, or has not, as its return does not say'
    FROM english_app_englishorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE (document.returning = 'returned') <> (orders.status = 'total_refund')
    """,
    """
    SELECT 'grant ' || granted.id || ' was kept by a returned order, or taken back from another'
    FROM english_app_grant granted JOIN english_app_orderline line ON line.id = granted.line_id
    JOIN english_app_englishorder document ON document.id = line.document_id
    WHERE (granted.taken_back_at IS NOT NULL) <> (document.returning = 'returned')
    """,
)


def breaches() -> list[str]:
    """Return a sentence for each breach, at most `EXAMPLES_MAX` for each rule."""
    found: list[str] = []
    with connection.cursor() as cursor:
        for rule in _RULES:
            cursor.execute(f"{rule} LIMIT {EXAMPLES_MAX}", {"paid": [str(status) for status in PAID]})
            found += [sentence for (sentence,) in cursor.fetchall()]
    return found + _memberships()


def _memberships() -> list[str]:
    """Return memberships that end on another day than their grants add up to: months are not SQL's to count."""
    kept = dict(Membership.objects.filter(ends_on__isnull=False).values_list("customer_id", "ends_on"))
    broken = []
    grants = memberships.standing().iterator(chunk_size=1_000)
    for customer_id, of_customer in itertools.groupby(grants, key=operator.attrgetter("customer_id")):
        if kept.pop(customer_id, None) != _end_of(of_customer):
            broken.append(customer_id)
    return [
        f"membership of customer {customer_id} ends on another day than was granted"
        for customer_id in sorted([*broken, *kept])[:EXAMPLES_MAX]
    ]


def _end_of(grants: Iterable[Grant]) -> datetime.date | None:
    try:
        return memberships.end_of(grants)
    except MembershipTooLong:  # no membership that is kept lasts so long
        return None
