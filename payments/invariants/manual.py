"""What must always hold of what staff do by hand, as SQL over all rows; a part of `table.TABLE`."""

from django.utils.translation import gettext_lazy as _

from payments.invariants.shape import Invariant

MANUAL = (
    Invariant(
        "I16a",
        _("A payment confirmed by hand is booked as it was confirmed; what waits or was refused is not."),
        "payments_handconfirmation",
        """
        SELECT charge.number
        FROM payments_handconfirmation confirmed JOIN payments_charge charge ON charge.id = confirmed.charge_id
        WHERE confirmed.amount_fen <> charge.amount_fen
            OR CASE WHEN confirmed.status = 'done'
                THEN (charge.paid_fen, charge.paid_at) IS DISTINCT FROM (confirmed.amount_fen, confirmed.paid_at)
                    OR charge.gateway_trade_no NOT IN (confirmed.trade_no, '') -- '': it was found to be another's
                ELSE charge.last_answer = 'confirmed by hand'
                    AND NOT EXISTS (
                        SELECT FROM payments_handconfirmation other
                        WHERE other.charge_id = charge.id AND other.status = 'done'
                    )
            END
        """,
    ),
    Invariant(
        "I16b",
        _("Points or balance given or taken by staff are in the books as asked for, once done and not before."),
        "payments_valuerequest",
        """
        SELECT asked.number
        FROM payments_valuerequest asked JOIN payments_customer customer ON customer.id = asked.customer_id
        LEFT JOIN payments_transfer granted
            ON granted.reference = 'grant:' || customer.client_id || ':' || asked.number AND granted.kind = 'grant'
        WHERE CASE WHEN asked.status = 'done'
            THEN (granted.amount_fen, CASE asked.direction WHEN 'in' THEN granted.credit ELSE granted.debit END)
                IS DISTINCT FROM (asked.amount_fen, asked.kind || ':' || asked.customer_id)
            ELSE granted.id IS NOT NULL
        END
        """,
    ),
    Invariant(
        "I16c",
        _("What staff do by hand left an audit row, and so did whoever decided on it, who is somebody else."),
        "payments_valuerequest",
        """
        WITH deed (number, subject, key, asked_by, decided_by, prefix) AS (
            SELECT confirmed.number, 'order:' || orders.number, charge.number, confirmed.requested_by,
                confirmed.decided_by, 'charge.confirm_'
            FROM payments_handconfirmation confirmed JOIN payments_charge charge ON charge.id = confirmed.charge_id
                JOIN payments_order orders ON orders.id = charge.order_id
            UNION ALL
            SELECT asked.number, 'customer:' || asked.customer_id, asked.number, asked.requested_by, asked.decided_by,
                'customer.grant_'
            FROM payments_valuerequest asked
        )
        SELECT number FROM deed
        WHERE asked_by = decided_by OR NOT EXISTS (
            SELECT FROM payments_auditrow audited
            WHERE audited.subject = deed.subject AND actor = asked_by AND action = prefix || 'request'
                AND key IN (detail ->> 'charge', detail ->> 'number')
        ) OR (decided_by <> '' AND NOT EXISTS (
            SELECT FROM payments_auditrow audited
            WHERE audited.subject = deed.subject AND actor = decided_by
                AND action IN (prefix || 'approved', prefix || 'refused')
                AND key IN (detail ->> 'charge', detail ->> 'number')
        ))
        """,
    ),
)
