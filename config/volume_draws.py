"""
What `demo_volume` makes up: temporary tables of a chunk's orders, charges, refunds and legs, everything drawn.

All follows from an order's place `n` in the history, by hashes: a chunk that was cut is drawn again as it was. Nothing
is written here but temporary tables; `config.volume_rows` makes rows of ours out of them.

`volume_plan` has one row (what the history is, which orders the chunk is of), `volume_client` one for each family.
"""

PLAN = """
CREATE TEMPORARY TABLE volume_plan (
    orders bigint, began timestamptz, until timestamptz, step interval, first bigint, last bigint,
    customers bigint, customer bigint, alipay bigint, wechat bigint, packs bigint[], goods bigint[]
) ON COMMIT DROP;
CREATE TEMPORARY TABLE volume_client (
    family text, client_id bigint, actor text, slot bigint, share bigint, live bigint, parked bigint
) ON COMMIT DROP;
"""

# Of a hundred orders in a row 60 are checkout's (35 paid with points, 10 with points and cash, 15 with cash), 15 are
# payments' own (with cash: goods, recharges, an appointment), 10 partner orders (balance, Alipay) and 15 English ones
# (balance; every third is the recharge for the purchase before it, and shares its fate).
_SLOTS = """
SELECT slot.*,
    CASE WHEN slot < 60 THEN 'checkout' WHEN slot < 75 THEN 'payments' WHEN slot < 85 THEN 'partner_orders'
        ELSE 'english_app' END AS family,
    CASE WHEN slot < 35 THEN 'points' WHEN slot < 45 THEN 'mixed'
        WHEN slot BETWEEN 75 AND 79 OR slot >= 85 AND NOT is_for_another THEN 'balance' ELSE 'cash' END AS way,
    CASE WHEN slot IN (72, 73) OR is_for_another THEN 'recharge' WHEN slot = 74 THEN 'appointment' ELSE 'goods' END
        AS kind
FROM (
    SELECT plan.*, n, n % 100 AS slot, n % 100 >= 85 AND (n % 100 - 85) % 3 = 2 AS is_for_another,
        plan.began + n * plan.step AS created_at
    FROM volume_plan plan, generate_series(plan.first, plan.last) AS n
) slot
"""

_DRAWN = """
SELECT slots.*, (hashint8extended(whose, 1) & 2147483647) % 100000 AS fate,
    hashint8extended(whose, 2) & 2147483647 AS a, hashint8extended(whose, 3) & 2147483647 AS b,
    hashint8extended(n, 4) & 2147483647 AS c, n >= orders - greatest(orders / 1000, 200) AS is_new,
    family = 'english_app' AND (slot - 85) % 3 > 0 AS is_paired
FROM slots, LATERAL (SELECT n - is_for_another::int AS whose) pair
"""

# What it costs, who buys: one order of fifty is that of a customer among a thousand who buys very often. The customers'
# ids rise with their times: of a hundred in a row each family has its share.
_PRICED = """
SELECT drawn.*, of_client.client_id, of_client.actor, of_client.live, of_client.parked,
    drawn.customer + nth / share * 100 + of_client.slot + nth % share AS customer_id,
    CASE WHEN drawn.family = 'partner_orders' THEN pack.price_fen
        WHEN drawn.family = 'english_app' THEN good.price_fen * (1 + b % 3)
        WHEN drawn.kind = 'recharge' THEN (1 + a % 20) * 5000
        WHEN drawn.kind = 'appointment' THEN 19900 ELSE 1500 + a % 200000 END AS total_fen,
    CASE WHEN drawn.family = 'checkout' THEN (array[0, 500, 1000])[1 + b % 3] ELSE 0 END AS shipping_fen,
    pack.id AS pack_id, pack.title AS pack_title, good.id AS good_id, good.title AS good_title,
    good.price_fen AS good_fen, 1 + b % 3 AS num
FROM drawn JOIN volume_client of_client ON of_client.family = drawn.family
CROSS JOIN LATERAL (
    SELECT CASE WHEN a % 50 = 0 THEN b % greatest(customers * share / 100000, 1)
        ELSE b % (customers * share / 100) END AS nth
) buyer
LEFT JOIN partner_orders_giftpack pack
    ON drawn.family = 'partner_orders' AND pack.id = packs[1 + a % cardinality(packs)]
LEFT JOIN english_app_good good ON drawn.family = 'english_app' AND good.id = goods[1 + a % cardinality(goods)]
"""

# Fates, of 100,000: 6,000 are closed, 3,000 refunded in full and as many in part, a few wait for staff.
_FATED = """
SELECT priced.*,
    CASE way WHEN 'points' THEN total_fen WHEN 'balance' THEN total_fen
        WHEN 'mixed' THEN total_fen * (20 + b % 60) / 100 ELSE 0 END AS own_fen,
    CASE way WHEN 'mixed' THEN 'points' WHEN 'cash' THEN '' ELSE way END AS own_tender,
    CASE WHEN is_new AND family <> 'english_app' AND fate % 5 = 0 AND way = 'cash' THEN 'unpaid'
        WHEN is_new AND fate % 5 = 0 AND way = 'mixed' AND c % 20 = 0 THEN 'cash_paid'
        WHEN is_new AND fate % 5 = 0 AND way = 'mixed' THEN 'point_paid'
        WHEN fate < 6000 AND (way IN ('cash', 'mixed') OR is_paired) THEN 'closed'
        WHEN fate BETWEEN 6000 AND 8999 AND kind <> 'recharge' THEN 'total_refund'
        WHEN fate BETWEEN 9000 AND 11999 AND kind <> 'recharge' AND family <> 'english_app' THEN 'partly_refund'
        ELSE 'pay_finished' END AS status
FROM priced
"""

_REFUND_STATUS = """
CASE WHEN status IN ('total_refund', 'partly_refund') THEN 'succeeded'
    WHEN status <> 'pay_finished' OR kind = 'recharge' OR family = 'english_app' THEN ''
    WHEN fate BETWEEN 12000 AND 12009 THEN 'failed' WHEN fate BETWEEN 12010 AND 12014 THEN 'refused'
    WHEN fate BETWEEN 12020 AND 12024 THEN 'to_approve' WHEN fate BETWEEN 12030 AND 12034 THEN 'pending' ELSE '' END
"""

ORDERS = f"""
CREATE TEMPORARY TABLE volume_order ON COMMIT DROP AS
WITH slots AS ({_SLOTS}), drawn AS ({_DRAWN}), priced AS ({_PRICED}), fated AS ({_FATED})
SELECT nextval('payments_order_id_seq') AS order_id,
    CASE family WHEN 'checkout' THEN day || lpad(((n * 61803399) % 100000000)::text, 8, '0')
        WHEN 'partner_orders' THEN to_char(shop_time, 'YYYYMMDDHH24MISS')
            || lpad(floor(extract(epoch FROM created_at) * 1000)::bigint::text, 13, '0')
        ELSE day || lpad(((n * 61803398873) % 1000000000000)::text, 12, '0') END AS number,
    fated.*, total_fen - own_fen AS cash_fen,
    status IN ('pay_finished', 'partly_refund', 'total_refund') AS is_finished,
    created_at + make_interval(secs => CASE WHEN own_fen = total_fen THEN 0 ELSE 20 + a % 600 END) AS paid_at,
    CASE WHEN status IN ('unpaid', 'point_paid', 'cash_paid') THEN until + interval '30 days'
        ELSE created_at + interval '30 min' END AS expires_at,
    CASE WHEN family = 'partner_orders' OR a % 2 = 0 THEN 'alipay' ELSE 'wechat' END AS cash_tender,
    CASE WHEN family = 'partner_orders' OR a % 2 = 0 THEN alipay ELSE wechat END AS account_id,
    status = 'closed' AND fate < 60 AND own_fen < total_fen AS is_late,
    status = 'pay_finished' AND fate BETWEEN 12050 AND 12053 AND own_fen < total_fen AS is_twice,
    {_REFUND_STATUS} AS refund_status,
    least(created_at + interval '2 hours' + (c % 20) * interval '1 day', until) AS refund_at,
    CASE WHEN family IN ('checkout', 'payments') THEN 'V' || lpad(n::text, 11, '0') ELSE '' END AS client_order_no,
    CASE WHEN family = 'checkout' AND c % 2 = 0 THEN 'P' || lpad(n::text, 11, '0') ELSE '' END AS client_pay_no,
    CASE WHEN family = 'partner_orders' THEN pack_title WHEN good_title IS NOT NULL THEN good_title
        WHEN kind = 'recharge' THEN '充值' WHEN kind = 'appointment' THEN '预约服务'
        ELSE (array['运动水壶', '儿童绘本套装', '家用工具箱', '有机大米 5 千克', '蓝牙耳机', '旅行背包'])[1 + c % 6]
        END AS title
FROM (
    SELECT fated.*, created_at AT TIME ZONE 'Asia/Shanghai' AS shop_time,
        to_char(created_at AT TIME ZONE 'Asia/Shanghai', 'YYYYMMDD') AS day
    FROM fated
) fated
ORDER BY n;
ANALYZE volume_order;
"""  # noqa: S608  constants of this module

CHARGES = """
CREATE TEMPORARY TABLE volume_charge ON COMMIT DROP AS
SELECT nextval('payments_charge_id_seq') AS charge_id, charge.*, number || '_' || attempt AS charge_number,
    charge_status IN ('succeeded', 'surplus', 'released', 'held') AS is_paid, tender = own_tender AS is_own
FROM (
    SELECT o.*, 1 AS attempt, own_tender AS tender, own_fen AS fen, created_at AS charge_at,
        created_at AS charge_paid_at,
        CASE status WHEN 'closed' THEN 'released' WHEN 'cash_paid' THEN 'held' ELSE 'succeeded' END AS charge_status
    FROM volume_order o WHERE own_fen > 0 AND NOT (own_tender = 'balance' AND status = 'closed')
    UNION ALL
    SELECT o.*, 1 + (own_fen > 0)::int, cash_tender, cash_fen, created_at + interval '5 s',
        CASE WHEN is_late THEN expires_at + interval '1 min' ELSE paid_at END,
        CASE WHEN is_late THEN 'surplus' WHEN status = 'closed' THEN 'closed'
            WHEN status IN ('unpaid', 'point_paid') THEN 'pending' ELSE 'succeeded' END
    FROM volume_order o WHERE cash_fen > 0
    UNION ALL
    SELECT o.*, 2 + (own_fen > 0)::int, cash_tender, cash_fen, created_at + interval '9 s',
        paid_at + interval '2 min', 'surplus'
    FROM volume_order o WHERE is_twice
) charge
ORDER BY n, attempt;
ANALYZE volume_charge;
"""

REFUNDS = """
CREATE TEMPORARY TABLE volume_refund ON COMMIT DROP AS
SELECT nextval('payments_refund_id_seq') AS refund_id, o.*, number || '_R1' AS refund_number,
    CASE WHEN status = 'total_refund' THEN total_fen - shipping_fen
        ELSE greatest((total_fen - shipping_fen) / 2, 1) END AS back_goods_fen,
    CASE WHEN status = 'total_refund' THEN shipping_fen ELSE 0 END AS back_shipping_fen
FROM volume_order o WHERE refund_status <> '' ORDER BY n;
CREATE TEMPORARY TABLE volume_leg ON COMMIT DROP AS
SELECT leg.*,
    CASE WHEN is_own THEN refund_number || left(tender, 1) ELSE refund_number END AS leg_number,
    CASE refund_status WHEN 'succeeded' THEN 'succeeded' WHEN 'to_approve' THEN 'started'
        WHEN 'pending' THEN CASE WHEN fate = 12034 AND NOT is_own THEN 'stuck' ELSE 'pending' END
        ELSE 'failed' END AS leg_status
FROM (
    SELECT charge.charge_id, charge.n, charge.order_id, charge.number, charge.customer_id, charge.account_id,
        charge.tender, charge.is_own, charge.fate, charge.until, refund.refund_id, refund.refund_number,
        refund.refund_status, refund.refund_at,
        CASE WHEN is_own THEN back_goods_fen - least(charge.cash_fen, back_goods_fen)
            ELSE least(charge.cash_fen, back_goods_fen) END AS goods_fen,
        CASE WHEN is_own
            THEN back_shipping_fen - least(greatest(charge.cash_fen - back_goods_fen, 0), back_shipping_fen)
            ELSE least(greatest(charge.cash_fen - back_goods_fen, 0), back_shipping_fen) END AS shipping_fen
    FROM volume_charge charge JOIN volume_refund refund ON refund.n = charge.n
    WHERE charge.charge_status = 'succeeded'
) leg
WHERE goods_fen + shipping_fen > 0;
ANALYZE volume_refund, volume_leg;
"""
