"""
Rules that the database itself keeps.

- What a partner order was when it was made never changes; it holds stock and coupon once and never again; what was
  granted and taken back stays so; goods that were received are not on their way again.
- A coupon in a customer's hand stays that coupon, and that customer's.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION partner_orders_guard_order() RETURNS trigger AS $$
BEGIN
    IF (NEW.order_id, NEW.uid, NEW.pay_type, NEW.pack_id, NEW.coupon_id, NEW.pack_title, NEW.order_name,
        NEW.description, NEW.price_fen, NEW.deduct_fen, NEW.score, NEW.level_id, NEW.level_before, NEW.user_phone,
        NEW.user_real_name, NEW.receive_name, NEW.receive_phone, NEW.receive_address)
       IS DISTINCT FROM
       (OLD.order_id, OLD.uid, OLD.pay_type, OLD.pack_id, OLD.coupon_id, OLD.pack_title, OLD.order_name,
        OLD.description, OLD.price_fen, OLD.deduct_fen, OLD.score, OLD.level_id, OLD.level_before, OLD.user_phone,
        OLD.user_real_name, OLD.receive_name, OLD.receive_phone, OLD.receive_address) THEN
        RAISE EXCEPTION 'partner order % keeps what it was made of', OLD.uid USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.holds AND NOT OLD.holds THEN
        RAISE EXCEPTION 'partner order % has given its stock back', OLD.uid USING ERRCODE = 'restrict_violation';
    END IF;
    IF (OLD.fulfilled_at IS NOT NULL AND NEW.fulfilled_at IS DISTINCT FROM OLD.fulfilled_at)
       OR (OLD.taken_back_at IS NOT NULL AND NEW.taken_back_at IS DISTINCT FROM OLD.taken_back_at) THEN
        RAISE EXCEPTION 'partner order % grants once and takes back once', OLD.uid USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.delivery || '>' || NEW.delivery NOT IN (
        'waiting>waiting', 'waiting>shipped', 'shipped>shipped', 'shipped>received', 'received>received'
    ) THEN
        RAISE EXCEPTION 'partner order % cannot go from % to %', OLD.uid, OLD.delivery, NEW.delivery
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$ LANGUAGE plpgsql;

CREATE TRIGGER partner_order_guard BEFORE UPDATE ON partner_orders_partnerorder
    FOR EACH ROW EXECUTE FUNCTION partner_orders_guard_order();

CREATE FUNCTION partner_orders_guard_coupon() RETURNS trigger AS $$
BEGIN
    RAISE EXCEPTION 'coupon % stays what and whose it is', OLD.uid USING ERRCODE = 'restrict_violation';
END $$ LANGUAGE plpgsql;

CREATE TRIGGER customer_coupon_guard BEFORE UPDATE ON partner_orders_customercoupon
    FOR EACH ROW EXECUTE FUNCTION partner_orders_guard_coupon();
"""

BACKWARD = """
DROP TRIGGER customer_coupon_guard ON partner_orders_customercoupon;
DROP FUNCTION partner_orders_guard_coupon();
DROP TRIGGER partner_order_guard ON partner_orders_partnerorder;
DROP FUNCTION partner_orders_guard_order();
"""


class Migration(migrations.Migration):
    dependencies = [("partner_orders", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
