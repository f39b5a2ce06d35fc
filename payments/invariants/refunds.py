"""What must always hold of refunds, as SQL over all rows; a part of `table.TABLE`."""

from django.utils.translation import gettext_lazy as _

from payments.invariants.shape import Invariant

REFUNDS = (
    Invariant(
        "I6a",
        _("Of a payment never more goes back than was paid; reserved is what refunds on their way ask for."),
        "payments_charge",
        """
        WITH leg AS (
            SELECT leg.charge_id, sum(back.fen) AS back_fen,
                sum(leg.goods_fen + leg.shipping_fen) FILTER (WHERE leg.status = ANY (%(refunds_open)s)) AS open_fen
            FROM payments_refundleg leg
            LEFT JOIN LATERAL (
                SELECT sum(amount_fen) AS fen FROM payments_transfer
                WHERE reference = leg.number AND kind IN ('refund', 'shipping_refund')
            ) back ON true
            GROUP BY leg.charge_id
        )
        SELECT charge.number FROM payments_charge charge LEFT JOIN leg ON leg.charge_id = charge.id
        WHERE charge.refunded_fen <> coalesce(leg.back_fen, 0)
            OR charge.refunding_fen
                <> least(coalesce(leg.open_fen, 0), coalesce(charge.paid_fen, 0) - charge.refunded_fen)
            OR charge.refunding_fen + charge.refunded_fen > coalesce(charge.paid_fen, 0)
        """,
    ),
    Invariant(
        "I6b",
        _("Of an order's goods and shipping goes back what its refunds gave, and its status says how much that is."),
        "payments_order",
        """
        WITH leg AS (
            SELECT refund.order_id,
                sum(leg.goods_fen) FILTER (WHERE leg.status = ANY (%(refunds_open)s) AND refund.kind = 'order')
                    AS goods,
                sum(leg.shipping_fen) FILTER (WHERE leg.status = ANY (%(refunds_open)s) AND refund.kind = 'order')
                    AS shipping,
                sum(back.goods) FILTER (WHERE charge.status = 'succeeded') AS goods_back,
                sum(back.shipping) FILTER (WHERE charge.status = 'succeeded') AS shipping_back
            FROM payments_refundleg leg
            JOIN payments_refund refund ON refund.id = leg.refund_id
            JOIN payments_charge charge ON charge.id = leg.charge_id
            LEFT JOIN LATERAL (
                SELECT sum(amount_fen) FILTER (WHERE kind = 'refund') AS goods,
                    sum(amount_fen) FILTER (WHERE kind = 'shipping_refund') AS shipping
                FROM payments_transfer WHERE reference = leg.number
            ) back ON true
            GROUP BY refund.order_id
        )
        SELECT orders.number FROM payments_order orders LEFT JOIN leg ON leg.order_id = orders.id
        WHERE (orders.refunded_goods_fen, orders.refunded_shipping_fen)
                <> (coalesce(leg.goods_back, 0), coalesce(leg.shipping_back, 0))
            OR (orders.refunding_goods_fen, orders.refunding_shipping_fen) <> (
                least(coalesce(leg.goods, 0), orders.total_fen - orders.shipping_fen - orders.refunded_goods_fen),
                least(coalesce(leg.shipping, 0), orders.shipping_fen - orders.refunded_shipping_fen))
            OR orders.refunding_goods_fen + orders.refunded_goods_fen > orders.total_fen - orders.shipping_fen
            OR orders.refunding_shipping_fen + orders.refunded_shipping_fen > orders.shipping_fen
            OR CASE orders.status
                WHEN 'total_refund' THEN orders.refunded_goods_fen + orders.refunded_shipping_fen <> orders.total_fen
                WHEN 'partly_refund'
                    THEN orders.refunded_goods_fen + orders.refunded_shipping_fen NOT BETWEEN 1 AND orders.total_fen - 1
                ELSE orders.refunded_goods_fen + orders.refunded_shipping_fen <> 0
            END
        """,
    ),
    Invariant(
        "I6c",
        _("A leg that went back is in the books with its amount, and no other is; a refund is what its legs are."),
        "payments_refundleg",
        """
        SELECT leg.number
        FROM payments_refundleg leg
        JOIN payments_charge charge ON charge.id = leg.charge_id
        JOIN payments_order orders ON orders.id = charge.order_id
        LEFT JOIN LATERAL (
            SELECT sum(amount_fen) FILTER (
                    WHERE kind IN ('refund', 'shipping_refund', 'excess') AND credit = CASE
                        WHEN charge.tender = ANY (%(own)s) THEN charge.tender || ':' || orders.customer_id
                        ELSE 'clearing:' || charge.gateway_account_id
                    END
                ) AS back,
                sum(amount_fen) AS every,
                sum(amount_fen) FILTER (WHERE kind = 'take_back') AS taken,
                sum(amount_fen) FILTER (WHERE kind = 'give_back') AS given
            FROM payments_transfer WHERE reference = leg.number
        ) posted ON true
        WHERE coalesce(posted.back, 0)
                <> CASE leg.status WHEN 'succeeded' THEN leg.goods_fen + leg.shipping_fen ELSE 0 END
            OR coalesce(posted.every, 0)
                <> coalesce(posted.back, 0) + coalesce(posted.taken, 0) + coalesce(posted.given, 0)
        UNION
        SELECT refund.number
        FROM payments_refund refund LEFT JOIN payments_refundleg leg ON leg.refund_id = refund.id
        GROUP BY refund.id
        HAVING sum(leg.goods_fen) IS DISTINCT FROM refund.goods_fen
            OR sum(leg.shipping_fen) IS DISTINCT FROM refund.shipping_fen
            OR CASE refund.status
                WHEN 'succeeded' THEN NOT bool_and(leg.status = 'succeeded')
                WHEN 'failed' THEN bool_or(leg.status = ANY (%(refunds_open)s)) OR bool_and(leg.status = 'succeeded')
                WHEN 'refused' THEN NOT bool_and(leg.status = 'failed')
                ELSE NOT bool_and(leg.status = ANY (%(refunds_open)s))
            END
        """,
    ),
    Invariant(
        "I6d",
        _("What was taken out of a balance for a refund is kept while that is on its way, and not longer."),
        "payments_transfer WHERE debit = 'refunding' OR credit = 'refunding'",
        """
        SELECT coalesce(asked.number, kept.reference)
        FROM (
            SELECT reference, sum(CASE credit WHEN 'refunding' THEN amount_fen ELSE -amount_fen END) AS fen
            FROM payments_transfer WHERE debit = 'refunding' OR credit = 'refunding' GROUP BY reference
        ) kept
        FULL JOIN (
            SELECT leg.number, leg.goods_fen + leg.shipping_fen AS fen
            FROM payments_refundleg leg JOIN payments_refund refund ON refund.id = leg.refund_id
                JOIN payments_order orders ON orders.id = refund.order_id
            WHERE orders.kind = 'recharge' AND refund.kind = 'order' AND leg.status = ANY (%(refunds_open)s)
        ) asked ON asked.number = kept.reference
        WHERE coalesce(kept.fen, 0) <> coalesce(asked.fen, 0)
        """,
    ),
    Invariant(
        "I12b",
        _("A refund on its way will be asked about."),
        "payments_refundleg",
        """
        SELECT leg.number
        FROM payments_refundleg leg JOIN payments_refund refund ON refund.id = leg.refund_id
            JOIN payments_charge charge ON charge.id = leg.charge_id
        WHERE refund.status = 'pending' AND charge.tender = ANY (%(cash)s) AND leg.status = ANY (%(refunds_open)s)
            AND leg.next_query_at IS NULL
        """,
    ),
    Invariant(
        "I15d",
        _("A refund that somebody asked for left an audit row, and so did one that a second person decided on."),
        "payments_refund",
        """
        SELECT refund.number
        FROM payments_refund refund JOIN payments_order orders ON orders.id = refund.order_id
        WHERE (refund.kind <> 'console' AND NOT EXISTS (
            SELECT FROM payments_auditrow WHERE subject = 'order:' || orders.number
                AND action = 'refund.request' AND detail ->> 'refund' = refund.number
        )) OR (refund.decided_by <> '' AND NOT EXISTS (
            SELECT FROM payments_auditrow WHERE subject = 'order:' || orders.number AND actor = refund.decided_by
                AND action IN ('refund.approved', 'refund.refused') AND detail ->> 'refund' = refund.number
        ))
        """,
    ),
)
