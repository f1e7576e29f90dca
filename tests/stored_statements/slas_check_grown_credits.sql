-- slas_check_grown_credits, volatile
-- takes home bigint
-- takes now timestamptz
-- takes before timestamptz
-- takes tiers int[]
-- takes starts bigint[]
-- takes ends bigint[]
-- takes caps int[]
-- takes losts int[]
-- takes band_tiers int[]
-- takes band_starts bigint[]
-- takes minutes int[]
-- takes shares int[]
-- returns queued bigint

DECLARE
    queued bigint;
BEGIN
    WITH
    credit_span AS MATERIALIZED (
        SELECT * FROM unnest(%(tiers)s::int[], %(starts)s::bigint[], %(ends)s::bigint[], %(caps)s::int[],
            %(losts)s::int[]) AS s (tier_id, first_id, end_id, cap_fen, lost_fen)
    ),
    credit_band AS MATERIALIZED (
        SELECT tier_id, first_id, minutes * interval '1 minute' AS from_lateness, share_percent
        FROM unnest(%(band_tiers)s::int[], %(band_starts)s::bigint[], %(minutes)s::int[], %(shares)s::int[])
            AS b (tier_id, first_id, minutes, share_percent)
    ),
    credit_facts AS (
        SELECT c.parcel_id, c.merchant_id, c.courier_id, c.fee_fen, c.declared_value_fen,
            c.excused,
            c.excused AND c.excuse_reason IN ('disaster', 'force_majeure') AS loss_excused,
            c.lost_at IS NOT NULL AND c.delivered_at IS NULL AS is_lost,
            CASE c.outcome WHEN 'late' THEN c.reached_at - c.due_at
                WHEN 'overdue' THEN greatest(%(now)s::timestamptz - c.due_at, interval '0') END AS late_by,
            CASE c.outcome WHEN 'late' THEN c.reached_at - c.due_at
                WHEN 'overdue' THEN greatest(%(before)s::timestamptz - c.due_at, interval '0') END
                AS late_before,
            s.tier_id, s.first_id, s.cap_fen, s.lost_fen
        FROM slas_commitment c
        JOIN credit_span s ON s.tier_id = c.tier_id AND c.parcel_id >= s.first_id AND c.parcel_id < s.end_id
        WHERE c.kind = 'delivery'
            AND c.fee_fen IS NOT NULL
            AND c.outcome <> 'void'
            AND (c.outcome = 'overdue'
            AND NOT c.excused
            AND c.lost_at IS NULL)
    ),
    credit_target AS (
        SELECT parcel_id, merchant_id, courier_id,
            CASE
            WHEN is_lost THEN CASE WHEN loss_excused THEN 0 ELSE coalesce(declared_value_fen, lost_fen) END
            WHEN late_by IS NULL OR excused THEN 0
            ELSE least((fee_fen::bigint * coalesce((
                SELECT max(b.share_percent) FROM credit_band b
                WHERE b.tier_id = credit_facts.tier_id AND b.first_id = credit_facts.first_id
                    AND b.from_lateness <= credit_facts.late_by), 0) + 50) / 100, cap_fen)
            END AS fen,
            CASE
            WHEN is_lost THEN CASE WHEN loss_excused THEN 0 ELSE coalesce(declared_value_fen, lost_fen) END
            WHEN late_before IS NULL OR excused THEN 0
            ELSE least((fee_fen::bigint * coalesce((
                SELECT max(b.share_percent) FROM credit_band b
                WHERE b.tier_id = credit_facts.tier_id AND b.first_id = credit_facts.first_id
                    AND b.from_lateness <= credit_facts.late_before), 0) + 50) / 100, cap_fen)
            END AS fen_before
        FROM credit_facts
    )
    INSERT INTO slas_creditcheck (id, parcel_id, kind, merchant_id, courier_id)
    SELECT nextval('slas_creditcheck_id_seq'), t.parcel_id, 'delivery', t.merchant_id, t.courier_id
    FROM credit_target t
    WHERE t.fen <> coalesce((
            SELECT sum(e.amount_fen) FROM slas_creditentry e
            WHERE e.parcel_id = t.parcel_id AND e.kind = 'delivery'), 0)
        AND NOT EXISTS (SELECT 1 FROM slas_creditcheck k WHERE k.parcel_id = t.parcel_id);
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END
