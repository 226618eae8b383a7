"""What an order, return or transfer left in a transit account after its end (rule L5): nothing may be in flight any more.

What began and ended within the window leaves no net in it. Of what does, and of what began before it, every posting is added.
"""

from reconciliation.check import Check

_QUERY = """
WITH uneven AS MATERIALIZED (
    SELECT x.subject
    FROM ledger_transaction x
    JOIN ledger_posting p ON p.transaction_id = x.id AND p.kind IN ('posted', 'post')
    LEFT JOIN ledger_account c ON c.id = p.credit_account_id AND c.book_id = %(book)s AND c.address LIKE 'transit:%%'
    LEFT JOIN ledger_account d ON d.id = p.debit_account_id AND d.book_id = %(book)s AND d.address LIKE 'transit:%%'
    WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s AND x.effective_at < %(to)s
      AND (c.id IS NOT NULL OR d.id IS NOT NULL)
    GROUP BY x.subject, p.asset
    HAVING sum(p.amount_minor * ((c.id IS NOT NULL)::int - (d.id IS NOT NULL)::int)) <> 0
), suspects AS MATERIALIZED (
    (SELECT u.subject FROM uneven u LIMIT 100001)
    UNION
    SELECT o.reference FROM close_orders(%(environment)s, %(from)s, %(to)s) o WHERE o.created_at < %(from)s
    UNION
    SELECT r.reference FROM close_returns(%(environment)s, %(from)s, %(to)s) r WHERE r.created_at < %(from)s
    UNION
    SELECT i.reference FROM close_intents(%(environment)s, %(from)s, %(to)s) i WHERE i.created_at < %(from)s
), ended AS (
    SELECT o.reference, o.reference AS belongs_to, o.operator_id, o.state
    FROM suspects s JOIN orders_order o ON o.reference = s.subject
    WHERE o.environment = %(environment)s AND o.state IN ('processed', 'failed', 'compensated')
    UNION ALL
    SELECT r.reference, coalesce(nullif(r.order_reference, ''), r.intent_reference), r.operator_id, r.state
    FROM suspects s JOIN orders_return r ON r.reference = s.subject
    WHERE r.environment = %(environment)s AND r.state IN ('dismissed', 'given_back', 'kept')
    UNION ALL
    SELECT i.reference, i.reference, i.operator_id, i.state
    FROM suspects s JOIN orders_intent i ON i.reference = s.subject
    WHERE i.environment = %(environment)s AND i.state IN ('settled', 'failed', 'cancelled')
), moved AS (
    SELECT e.reference, e.belongs_to, e.operator_id, e.state, p.asset,
           p.amount_minor * ((c.id IS NOT NULL)::int - (d.id IS NOT NULL)::int) AS signed
    FROM ended e
    JOIN ledger_transaction x ON x.subject = e.reference AND x.book_id = %(book)s
    JOIN ledger_posting p ON p.transaction_id = x.id AND p.kind IN ('posted', 'post')
    LEFT JOIN ledger_account c ON c.id = p.credit_account_id AND c.book_id = %(book)s AND c.address LIKE 'transit:%%'
    LEFT JOIN ledger_account d ON d.id = p.debit_account_id AND d.book_id = %(book)s AND d.address LIKE 'transit:%%'
), left_over AS (
    SELECT m.reference, m.belongs_to, m.operator_id, m.state, m.asset, sum(m.signed) AS net
    FROM moved m GROUP BY m.reference, m.belongs_to, m.operator_id, m.state, m.asset HAVING sum(m.signed) <> 0
)
SELECT l.reference AS subject, l.belongs_to AS order_reference, l.operator_id,
       (array_agg(l.asset ORDER BY l.asset))[1] AS asset, (array_agg(abs(l.net) ORDER BY l.asset))[1] AS amount_minor,
       jsonb_build_object('reason', 'it has ended, and transit is not zero', 'order_id', l.belongs_to, 'status', l.state,
                          'minor_units_in_transit', jsonb_object_agg(l.asset, l.net::text)) AS detail
FROM left_over l
GROUP BY l.reference, l.belongs_to, l.operator_id, l.state
"""

CHECK = Check(
    place=13,
    name="transit_not_zero",
    title="Transit not zero",
    meaning="Something has ended, and part of it still stands in transit.",
    first_action="Compare the postings of its steps: one is missing, doubled or of another amount.",
    owner="finance",
    point=3,
    follows=(
        *("missing_trade", "duplicate_trade_attempt", "webhook_without_ledger_row", "ledger_mismatch"),
        *("returned_trade_without_adjustment", "terminal_state_conflict"),
    ),
    suspects=(("uneven", 100_000),),
    query=_QUERY,
)
