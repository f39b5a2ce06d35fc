"""What breaks the books where staff act by hand, as in `sabotage`."""

from tests.payments.sabotage import charge_is

BY_HAND = charge_is("by-hand", "memory", "succeeded")

SABOTAGE = {
    "a confirmation of another amount than was booked": (
        {"I16a"},
        "UPDATE payments_handconfirmation SET amount_fen = amount_fen - 1 WHERE number = 'h-1'",
    ),
    "a confirmation done that booked nothing": (
        {"I16a"},
        "UPDATE payments_handconfirmation SET status = 'done' WHERE number = 'h-2'",
    ),
    "a payment booked by hand whose confirmation was refused": (
        {"I16a", "I16c"},
        (
            "UPDATE payments_handconfirmation SET status = 'refused', decided_by = 'user:x', decided_at = now() "
            "WHERE number = 'h-1'"
        ),
    ),
    "points given that are not in the books": (
        {"I16b"},
        ("UPDATE payments_valuerequest SET status = 'done', decided_by = '' WHERE number = 'v-3'"),
    ),
    "points in the books that nobody approved": (
        {"I16b"},
        "UPDATE payments_valuerequest SET status = 'to_approve' WHERE number = 'v-1'",
    ),
    "points taken that were to be given": (
        {"I16b"},
        "UPDATE payments_valuerequest SET direction = 'out' WHERE number = 'v-1'",
    ),
    "one person who decided on their own request": (
        {"I1b", "I16c"},
        "ALTER TABLE payments_valuerequest DROP CONSTRAINT valuerequest_decided_by_another",
        "UPDATE payments_valuerequest SET decided_by = requested_by WHERE number = 'v-2'",
    ),
    "a confirmation that left no audit row": (
        {"I16c"},
        "DELETE FROM payments_auditrow WHERE action = 'charge.confirm_request' AND detail ->> 'charge' = " + BY_HAND,
    ),
    "a decision that left no audit row": (
        {"I16c"},
        "DELETE FROM payments_auditrow WHERE action = 'customer.grant_approved'",
    ),
    "evidence that can be exchanged": (
        {"I1b"},
        "ALTER TABLE payments_handconfirmation DISABLE TRIGGER handconfirmation_guard",
    ),
}
