-- Raise what deserves a notice now, once each: a notice is its kind and subject, so that raising again changes nothing.
-- Returns how many are new. Time is a parameter; null means the database's clock.
INSERT INTO reconciliation_notice (environment, kind, subject, text, raised_at, available_at, attempts, lease_token, last_error)
SELECT n.environment, n.kind, n.subject, n.text, t.now, t.now, 0, '', ''
FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS t
CROSS JOIN LATERAL (
    SELECT c.environment, 'open_review' AS kind, c.reference AS subject,
           'Manual review ' || c.reference || ' (' || c.reason || ') waits: ' || c.next_action AS text
    FROM orders_reviewcase c
    WHERE c.state <> 'resolved'
    UNION ALL
    SELECT w.environment, 'endpoint_disabled', w.endpoint_reference || '@' || w.id,
           'Webhook endpoint ' || w.endpoint_reference || ' gets nothing any more: ' || w.reason || '.'
    FROM webhooks_notice w
    WHERE w.settled_at IS NULL
    UNION ALL
    SELECT f.environment, 'fee_rule_failed', f.rule,
           'The condition of fee rule ' || f.code || ' v' || f.number || ' could not be answered (' || f.reason
               || '): payments that it is about are refused until it is mended or taken away.'
    FROM wallets_rulefailure f
    UNION ALL
    SELECT w.environment, 'closed_wallet_moved', w.reference || '@' || w.moved_after_close_at,
           'The closed wallet ' || w.reference || ' has money or owes some since ' || w.moved_after_close_at
               || ': open it again, so that it can be paid out or settled.'
    FROM wallets_wallet w
    WHERE w.moved_after_close_at IS NOT NULL
    UNION ALL
    SELECT c.environment, 'review_overdue', c.reference,
           'Manual review ' || c.reference || ' (' || c.reason || ') was due ' || c.due_at || ' and is not resolved; its owner is '
               || coalesce(nullif(c.owner, ''), 'nobody') || '.'
    FROM orders_reviewcase c
    WHERE c.state <> 'resolved' AND c.due_at < t.now
    UNION ALL
    SELECT c.environment, 'review_date_passed', c.reference || '@' || c.next_review_on,
           'Review case ' || c.reference || ' (' || c.reason || ') was to be looked at on ' || c.next_review_on
               || ' by ' || coalesce(nullif(c.owner, ''), 'nobody') || '.'
    FROM orders_reviewcase c
    JOIN ledger_book b ON b.environment = c.environment
    WHERE c.state <> 'resolved' AND c.next_review_on < (t.now AT TIME ZONE b.close_zone)::date
    UNION ALL
    SELECT r.environment, 'late_close', r.reference,
           'The close of ' || r.business_date || ' is late: its day was over ' || r.window_to || ' and it has not run since.'
    FROM reconciliation_closerun r
    WHERE r.state = 'open' AND r.provisional AND r.window_to + %(grace)s * interval '1 second' <= t.now
    UNION ALL
    SELECT r.environment, 'late_close', r.reference || '@unsigned',
           'The close of ' || r.business_date || ' is late: it could have been signed since '
               || r.window_to + %(grace)s * interval '1 second' || ' and is ' || r.state || '.'
    FROM reconciliation_closerun r
    WHERE r.state <> 'locked' AND NOT r.provisional AND r.runs > 0
      AND r.window_to + (%(grace)s + %(signed_within)s) * interval '1 second' <= t.now
    UNION ALL
    SELECT e.environment, 'review_date_passed', e.reference || '@' || e.next_review_on,
           'Exception case ' || e.reference || ' (' || e.type || ') was to be reviewed on ' || e.next_review_on
               || ' by ' || coalesce(nullif(e.owner, ''), 'nobody') || '.'
    FROM reconciliation_exceptioncase e
    JOIN ledger_book b ON b.environment = e.environment
    WHERE e.state IN ('open', 'assigned') AND e.next_review_on < (t.now AT TIME ZONE b.close_zone)::date
    UNION ALL
    SELECT r.environment, 'break_rate', r.reference,
           'The close of ' || r.business_date || ' found ' || k.breaks || ' breaks among ' || k.orders || ' orders.'
    FROM reconciliation_closerun r
    -- as its last run counted them: this is asked every few seconds
    CROSS JOIN LATERAL (SELECT (r.counts -> 'cases' ->> 'standing')::bigint AS breaks,
                               (r.counts ->> 'orders')::bigint AS orders) AS k
    WHERE r.state = 'open' AND NOT r.provisional AND r.runs > 0
      AND k.breaks * 10000 > k.orders * %(break_rate)s
) AS n
ON CONFLICT (kind, subject) DO NOTHING
