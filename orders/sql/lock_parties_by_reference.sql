-- Lock an operator's wallets in the order of their references, as which p_references come; then, in a second statement, say what
-- they are: a freeze or a close that has committed is seen, one that has not waits.
--
-- One plan for any references: one for these very references is dearer to make than to carry out. It is to go by the references
-- alone, wallet by wallet, so that it does not read all of an operator's where they were few when it was made: hence the sums.
CREATE OR REPLACE FUNCTION orders_lock_parties(p_environment text, p_operator bigint, p_references text[])
RETURNS TABLE (reference text, kind text, closed boolean, frozen boolean, assets text[]) LANGUAGE plpgsql VOLATILE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM FROM unnest(p_references) AS r (reference)
    CROSS JOIN LATERAL (
        SELECT FROM wallets_wallet AS x
        WHERE x.reference = r.reference AND x.operator_id + 0 = p_operator AND x.environment || '' = p_environment
        FOR UPDATE) AS w;
    RETURN QUERY
    SELECT w.reference::text, w.kind::text, w.closed_at IS NOT NULL,
           EXISTS (SELECT FROM wallets_walletfreeze AS f WHERE f.wallet_id = w.id AND f.lifted_at IS NULL),
           ARRAY (SELECT a.asset::text FROM wallets_walletasset AS a WHERE a.wallet_id = w.id)
    FROM unnest(p_references) AS r (reference)
    CROSS JOIN LATERAL (
        SELECT * FROM wallets_wallet AS x
        WHERE x.reference = r.reference AND x.operator_id + 0 = p_operator AND x.environment || '' = p_environment
        OFFSET 0) AS w;
END $$;
