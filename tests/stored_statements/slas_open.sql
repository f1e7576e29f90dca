-- slas_open, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes parcel_id bigint[]
-- takes kind text[]
-- takes merchant_id bigint[]
-- takes courier_id bigint[]
-- takes tier_id int[]
-- takes origin_id int[]
-- takes destination_id int[]
-- takes version_id bigint[]
-- takes due_at timestamptz[]
-- takes due_date date[]
-- takes ready_at timestamptz[]
-- takes fee_fen int[]
-- takes declared_value_fen int[]
-- returns opened bigint

BEGIN
RETURN QUERY
WITH drafts (parcel_id,
    kind,
    merchant_id,
    courier_id,
    tier_id,
    origin_id,
    destination_id,
    version_id,
    due_at,
    due_date,
    ready_at,
    fee_fen,
    declared_value_fen) AS (
    SELECT *
        FROM unnest(%(parcel_id)s,
        %(kind)s,
        %(merchant_id)s,
        %(courier_id)s,
        %(tier_id)s,
        %(origin_id)s,
        %(destination_id)s,
        %(version_id)s,
        %(due_at)s,
        %(due_date)s,
        %(ready_at)s,
        %(fee_fen)s,
        %(declared_value_fen)s)
),

sla_changed AS (
    INSERT INTO slas_commitment AS c (parcel_id,
        kind,
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        version_id,
        due_at,
        due_date,
        ready_at,
        fee_fen,
        declared_value_fen,
        outcome,
        excused,
        excuse_reason)
    SELECT parcel_id,
        kind,
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        version_id,
        due_at,
        due_date,
        ready_at,
        fee_fen,
        declared_value_fen,
        'pending',
        false,
        ''
        FROM drafts
    ON CONFLICT (parcel_id, kind) DO NOTHING
    RETURNING c.parcel_id,
        c.kind,
        c.merchant_id,
        c.courier_id,
        c.tier_id,
        c.origin_id,
        c.destination_id,
        c.due_at,
        c.due_date,
        c.excused,
        c.excused AS was_excused,
        NULL::text AS before,
            c.outcome AS after,
            false AS moved,
            0 AS attempted,
            0 AS was_attempted,
            0 AS first_attempt,
            0 AS was_first_attempt,
            0 AS within_48h,
            0 AS was_within_48h,
            0 AS within_72h,
            0 AS was_within_72h,
            NULL::int[] AS marks
),
sla_tallies AS (
    INSERT INTO slas_tally (id, merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date,
        pending,
            met,
            late,
            overdue,
            void,
            excused,
            attempted,
            first_attempt,
            within_48h,
            within_72h,
            marks,
            parcel_id)
    SELECT nextval('slas_tally_id_seq'),
        merchant_id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        kind,
        due_date,
        sum((after = 'pending')::int - (coalesce(before,
            '') = 'pending')::int),
            sum((after = 'met')::int - (coalesce(before,
            '') = 'met')::int),
            sum((after = 'late')::int - (coalesce(before,
            '') = 'late')::int),
            sum((after = 'overdue')::int - (coalesce(before,
            '') = 'overdue')::int),
            sum((after = 'void')::int - (coalesce(before,
            '') = 'void')::int),
            sum((excused
            AND after IN ('overdue',
            'late'))::int - (was_excused
            AND coalesce(before,
            '') IN ('overdue',
            'late'))::int),
            sum(attempted - was_attempted),
            sum(first_attempt - was_first_attempt),
            sum(within_48h - was_within_48h),
            sum(within_72h - was_within_72h),
            slas_concatenated(marks) FILTER (WHERE marks IS NOT NULL),
            min(parcel_id)
    FROM sla_changed
    WHERE (before IS DISTINCT FROM after OR moved) AND merchant_id < 1000000000000000
    GROUP BY merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date
    RETURNING 1
)
SELECT count(*) FROM sla_changed;
END
