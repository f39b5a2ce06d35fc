"""
What must always hold, as SQL over all rows.

Each statement selects what breaks its rule, one text each: the number of an order or a charge, a transfer's reference.
The numbering I1–I15 is the one of the project's list of invariants; some have several parts, some belong to what is
not built yet.
"""

from typing import Any

from django.apps import apps
from django.utils.translation import gettext_lazy as _

from payments.charges import states as charge_states
from payments.charges.models import CASH, OWN
from payments.invariants.manual import MANUAL
from payments.invariants.outbox import OUTBOX
from payments.invariants.refunds import REFUNDS
from payments.invariants.shape import Invariant
from payments.ledger import accounts
from payments.orders import states as order_states
from payments.orders.states import Event, Status
from payments.refunds import states as refund_states

TRIGGERS = (
    "transfer_append_only", "transfer_not_truncated", "ordertransition_append_only", "ordertransition_not_truncated",
    "auditrow_append_only", "auditrow_not_truncated", "order_guard", "charge_guard", "refund_guard", "refund_leg_guard",
    "outboxevent_guard", "outboxevent_not_deleted", "outboxevent_not_truncated", "deliveryattempt_append_only",
    "deliveryattempt_not_truncated", "handconfirmation_guard", "handconfirmation_not_deleted",
    "handconfirmation_not_truncated", "valuerequest_guard", "valuerequest_not_deleted", "valuerequest_not_truncated",
)  # fmt: skip


def parameters() -> dict[str, list[str]]:
    """Return what the statements take from the code: tables of states, chart of accounts, names of constraints."""
    models = apps.get_app_config("payments").get_models()
    finished = [status for status in Status if Event.REFUNDED_IN_FULL in order_states.TRANSITIONS[status]]
    named: dict[str, list[Any]] = {
        "awaiting": [status for status, moves in order_states.TRANSITIONS.items() if Event.CLOSED in moves],
        "booked": list(charge_states.BOOKED),
        "cash": list(CASH),
        "constraints": [constraint.name for model in models for constraint in model._meta.constraints],  # noqa: SLF001
        "finished": [*finished, Status.TOTAL_REFUND],
        "moves": [
            f"{source}>{event}>{target}"
            for source, row in order_states.TRANSITIONS.items()
            for event, target in row.items()
        ],
        "open": list(charge_states.OPEN),
        "own": list(OWN),
        "refunds_open": list(refund_states.LEG_OPEN),
        "system": list(accounts.SYSTEM),
        "triggers": list(TRIGGERS),
    }
    return {name: [str(value) for value in values] for name, values in named.items()}


TABLE = (
    Invariant(
        "I1a",
        _("A transfer moves a positive amount between two accounts that exist."),
        "payments_transfer",
        """
        WITH account (code) AS (
            SELECT kind || ':' || customer_id FROM payments_account
            UNION ALL SELECT 'clearing:' || id FROM payments_gatewayaccount
            UNION ALL SELECT unnest(%(system)s::text[])
        )
        SELECT transfer.reference || ' ' || transfer.kind
        FROM payments_transfer transfer
        LEFT JOIN account debit ON debit.code = transfer.debit
        LEFT JOIN account credit ON credit.code = transfer.credit
        WHERE transfer.amount_fen <= 0 OR transfer.debit = transfer.credit
            OR debit.code IS NULL OR credit.code IS NULL
        """,
    ),
    Invariant(
        "I1b",
        _("The database's own refusals are in force: append-only tables, the order's guard, every constraint."),
        "unnest(%(triggers)s::text[] || %(constraints)s::text[])",
        """
        SELECT name FROM unnest(%(triggers)s::text[]) AS expected (name)
        WHERE name NOT IN (SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A'))
        UNION ALL
        SELECT name FROM unnest(%(constraints)s::text[]) AS expected (name)
        WHERE name NOT IN (SELECT conname FROM pg_constraint WHERE convalidated)
            AND name NOT IN (
                SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid WHERE indisvalid AND indisunique
            )
        """,
    ),
    Invariant(
        "I2a",
        _("A customer's account holds what its transfers add up to, and never less than nothing."),
        "payments_account",
        """
        WITH moved (code, fen) AS (
            SELECT credit, amount_fen FROM payments_transfer
            UNION ALL SELECT debit, -amount_fen FROM payments_transfer
        ), summed AS (
            SELECT code, sum(fen) AS fen FROM moved WHERE code <> ALL (%(system)s::text[]) GROUP BY code
        )
        SELECT account.kind || ':' || account.customer_id
        FROM payments_account account LEFT JOIN summed ON summed.code = account.kind || ':' || account.customer_id
        WHERE account.balance_fen <> coalesce(summed.fen, 0) OR account.balance_fen < 0
        """,
    ),
    Invariant(
        "I2b",
        _("A customer has an account for points and one for balance."),
        "payments_customer",
        """
        SELECT 'customer:' || customer.id
        FROM payments_customer customer LEFT JOIN payments_account account ON account.customer_id = customer.id
        GROUP BY customer.id
        HAVING array_agg(account.kind::text ORDER BY account.kind) <> '{balance,points}'::text[]
        """,
    ),
    Invariant(
        "I3a",
        _("A client's number stands for one order, and every order knows what a repeated call must repeat."),
        "payments_order",
        """
        SELECT min(number) FROM payments_order WHERE client_order_no <> ''
        GROUP BY client_id, client_order_no HAVING count(*) > 1
        UNION ALL
        SELECT min(number) FROM payments_order WHERE client_pay_no <> ''
        GROUP BY client_id, client_pay_no HAVING count(*) > 1
        UNION ALL
        SELECT number FROM payments_order WHERE fingerprint !~ '^[0-9a-f]{64}$'
        """,
    ),
    Invariant(
        "I3b",
        _("At most one attempt pays an order's cash, and its points or balance are taken once."),
        "payments_charge",
        """
        SELECT min(number) FROM payments_charge WHERE status = 'succeeded'
        GROUP BY order_id, CASE WHEN tender = ANY (%(cash)s) THEN 'cash' ELSE tender END HAVING count(*) > 1
        """,
    ),
    Invariant(
        "I4",
        _("Points, balance and cash add up to an order's total, and shipping is part of it."),
        "payments_order",
        """
        SELECT number FROM payments_order
        WHERE total_fen <= 0 OR least(points_fen, balance_fen, cash_fen) < 0
            OR points_fen + balance_fen + cash_fen <> total_fen OR shipping_fen NOT BETWEEN 0 AND total_fen
        """,
    ),
    Invariant(
        "I5a",
        _("A gateway's trade stands for one attempt."),
        "payments_charge",
        """
        SELECT min(number) FROM payments_charge WHERE gateway_trade_no <> ''
        GROUP BY gateway_account_id, gateway_trade_no HAVING count(*) > 1
        """,
    ),
    Invariant(
        "I5b",
        _("Cash that came is in the books: in escrow if it pays its order, else in suspense."),
        "payments_charge",
        """
        SELECT charge.number
        FROM payments_charge charge
        LEFT JOIN payments_transfer transfer ON transfer.reference = charge.number
            AND (transfer.kind, transfer.credit) IN (('payment', 'escrow'), ('surplus', 'suspense'))
            AND transfer.debit = 'clearing:' || charge.gateway_account_id
            AND transfer.amount_fen = charge.paid_fen AND transfer.order_id = charge.order_id
        WHERE charge.tender = ANY (%(cash)s) AND charge.status = ANY (%(booked)s)
            AND CASE charge.status
                WHEN 'succeeded' THEN transfer.kind IS DISTINCT FROM 'payment' OR charge.paid_fen <> charge.amount_fen
                WHEN 'surplus' THEN transfer.kind IS DISTINCT FROM 'surplus'
                ELSE transfer.kind IS NULL
            END
        """,
    ),
    Invariant(
        "I5c",
        _("A payment in the books is that of an attempt that was paid, of its amount and its order."),
        "payments_transfer",
        """
        SELECT transfer.reference || ' ' || transfer.kind
        FROM payments_transfer transfer
        LEFT JOIN payments_charge charge ON charge.number = transfer.reference
            AND charge.order_id = transfer.order_id AND charge.paid_fen = transfer.amount_fen
            AND charge.status = ANY (%(booked)s || '{held}'::text[])
        WHERE transfer.kind IN ('payment', 'surplus') AND charge.id IS NULL
        """,
    ),
    Invariant(
        "I7",
        _("An order's history has no gap, makes only moves of the state table, and ends where the order is."),
        "payments_order",
        """
        WITH move AS (
            SELECT order_id, sequence, source, target, source || '>' || event || '>' || target AS name,
                lag(target, 1, 'unpaid') OVER history AS before,
                row_number() OVER history AS nth,
                lead(sequence) OVER history IS NULL AS is_last
            FROM payments_ordertransition
            WINDOW history AS (PARTITION BY order_id ORDER BY sequence)
        )
        SELECT DISTINCT orders.number
        FROM payments_order orders LEFT JOIN move ON move.order_id = orders.id
        WHERE (move.order_id IS NULL AND orders.status <> 'unpaid')
            OR move.sequence <> move.nth OR move.source <> move.before OR move.name <> ALL (%(moves)s::text[])
            OR (move.is_last AND move.target <> orders.status)
            OR (orders.finished_at IS NOT NULL) <> (orders.status = ANY (%(finished)s))
        """,
    ),
    Invariant(
        "I8a",
        _(
            "What an order took of points or balance is in escrow once, as held or taken as the order is, and given "
            "back once if it closed; a balance may be still to pay."
        ),
        "payments_order WHERE points_fen > 0 OR balance_fen > 0",
        """
        SELECT orders.number
        FROM payments_order orders
        CROSS JOIN LATERAL (VALUES ('points', orders.points_fen), ('balance', orders.balance_fen)) own (tender, fen)
        LEFT JOIN payments_charge charge ON charge.order_id = orders.id AND charge.tender = own.tender
        LEFT JOIN payments_transfer paid ON paid.reference = charge.number AND paid.kind = 'payment'
        LEFT JOIN payments_transfer back ON back.reference = charge.number AND back.kind = 'release'
        WHERE (own.fen > 0 OR charge.id IS NOT NULL)
            AND NOT (own.tender = 'balance' AND charge.id IS NULL AND orders.status IN ('unpaid', 'closed'))
            AND NOT coalesce(
                (charge.amount_fen, paid.amount_fen) = (own.fen, own.fen)
                AND (paid.debit, paid.credit) = (own.tender || ':' || orders.customer_id, 'escrow')
                AND CASE charge.status
                    WHEN 'held'
                        THEN own.tender = 'points' AND orders.status IN ('unpaid', 'cash_paid') AND back.id IS NULL
                    WHEN 'succeeded' THEN orders.status NOT IN ('unpaid', 'closed') AND back.id IS NULL
                    WHEN 'released' THEN orders.status = 'closed'
                        AND (back.debit, back.credit, back.amount_fen) = (paid.credit, paid.debit, paid.amount_fen)
                END, false)
        """,
    ),
    Invariant(
        "I8b",
        _(
            "Escrow holds what is paid of orders that wait, and nothing of any other; finished orders are sold, or "
            "credited to the customer, in full."
        ),
        "payments_order",
        """
        WITH escrow AS (
            SELECT order_id, sum(CASE credit WHEN 'escrow' THEN amount_fen ELSE -amount_fen END) AS fen,
                coalesce(sum(amount_fen) FILTER (WHERE debit = 'escrow' AND credit = 'sales'), 0) AS goods_fen,
                coalesce(sum(amount_fen) FILTER (WHERE debit = 'escrow' AND kind = 'recharge'), 0) AS recharged_fen,
                max(credit) FILTER (WHERE kind = 'recharge') AS recharged,
                coalesce(sum(amount_fen) FILTER (WHERE debit = 'escrow' AND credit = 'shipping'), 0) AS shipping_fen
            FROM payments_transfer WHERE debit = 'escrow' OR credit = 'escrow' GROUP BY order_id
        ), paid AS (
            SELECT order_id, sum(amount_fen) AS fen FROM payments_charge
            WHERE status IN ('held', 'succeeded') GROUP BY order_id
        )
        SELECT coalesce(orders.number, 'no order')
        FROM escrow
        FULL JOIN payments_order orders ON orders.id = escrow.order_id
        LEFT JOIN paid ON paid.order_id = orders.id
        WHERE orders.id IS NULL
            OR coalesce(escrow.fen, 0)
                <> CASE WHEN orders.status = ANY (%(awaiting)s) THEN coalesce(paid.fen, 0) ELSE 0 END
            OR (orders.status = ANY (%(finished)s)
                AND CASE orders.kind
                    WHEN 'recharge' THEN (escrow.goods_fen, escrow.shipping_fen, escrow.recharged_fen, escrow.recharged)
                        IS DISTINCT FROM (0, 0, orders.total_fen, 'balance:' || orders.customer_id)
                    ELSE (escrow.goods_fen, escrow.shipping_fen, escrow.recharged_fen)
                        IS DISTINCT FROM (orders.total_fen - orders.shipping_fen, orders.shipping_fen, 0)
                END)
        """,
    ),
    Invariant(
        "I12",
        _("An attempt whose outcome is open will be asked about."),
        "payments_charge",
        """
        SELECT number FROM payments_charge
        WHERE status = ANY (%(open)s) AND tender = ANY (%(cash)s) AND next_query_at IS NULL
        """,
    ),
    Invariant(
        "I8c",
        _("No order that could be closed waits for an hour past its time: points it keeps are not forgotten."),
        "payments_order",
        """
        SELECT orders.number FROM payments_order orders
        WHERE orders.status IN ('unpaid', 'point_paid') AND orders.expires_at < now() - interval '1 hour'
            AND NOT EXISTS (
                SELECT FROM payments_charge charge
                WHERE charge.order_id = orders.id AND charge.tender = ANY (%(cash)s) AND charge.status = ANY (%(open)s)
            )
        """,
    ),
    Invariant(
        "I8d",
        _("Score is granted to the customer of its order, and no more of it is taken back."),
        "payments_transfer WHERE kind IN ('score', 'score_back')",
        """
        SELECT coalesce(orders.number, 'no order')
        FROM (
            SELECT order_id, debit AS issued, credit AS own, amount_fen AS fen FROM payments_transfer
            WHERE kind = 'score'
            UNION ALL SELECT order_id, credit, debit, -amount_fen FROM payments_transfer WHERE kind = 'score_back'
        ) score LEFT JOIN payments_order orders ON orders.id = score.order_id
        GROUP BY orders.id
        HAVING sum(score.fen) < 0 OR NOT coalesce(
            bool_and((score.issued, score.own) = ('points_issued', 'points:' || orders.customer_id)), false)
        """,
    ),
    Invariant(
        "I13",
        _("An order's customer is one of its client's."),
        "payments_order",
        """
        SELECT orders.number FROM payments_order orders JOIN payments_customer customer
            ON customer.id = orders.customer_id AND customer.client_id <> orders.client_id
        """,
    ),
    Invariant(
        "I15a",
        _("Placing an order left an audit row."),
        "payments_order",
        """
        SELECT orders.number
        FROM payments_order orders LEFT JOIN payments_auditrow audited
            ON audited.subject = 'order:' || orders.number AND audited.action = 'order.place'
        WHERE audited.id IS NULL
        """,
    ),
    Invariant(
        "I15b",
        _("Booking cash left an audit row."),
        "payments_charge",
        """
        SELECT charge.number
        FROM payments_charge charge JOIN payments_order orders ON orders.id = charge.order_id
        LEFT JOIN payments_auditrow audited
            ON audited.subject = 'order:' || orders.number AND audited.detail ->> 'charge' = charge.number
            AND audited.action IN ('charge.paid', 'charge.surplus')
        WHERE charge.tender = ANY (%(cash)s) AND charge.status = ANY (%(booked)s) AND audited.id IS NULL
        """,
    ),
    Invariant(
        "I15c",
        _("Granting value left an audit row."),
        "payments_transfer WHERE kind = 'grant'",
        """
        SELECT transfer.reference
        FROM payments_transfer transfer LEFT JOIN payments_auditrow audited
            ON audited.action = 'customer.grant' AND audited.detail ->> 'reference' = transfer.reference
        WHERE transfer.kind = 'grant' AND audited.id IS NULL
        """,
    ),
    *REFUNDS,
    *MANUAL,
    *OUTBOX,
)
