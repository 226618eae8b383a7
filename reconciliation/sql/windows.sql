-- Which records belong to a window: an order, quote or trade to each in which it was created or moved. Plain SQL, so
-- that the planner sees through them.

CREATE FUNCTION close_orders(p_environment text, p_from timestamptz, p_to timestamptz)
RETURNS SETOF orders_order LANGUAGE sql STABLE AS $$
    SELECT o.* FROM orders_order o
    WHERE o.environment = p_environment AND o.created_at >= p_from AND o.created_at < p_to
    UNION ALL
    SELECT o.* FROM orders_order o
    WHERE o.environment = p_environment AND o.created_at < p_from AND o.reference IN (
        SELECT m.subject FROM ledger_move m
        WHERE m.environment = p_environment AND m.machine = 'order' AND m.moved_at >= p_from AND m.moved_at < p_to
          AND m.from_state <> '')
$$;

CREATE FUNCTION close_quotes(p_environment text, p_from timestamptz, p_to timestamptz)
RETURNS SETOF orders_quote LANGUAGE sql STABLE AS $$
    SELECT q.* FROM orders_quote q
    WHERE q.environment = p_environment AND q.reference IN (
        SELECT m.subject FROM ledger_move m
        WHERE m.environment = p_environment AND m.machine = 'quote' AND m.moved_at >= p_from AND m.moved_at < p_to)
$$;

CREATE FUNCTION close_trades(p_environment text, p_from timestamptz, p_to timestamptz)
RETURNS SETOF orders_trade LANGUAGE sql STABLE AS $$
    SELECT t.* FROM orders_trade t
    WHERE t.environment = p_environment AND t.created_at >= p_from AND t.created_at < p_to
    UNION ALL
    SELECT t.* FROM orders_trade t
    WHERE t.environment = p_environment AND t.created_at < p_from AND t.reference IN (
        SELECT m.subject FROM ledger_move m
        WHERE m.environment = p_environment AND m.machine = 'trade' AND m.moved_at >= p_from AND m.moved_at < p_to
          AND m.from_state <> '')
$$;

-- An amount in major units with exactly its asset's scale: a multiplication of decimals is exact, a division is not.
CREATE FUNCTION close_amount(p_minor numeric, p_scale smallint)
RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT (p_minor * ('1e-' || p_scale)::numeric)::text $$;

-- A text cell that no spreadsheet takes for a formula.
CREATE FUNCTION close_text(p_text text)
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_text ~ E'^[-=+@\t\r\n]' THEN '''' || p_text ELSE p_text END
$$;

-- An instant in UTC as RFC 3339 writes it.
CREATE FUNCTION close_time(p_instant timestamptz)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(p_instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
