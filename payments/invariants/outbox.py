"""What must always hold of what clients are told, as SQL over all rows; a part of `table.TABLE`."""

from django.utils.translation import gettext_lazy as _

from payments.invariants.shape import Invariant

OUTBOX = (
    Invariant(
        "I10a",
        _("Whoever finished an order told its client, once, in the same breath."),
        "payments_order WHERE finished_at IS NOT NULL",
        # Orders that were finished before there were events have none.
        """
        SELECT orders.number
        FROM payments_order orders
        LEFT JOIN payments_outboxevent event ON event.order_id = orders.id AND event.kind = 'order.paid'
        WHERE orders.finished_at >= (SELECT min(created_at) FROM payments_outboxevent)
        GROUP BY orders.id HAVING count(event.id) <> 1
        """,
    ),
    Invariant(
        "I10b",
        _("What a client is told of an order is numbered without a gap, and the bodies say what the rows say."),
        "payments_outboxevent",
        """
        SELECT event.uid
        FROM (
            SELECT *, row_number() OVER (PARTITION BY order_id ORDER BY version) AS nth, body::jsonb AS told
            FROM payments_outboxevent
        ) event
        JOIN payments_order orders ON orders.id = event.order_id
        WHERE event.version <> event.nth OR event.client_id <> orders.client_id
            OR (told ->> 'type', told #>> '{data,id}', told #>> '{data,version}', told #>> '{data,order_number}')
                IS DISTINCT FROM (event.kind, event.uid, event.version::text, orders.number)
        """,
    ),
    Invariant(
        "I10c",
        _("A delivery is parked where its endpoint is, and is due where it is not."),
        "payments_webhookdelivery",
        """
        SELECT event.uid
        FROM payments_webhookdelivery delivery
        JOIN payments_webhookendpoint endpoint ON endpoint.id = delivery.endpoint_id
        JOIN payments_outboxevent event ON event.id = delivery.event_id
        WHERE (delivery.status = 'parked' AND endpoint.parked_at IS NULL)
            OR (delivery.status = 'due' AND endpoint.parked_at IS NOT NULL)
            OR endpoint.client_id <> delivery.client_id OR event.client_id <> delivery.client_id
        """,
    ),
    Invariant(
        "I10d",
        _("Whoever closed an order, or ended a refund, told its client in the same breath."),
        "payments_order WHERE closed_at IS NOT NULL OR refunded_goods_fen + refunded_shipping_fen > 0",
        """
        SELECT orders.number
        FROM payments_order orders
        LEFT JOIN payments_outboxevent event ON event.order_id = orders.id AND event.kind = 'order.closed'
        WHERE orders.status = 'closed' GROUP BY orders.id HAVING count(event.id) <> 1
        UNION ALL
        SELECT refund.number
        FROM payments_refund refund
        LEFT JOIN payments_outboxevent event ON event.order_id = refund.order_id
            AND event.body::jsonb #>> '{data,refund_number}' = refund.number
        GROUP BY refund.id
        HAVING CASE
            WHEN refund.status IN ('to_approve', 'pending') THEN count(event.id) <> 0
            WHEN refund.status = 'succeeded'
                THEN count(event.id) FILTER (WHERE event.kind IN ('order.refunded', 'surplus.refunded')) <> 1
            ELSE count(event.id) FILTER (WHERE event.kind = 'refund.failed') <> 1
        END
        """,
    ),
)
