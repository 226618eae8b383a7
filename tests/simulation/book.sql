-- The book's rules, L1 to L6 (DESIGN.md section 3): one row for each thing that breaks one.
WITH orders AS MATERIALIZED (
    SELECT reference, side, state, status_reason, version, state IN ('processed', 'failed', 'compensated') AS ended
    FROM orders_order
), trades AS MATERIALIZED (
    SELECT reference, order_reference, state, hold_key,
           reference IN (SELECT retry_of FROM orders_trade WHERE retry_of <> '') AS tried_again
    FROM orders_trade
), postings AS MATERIALIZED (
    SELECT t.subject, t.key, t.event_type, p.kind, p.debit_account_id, p.credit_account_id, p.asset, p.amount_minor,
           q.amount_minor AS ended_minor
    FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction_id
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
), effects AS MATERIALIZED (
    SELECT p.subject, p.asset, side.account_id, side.sign,
           CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS posted,
           CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor ELSE -p.ended_minor END AS pending
    FROM postings p
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, 1), (p.credit_account_id, -1)) AS side (account_id, sign)
), balances AS MATERIALIZED (
    SELECT * FROM ledger_balance
), standing AS MATERIALIZED (
    SELECT e.subject, a.address, e.asset, sum(e.posted * e.sign) AS posted, sum(e.pending * e.sign) AS pending
    FROM effects e JOIN ledger_account a ON a.id = e.account_id
    WHERE e.subject IN (SELECT reference FROM orders WHERE ended)
       OR e.subject IN (SELECT reference FROM orders_intent WHERE state IN ('settled', 'failed', 'cancelled'))
       OR e.subject IN (SELECT reference FROM orders_return WHERE state IN ('dismissed', 'given_back', 'kept'))
    GROUP BY e.subject, a.address, e.asset
)
SELECT 'L1' AS rule, asset AS subject, 'per asset the accounts do not sum to zero' AS detail
FROM balances GROUP BY book_id, asset
HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)
UNION ALL
SELECT 'L3', b.address || ' ' || b.asset, 'a balance is not the fold of its postings'
FROM balances b LEFT JOIN (
    SELECT account_id, sum(posted) FILTER (WHERE sign = 1) AS dp, sum(posted) FILTER (WHERE sign = -1) AS cp,
           sum(pending) FILTER (WHERE sign = 1) AS dq, sum(pending) FILTER (WHERE sign = -1) AS cq
    FROM effects GROUP BY account_id) f ON f.account_id = b.account_id
WHERE (b.debits_posted, b.credits_posted, b.debits_pending, b.credits_pending)
   <> (coalesce(f.dp, 0), coalesce(f.cp, 0), coalesce(f.dq, 0), coalesce(f.cq, 0))
UNION ALL
SELECT 'L4', address || ' ' || asset, 'overdrawn' FROM balances
WHERE least(debits_posted, credits_posted, debits_pending, credits_pending) < 0
   OR (balance_rule = 'debits_must_not_exceed_credits' AND debits_posted + debits_pending > credits_posted)
   OR (balance_rule = 'credits_must_not_exceed_debits' AND credits_posted + credits_pending > debits_posted)
UNION ALL
SELECT 'L5', subject, format('%s keeps %s posted and %s pending of what has ended', address, posted, pending)
FROM standing WHERE (starts_with(address, 'transit:') AND posted <> 0) OR pending <> 0
UNION ALL
SELECT 'L5', s.subject, format('failed, and %s keeps %s', s.address, s.posted)
FROM standing s JOIN orders o ON o.reference = s.subject WHERE o.state = 'failed' AND s.posted <> 0
UNION ALL
SELECT 'L6', tr.reference, format('the trade is %s, its hold %s', tr.state, coalesce(h.state::text, 'nowhere'))
FROM trades tr LEFT JOIN ledger_transaction t ON t.key = tr.hold_key LEFT JOIN ledger_hold h ON h.transaction_id = t.id
WHERE h.state IS NULL OR h.state::text <> CASE tr.state WHEN 'reserved' THEN 'open' WHEN 'settled' THEN 'posted'
                                         WHEN 'returned' THEN 'posted' ELSE 'voided' END
UNION ALL
SELECT 'L6', o.reference, format('the order is %s, its trade %s', o.state, tr.state)
FROM orders o JOIN trades tr ON tr.order_reference = o.reference
WHERE (o.ended AND tr.state = 'reserved')
   OR (o.state = 'processed' AND tr.state NOT IN ('settled', 'returned') AND NOT tr.tried_again)
   OR (o.state IN ('failed', 'compensated') AND tr.state = 'settled')
