-- slas_sweep, volatile
-- takes home bigint
-- takes now timestamptz
-- takes most int
-- takes share int
-- takes shares int
-- returns due bigint
-- returns changed bigint

BEGIN
RETURN QUERY
WITH sla_slice AS MATERIALIZED (
    SELECT c.parcel_id,
        c.kind,
        c.merchant_id,
        c.courier_id,
        c.tier_id,
        c.origin_id,
        c.destination_id,
        c.due_at,
        c.due_date
        FROM slas_commitment c
    WHERE c.outcome = 'pending' AND c.due_at < %(now)s AND mod(c.courier_id, %(shares)s) = %(share)s
    ORDER BY c.due_at
    LIMIT %(most)s
),
sla_changed AS (
    INSERT INTO slas_commitment AS c (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
        destination_id, due_at, due_date, outcome, excused, excuse_reason)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id, due_at, due_date,
        'overdue', false, ''
    FROM sla_slice
    ORDER BY parcel_id, kind
    ON CONFLICT (parcel_id,
        kind) DO UPDATE SET outcome = 'overdue' WHERE c.outcome = 'pending'
        AND c.due_at < %(now)s
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
        'pending'::text AS before, 'overdue'::text AS after, NULL::timestamptz AS reached_at,
        false AS moved,
            0 AS attempted,
            0 AS was_attempted,
            0 AS first_attempt,
            0 AS was_first_attempt,
            0 AS within_48h,
            0 AS was_within_48h,
            0 AS within_72h,
            0 AS was_within_72h,
        CASE
            WHEN c.excused THEN ARRAY[CASE
            WHEN c.excused
            AND 'overdue' IN ('overdue',
            'late') THEN 2000 + array_position(ARRAY['consignee_refused',
            'consignee_absent',
            'consignee_wrong_address',
            'consignee_rescheduled',
            'merchant_not_ready',
            'merchant_bad_data',
            'weather',
            'disaster',
            'force_majeure'],
            c.excuse_reason::text) - 1 END] END AS marks,
        c.kind = 'delivery' AND c.fee_fen IS NOT NULL AS pays
),

sla_breaches AS (
    -- One upsert opens and withdraws. A plain UPDATE would not see the breach that a sweep opened
    -- while this statement waited for its lock; ON CONFLICT does.
    INSERT INTO slas_breach AS b (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
        destination_id, due_at, opened_at, withdrawn_at)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id, due_at, %(now)s,
        CASE WHEN after IN ('overdue', 'late') THEN NULL ELSE %(now)s END
    FROM sla_changed
    WHERE (after IN ('overdue', 'late')) <> (coalesce(before, '') IN ('overdue', 'late'))
    ON CONFLICT (parcel_id, kind) DO UPDATE SET
        due_at = CASE WHEN excluded.withdrawn_at IS NULL THEN excluded.due_at ELSE b.due_at END,
        opened_at = CASE WHEN excluded.withdrawn_at IS NULL THEN excluded.opened_at ELSE b.opened_at END,
        withdrawn_at = excluded.withdrawn_at
    RETURNING b.withdrawn_at IS NULL AS standing
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
),
sla_credits AS (
    -- Whoever works credits out reads the commitment as it is by then.
    INSERT INTO slas_creditcheck (id, parcel_id, kind, merchant_id, courier_id)
    SELECT nextval('slas_creditcheck_id_seq'), parcel_id, kind, merchant_id, courier_id
    FROM sla_changed WHERE pays AND merchant_id < 1000000000000000
    RETURNING 1
),
sla_events AS (
    INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT nextval('alliance_event_id_seq'),
        CASE WHEN after IN ('overdue', 'late') THEN 'commitment.' || after ELSE 'breach.withdrawn' END,
        %(now)s, merchant_id, courier_id, parcel_id,
        jsonb_build_object('kind', kind, 'due_at', due_at, 'reached_at', reached_at, 'outcome', after)
    FROM sla_changed
    WHERE before IS DISTINCT FROM after AND (after IN ('overdue', 'late') OR before IN ('overdue', 'late'))
    RETURNING 1
)
SELECT (SELECT count(*) FROM sla_slice), (SELECT count(*) FROM sla_changed);
END
