"""What must always hold of partner orders, as SQL over all rows: each statement tells what breaks its rule."""

from django.conf import settings
from django.db import connection

from partner_orders.states import OVER, PAID

EXAMPLES_MAX = 100

_RULES = (
    # The document, and what it says of the order.
    """
    SELECT 'order ' || orders.number || ' has no partner document'
    FROM payments_order orders LEFT JOIN partner_orders_partnerorder document ON document.order_id = orders.id
    WHERE orders.family = 'partner_orders' AND document.id IS NULL
    """,
    """
    SELECT 'order ' || orders.number || ' costs another sum than its pack less its coupon'
    FROM partner_orders_partnerorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE orders.total_fen <> document.price_fen - document.deduct_fen OR orders.family <> 'partner_orders'
    """,
    # I9: stock and coupons.
    """
    SELECT 'order ' || orders.number || CASE WHEN document.holds
        THEN ' is over and holds stock' ELSE ' is not over and holds nothing' END
    FROM partner_orders_partnerorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE document.holds = (orders.status = ANY (%(over)s))
    """,
    """
    SELECT 'gift pack ' || pack.uid || ' has ' || pack.stock || ' in stock, put in less held are '
        || pack.stocked - count(document.id)
    FROM partner_orders_giftpack pack
    LEFT JOIN partner_orders_partnerorder document ON document.pack_id = pack.id AND document.holds
    GROUP BY pack.id HAVING pack.stock <> pack.stocked - count(document.id) OR pack.stock < 0
    """,
    """
    SELECT 'coupon ' || coupon.uid || ' is held by ' || count(*) || ' orders'
    FROM partner_orders_partnerorder document
    JOIN partner_orders_customercoupon coupon ON coupon.id = document.coupon_id
    WHERE document.holds GROUP BY coupon.id HAVING count(*) > 1
    """,
    """
    SELECT 'order ' || orders.number || ' holds the coupon of another customer'
    FROM partner_orders_partnerorder document JOIN payments_order orders ON orders.id = document.order_id
    JOIN partner_orders_customercoupon coupon ON coupon.id = document.coupon_id
    WHERE coupon.customer_id <> orders.customer_id
    """,
    # Level and score.
    """
    SELECT 'order ' || orders.number || ' is paid, and its pack has not done what it says'
    FROM partner_orders_partnerorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE orders.status = ANY (%(paid)s) AND document.fulfilled_at IS NULL AND orders.fulfil_due_at IS NULL
    """,
    """
    SELECT 'order ' || orders.number || ' has taken back what stands, or kept what went'
    FROM partner_orders_partnerorder document JOIN payments_order orders ON orders.id = document.order_id
    WHERE document.fulfilled_at IS NOT NULL
        AND (document.taken_back_at IS NOT NULL) <> (orders.status = 'total_refund')
    """,
    """
    WITH score AS (
        SELECT order_id, sum(amount_fen) FILTER (WHERE kind = 'score') AS granted_fen,
            sum(amount_fen) FILTER (WHERE kind = 'score_back') AS back_fen
        FROM payments_transfer WHERE kind IN ('score', 'score_back') GROUP BY order_id
    )
    SELECT 'order ' || orders.number || ' has brought another score than its pack says, or lost more than its share'
    FROM partner_orders_partnerorder document JOIN payments_order orders ON orders.id = document.order_id
    LEFT JOIN score ON score.order_id = orders.id
    CROSS JOIN LATERAL (
        SELECT CASE WHEN document.fulfilled_at IS NULL THEN 0 ELSE document.score::bigint * %(point_fen)s END
                AS due_fen,
            orders.refunded_goods_fen + orders.refunded_shipping_fen AS refunded_fen
    ) worth
    WHERE coalesce(score.granted_fen, 0) <> worth.due_fen
        OR coalesce(score.back_fen, 0) > worth.due_fen * worth.refunded_fen / orders.total_fen
    """,
    """
    WITH supported AS (
        SELECT orders.customer_id, level.rank
        FROM partner_orders_partnerorder document JOIN payments_order orders ON orders.id = document.order_id
        JOIN partner_orders_userlevel level ON level.id = document.level_id
        WHERE document.fulfilled_at IS NOT NULL AND document.taken_back_at IS NULL
        UNION ALL
        SELECT standing.customer_id, level.rank
        FROM partner_orders_customerlevel standing JOIN partner_orders_userlevel level ON level.id = standing.given_id
    ), highest AS (
        SELECT customer_id, max(rank) AS rank FROM supported GROUP BY customer_id
    )
    SELECT 'customer ' || coalesce(standing.customer_id, highest.customer_id) || ' has another level than is supported'
    FROM highest
    FULL JOIN partner_orders_customerlevel standing ON standing.customer_id = highest.customer_id
    LEFT JOIN partner_orders_userlevel level ON level.id = standing.level_id
    WHERE level.rank IS DISTINCT FROM highest.rank
    """,
)


def breaches() -> list[str]:
    """Return a sentence for each breach, at most `EXAMPLES_MAX` for each rule."""
    found: list[str] = []
    parameters: dict[str, list[str] | int] = {
        "over": [str(status) for status in OVER],
        "paid": [str(status) for status in PAID],
        "point_fen": settings.POINT_FEN,
    }
    with connection.cursor() as cursor:
        for rule in _RULES:
            cursor.execute(f"{rule} LIMIT {EXAMPLES_MAX}", parameters)
            found += [sentence for (sentence,) in cursor.fetchall()]
    return found
