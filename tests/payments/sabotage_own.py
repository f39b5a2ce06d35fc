"""What breaks the books where customers pay out of their own accounts, as in `sabotage`: points, balance, score."""

from tests.payments.sabotage import DROP_CHECKS, charge_is, order_is

HELD_POINTS = charge_is("held", "points", "held")
PAID_LATER = charge_is("paid-later", "balance", "succeeded")
BALANCE = charge_is("balance", "balance", "succeeded")

SABOTAGE = {
    "a hold lost": ({"I5c", "I8a", "I8b"}, f"DELETE FROM payments_charge WHERE number = {HELD_POINTS}"),
    "a hold taken before its cash": (
        {"I8a"},
        f"UPDATE payments_charge SET status = 'succeeded' WHERE number = {HELD_POINTS}",
    ),
    "a hold of another amount": (
        {"I8a", "I8b"},
        f"UPDATE payments_charge SET amount_fen = amount_fen - 1 WHERE number = {HELD_POINTS}",
    ),
    "a hold out of another's account": (
        {"I2a", "I8a"},
        (
            "UPDATE payments_transfer SET debit = 'points:' || (SELECT min(id) FROM payments_customer) "
            f"WHERE reference = {HELD_POINTS}"
        ),
    ),
    "points given back of an order that is not closed": (
        {"I2a", "I8a", "I8b"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT credit, debit, amount_fen, 'release', reference, order_id FROM payments_transfer "
            f"WHERE reference = {HELD_POINTS}"
        ),
    ),
    "a closed order that keeps the points": (
        {"I7", "I8a", "I8b", "I10d"},
        "UPDATE payments_order SET status = 'closed' WHERE client_order_no = 'held'",
    ),
    "points of an order that nobody closes": (
        {"I8c"},
        "UPDATE payments_order SET expires_at = now() - interval '61 minutes' WHERE client_order_no = 'held'",
    ),
    "a balance beside tenders that cover all": (
        {"I1b", "I4", "I8a"},
        *DROP_CHECKS,
        "UPDATE payments_order SET balance_fen = 1 WHERE client_order_no = 'waiting'",
    ),
    "an order that the balance did not pay": (
        {"I8a"},
        "UPDATE payments_order SET balance_fen = cash_fen, cash_fen = 0 WHERE client_order_no = 'mixed'",
    ),
    "a payment by balance lost": ({"I5c", "I8a"}, f"DELETE FROM payments_charge WHERE number = {BALANCE}"),
    "a balance that is held": ({"I8a"}, f"UPDATE payments_charge SET status = 'held' WHERE number = {BALANCE}"),
    "a balance out of another's account": (
        {"I2a", "I8a"},
        (
            "UPDATE payments_transfer SET debit = 'balance:' || (SELECT min(id) FROM payments_customer) "
            f"WHERE reference = {BALANCE} AND kind = 'payment'"
        ),
    ),
    "a balance given back of an order that is not closed": (
        {"I2a", "I8a", "I8b"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT credit, debit, amount_fen, 'release', reference, order_id FROM payments_transfer "
            f"WHERE reference = {BALANCE} AND kind = 'payment'"
        ),
    ),
    "an order paid later whose payment is lost": (
        {"I5c", "I8a"},
        f"DELETE FROM payments_charge WHERE number = {PAID_LATER}",
    ),
    "an order finished that the balance has not paid": (
        {"I7", "I8a", "I8b", "I10a"},
        "UPDATE payments_order SET status = 'pay_finished', finished_at = now() WHERE client_order_no = 'owed'",
    ),
    "a payment by balance of an order that is still to be paid": (
        {"I7", "I8a", "I8b"},
        (
            "UPDATE payments_order SET status = 'unpaid', finished_at = NULL, expires_at = now() "
            "WHERE client_order_no = 'paid-later'"
        ),
    ),
    "an order that the balance paid twice": (
        {"I1b", "I3b", "I8a"},
        "DROP INDEX charge_balance_pays_once",
        (
            "INSERT INTO payments_charge (order_id, attempt, number, tender, mode, amount_fen, paid_fen, status, "
            "gateway_trade_no, payload, last_answer, created_at, paid_at, queries) "
            "SELECT order_id, 2, number || '2', tender, mode, amount_fen, paid_fen, status, gateway_trade_no, "
            f"payload, last_answer, created_at, paid_at, queries FROM payments_charge WHERE number = {PAID_LATER}"
        ),
    ),
    "score that was taken back twice": (
        {"I2a", "I8d"},
        (
            "INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id) "
            "SELECT credit, debit, 50, 'score_back', 'again', order_id FROM payments_transfer "
            f"WHERE kind = 'score' AND order_id = {order_is('balance-back')}"
        ),
    ),
    "score granted to somebody else": (
        {"I2a", "I8d"},
        (
            "UPDATE payments_transfer SET credit = 'points:' || (SELECT min(id) FROM payments_customer) "
            f"WHERE kind = 'score' AND order_id = {order_is('balance')}"
        ),
    ),
    "score out of the sales": ({"I8d"}, "UPDATE payments_transfer SET debit = 'sales' WHERE kind = 'score'"),
    "score of no order": ({"I8d"}, "UPDATE payments_transfer SET order_id = NULL WHERE kind = 'score'"),
    "a refund that went to the customer's other account": (
        {"I2a", "I6c"},
        (
            "UPDATE payments_transfer SET credit = replace(credit, 'balance', 'points') "
            f"WHERE kind = 'refund' AND order_id = {order_is('balance-back')}"
        ),
    ),
}
