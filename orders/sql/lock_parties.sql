-- Lock an operator's wallets in the order of their references; then, in a second statement, say what they are: a freeze or
-- a close that has committed is seen, one that has not waits.
CREATE FUNCTION orders_lock_parties(p_environment text, p_operator bigint, p_references text[])
RETURNS TABLE (reference text, kind text, closed boolean, frozen boolean, assets text[]) LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
BEGIN
    PERFORM FROM wallets_wallet
    WHERE reference = ANY (p_references) AND operator_id = p_operator AND environment = p_environment
    ORDER BY reference FOR UPDATE;
    RETURN QUERY
    SELECT w.reference::text, w.kind::text, w.closed_at IS NOT NULL,
           EXISTS (SELECT FROM wallets_walletfreeze AS f WHERE f.wallet_id = w.id AND f.lifted_at IS NULL),
           ARRAY (SELECT a.asset::text FROM wallets_walletasset AS a WHERE a.wallet_id = w.id)
    FROM wallets_wallet AS w
    WHERE w.reference = ANY (p_references) AND w.operator_id = p_operator AND w.environment = p_environment;
END $$;
