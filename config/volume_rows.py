"""
What `demo_volume` writes: rows of ours, made of a chunk's drawn orders (`config.volume_draws`).

Each statement fills one table; together they keep the books right, as `manage.py audit` has them. One thing is left for
the end, when all is drawn: what each customer was granted (`SETTLED`), so that they could pay what they paid.
"""

CUSTOMERS = """
INSERT INTO payments_customer (client_id, user_id, ee_no, phone, real_name, is_frozen, created_at)
SELECT c.client_id, CASE c.family WHEN 'partner_orders' THEN md5('volume' || i) ELSE (900000001 + i)::text END,
    CASE c.family WHEN 'checkout' THEN 'v' || lpad(i::text, 7, '0') ELSE '' END,
    CASE c.family WHEN 'checkout' THEN '130' WHEN 'payments' THEN '131' WHEN 'partner_orders' THEN '132' ELSE '133' END
        || lpad(((i * 61803399) % 100000000)::text, 8, '0'),
    substr('王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗', (1 + i % 20)::int, 1)
        || substr('伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平', (1 + i / 20 % 20)::int, 1),
    i % 5000 = 4999, p.began - (p.customers - i) * (interval '700 days' / p.customers)
FROM volume_plan p CROSS JOIN generate_series(0, p.customers - 1) AS i
JOIN volume_client c ON i % 100 BETWEEN c.slot AND c.slot + c.share - 1
ORDER BY i
"""

_TRANSFERS = """
INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, order_id, at)
SELECT debit, credit, fen, kind, reference, order_id, at
FROM (
    SELECT n, 1 AS nth, CASE WHEN is_own THEN own_tender || ':' || customer_id
        ELSE 'clearing:' || account_id END AS debit,
        CASE charge_status WHEN 'surplus' THEN 'suspense' ELSE 'escrow' END AS credit, fen,
        CASE charge_status WHEN 'surplus' THEN 'surplus' ELSE 'payment' END AS kind, charge_number AS reference,
        order_id, charge_paid_at AS at
    FROM volume_charge WHERE is_paid
    UNION ALL
    SELECT n, 2, 'escrow', own_tender || ':' || customer_id, fen, 'release', charge_number, order_id, expires_at
    FROM volume_charge WHERE charge_status = 'released'
    UNION ALL
    SELECT n, 3, 'escrow', 'balance:' || customer_id, total_fen, 'recharge', number || '_1', order_id, paid_at
    FROM volume_order WHERE is_finished AND kind = 'recharge'
    UNION ALL
    SELECT n, 3, 'escrow', 'sales', total_fen - shipping_fen, 'sale',
        number || CASE way WHEN 'mixed' THEN '_2' ELSE '_1' END, order_id, paid_at
    FROM volume_order WHERE is_finished AND kind <> 'recharge'
    UNION ALL
    SELECT n, 4, 'escrow', 'shipping', shipping_fen, 'shipping',
        number || CASE way WHEN 'mixed' THEN '_2' ELSE '_1' END, order_id, paid_at
    FROM volume_order WHERE is_finished AND shipping_fen > 0
    UNION ALL
    SELECT n, 5, 'sales', CASE WHEN is_own THEN tender || ':' || customer_id
        ELSE 'clearing:' || account_id END, goods_fen,
        'refund', leg_number, order_id, refund_at
    FROM volume_leg WHERE leg_status = 'succeeded' AND goods_fen > 0
    UNION ALL
    SELECT n, 6, 'shipping', CASE WHEN is_own THEN tender || ':' || customer_id ELSE 'clearing:' || account_id END,
        shipping_fen, 'shipping_refund', leg_number, order_id, refund_at
    FROM volume_leg WHERE leg_status = 'succeeded' AND shipping_fen > 0
) posted
ORDER BY n, nth
"""

_AUDITED = """
INSERT INTO payments_auditrow (at, actor, action, subject, request_id, detail)
SELECT at, actor, action, 'order:' || number, '', detail
FROM (
    SELECT n, 1 AS nth, number, created_at AS at, actor, 'order.place' AS action, jsonb_build_object(
        'total_fen', total_fen, 'points_fen', CASE own_tender WHEN 'points' THEN own_fen ELSE 0 END,
        'balance_fen', CASE own_tender WHEN 'balance' THEN own_fen ELSE 0 END) AS detail
    FROM volume_order
    UNION ALL
    SELECT n, 1 + attempt, number, charge_paid_at, 'gateway:' || tender,
        CASE charge_status WHEN 'surplus' THEN 'charge.surplus' ELSE 'charge.paid' END,
        jsonb_build_object('charge', charge_number, 'paid_fen', fen)
    FROM volume_charge WHERE is_paid AND NOT is_own
    UNION ALL
    SELECT n, 5, number, refund_at - interval '1 min', 'user:clerk', 'refund.request', jsonb_build_object(
        'refund', refund_number, 'kind', 'order', 'waits_for_approval', refund_status = 'to_approve')
    FROM volume_refund
    UNION ALL
    SELECT n, 6, number, refund_at, CASE refund_status WHEN 'refused' THEN 'user:chief'
        ELSE 'gateway:' || cash_tender END,
        'refund.' || refund_status, jsonb_build_object('refund', refund_number)
    FROM volume_refund WHERE refund_status IN ('succeeded', 'failed', 'refused')
) deed
ORDER BY n, nth
"""

_MOVES = """
INSERT INTO payments_ordertransition (order_id, sequence, source, event, target, reason, actor, at)
SELECT order_id, row_number() OVER (PARTITION BY n ORDER BY nth), source, event, target, '', actor, at
FROM (
    SELECT n, 1 AS nth, order_id, 'unpaid' AS source, 'points_settled' AS event, 'point_paid' AS target, actor,
        created_at AS at
    FROM volume_order WHERE way = 'mixed' AND status <> 'cash_paid'
    UNION ALL
    SELECT n, 1, order_id, 'unpaid', 'cash_settled', 'cash_paid', 'gateway:' || cash_tender, paid_at
    FROM volume_order WHERE status = 'cash_paid'
    UNION ALL
    SELECT n, 2, order_id, CASE way WHEN 'mixed' THEN 'point_paid' ELSE 'unpaid' END, 'all_settled', 'pay_finished',
        CASE WHEN cash_fen = 0 THEN actor ELSE 'gateway:' || cash_tender END, paid_at
    FROM volume_order WHERE is_finished
    UNION ALL
    SELECT n, 2, order_id, CASE way WHEN 'mixed' THEN 'point_paid' ELSE 'unpaid' END, 'closed', 'closed', 'system',
        expires_at
    FROM volume_order WHERE status = 'closed'
    UNION ALL
    SELECT n, 3, order_id, 'pay_finished',
        CASE status WHEN 'total_refund' THEN 'refunded_in_full' ELSE 'refunded_in_part' END, status,
        'user:clerk', refund_at
    FROM volume_refund WHERE refund_status = 'succeeded'
) move
ORDER BY n, nth
"""

_EVENTS = """
INSERT INTO payments_outboxevent (uid, order_id, client_id, kind, version, body, created_at, dispatched_at)
SELECT uid, order_id, client_id, kind, version, json_strip_nulls(json_build_object(
        'type', kind,
        'timestamp', to_char(at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD"T"HH24:MI:SS+08:00'),
        'data', json_build_object(
            'id', uid, 'version', version, 'order_number', number, 'out_trade_no', client_order_no,
            'client_pay_id', client_pay_no, 'family', family, 'status', status, 'refund_number', refund_number)))::text,
    at, at + interval '1 s'
FROM (
    SELECT n, 1 AS version, order_id, client_id, number, client_order_no, client_pay_no, family,
        CASE WHEN is_finished THEN 'order.paid' ELSE 'order.closed' END AS kind,
        CASE WHEN is_finished THEN 'pay_finished' ELSE 'closed' END AS status, NULL AS refund_number,
        CASE WHEN is_finished THEN paid_at ELSE expires_at END AS at,
        'evt_' || replace(gen_random_uuid()::text, '-', '') AS uid
    FROM volume_order WHERE is_finished OR status = 'closed'
    UNION ALL
    SELECT n, 2, order_id, client_id, number, client_order_no, client_pay_no, family,
        CASE refund_status WHEN 'succeeded' THEN 'order.refunded' ELSE 'refund.failed' END, status, refund_number,
        refund_at, 'evt_' || replace(gen_random_uuid()::text, '-', '')
    FROM volume_refund WHERE refund_status IN ('succeeded', 'failed', 'refused')
) told
ORDER BY n, version
"""

# Every tenth event has a receiver; the last ones wait, for one that is parked or for their time, which is far off.
_DELIVERIES = """
WITH sent AS (
    INSERT INTO payments_webhookdelivery (event_id, endpoint_id, client_id, url, status, attempts, due_at, last_status,
        last_error, created_at, delivered_at)
    SELECT event.id, CASE WHEN is_new AND c % 3 = 0 THEN parked ELSE live END, event.client_id, '',
        CASE WHEN is_new AND c % 3 = 0 THEN 'parked' WHEN is_new AND c % 3 = 1 THEN 'due' WHEN c % 997 = 0 THEN 'failed'
            ELSE 'delivered' END,
        1, CASE WHEN is_new AND c % 3 = 1 THEN until + interval '30 days' END,
        CASE WHEN is_new AND c % 3 < 2 THEN 503 ELSE 200 END, '', event.created_at,
        CASE WHEN is_new AND c % 3 < 2 OR c % 997 = 0 THEN NULL ELSE event.created_at + interval '2 s' END
    FROM volume_order o JOIN payments_outboxevent event ON event.order_id = o.order_id AND event.version = 1
    WHERE n % 10 = 3 ORDER BY event.id
    RETURNING id, created_at, last_status
)
INSERT INTO payments_deliveryattempt (delivery_id, url, at, elapsed_ms, http_status, error, answer)
SELECT id, 'https://shop.example/hooks', created_at + interval '1 s', 20 + id % 200, last_status, '', '' FROM sent
"""

_NOTIFICATIONS = """
INSERT INTO payments_inboundnotification (gateway, gateway_account_id, notification_id, verdict, detail, charge_id,
    remote_address, headers, body, received_at, processed_at, tries)
SELECT tender, account_id, 'V' || lpad(n::text, 11, '0') || '-' || attempt, 'accepted', '', charge_id,
    '203.0.113.7'::inet, '{}'::jsonb,
    convert_to('out_trade_no=' || charge_number || '&trade_status=TRADE_SUCCESS', 'UTF8'),
    charge_paid_at, charge_paid_at, 1
FROM volume_charge WHERE is_paid AND NOT is_own AND n % 4 = 0
UNION ALL
SELECT tender, account_id, '', 'bad_signature', '', NULL, '198.51.100.9', '{}',
    'out_trade_no=1'::bytea, charge_paid_at, NULL, 0
FROM volume_charge WHERE NOT is_own AND n % 1000 = 60
ORDER BY 10
"""

_ENGLISH = """
WITH drawn AS (
    SELECT o.*, nextval('english_app_englishorder_id_seq') AS document_id,
        CASE WHEN kind = 'recharge' THEN 'none' WHEN status = 'total_refund' THEN 'returned'
            WHEN status = 'pay_finished' AND fate BETWEEN 12080 AND 12129 THEN 'asked'
            WHEN status = 'pay_finished' AND fate BETWEEN 12130 AND 12179 THEN 'failed' ELSE 'none' END AS returned,
        CASE WHEN status = 'closed' THEN 'waiting'
            WHEN kind <> 'recharge' AND fate BETWEEN 12060 AND 12079 THEN 'failed'
            ELSE 'delivered' END AS delivery,
        paid_at + interval '3 s' AS delivered_at
    FROM volume_order o WHERE family = 'english_app' ORDER BY n
), document AS (
    INSERT INTO english_app_englishorder (id, order_id, customer_id, type, purchase_id, app_id,
        user_name, imeil, pay_way, price_total_fen, delivery, delivery_attempts, delivered_at, "returning",
        return_asks, return_asked_at, returned_at,
        decided_by, refund_id)
    SELECT document_id, order_id, customer_id, (kind <> 'recharge')::int,
        CASE WHEN kind = 'recharge' THEN lag(document_id) OVER (ORDER BY n) END, 1, '', 'IM' || lpad(b::text, 13, '0'),
        CASE WHEN kind = 'recharge' THEN cash_tender ELSE 'balance' END, total_fen, delivery,
        (delivery <> 'waiting')::int, CASE delivery WHEN 'delivered' THEN delivered_at END, returned,
        (returned <> 'none')::int, CASE WHEN returned <> 'none' THEN refund_at - interval '10 min' END,
        CASE WHEN returned = 'returned' THEN refund_at END, '', refund_id
    FROM drawn LEFT JOIN (SELECT n, refund_id FROM volume_refund) refund USING (n)
), line AS (
    INSERT INTO english_app_orderline (document_id, good_id, title, kind, periods, period_unit, price_fen, num)
    SELECT document_id, good_id, good_title, 'item', 0, '', good_fen, num FROM drawn WHERE kind <> 'recharge' ORDER BY n
    RETURNING id, document_id
)
INSERT INTO english_app_grant (line_id, customer_id, granted_at, taken_back_at)
SELECT line.id, customer_id, delivered_at, CASE WHEN returned = 'returned' THEN refund_at END
FROM line JOIN drawn USING (document_id) WHERE delivery = 'delivered' ORDER BY n
"""

_PARTNER = """
INSERT INTO partner_orders_partnerorder (order_id, uid, pay_type, pack_id, holds, pack_title, order_name, description,
    price_fen, deduct_fen, score, level_before, user_phone, user_real_name, receive_name, receive_phone,
    receive_address, fulfilled_at, taken_back_at, delivery, express_code, express_name, express_number, shipped_at,
    received_at)
SELECT order_id, md5('volume order ' || n), CASE way WHEN 'balance' THEN 1 ELSE 2 END, pack_id,
    status NOT IN ('closed', 'total_refund'), pack_title, '购买机器', '', total_fen, 0, 0, '', customer.phone,
    customer.real_name, customer.real_name, customer.phone, '湖南省长沙市德思勤城市广场 ' || c % 900 || ' 号',
    CASE WHEN is_finished THEN paid_at END, CASE WHEN status = 'total_refund' THEN refund_at END, delivery,
    CASE WHEN delivery = 'waiting' THEN '' ELSE 'SF' END, CASE WHEN delivery = 'waiting' THEN '' ELSE '顺丰速运' END,
    CASE WHEN delivery = 'waiting' THEN '' ELSE 'SF' || lpad(n::text, 12, '0') END,
    CASE WHEN delivery <> 'waiting' THEN paid_at + interval '6 hours' END,
    CASE WHEN delivery = 'received' THEN paid_at + interval '3 days' END
FROM (
    SELECT o.*, CASE WHEN NOT is_finished OR n > orders * 0.997 OR c % 200 = 0 THEN 'waiting'
        WHEN n > orders * 0.99 OR c % 200 = 1 THEN 'shipped' ELSE 'received' END AS delivery
    FROM volume_order o WHERE family = 'partner_orders'
) o JOIN payments_customer customer ON customer.id = o.customer_id
ORDER BY n
"""

# In this order: one statement fills one table, or one document with what hangs on it.
FILLS = (
    """
    INSERT INTO payments_order (id, number, family, kind, client_id, customer_id, client_order_no, client_pay_no,
        fingerprint, title, total_fen, shipping_fen, points_fen, balance_fen, cash_fen, refunding_goods_fen,
        refunding_shipping_fen, refunded_goods_fen, refunded_shipping_fen, status, money_flag, created_at, expires_at,
        finished_at, closed_at)
    SELECT o.order_id, o.number, o.family, o.kind, o.client_id, o.customer_id, o.client_order_no, o.client_pay_no,
        md5(o.number) || md5(o.n::text), o.title, o.total_fen, o.shipping_fen,
        CASE o.own_tender WHEN 'points' THEN o.own_fen ELSE 0 END,
        CASE o.own_tender WHEN 'balance' THEN o.own_fen ELSE 0 END, o.cash_fen,
        CASE WHEN back.refund_status IN ('to_approve', 'pending') THEN back.back_goods_fen ELSE 0 END,
        CASE WHEN back.refund_status IN ('to_approve', 'pending') THEN back.back_shipping_fen ELSE 0 END,
        CASE back.refund_status WHEN 'succeeded' THEN back.back_goods_fen ELSE 0 END,
        CASE back.refund_status WHEN 'succeeded' THEN back.back_shipping_fen ELSE 0 END,
        o.status, CASE WHEN o.is_late THEN 'paid_late' WHEN o.is_twice THEN 'overpaid'
            WHEN o.is_finished AND o.fate BETWEEN 12040 AND 12043 THEN 'needs_attention' ELSE '' END,
        o.created_at, o.expires_at, CASE WHEN o.is_finished THEN o.paid_at END,
        CASE o.status WHEN 'closed' THEN o.expires_at END
    FROM volume_order o LEFT JOIN volume_refund back ON back.n = o.n ORDER BY o.n
    """,
    """
    INSERT INTO payments_charge (id, order_id, attempt, number, tender, mode, gateway_account_id, amount_fen, paid_fen,
        refunding_fen, refunded_fen, status, gateway_trade_no, payload, last_answer, created_at, expires_at, paid_at,
        queries, next_query_at)
    SELECT charge.charge_id, charge.order_id, attempt, charge_number, charge.tender,
        CASE WHEN charge.is_own THEN '' ELSE 'qr' END,
        CASE WHEN charge.is_own THEN NULL ELSE charge.account_id END, fen,
        CASE WHEN is_paid THEN fen END,
        CASE WHEN leg_status IN ('started', 'pending', 'stuck') THEN goods_fen + leg.shipping_fen ELSE 0 END,
        CASE leg_status WHEN 'succeeded' THEN goods_fen + leg.shipping_fen ELSE 0 END, charge_status,
        CASE WHEN is_paid AND NOT charge.is_own THEN CASE charge.tender WHEN 'alipay' THEN '2200' ELSE '4200' END
            || to_char(charge_at, 'YYYYMMDD') || lpad(charge.n::text, 12, '0') || attempt ELSE '' END,
        '{}', '', charge_at, CASE WHEN NOT charge.is_own THEN charge.expires_at END,
        CASE WHEN is_paid THEN charge_paid_at END, 0,
        CASE charge_status WHEN 'pending' THEN charge.until + interval '30 days' END
    FROM volume_charge charge LEFT JOIN volume_leg leg ON leg.charge_id = charge.charge_id
    ORDER BY charge.charge_id
    """,
    """
    INSERT INTO payments_refund (id, order_id, client_id, sequence, number, refund_no, kind, goods_fen, shipping_fen,
        policy, reason, status, requested_by, requested_at, decided_by, decided_at, decision, settled_at)
    SELECT refund_id, order_id, client_id, 1, refund_number,
        CASE WHEN family = 'checkout' THEN 'R' || lpad(n::text, 11, '0') ELSE '' END, 'order', back_goods_fen,
        back_shipping_fen, 'cash_first', '七天无理由退货', refund_status, 'user:clerk', refund_at - interval '1 min',
        CASE refund_status WHEN 'refused' THEN 'user:chief' ELSE '' END,
        CASE refund_status WHEN 'refused' THEN refund_at END, '',
        CASE WHEN refund_status IN ('succeeded', 'failed') THEN refund_at END
    FROM volume_refund ORDER BY n
    """,
    """
    INSERT INTO payments_refundleg (refund_id, charge_id, number, foreign_number, goods_fen, shipping_fen, status,
        last_answer, created_at, settled_at, queries, next_query_at)
    SELECT refund_id, charge_id, leg_number, '', goods_fen, shipping_fen, leg_status, '', refund_at - interval '1 min',
        CASE WHEN leg_status IN ('succeeded', 'failed') THEN refund_at END, 0,
        CASE WHEN refund_status = 'pending' AND NOT is_own THEN until + interval '30 days' END
    FROM volume_leg ORDER BY n
    """,
    _MOVES,
    _TRANSFERS,
    _AUDITED,
    _EVENTS,
    _DELIVERIES,
    _NOTIFICATIONS,
    """
    INSERT INTO checkout_checkoutorder (order_id, redirect_url, login_generation)
    SELECT order_id, 'https://www.example.com', 0 FROM volume_order WHERE family = 'checkout' ORDER BY n
    """,
    """
    INSERT INTO payments_appointment (order_id, appointment_time, appointment_for, confirmed_at)
    SELECT order_id, created_at + interval '3 days', '座位 ' || c % 5000, CASE WHEN is_finished THEN paid_at END
    FROM volume_order WHERE kind = 'appointment' ORDER BY n
    """,
    _ENGLISH,
    _PARTNER,
)

# What every customer's orders came to: what they are granted, at the end, covers it and leaves them something.
SETTLED = (
    """
    CREATE TEMPORARY TABLE volume_spent ON COMMIT DROP AS
    WITH moved (code, fen) AS (
        SELECT debit, sum(amount_fen) FROM payments_transfer WHERE debit LIKE 'points:%' OR debit LIKE 'balance:%'
        GROUP BY debit
        UNION ALL
        SELECT credit, -sum(amount_fen) FROM payments_transfer WHERE credit LIKE 'points:%' OR credit LIKE 'balance:%'
        GROUP BY credit
    ), spent AS (SELECT code, sum(fen)::bigint AS fen FROM moved GROUP BY code)
    SELECT customer.id AS customer_id, kind, kind || ':' || customer.id AS code,
        'grant:' || customer.client_id || ':volume-' || kind || '-' || customer.id AS reference,
        coalesce(spent.fen, 0) AS fen, greatest(coalesce(spent.fen, 0), 0) + customer.id % 100 * 100 AS granted_fen,
        plan.until AS at
    FROM volume_plan plan CROSS JOIN volume_client of_client
    JOIN payments_customer customer ON customer.client_id = of_client.client_id
    CROSS JOIN (VALUES ('balance'), ('points')) own (kind)
    LEFT JOIN spent ON spent.code = kind || ':' || customer.id
    ORDER BY customer.id, kind
    """,
    """
    INSERT INTO payments_account (customer_id, kind, balance_fen)
    SELECT customer_id, kind, granted_fen - fen FROM volume_spent
    """,
    """
    INSERT INTO payments_transfer (debit, credit, amount_fen, kind, reference, at)
    SELECT kind || '_issued', code, granted_fen, 'grant', reference, at FROM volume_spent WHERE granted_fen > 0
    """,
    """
    INSERT INTO payments_auditrow (at, actor, action, subject, request_id, detail)
    SELECT at, 'volume', 'customer.grant', 'customer:' || customer_id, '', jsonb_build_object(
        'reference', reference, 'kind', kind, 'direction', 'in', 'reason', 'volume', 'amount_fen', granted_fen,
        'before_fen', 0, 'after_fen', granted_fen)
    FROM volume_spent WHERE granted_fen > 0
    """,
    """
    UPDATE partner_orders_giftpack pack SET stocked = 1000 + held.pieces, stock = 1000
    FROM (
        SELECT pack.id, count(document.id) FILTER (WHERE document.holds) AS pieces
        FROM volume_plan JOIN partner_orders_giftpack pack ON pack.id = ANY (packs)
        LEFT JOIN partner_orders_partnerorder document ON document.pack_id = pack.id GROUP BY pack.id
    ) held
    WHERE held.id = pack.id
    """,
)
