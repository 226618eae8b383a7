"""Our outcome of a remote movement and theirs differ: what we say became of it is not what its stored answers say.

*Confirmed* needs an answer that says so, and none after it that denies it; *rejected*, *absent* and *withdrawn* none that
says it happened. What was withdrawn was never asked. A movement is of the asset and amount of its order's wallet side, of its
return, or of what its payout pays out.
"""

from reconciliation.check import Check

_QUERY = """
WITH operations AS (
    SELECT p.* FROM wallets_remoteoperation p
    WHERE p.environment = %(environment)s AND p.state IN ('confirmed', 'rejected', 'absent', 'withdrawn')
      AND p.reference IN (
        SELECT m.subject FROM ledger_move m
        WHERE m.environment = %(environment)s AND m.machine = 'remote_operation'
          AND m.moved_at >= %(from)s AND m.moved_at < %(to)s)
), answers AS (
    SELECT p.id, coalesce(bool_or(a.kind = 'ask'), false) AS asked,
           coalesce(max(a.number) FILTER (WHERE a.outcome = 'confirmed'), 0) AS confirmed_in,
           coalesce(max(a.number) FILTER (WHERE a.outcome = 'rejected'), 0) AS rejected_in
    FROM operations p LEFT JOIN wallets_remoteattempt a ON a.operation_id = p.id
    GROUP BY p.id
)
SELECT p.reference AS subject, coalesce(o.reference, nullif(r.order_reference, ''), r.intent_reference, t.order_reference,
                                        y.intent_reference, p.owner) AS order_reference,
       p.operator_id, p.asset, p.amount_minor,
       jsonb_build_object('reason', d.reason, 'key', p.key, 'leg', p.leg, 'state', p.state, 'owner', p.owner,
                          'order_id', o.reference, 'remote_ref', p.remote_ref) AS detail
FROM operations p
JOIN answers a ON a.id = p.id
LEFT JOIN orders_order o ON o.reference = p.owner
LEFT JOIN orders_return r ON r.reference = p.owner
LEFT JOIN orders_trade t ON t.reference = p.owner
LEFT JOIN orders_payout y ON y.reference = p.owner
CROSS JOIN LATERAL (SELECT CASE
    WHEN p.state = 'confirmed' AND a.confirmed_in = 0 THEN 'we say confirmed, no answer does'
    WHEN p.state = 'confirmed' AND a.rejected_in > a.confirmed_in THEN 'we say confirmed, a later answer says rejected'
    WHEN p.state <> 'confirmed' AND a.confirmed_in > 0 THEN 'we say ' || p.state || ', an answer says confirmed'
    WHEN p.state = 'withdrawn' AND a.asked THEN 'we say that it was never asked, it was'
    WHEN o.id IS NOT NULL AND p.leg IN ('debit', 'credit', 'reverse')
         AND (p.asset, p.amount_minor) <> (CASE o.side WHEN 'buy' THEN o.source_asset ELSE o.target_asset END,
                                           CASE o.side WHEN 'buy' THEN o.source_minor ELSE o.target_minor END)
        THEN 'another asset or amount than its order''s'
    WHEN (p.asset, p.amount_minor) <> (coalesce(r.asset, y.asset), coalesce(r.amount_minor, y.amount_minor))
        THEN 'another asset or amount than its return''s or payout''s' END AS reason) d
WHERE d.reason IS NOT NULL
"""

CHECK = Check(
    place=11,
    name="remote_operation_disagrees",
    title="Remote operation disagrees",
    meaning="Our outcome of a movement and the other side's differ.",
    first_action="Use the lookup endpoint before any retry, and compare its answer with ours by key.",
    owner="ops",
    point=4,
    follows=("terminal_state_conflict",),
    query=_QUERY,
)
