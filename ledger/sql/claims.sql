-- Claim an Idempotency-Key (rule I1). Returns the new claim's id, or null when another row holds the key: the
-- caller then reads it with a second statement. Waits at most 2 s for a transaction that is claiming it now.
CREATE OR REPLACE FUNCTION take_claim(p_operator bigint, p_environment text, p_key text, p_digest text, p_route text,
                           p_request_id text, p_now timestamptz)
RETURNS bigint LANGUAGE sql VOLATILE SET lock_timeout = '2s' AS $$
    INSERT INTO ledger_claim (operator_id, environment, key, digest, route, request_id, anchor, answer_headers, claimed_at)
    VALUES (p_operator, p_environment, p_key, p_digest, p_route, p_request_id, '', '{}',
            coalesce(p_now, clock_timestamp()))
    ON CONFLICT (operator_id, environment, key) DO NOTHING
    RETURNING id
$$;
