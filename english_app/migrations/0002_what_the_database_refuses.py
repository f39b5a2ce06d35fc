"""
Rules that the database itself keeps.

- What an English order was when it was made never changes, nor do its lines.
- Deliveries and returns go as the tables of `english_app.states` say, and what is over stays over.
- What was granted stays that customer's grant of that line; it is taken back once.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION english_app_guard_order() RETURNS trigger AS $$
BEGIN
    IF (NEW.order_id, NEW.customer_id, NEW.type, NEW.purchase_id, NEW.app_id, NEW.agent_id, NEW.user_name, NEW.imeil,
        NEW.ip, NEW.pay_way, NEW.price_total_fen)
       IS DISTINCT FROM
       (OLD.order_id, OLD.customer_id, OLD.type, OLD.purchase_id, OLD.app_id, OLD.agent_id, OLD.user_name, OLD.imeil,
        OLD.ip, OLD.pay_way, OLD.price_total_fen) THEN
        RAISE EXCEPTION 'English order % keeps what it was made of', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.delivery || '>' || NEW.delivery NOT IN (
        'waiting>waiting', 'waiting>delivered', 'waiting>failed', 'failed>failed', 'failed>waiting',
        'delivered>delivered'
    ) THEN
        RAISE EXCEPTION 'delivery of English order % cannot go from % to %', OLD.id, OLD.delivery, NEW.delivery
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.returning || '>' || NEW.returning NOT IN (
        'none>none', 'none>asked', 'none>returned', 'asked>asked', 'asked>approved', 'asked>failed', 'asked>returned',
        'approved>approved', 'approved>failed', 'approved>returned', 'failed>failed', 'failed>asked',
        'failed>returned', 'returned>returned'
    ) THEN
        RAISE EXCEPTION 'return of English order % cannot go from % to %', OLD.id, OLD.returning, NEW.returning
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.return_asks < OLD.return_asks
       OR (OLD.delivered_at IS NOT NULL AND NEW.delivered_at IS DISTINCT FROM OLD.delivered_at)
       OR (OLD.returned_at IS NOT NULL AND NEW.returned_at IS DISTINCT FROM OLD.returned_at) THEN
        RAISE EXCEPTION 'English order % is delivered once and returned once', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;

CREATE TRIGGER english_order_guard BEFORE UPDATE ON english_app_englishorder
    FOR EACH ROW EXECUTE FUNCTION english_app_guard_order();

CREATE FUNCTION english_app_guard_line() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'line % stays as it was sold', OLD.id USING ERRCODE = 'restrict_violation';
END $$ LANGUAGE plpgsql;

CREATE TRIGGER english_line_guard BEFORE UPDATE OR DELETE ON english_app_orderline
    FOR EACH ROW EXECUTE FUNCTION english_app_guard_line();

CREATE FUNCTION english_app_guard_grant() RETURNS trigger AS $$
BEGIN
    IF TG_OP = 'DELETE'
       OR (NEW.line_id, NEW.customer_id, NEW.granted_at) IS DISTINCT FROM (OLD.line_id, OLD.customer_id, OLD.granted_at)
       OR (OLD.taken_back_at IS NOT NULL AND NEW.taken_back_at IS DISTINCT FROM OLD.taken_back_at) THEN
        RAISE EXCEPTION 'grant % is given once and taken back once', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;

CREATE TRIGGER english_grant_guard BEFORE UPDATE OR DELETE ON english_app_grant
    FOR EACH ROW EXECUTE FUNCTION english_app_guard_grant();
"""

BACKWARD = """
DROP TRIGGER english_grant_guard ON english_app_grant;
DROP FUNCTION english_app_guard_grant();
DROP TRIGGER english_line_guard ON english_app_orderline;
DROP FUNCTION english_app_guard_line();
DROP TRIGGER english_order_guard ON english_app_englishorder;
DROP FUNCTION english_app_guard_order();
"""


class Migration(migrations.Migration):
    dependencies = [("english_app", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
