"""What breaks the books, behind the database's back: which invariants must tell of it, and the statements."""


def order_is(label):
    return f"(SELECT id FROM payments_order WHERE client_order_no = '{label}')"


def charge_is(label, tender, status):
    return (
        f"(SELECT number FROM payments_charge WHERE order_id = {order_is(label)} AND tender = '{tender}' "
        f"AND status = '{status}')"
    )


def cash_leg_of(label):
    return (
        "(SELECT leg.number FROM payments_refundleg leg JOIN payments_charge charge ON charge.id = leg.charge_id "
        f"WHERE charge.order_id = {order_is(label)} AND charge.tender = 'memory')"
    )


MIXED_CASH = charge_is("mixed", "memory", "succeeded")
MIXED_SURPLUS = charge_is("mixed", "memory", "surplus")
PARTLY_CASH = charge_is("partly", "memory", "succeeded")
WAITING_CASH = charge_is("waiting", "memory", "started")
PARTLY_LEG = cash_leg_of("partly")
PENDING_LEG = cash_leg_of("pending")
DROP_CHECKS = (
    "ALTER TABLE payments_order DROP CONSTRAINT order_tenders_add_up",
    "ALTER TABLE payments_order DROP CONSTRAINT order_shipping_within_total",
    "ALTER TABLE payments_order DROP CONSTRAINT order_goods_refunded_within",
)

SABOTAGE = {
    "a transfer of nothing": (
        {"I1a", "I1b"},
        "ALTER TABLE payments_transfer DROP CONSTRAINT transfer_amount_positive",
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
            "VALUES ('sales', 'shipping', 0, 'sale', 'x')"
        ),
    ),
    "a transfer to an account that is none": (
        {"I1a"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
            "VALUES ('sales', 'pocket', 1, 'sale', 'x')"
        ),
    ),
    "a transfer to a customer who is none": (
        {"I1a"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
            "VALUES ('suspense', 'points:0', 1, 'sale', 'x')"
        ),
    ),
    "a trigger switched off": (
        {"I1b"},
        "ALTER TABLE payments_transfer DISABLE TRIGGER transfer_append_only",
    ),
    "a trigger dropped": ({"I1b"}, "DROP TRIGGER order_guard ON payments_order"),
    "an index dropped": ({"I1b"}, "DROP INDEX charge_one_pays_the_cash"),
    "a constraint dropped": ({"I1b"}, "ALTER TABLE payments_account DROP CONSTRAINT account_not_overdrawn"),
    "a balance touched": (
        {"I2a"},
        "UPDATE payments_account SET balance_fen = balance_fen + 1 WHERE kind = 'balance'",
    ),
    "a transfer deleted": (
        {"I2a"},
        "DELETE FROM payments_transfer WHERE kind = 'grant' AND reference LIKE '%:g1'",
    ),
    "a balance and its transfers below zero": (
        {"I1b", "I2a", "I15c"},
        "ALTER TABLE payments_account DROP CONSTRAINT account_not_overdrawn",
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
            "SELECT 'balance:' || customer_id, 'balance_issued', 1, 'grant', 'x' || id FROM payments_account "
            "WHERE kind = 'balance'"
        ),
        "UPDATE payments_account SET balance_fen = -1 WHERE kind = 'balance'",
    ),
    "an account missing": (
        {"I2b"},
        "DELETE FROM payments_account WHERE kind = 'balance' AND balance_fen = 0",
    ),
    "a client's order number used twice": (
        {"I1b", "I3a"},
        "DROP INDEX order_client_order_no_once",
        "UPDATE payments_order SET client_order_no = 'mixed' WHERE client_order_no = 'points'",
    ),
    "a client's payment number used twice": (
        {"I1b", "I3a"},
        "DROP INDEX order_client_pay_no_once",
        "UPDATE payments_order SET client_pay_no = 'p-mixed' WHERE client_pay_no = 'p-points'",
    ),
    "a fingerprint lost": ({"I3a"}, "UPDATE payments_order SET fingerprint = ''"),
    "two attempts that pay one order": (
        {"I1b", "I3b", "I5b"},
        "DROP INDEX charge_one_pays_the_cash",
        f"UPDATE payments_charge SET status = 'succeeded' WHERE number = {MIXED_SURPLUS}",
    ),
    "tenders that do not add up": (
        {"I1b", "I4"},
        *DROP_CHECKS,
        "UPDATE payments_order SET cash_fen = cash_fen + 1 WHERE client_order_no = 'waiting'",
    ),
    "more shipping than total": (
        {"I1b", "I4", "I6b"},
        *DROP_CHECKS,
        "UPDATE payments_order SET shipping_fen = total_fen + 1 WHERE client_order_no = 'waiting'",
    ),
    "a gateway's trade on two attempts": (
        {"I1b", "I5a"},
        "DROP INDEX charge_gateway_trade_once",
        "UPDATE payments_charge SET gateway_trade_no = 'trade-0' WHERE gateway_trade_no = 'trade-1'",
    ),
    "cash that is not in the books": (
        {"I5b", "I8b"},
        f"DELETE FROM payments_transfer WHERE reference = {MIXED_CASH} AND kind = 'payment'",
    ),
    "a surplus that is not in the books": ({"I5b"}, "DELETE FROM payments_transfer WHERE kind = 'surplus'"),
    "a surplus booked as revenue": ({"I5b"}, "UPDATE payments_transfer SET credit = 'sales' WHERE kind = 'surplus'"),
    "cash booked with another amount": (
        {"I5b", "I5c", "I8b"},
        f"UPDATE payments_transfer SET amount_fen = amount_fen + 1 WHERE reference = {MIXED_CASH} AND kind = 'payment'",
    ),
    "a payment of no attempt": (
        {"I5c", "I8b"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            f"SELECT 'clearing:' || id, 'escrow', 5, 'payment', 'x', {order_is('waiting')} FROM payments_gatewayaccount"
        ),
    ),
    "a payment of an attempt that was not paid": (
        {"I5c", "I8b"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT 'clearing:' || gateway_account_id, 'escrow', amount_fen, 'payment', number, order_id "
            f"FROM payments_charge WHERE number = {WAITING_CASH}"
        ),
    ),
    "a gap in the history": (
        {"I7"},
        f"UPDATE payments_ordertransition SET sequence = 3 WHERE order_id = {order_is('mixed')} AND sequence = 2",
    ),
    "a move that the table does not have": (
        {"I7"},
        f"UPDATE payments_ordertransition SET event = 'closed' WHERE order_id = {order_is('points')}",
    ),
    "a history that does not hang together": (
        {"I7"},
        f"UPDATE payments_ordertransition SET source = 'unpaid' WHERE order_id = {order_is('mixed')} AND sequence = 2",
    ),
    "a history that ends elsewhere": (
        {"I6b", "I7", "I8b"},
        "UPDATE payments_order SET status = 'partly_refund' WHERE client_order_no = 'points'",
        "UPDATE payments_order SET status = 'point_paid' WHERE client_order_no = 'mixed'",
    ),
    "a history lost": ({"I7"}, "DELETE FROM payments_ordertransition"),
    "a finished order that was never finished": (
        {"I7"},
        "UPDATE payments_order SET finished_at = NULL WHERE client_order_no = 'points'",
    ),
    "goods never sold": (
        {"I8b"},
        f"DELETE FROM payments_transfer WHERE kind = 'sale' AND order_id = {order_is('points')}",
    ),
    "shipping sold as goods": ({"I8b"}, "UPDATE payments_transfer SET credit = 'sales' WHERE kind = 'shipping'"),
    "escrow of no order": ({"I8b"}, "UPDATE payments_transfer SET order_id = NULL WHERE kind = 'sale'"),
    "an attempt that nobody asks about": (
        {"I12"},
        f"UPDATE payments_charge SET next_query_at = NULL WHERE number = {WAITING_CASH}",
    ),
    "an order of another client's customer": (
        {"I13", "I10b"},
        (
            "UPDATE payments_order SET client_id = (SELECT id FROM payments_apiclient WHERE name = 'last') "
            "WHERE client_order_no = 'points'"
        ),
    ),
    "a paid order that its client was not told of": (
        {"I10a"},
        f"DELETE FROM payments_outboxevent WHERE order_id = {order_is('mixed')} AND kind = 'order.paid'",
        (
            "UPDATE payments_outboxevent SET version = 1, body = replace(body, '\"version\":2', '\"version\":1') "
            f"WHERE order_id = {order_is('mixed')}"
        ),
    ),
    "an event with a number left out": (
        {"I10b"},
        (
            "UPDATE payments_outboxevent SET version = 3, body = replace(body, '\"version\":2', '\"version\":3') "
            f"WHERE order_id = {order_is('mixed')} AND version = 2"
        ),
    ),
    "a body of another order": (
        {"I10b"},
        (
            'UPDATE payments_outboxevent SET body = replace(body, \'"order_number":"2\', \'"order_number":"1\') '
            f"WHERE order_id = {order_is('points')}"
        ),
    ),
    "a delivery parked where its endpoint is not": (
        {"I10c"},
        (
            "UPDATE payments_webhookdelivery SET status = 'parked', due_at = NULL "
            "WHERE id = (SELECT min(id) FROM payments_webhookdelivery)"
        ),
    ),
    "an endpoint parked behind its deliveries": (
        {"I10c"},
        "UPDATE payments_webhookendpoint SET parked_at = now(), parked_reason = 'x'",
    ),
    "a client that was not told of a closing": (
        {"I10d", "I10b"},
        "DELETE FROM payments_outboxevent WHERE kind = 'order.closed'",
    ),
    "a client that was not told of a refund": (
        {"I10d"},
        "DELETE FROM payments_outboxevent WHERE kind = 'order.refunded'",
    ),
    "an order placed by nobody": ({"I15a"}, "DELETE FROM payments_auditrow WHERE action = 'order.place'"),
    "cash booked by nobody": (
        {"I15b"},
        "DELETE FROM payments_auditrow WHERE action IN ('charge.paid', 'charge.surplus')",
    ),
    "a grant by nobody": ({"I15c"}, "DELETE FROM payments_auditrow WHERE action = 'customer.grant'"),
    "an order without its document": ({"checkout"}, "DELETE FROM checkout_checkoutorder"),
    "an English purchase that is paid and whose delivery is forgotten": (
        {"english_app"},
        "UPDATE english_app_englishorder SET deliver_due_at = NULL",
    ),
    "a paid pack that did nothing": (
        {"partner_orders"},
        "UPDATE partner_orders_partnerorder SET fulfilled_at = NULL",
    ),
    "a recharge that was not credited": ({"I2a", "I8b"}, "DELETE FROM payments_transfer WHERE kind = 'recharge'"),
    "a recharge credited to somebody else": (
        {"I2a", "I8b"},
        (
            "UPDATE payments_transfer SET credit = 'balance:' || (SELECT max(id) FROM payments_customer) "
            "WHERE kind = 'recharge'"
        ),
    ),
    "a recharge sold as goods": (
        {"I2a", "I8b"},
        "UPDATE payments_transfer SET credit = 'sales', kind = 'sale' WHERE kind = 'recharge'",
    ),
    "goods credited to the customer": (
        {"I2a", "I8b"},
        (
            "UPDATE payments_transfer SET kind = 'recharge', "
            "credit = 'balance:' || (SELECT min(id) FROM payments_customer) "
            f"WHERE kind = 'sale' AND order_id = {order_is('points')}"
        ),
    ),
    "an appointment of no time": ({"payments"}, "DELETE FROM payments_appointment"),
    "a paid appointment that is not confirmed": (
        {"payments"},
        "UPDATE payments_appointment SET confirmed_at = NULL",
    ),
    # --- refunds ---
    "a payment that says less went back than did": (
        {"I6a"},
        f"UPDATE payments_charge SET refunded_fen = refunded_fen - 1 WHERE number = {PARTLY_CASH}",
    ),
    "a payment that keeps something reserved for nothing": (
        {"I6a"},
        f"UPDATE payments_charge SET refunding_fen = 1 WHERE number = {PARTLY_CASH}",
    ),
    "a refund on its way for which nothing is reserved": (
        {"I6a", "I6b"},
        f"UPDATE payments_charge SET refunding_fen = 0 WHERE order_id = {order_is('pending')}",
        "UPDATE payments_order SET refunding_goods_fen = 0 WHERE client_order_no = 'pending'",
    ),
    "more back of a payment than was paid": (
        {"I1b", "I6a", "I6b", "I6c"},
        "ALTER TABLE payments_charge DROP CONSTRAINT charge_refunded_within_paid",
        f"UPDATE payments_charge SET refunded_fen = paid_fen + 1 WHERE number = {PARTLY_CASH}",
        f"UPDATE payments_transfer SET amount_fen = 10001 WHERE reference = {PARTLY_LEG} AND kind = 'refund'",
    ),
    "an order that says less went back than did": (
        {"I6b"},
        "UPDATE payments_order SET refunded_goods_fen = refunded_goods_fen - 1 WHERE client_order_no = 'partly'",
    ),
    "an order that takes shipping for goods": (
        {"I6b"},
        (
            "UPDATE payments_order SET refunded_goods_fen = refunded_goods_fen + 1, "
            "refunded_shipping_fen = refunded_shipping_fen - 1 WHERE client_order_no = 'partly'"
        ),
    ),
    "an order refunded in full of which something is left": (
        {"I6b", "I7"},
        "UPDATE payments_order SET status = 'total_refund' WHERE client_order_no = 'partly'",
    ),
    "an order refunded in part of which nothing is left": (
        {"I6b", "I7"},
        "UPDATE payments_order SET status = 'partly_refund' WHERE client_order_no = 'approved'",
    ),
    "an order that forgot its refund": (
        {"I6b", "I7"},
        "UPDATE payments_order SET status = 'pay_finished' WHERE client_order_no = 'partly'",
    ),
    "a refund that is not in the books": (
        {"I6a", "I6b", "I6c"},
        f"DELETE FROM payments_transfer WHERE reference = {PARTLY_LEG} AND kind = 'shipping_refund'",
    ),
    "a refund that went to another account": (
        {"I6c"},
        f"UPDATE payments_transfer SET credit = 'suspense' WHERE reference = {PARTLY_LEG} AND kind = 'refund'",
    ),
    "a refund in the books that did not go back": (
        {"I6a", "I6b", "I6c"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT 'sales', 'clearing:' || charge.gateway_account_id, 1, 'refund', leg.number, charge.order_id "
            "FROM payments_refundleg leg JOIN payments_charge charge ON charge.id = leg.charge_id "
            f"WHERE charge.order_id = {order_is('failed')}"
        ),
    ),
    "a refund of which a leg is missing": (
        {"I6a", "I6b", "I6c"},
        f"DELETE FROM payments_refundleg WHERE number = {PARTLY_LEG}",
    ),
    "a refund that says it went back and did not": (
        {"I6c", "I10d"},
        f"UPDATE payments_refund SET status = 'succeeded' WHERE order_id = {order_is('pending')}",
    ),
    "a refund that says it failed and is on its way": (
        {"I6c", "I10d"},
        f"UPDATE payments_refund SET status = 'failed' WHERE order_id = {order_is('pending')}",
    ),
    "a refund that was not approved and is on its way": (
        {"I6c", "I10d"},
        f"UPDATE payments_refund SET status = 'refused' WHERE order_id = {order_is('to-approve')}",
    ),
    "a refund that waits for a decision and went back": (
        {"I6c", "I10d"},
        f"UPDATE payments_refund SET status = 'to_approve' WHERE order_id = {order_is('approved')}",
    ),
    "a recharge on its way back that is not kept": (
        {"I2a", "I6d"},
        f"DELETE FROM payments_transfer WHERE kind = 'take_back' AND order_id = {order_is('recharge-pending')}",
    ),
    "a recharge whose refund failed that is kept still": (
        {"I2a", "I6d"},
        "DELETE FROM payments_transfer WHERE kind = 'give_back'",
    ),
    "something kept for no refund": (
        {"I6d"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference) "
            "VALUES ('suspense', 'refunding', 1, 'take_back', 'x')"
        ),
    ),
    "a refund that nobody asks about": (
        {"I12b"},
        f"UPDATE payments_refundleg SET next_query_at = NULL WHERE number = {PENDING_LEG}",
    ),
    "a refund that nobody asked for": ({"I15d"}, "DELETE FROM payments_auditrow WHERE action = 'refund.request'"),
    "a refund that nobody approved": ({"I15d"}, "DELETE FROM payments_auditrow WHERE action = 'refund.approved'"),
    "a decision by somebody else": (
        {"I15d"},
        "UPDATE payments_refund SET decided_by = 'user:zhao' WHERE decided_by = 'user:wang' AND status = 'refused'",
    ),
}
