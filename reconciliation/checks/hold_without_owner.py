"""A hold without a living owner, or an owner without its hold (rule L6 and DESIGN.md section 9).

A living owner is a reserved trade, or an intent that is authorized or under review. The hold's ledger key names the record.
"""

from reconciliation.check import Check

_QUERY = """
WITH held AS (
    SELECT x.id, x.key, x.subject, x.refs, p.asset, p.amount_minor
    FROM ledger_transaction x
    JOIN ledger_hold h ON h.transaction_id = x.id AND h.state = 'open'
    LEFT JOIN ledger_posting p ON p.transaction_id = x.id AND p.position = 0
    WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s AND x.effective_at < %(to)s
)
SELECT h.key AS subject, coalesce(t.order_reference, h.subject) AS order_reference,
       coalesce(t.operator_id, i.operator_id) AS operator_id, coalesce(h.asset, '') AS asset,
       coalesce(h.amount_minor, 0) AS amount_minor,
       jsonb_build_object('reason', 'the hold is open, its owner '
                                    || coalesce('is ' || coalesce(t.state, i.state), 'does not exist'),
                          'ledger_key', h.key, 'order_id', coalesce(t.order_reference, h.subject),
                          'transact_id', h.refs ->> 'trade') AS detail
FROM held h
LEFT JOIN orders_trade t ON t.reference = h.refs ->> 'trade'
LEFT JOIN orders_intent i ON i.reference = h.subject
WHERE CASE WHEN h.refs ->> 'trade' IS NOT NULL THEN t.state IS DISTINCT FROM 'reserved'
           ELSE coalesce(i.state, '') NOT IN ('authorized', 'manual_review') END
UNION ALL
SELECT t.hold_key, t.order_reference, t.operator_id, coalesce(o.source_asset, ''), coalesce(o.source_minor, 0),
       jsonb_build_object('reason', 'the trade is reserved, its hold is not open', 'ledger_key', t.hold_key,
                          'order_id', t.order_reference, 'transact_id', t.reference, 'hold', h.state)
FROM orders_trade t
LEFT JOIN orders_order o ON o.reference = t.order_reference
LEFT JOIN ledger_key k ON k.book_id = %(book)s AND k.key = t.hold_key
LEFT JOIN ledger_hold h ON h.transaction_id = k.transaction_id
WHERE t.environment = %(environment)s AND t.state = 'reserved' AND t.created_at >= %(from)s AND t.created_at < %(to)s
  AND h.state IS DISTINCT FROM 'open'
UNION ALL
SELECT n.key, i.reference, i.operator_id, i.asset, coalesce(i.debit_minor, i.amount_minor),
       jsonb_build_object('reason', 'the intent is ' || i.state || ', its hold is not open', 'ledger_key', n.key,
                          'order_id', i.reference, 'hold', h.state)
FROM orders_intent i
LEFT JOIN orders_payout y ON y.intent_reference = i.reference
CROSS JOIN LATERAL (SELECT coalesce(y.reference || ':reserve', i.reference || ':hold') AS key) n
LEFT JOIN ledger_key k ON k.book_id = %(book)s AND k.key = n.key
LEFT JOIN ledger_hold h ON h.transaction_id = k.transaction_id
WHERE i.environment = %(environment)s AND i.state IN ('authorized', 'manual_review')
  AND i.authorized_at >= %(from)s AND i.authorized_at < %(to)s AND h.state IS DISTINCT FROM 'open'
"""

CHECK = Check(
    place=15,
    name="hold_without_owner",
    title="Hold without owner, or owner without hold",
    meaning="Money is held for nobody, or somebody counts on a hold that is gone.",
    first_action="Find the hold's trade or intent by its ledger key; what has ended releases, what lives holds.",
    owner="ops",
    point=3,
    follows=("missing_trade", "ledger_mismatch", "terminal_state_conflict", "posting_that_joins_to_nothing"),
    query=_QUERY,
)
