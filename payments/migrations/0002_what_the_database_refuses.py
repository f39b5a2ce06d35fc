"""
Rules that the database itself keeps.

- Transfers, order transitions and audit rows are append-only.
- A charge's number, amount and merchant never change, nor what was paid on it once that is known.
- An order's price, owner and numbers never change, and its status moves only as the table in
  payments/orders/states.py says. The table is repeated here as a literal, because a migration must not change when
  the code does; tests/payments/orders/test_states.py holds the two together.
"""

from django.db import migrations

ORDER_MOVES = """
    'unpaid>point_paid', 'unpaid>cash_paid', 'unpaid>pay_finished', 'unpaid>closed',
    'point_paid>pay_finished', 'point_paid>closed',
    'cash_paid>pay_finished', 'cash_paid>closed',
    'pay_finished>partly_refund', 'pay_finished>total_refund',
    'partly_refund>total_refund'
"""

FORWARD = f"""
CREATE FUNCTION payments_forbid_change() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: write another row', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$ LANGUAGE plpgsql;

CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE ON payments_transfer
    FOR EACH ROW EXECUTE FUNCTION payments_forbid_change();
CREATE TRIGGER transfer_not_truncated BEFORE TRUNCATE ON payments_transfer
    FOR EACH STATEMENT EXECUTE FUNCTION payments_forbid_change();
CREATE TRIGGER ordertransition_append_only BEFORE UPDATE OR DELETE ON payments_ordertransition
    FOR EACH ROW EXECUTE FUNCTION payments_forbid_change();
CREATE TRIGGER ordertransition_not_truncated BEFORE TRUNCATE ON payments_ordertransition
    FOR EACH STATEMENT EXECUTE FUNCTION payments_forbid_change();
CREATE TRIGGER auditrow_append_only BEFORE UPDATE OR DELETE ON payments_auditrow
    FOR EACH ROW EXECUTE FUNCTION payments_forbid_change();
CREATE TRIGGER auditrow_not_truncated BEFORE TRUNCATE ON payments_auditrow
    FOR EACH STATEMENT EXECUTE FUNCTION payments_forbid_change();

CREATE FUNCTION payments_guard_order() RETURNS trigger AS $$
BEGIN
    IF (NEW.number, NEW.family, NEW.client_id, NEW.customer_id, NEW.client_order_no, NEW.client_pay_no, NEW.fingerprint,
        NEW.total_fen, NEW.shipping_fen, NEW.points_fen, NEW.cash_fen, NEW.created_at)
       IS DISTINCT FROM
       (OLD.number, OLD.family, OLD.client_id, OLD.customer_id, OLD.client_order_no, OLD.client_pay_no, OLD.fingerprint,
        OLD.total_fen, OLD.shipping_fen, OLD.points_fen, OLD.cash_fen, OLD.created_at) THEN
        RAISE EXCEPTION 'order % keeps its price, owner and numbers', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND OLD.status || '>' || NEW.status NOT IN ({ORDER_MOVES}) THEN
        RAISE EXCEPTION 'order % cannot go from % to %', OLD.number, OLD.status, NEW.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;

CREATE TRIGGER order_guard BEFORE UPDATE ON payments_order FOR EACH ROW EXECUTE FUNCTION payments_guard_order();

CREATE FUNCTION payments_guard_charge() RETURNS trigger AS $$
BEGIN
    IF (NEW.number, NEW.order_id, NEW.attempt, NEW.tender, NEW.mode, NEW.gateway_account_id, NEW.amount_fen)
       IS DISTINCT FROM
       (OLD.number, OLD.order_id, OLD.attempt, OLD.tender, OLD.mode, OLD.gateway_account_id, OLD.amount_fen)
       OR (OLD.paid_fen IS NOT NULL AND NEW.paid_fen IS DISTINCT FROM OLD.paid_fen) THEN
        RAISE EXCEPTION 'charge % keeps its number, amount and merchant', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;

CREATE TRIGGER charge_guard BEFORE UPDATE ON payments_charge FOR EACH ROW EXECUTE FUNCTION payments_guard_charge();
"""

REVERSE = """
DROP TRIGGER charge_guard ON payments_charge;
DROP FUNCTION payments_guard_charge();
DROP TRIGGER order_guard ON payments_order;
DROP FUNCTION payments_guard_order();
DROP TRIGGER auditrow_not_truncated ON payments_auditrow;
DROP TRIGGER auditrow_append_only ON payments_auditrow;
DROP TRIGGER ordertransition_not_truncated ON payments_ordertransition;
DROP TRIGGER ordertransition_append_only ON payments_ordertransition;
DROP TRIGGER transfer_not_truncated ON payments_transfer;
DROP TRIGGER transfer_append_only ON payments_transfer;
DROP FUNCTION payments_forbid_change();
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, REVERSE)]
