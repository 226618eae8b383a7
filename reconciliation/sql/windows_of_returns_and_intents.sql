-- The records beside orders, quotes and trades that belong to a window: each to every date in which it moved.

CREATE FUNCTION close_returns(p_environment text, p_from timestamptz, p_to timestamptz)
RETURNS SETOF orders_return LANGUAGE sql STABLE AS $$
    SELECT r.* FROM orders_return r
    WHERE r.environment = p_environment AND r.reference IN (
        SELECT m.subject FROM ledger_move m
        WHERE m.environment = p_environment AND m.machine = 'return' AND m.moved_at >= p_from AND m.moved_at < p_to)
$$;

CREATE FUNCTION close_intents(p_environment text, p_from timestamptz, p_to timestamptz)
RETURNS SETOF orders_intent LANGUAGE sql STABLE AS $$
    SELECT i.* FROM orders_intent i
    WHERE i.environment = p_environment AND i.reference IN (
        SELECT m.subject FROM ledger_move m
        WHERE m.environment = p_environment AND m.machine = 'intent' AND m.moved_at >= p_from AND m.moved_at < p_to)
$$;

CREATE FUNCTION close_payouts(p_environment text, p_from timestamptz, p_to timestamptz)
RETURNS SETOF orders_payout LANGUAGE sql STABLE AS $$
    SELECT p.* FROM orders_payout p
    WHERE p.environment = p_environment AND p.reference IN (
        SELECT m.subject FROM ledger_move m
        WHERE m.environment = p_environment AND m.machine = 'payout' AND m.moved_at >= p_from AND m.moved_at < p_to)
$$;

-- Idempotency conflicts are rare among requests; a close asks for those of its window alone.
CREATE INDEX api_request_conflicts ON wallets_apirequest (environment, received_at) WHERE replay = 'conflict';
