"""What an order, return or transfer left in a transit account after its end (rule L5): nothing may be in flight any more."""

from reconciliation.check import Check

_QUERY = """
WITH ended AS (
    SELECT o.reference, o.reference AS belongs_to, o.operator_id, o.state
    FROM close_orders(%(environment)s, %(from)s, %(to)s) o WHERE o.state IN ('processed', 'failed', 'compensated')
    UNION ALL
    SELECT r.reference, coalesce(nullif(r.order_reference, ''), r.intent_reference), r.operator_id, r.state
    FROM close_returns(%(environment)s, %(from)s, %(to)s) r WHERE r.state IN ('dismissed', 'given_back', 'kept')
    UNION ALL
    SELECT i.reference, i.reference, i.operator_id, i.state
    FROM close_intents(%(environment)s, %(from)s, %(to)s) i WHERE i.state IN ('settled', 'failed', 'cancelled')
), transit AS MATERIALIZED (
    SELECT a.id FROM ledger_account a WHERE a.book_id = %(book)s AND a.address LIKE 'transit:%%'
), moved AS (
    SELECT x.subject, p.asset, p.amount_minor * ((p.credit_account_id IN (SELECT id FROM transit))::int
                                                 - (p.debit_account_id IN (SELECT id FROM transit))::int) AS signed
    FROM ledger_transaction x
    JOIN ledger_posting p ON p.transaction_id = x.id AND p.kind IN ('posted', 'post')
    WHERE x.book_id = %(book)s AND x.subject IN (SELECT e.reference FROM ended e)
), left_over AS (
    SELECT m.subject, m.asset, sum(m.signed) AS net FROM moved m GROUP BY m.subject, m.asset HAVING sum(m.signed) <> 0
)
SELECT e.reference AS subject, e.belongs_to AS order_reference, e.operator_id,
       (array_agg(l.asset ORDER BY l.asset))[1] AS asset, (array_agg(abs(l.net) ORDER BY l.asset))[1] AS amount_minor,
       jsonb_build_object('reason', 'it has ended, and transit is not zero', 'order_id', e.belongs_to, 'status', e.state,
                          'minor_units_in_transit', jsonb_object_agg(l.asset, l.net::text)) AS detail
FROM left_over l JOIN ended e ON e.reference = l.subject
GROUP BY e.reference, e.belongs_to, e.operator_id, e.state
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
    query=_QUERY,
)
