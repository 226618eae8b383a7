-- Remember since when an endpoint fails, and disable it when it is gone or has failed too long: then leave a notice.
-- Returns the disabled.
CREATE OR REPLACE FUNCTION webhooks_judge_endpoints(p_results jsonb, p_deliveries bigint[], p_disable_after_seconds integer,
                                         p_now timestamptz)
RETURNS bigint[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_disabled bigint[];
BEGIN
    -- Most deliveries succeed at an endpoint that does not fail: those need no lock and no write.
    PERFORM FROM webhooks_endpoint WHERE id = ANY (ARRAY (
        SELECT p.id FROM jsonb_to_recordset(p_results) AS r (id bigint, succeeded boolean)
        JOIN webhooks_delivery AS d ON d.id = r.id JOIN webhooks_endpoint AS p ON p.id = d.endpoint_id
        WHERE d.id = ANY (p_deliveries) AND r.succeeded IS NOT NULL
          AND (NOT r.succeeded OR p.failing_since IS NOT NULL)
    )) ORDER BY id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    WITH judged AS (
        SELECT d.endpoint_id, bool_or(r.succeeded) AS succeeded, max(r.disable) AS disable
        FROM jsonb_to_recordset(p_results) AS r (id bigint, succeeded boolean, disable text)
        JOIN webhooks_delivery AS d ON d.id = r.id
        WHERE d.id = ANY (p_deliveries) AND r.succeeded IS NOT NULL
        GROUP BY d.endpoint_id
    ), changed AS (
        UPDATE webhooks_endpoint AS p
        SET failing_since = CASE WHEN judged.succeeded THEN NULL ELSE coalesce(p.failing_since, p_now) END,
            disabled_reason = CASE
                WHEN judged.disable IS NOT NULL THEN judged.disable
                WHEN NOT judged.succeeded AND p.failing_since <= p_now - make_interval(secs => p_disable_after_seconds)
                THEN 'five days without a success' ELSE '' END,
            disabled_at = CASE
                WHEN judged.disable IS NOT NULL THEN p_now
                WHEN NOT judged.succeeded AND p.failing_since <= p_now - make_interval(secs => p_disable_after_seconds)
                THEN p_now END
        FROM judged WHERE p.id = judged.endpoint_id AND p.disabled_at IS NULL
          AND (NOT judged.succeeded OR p.failing_since IS NOT NULL OR judged.disable IS NOT NULL)
        RETURNING p.id, p.environment, p.operator_id, p.reference, p.disabled_reason, p.disabled_at
    ), noticed AS (
        INSERT INTO webhooks_notice (environment, operator_id, endpoint_reference, reason, noticed_at, settled_by)
        SELECT environment, operator_id, reference, disabled_reason, p_now, '' FROM changed WHERE disabled_at IS NOT NULL
    )
    SELECT coalesce(array_agg(id ORDER BY id) FILTER (WHERE disabled_at IS NOT NULL), '{}') INTO v_disabled FROM changed;
    RETURN v_disabled;
END $$;
