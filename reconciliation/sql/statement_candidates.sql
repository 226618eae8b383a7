-- The transactions of a source's account that its lines may be about: those that an id of a line names, and those of
-- the same asset and exact amount near its date. Each with every id by which others may name it.
--
-- Takes %(book)s, %(environment)s, %(account)s, %(operator)s (null for a bank), %(zone)s, %(window)s (days),
-- %(lines)s (ids of rows), %(any_amount)s (those of the same asset near its date, too) and %(also)s (one transaction
-- more, or null).
WITH line AS MATERIALIZED (
    SELECT l.id, l.our_key, l.our_reference, l.provider_reference, l.partner_order_id, l.asset, l.amount_minor,
           l.booked_on, l.value_on
    FROM reconciliation_statementline l WHERE l.id = ANY (%(lines)s)
), account AS (
    SELECT a.id, a.asset FROM ledger_account a WHERE a.book_id = %(book)s AND a.address = %(account)s
), owner AS (
    -- whose money an id means: an order, payout, return, intent
    SELECT l.our_reference AS subject FROM line l WHERE l.our_reference <> ''
    UNION SELECT t.order_reference FROM line l JOIN orders_trade t
          ON t.reference = l.our_reference AND t.environment = %(environment)s
    UNION SELECT o.reference FROM line l JOIN orders_order o
          ON o.quote_reference = l.our_reference AND o.environment = %(environment)s WHERE l.our_reference <> ''
    UNION SELECT r.owner FROM line l JOIN wallets_remoteoperation r
          ON r.key = l.our_key AND r.environment = %(environment)s
    UNION SELECT r.owner FROM line l JOIN wallets_remoteoperation r
          ON r.remote_ref = l.provider_reference AND r.remote_ref <> '' AND r.environment = %(environment)s
         AND (%(operator)s::bigint IS NULL OR r.operator_id = %(operator)s)
    UNION SELECT o.reference FROM line l JOIN orders_order o
          ON o.partner_order_id = l.partner_order_id AND o.environment = %(environment)s
         AND o.operator_id = %(operator)s WHERE l.partner_order_id <> ''
    UNION SELECT y.reference FROM line l JOIN orders_payin y
          ON y.provider_transaction = l.provider_reference AND y.environment = %(environment)s
         AND y.provider_id IN (SELECT v.id FROM webhooks_provider v WHERE 'bank:' || v.code = %(account)s)
), subject AS (
    -- a payout's transactions are its intent's
    SELECT subject FROM owner
    UNION SELECT p.intent_reference FROM owner JOIN orders_payout p
          ON p.reference = owner.subject AND p.environment = %(environment)s
), said AS (
    SELECT subject AS id FROM subject
    UNION SELECT v.id FROM line l
          CROSS JOIN LATERAL (VALUES (l.our_key), (l.provider_reference), (l.partner_order_id)) AS v (id) WHERE v.id <> ''
), wanted AS MATERIALIZED (
    SELECT DISTINCT l.asset, l.amount_minor, d.day - %(window)s::integer AS first, d.day + %(window)s::integer AS last
    FROM line l CROSS JOIN LATERAL (VALUES (l.booked_on), (l.value_on)) AS d (day) WHERE d.day IS NOT NULL
), near AS MATERIALIZED (
    SELECT x.id, x.refs, (coalesce(x.value_date, x.effective_at) AT TIME ZONE %(zone)s)::date AS on_date
    FROM (SELECT min(first) AS first, max(last) AS last FROM wanted) AS dates JOIN ledger_transaction x
      ON x.book_id = %(book)s
     AND x.effective_at >= dates.first::timestamp AT TIME ZONE %(zone)s
     AND x.effective_at < (dates.last + 1)::timestamp AT TIME ZONE %(zone)s
), net AS (
    SELECT near.id, near.on_date, p.asset,
           sum(CASE WHEN p.debit_account_id = a.id THEN p.amount_minor ELSE -p.amount_minor END) AS amount_minor
    FROM near JOIN ledger_posting p ON p.transaction_id = near.id AND p.kind IN ('posted', 'post')
    JOIN account a ON a.id IN (p.debit_account_id, p.credit_account_id)
    GROUP BY near.id, near.on_date, p.asset
), found AS (
    SELECT x.id FROM ledger_transaction x JOIN subject ON subject.subject = x.subject WHERE x.book_id = %(book)s
    UNION
    SELECT k.transaction_id FROM line l JOIN ledger_key k
      ON k.book_id = %(book)s AND k.key IN (l.our_key, l.our_reference) AND k.key <> ''
    UNION
    SELECT x.id FROM ledger_transaction x WHERE x.id = %(also)s::uuid AND x.book_id = %(book)s
    UNION
    SELECT net.id FROM net JOIN wanted w ON w.asset = net.asset AND w.amount_minor = net.amount_minor
     AND net.on_date BETWEEN w.first AND w.last
    UNION
    SELECT net.id FROM net JOIN wanted w ON w.asset = net.asset AND net.on_date BETWEEN w.first AND w.last
    WHERE %(any_amount)s
    UNION
    SELECT net.id FROM net JOIN near ON near.id = net.id CROSS JOIN LATERAL jsonb_each_text(near.refs) AS ref
    JOIN said ON said.id = ref.value
), moved AS (
    SELECT x.id, x.key, x.subject, x.refs, x.event_type, p.asset,
           (coalesce(x.value_date, x.effective_at) AT TIME ZONE %(zone)s)::date AS on_date, x.effective_at,
           sum(CASE WHEN p.debit_account_id = a.id THEN p.amount_minor ELSE -p.amount_minor END) AS amount_minor
    FROM found JOIN ledger_transaction x ON x.id = found.id
    JOIN ledger_posting p ON p.transaction_id = x.id AND p.kind IN ('posted', 'post')
    JOIN account a ON a.id IN (p.debit_account_id, p.credit_account_id)
    GROUP BY x.id, p.asset
)
SELECT m.id, m.key, m.event_type, m.subject, m.asset, m.amount_minor::text, m.on_date,
       ARRAY[m.key] || coalesce(r.keys, '{}') AS our_key,
       ARRAY[m.subject, m.key] || coalesce(v.ids, '{}') || coalesce(o.ids, '{}') AS our_reference,
       coalesce(r.refs, '{}') || coalesce(v.foreign_ids, '{}') || coalesce(y.refs, '{}') AS provider_reference,
       coalesce(o.partners, '{}') AS partner_order_id
FROM moved m
LEFT JOIN LATERAL (
    SELECT array_agg(e.value) AS ids,
           array_agg(e.value) FILTER (WHERE e.key ~ '^(provider|remote|response)') AS foreign_ids
    FROM jsonb_each_text(m.refs) e WHERE e.value <> '') v ON true
LEFT JOIN LATERAL (
    SELECT array_agg(r.key) AS keys, array_agg(r.remote_ref) FILTER (WHERE r.remote_ref <> '') AS refs
    FROM wallets_remoteoperation r
    WHERE r.owner = ANY (ARRAY[m.subject] || coalesce(v.ids, '{}')) AND r.environment = %(environment)s
      AND r.asset = m.asset
      AND (%(operator)s::bigint IS NULL
           OR (r.amount_minor = abs(m.amount_minor) AND (r.leg = 'debit') = (m.amount_minor > 0)))) r ON true
LEFT JOIN LATERAL (
    SELECT array_agg(y.provider_transaction) AS refs FROM orders_payin y
    WHERE y.reference = m.subject AND y.environment = %(environment)s) y ON true
LEFT JOIN LATERAL (
    SELECT array_agg(o.partner_order_id) AS partners,
           array_agg(o.reference) || array_agg(o.quote_reference) || array_agg(t.reference)
               FILTER (WHERE t.reference IS NOT NULL) AS ids
    FROM orders_order o LEFT JOIN orders_trade t ON t.order_reference = o.reference
    WHERE o.reference = ANY (ARRAY[m.subject] || coalesce(v.ids, '{}')) AND o.environment = %(environment)s) o ON true
WHERE m.amount_minor <> 0
ORDER BY m.effective_at, m.id
