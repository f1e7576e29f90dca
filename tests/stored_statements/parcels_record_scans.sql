-- parcels_record_scans, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes now timestamptz
-- takes courier_id bigint
-- takes parcels bigint[]
-- takes most_lines int
-- takes n int[]
-- takes parcel_id bigint[]
-- takes event_key bigint[]
-- takes microseconds bigint[]
-- takes corrects bigint[]
-- takes consent bool[]
-- takes code text[]
-- takes reason text[]
-- takes facility text[]
-- takes event_id text[]
-- returns accepted int
-- returns unknown int[]
-- returns early int[]
-- returns beyond_limit int[]
-- returns known int[]
-- returns whole bigint[]

DECLARE
    milestone_parcel_id bigint[];
        milestone_kind text[];
        milestone_exact bool[];
        milestone_reached_at timestamptz[];
        milestone_picked_up_at timestamptz[];
        milestone_departed_at timestamptz[];
        milestone_arrived_at timestamptz[];
        milestone_out_for_delivery_at timestamptz[];
        milestone_attempted_at timestamptz[];
        milestone_delivered_at timestamptz[];
        milestone_turned_at timestamptz[];
        milestone_lost_at timestamptz[];
        settled int;
BEGIN

WITH line AS (
    SELECT n, parcel_id, event_key, code, reason, facility, event_id, consent, corrects,
        timestamptz 'epoch' + microseconds * interval '1 microsecond' AS stated_at
    FROM unnest(
        %(n)s::int[], %(parcel_id)s::bigint[], %(event_key)s::bigint[], %(code)s::text[],
        %(microseconds)s::bigint[], %(reason)s::text[], %(facility)s::text[], %(event_id)s::text[],
        %(consent)s::bool[], %(corrects)s::bigint[]
    ) AS x (n, parcel_id, event_key, code, microseconds, reason, facility, event_id, consent, corrects)
),
-- Locked before anything is written, and in the order of ids: batches that share parcels take turns, and
-- what each reads here is what the one before it left.
locked AS MATERIALIZED (
    SELECT p.id, p.merchant_id, p.courier_id, p.status, p.status_at, p.last_scan_at, p.corrected,
        p.picked_up_at,
            p.departed_at,
            p.arrived_at,
            p.out_for_delivery_at,
            p.attempted_at,
            p.booked_at,
            p.booked_at - interval '300 seconds' AS earliest,
        p.scan_count, p.erased_at
    FROM parcels_parcel p
    WHERE p.id = ANY((SELECT %(parcels)s::bigint[])::bigint[]) AND p.id BETWEEN %(low)s AND %(high)s
        AND coalesce(%(courier_id)s, p.courier_id) = p.courier_id
    ORDER BY p.id
    FOR NO KEY UPDATE OF p
),
-- Policies make the planner expect one row above. From here on it expects as many as there are ids.
parcel AS MATERIALIZED (
    SELECT locked.* FROM unnest(%(parcels)s::bigint[]) AS wanted (id) LEFT JOIN locked USING (id)
),
-- The lines that go beyond what a parcel can have. Nearly always there is no parcel to look at.
beyond AS MATERIALIZED (
    SELECT n FROM (
        SELECT line.n, parcel.scan_count + row_number() OVER (PARTITION BY line.parcel_id ORDER BY line.n)
            AS place
        FROM parcel JOIN line ON line.parcel_id = parcel.id
        WHERE parcel.scan_count + %(most_lines)s > 1000 AND line.stated_at >= parcel.earliest
            AND NOT EXISTS (SELECT FROM parcels_scan s
                WHERE s.parcel_id = ANY((SELECT %(parcels)s::bigint[])::bigint[])
                    AND s.parcel_id BETWEEN %(low)s AND %(high)s
                    AND s.parcel_id + 0 = line.parcel_id AND s.event_key = line.event_key)
    ) AS new WHERE place > 1000
),
good AS MATERIALIZED (
    SELECT line.*, parcel.merchant_id, parcel.courier_id,
        CASE
            WHEN line.stated_at > %(now)s THEN %(now)s + (line.stated_at - %(now)s) / 1000000
            WHEN line.stated_at < parcel.booked_at
                THEN parcel.booked_at + (line.stated_at - parcel.earliest) / 1000000
            ELSE line.stated_at END AS occurred_at,
        parcel.erased_at IS NOT NULL AS is_erased
    FROM line JOIN parcel ON parcel.id = line.parcel_id
    WHERE line.stated_at >= parcel.earliest AND line.n <> ALL(ARRAY(SELECT n FROM beyond))
),
written AS (
    INSERT INTO parcels_scan (parcel_id, event_key, merchant_id, courier_id, code, occurred_at, received_at,
        stated_at, reason, facility, event_id, consent, corrects)
    SELECT parcel_id, event_key, merchant_id, courier_id, code, occurred_at, %(now)s,
        nullif(stated_at, occurred_at), reason, CASE WHEN is_erased THEN '' ELSE facility END, event_id,
        consent, corrects
    FROM good
    ON CONFLICT (parcel_id, event_key) DO NOTHING
    RETURNING parcel_id, event_key, code, occurred_at, reason, consent
),
touched AS (
    SELECT parcel_id,
        count(*) AS scans,
        bool_or(code IN ('correction',
        'lost',
        'return_started',
        'returned')) AS is_restless,
        count(*) FILTER (WHERE code = 'delivered') AS deliveries,
        max(occurred_at) AS last_scan_at,
        min(occurred_at) FILTER (WHERE code IN ('arrived',
            'attempt_failed',
            'available_for_pickup',
            'delivered',
            'departed',
            'out_for_delivery',
            'picked_up')) AS picked_up_at,
        min(occurred_at) FILTER (WHERE code = 'departed' AND true) AS departed_at,
        min(occurred_at) FILTER (WHERE code = 'arrived' AND true) AS arrived_at,
        min(occurred_at) FILTER (WHERE code = 'out_for_delivery' AND true) AS out_for_delivery_at,
        min(occurred_at) FILTER (WHERE (code = 'delivered'
            OR (code = 'available_for_pickup'
            AND consent)
            OR (code = 'attempt_failed'
            AND starts_with(reason,
            'consignee_')))
            AND true) AS reached_at,
        min(occurred_at) FILTER (WHERE code IN ('attempt_failed',
            'available_for_pickup',
            'delivered')
            AND true) AS attempted_at,
        max(occurred_at) FILTER (WHERE code = 'delivered' AND true) AS delivery_at
    FROM written GROUP BY parcel_id
),
winner AS (
    SELECT DISTINCT ON (parcel_id) parcel_id, status, at
    FROM (
        SELECT parcel_id,
            CASE
            WHEN code = 'available_for_pickup'
            AND NOT consent THEN 'attempt_failed'
            ELSE CASE code
            WHEN 'picked_up' THEN 'picked_up'
            WHEN 'departed' THEN 'in_transit'
            WHEN 'arrived' THEN 'in_transit'
            WHEN 'out_for_delivery' THEN 'out_for_delivery'
            WHEN 'attempt_failed' THEN 'attempt_failed'
            WHEN 'available_for_pickup' THEN 'available_for_pickup'
            WHEN 'delivered' THEN 'delivered'
            WHEN 'held' THEN 'exception'
            WHEN 'damaged' THEN 'exception'
            WHEN 'lost' THEN 'lost'
            WHEN 'return_started' THEN 'returning'
            WHEN 'returned' THEN 'returned' END END AS status,
            occurred_at AS at
            FROM written WHERE code <> 'correction'
        UNION ALL
        SELECT id, status, status_at FROM parcel WHERE status <> 'booked'
    ) AS candidate
    ORDER BY parcel_id,
        (status IN ('delivered',
        'returned')) DESC,
        at DESC,
        array_position(ARRAY['booked',
        'picked_up',
        'in_transit',
        'exception',
        'out_for_delivery',
        'attempt_failed',
        'available_for_pickup',
        'returning',
        'lost',
        'returned',
        'delivered',
        'cancelled'],
        status) DESC
),
folded AS MATERIALIZED (
    SELECT parcel_id, p.merchant_id, p.courier_id, p.status AS previous,
        p.scan_count + t.scans AS scan_count,
        t.reached_at, t.delivery_at, NULL::timestamptz AS turned_at, NULL::timestamptz AS lost_at, is_whole,
        CASE WHEN is_whole THEN p.picked_up_at ELSE least(p.picked_up_at, t.picked_up_at) END AS picked_up_at,
        CASE WHEN is_whole THEN p.departed_at ELSE least(p.departed_at, t.departed_at) END AS departed_at,
        CASE WHEN is_whole THEN p.arrived_at ELSE least(p.arrived_at, t.arrived_at) END AS arrived_at,
        CASE
            WHEN is_whole THEN p.out_for_delivery_at
            ELSE least(p.out_for_delivery_at,
            t.out_for_delivery_at) END AS out_for_delivery_at,
        CASE WHEN is_whole THEN p.attempted_at ELSE least(p.attempted_at, t.attempted_at) END AS attempted_at,
        t.picked_up_at < coalesce(p.picked_up_at, 'infinity') AS is_earlier,
        t.attempted_at IS NOT NULL
            OR p.attempted_at IS NOT NULL
            AND (t.picked_up_at < coalesce(p.picked_up_at,
            'infinity')
            OR t.departed_at < coalesce(p.departed_at,
            'infinity')
            OR t.arrived_at < coalesce(p.arrived_at,
            'infinity')
            OR t.out_for_delivery_at < coalesce(p.out_for_delivery_at,
            'infinity')
            OR t.attempted_at < coalesce(p.attempted_at,
            'infinity')) AS is_sooner,
        CASE WHEN is_whole THEN p.status ELSE w.status END AS status,
        CASE WHEN is_whole THEN p.status_at ELSE w.at END AS status_at,
        greatest(p.last_scan_at, t.last_scan_at) AS last_scan_at
    FROM touched t
    JOIN parcel p ON p.id = t.parcel_id
    CROSS JOIN LATERAL (SELECT coalesce(p.corrected
        OR t.is_restless
        OR p.status IN ('cancelled',
        'lost',
        'returning',
        'returned')
            OR t.deliveries + (p.status = 'delivered')::int > 1
            OR greatest(p.last_scan_at,
                t.last_scan_at) > coalesce(t.delivery_at,
                CASE
                WHEN p.status = 'delivered' THEN p.status_at END),
                false) AS is_whole) AS judged
    LEFT JOIN winner w USING (parcel_id)
),

moved AS (
    UPDATE parcels_parcel p
    SET status = f.status,
        status_at = f.status_at,
        last_scan_at = f.last_scan_at,
        picked_up_at = f.picked_up_at,
        departed_at = f.departed_at,
        arrived_at = f.arrived_at,
        out_for_delivery_at = f.out_for_delivery_at,
        attempted_at = f.attempted_at,
        delivered_at = CASE WHEN f.status = 'delivered' THEN f.status_at END,
        corrected = f.is_whole, scan_count = f.scan_count
    FROM folded f
    WHERE p.id = ANY((SELECT array_agg(parcel_id) FROM folded)::bigint[]) AND p.id + 0 = f.parcel_id
        AND p.id BETWEEN %(low)s AND %(high)s
),

announced AS (
    INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT nextval('alliance_event_id_seq'),
        'parcel.status_changed',
        %(now)s,
        merchant_id,
        courier_id,
        parcel_id,
        jsonb_build_object('status', status, 'previous', previous, 'occurred_at', status_at)
    FROM folded WHERE status <> previous
),
milestones (parcel_id,
    kind,
    exact,
    reached_at,
    picked_up_at,
    departed_at,
    arrived_at,
    out_for_delivery_at,
    attempted_at,
    delivered_at,
    turned_at,
    lost_at) AS (
    SELECT parcel_id,
        'pickup',
        false,
        picked_up_at,
        NULL::timestamptz,
        NULL::timestamptz,
        NULL::timestamptz,
        NULL::timestamptz,
        NULL::timestamptz,
        NULL::timestamptz,
        NULL::timestamptz,
        NULL::timestamptz
        FROM folded
    WHERE is_earlier AND NOT is_whole
    UNION ALL
    SELECT parcel_id,
        'delivery',
        false,
        reached_at,
        picked_up_at,
        departed_at,
        arrived_at,
        out_for_delivery_at,
        attempted_at,
        delivery_at,
        turned_at,
        lost_at
        FROM folded
    WHERE is_sooner AND NOT is_whole
)
SELECT
    (SELECT count(*) FROM written),
    ARRAY(SELECT n FROM line WHERE NOT EXISTS (SELECT FROM parcel WHERE parcel.id = line.parcel_id)),
    ARRAY(SELECT n FROM line JOIN parcel ON parcel.id = line.parcel_id
        WHERE line.stated_at < parcel.earliest),
    ARRAY(SELECT n FROM beyond),
    ARRAY(SELECT n FROM good WHERE NOT EXISTS (SELECT FROM written
        WHERE written.parcel_id = good.parcel_id AND written.event_key = good.event_key)),
    ARRAY(SELECT parcel_id FROM folded WHERE is_whole),
    reached.*
INTO accepted,
    unknown,
    early,
    beyond_limit,
    known,
    whole,
    milestone_parcel_id,
    milestone_kind,
    milestone_exact,
    milestone_reached_at,
    milestone_picked_up_at,
    milestone_departed_at,
    milestone_arrived_at,
    milestone_out_for_delivery_at,
    milestone_attempted_at,
    milestone_delivered_at,
    milestone_turned_at,
    milestone_lost_at
FROM (SELECT array_agg(parcel_id),
    array_agg(kind),
    array_agg(exact),
    array_agg(reached_at),
    array_agg(picked_up_at),
    array_agg(departed_at),
    array_agg(arrived_at),
    array_agg(out_for_delivery_at),
    array_agg(attempted_at),
    array_agg(delivered_at),
    array_agg(turned_at),
    array_agg(lost_at)
    FROM milestones) AS reached;

    IF whole <> '{}' THEN

        WITH keys AS (
            SELECT DISTINCT id AS parcel_id, kind
            FROM unnest(whole || milestone_parcel_id) AS x (id),
                (VALUES ('pickup'), ('delivery')) AS k (kind)
        ),
        held AS MATERIALIZED (
    SELECT c.* FROM (SELECT * FROM keys ORDER BY parcel_id, kind) l
    CROSS JOIN LATERAL (
        SELECT c.parcel_id,
            c.kind,
            c.merchant_id,
            c.courier_id,
            c.tier_id,
            c.origin_id,
            c.destination_id,
            c.due_at,
            c.due_date,
            c.fee_fen,
            c.ready_at,
            c.outcome AS before,
            c.excused AS was_excused, c.excuse_reason AS was_excuse_reason,
            c.excused,
                c.excuse_reason,
                c.reached_at AS was_reached_at,
                c.picked_up_at AS was_picked_up_at,
                c.departed_at AS was_departed_at,
                c.arrived_at AS was_arrived_at,
                c.out_for_delivery_at AS was_out_for_delivery_at,
                c.attempted_at AS was_attempted_at,
                c.delivered_at AS was_delivered_at,
                c.turned_at AS was_turned_at,
                c.lost_at AS was_lost_at,
                c.reached_at,
                c.picked_up_at,
                c.departed_at,
                c.arrived_at,
                c.out_for_delivery_at,
                c.attempted_at,
                c.delivered_at,
                c.turned_at,
                c.lost_at
        FROM slas_commitment c
        WHERE c.parcel_id = ANY(ARRAY[ARRAY[l.parcel_id]])
            AND c.kind = l.kind
            AND c.parcel_id BETWEEN %(low)s
            AND %(high)s
            AND true
        FOR NO KEY UPDATE OF c
    ) c)
        SELECT count(*) INTO settled FROM held;
    END IF;
    IF milestone_parcel_id IS NOT NULL THEN
        WITH milestones (parcel_id,
            kind,
            exact,
            reached_at,
            picked_up_at,
            departed_at,
            arrived_at,
            out_for_delivery_at,
            attempted_at,
            delivered_at,
            turned_at,
            lost_at) AS (SELECT *
            FROM unnest(milestone_parcel_id,
            milestone_kind,
            milestone_exact,
            milestone_reached_at,
            milestone_picked_up_at,
            milestone_departed_at,
            milestone_arrived_at,
            milestone_out_for_delivery_at,
            milestone_attempted_at,
            milestone_delivered_at,
            milestone_turned_at,
            milestone_lost_at)),

sla_reached AS (
    SELECT parcel_id,
        kind,
        bool_or(exact) AS exact,
        CASE
        WHEN bool_or(exact) THEN min(reached_at) FILTER (WHERE exact)
        ELSE min(reached_at) END AS reached_at,
        CASE
        WHEN bool_or(exact) THEN min(picked_up_at) FILTER (WHERE exact)
        ELSE min(picked_up_at) END AS picked_up_at,
        CASE
        WHEN bool_or(exact) THEN min(departed_at) FILTER (WHERE exact)
        ELSE min(departed_at) END AS departed_at,
        CASE
        WHEN bool_or(exact) THEN min(arrived_at) FILTER (WHERE exact)
        ELSE min(arrived_at) END AS arrived_at,
        CASE
        WHEN bool_or(exact) THEN min(out_for_delivery_at) FILTER (WHERE exact)
        ELSE min(out_for_delivery_at) END AS out_for_delivery_at,
        CASE
        WHEN bool_or(exact) THEN min(attempted_at) FILTER (WHERE exact)
        ELSE min(attempted_at) END AS attempted_at,
        CASE
        WHEN bool_or(exact) THEN min(delivered_at) FILTER (WHERE exact)
        ELSE min(delivered_at) END AS delivered_at,
        CASE
        WHEN bool_or(exact) THEN min(turned_at) FILTER (WHERE exact)
        ELSE min(turned_at) END AS turned_at,
        CASE
        WHEN bool_or(exact) THEN min(lost_at) FILTER (WHERE exact)
        ELSE min(lost_at) END AS lost_at
    FROM milestones
    GROUP BY parcel_id, kind
),
sla_locked AS MATERIALIZED (
    SELECT c.* FROM (SELECT * FROM sla_reached ORDER BY parcel_id, kind) l
    CROSS JOIN LATERAL (
        SELECT c.parcel_id,
            c.kind,
            c.merchant_id,
            c.courier_id,
            c.tier_id,
            c.origin_id,
            c.destination_id,
            c.due_at,
            c.due_date,
            c.fee_fen,
            c.ready_at,
            c.outcome AS before,
            c.excused AS was_excused, c.excuse_reason AS was_excuse_reason,
            c.excused,
                c.excuse_reason,
                c.reached_at AS was_reached_at,
                c.picked_up_at AS was_picked_up_at,
                c.departed_at AS was_departed_at,
                c.arrived_at AS was_arrived_at,
                c.out_for_delivery_at AS was_out_for_delivery_at,
                c.attempted_at AS was_attempted_at,
                c.delivered_at AS was_delivered_at,
                c.turned_at AS was_turned_at,
                c.lost_at AS was_lost_at,
                CASE
                WHEN l.exact THEN l.reached_at
                ELSE least(c.reached_at,
                l.reached_at) END AS reached_at,
                CASE
                WHEN l.exact THEN l.picked_up_at
                ELSE least(c.picked_up_at,
                l.picked_up_at) END AS picked_up_at,
                CASE
                WHEN l.exact THEN l.departed_at
                ELSE least(c.departed_at,
                l.departed_at) END AS departed_at,
                CASE
                WHEN l.exact THEN l.arrived_at
                ELSE least(c.arrived_at,
                l.arrived_at) END AS arrived_at,
                CASE
                WHEN l.exact THEN l.out_for_delivery_at
                ELSE least(c.out_for_delivery_at,
                l.out_for_delivery_at) END AS out_for_delivery_at,
                CASE
                WHEN l.exact THEN l.attempted_at
                ELSE least(c.attempted_at,
                l.attempted_at) END AS attempted_at,
                CASE
                WHEN l.exact THEN l.delivered_at
                ELSE least(c.delivered_at,
                l.delivered_at) END AS delivered_at,
                CASE
                WHEN l.exact THEN l.turned_at
                ELSE least(c.turned_at,
                l.turned_at) END AS turned_at,
                CASE
                WHEN l.exact THEN l.lost_at
                ELSE least(c.lost_at,
                l.lost_at) END AS lost_at
        FROM slas_commitment c
        WHERE c.parcel_id = ANY(ARRAY[ARRAY[l.parcel_id]])
            AND c.kind = l.kind
            AND c.parcel_id BETWEEN %(low)s
            AND %(high)s
            AND c.outcome <> 'void'
            AND CASE
            WHEN l.exact THEN l.reached_at IS DISTINCT
            FROM c.reached_at
            OR l.picked_up_at IS DISTINCT
            FROM c.picked_up_at
            OR l.departed_at IS DISTINCT
            FROM c.departed_at
            OR l.arrived_at IS DISTINCT
            FROM c.arrived_at
            OR l.out_for_delivery_at IS DISTINCT
            FROM c.out_for_delivery_at
            OR l.attempted_at IS DISTINCT
            FROM c.attempted_at
            OR l.delivered_at IS DISTINCT
            FROM c.delivered_at
            OR l.turned_at IS DISTINCT
            FROM c.turned_at
            OR l.lost_at IS DISTINCT
            FROM c.lost_at
            ELSE l.reached_at < coalesce(c.reached_at,
            'infinity')
            OR l.picked_up_at < coalesce(c.picked_up_at,
            'infinity')
            OR l.departed_at < coalesce(c.departed_at,
            'infinity')
            OR l.arrived_at < coalesce(c.arrived_at,
            'infinity')
            OR l.out_for_delivery_at < coalesce(c.out_for_delivery_at,
            'infinity')
            OR l.attempted_at < coalesce(c.attempted_at,
            'infinity')
            OR l.delivered_at < coalesce(c.delivered_at,
            'infinity')
            OR l.turned_at < coalesce(c.turned_at,
            'infinity')
            OR l.lost_at < coalesce(c.lost_at,
            'infinity') END
        FOR NO KEY UPDATE OF c
    ) c
),

sla_judged AS MATERIALIZED (
    SELECT *, CASE
        WHEN reached_at <= due_at THEN 'met'
        WHEN reached_at > due_at THEN 'late'
        -- What was seen to be overdue stays due, should this process's clock be behind.
        WHEN before = 'overdue' OR due_at < %(now)s THEN 'overdue'
        ELSE 'pending' END AS after,
            CASE
            WHEN reached_at > due_at THEN CASE
            WHEN date_part('epoch',
            (reached_at - due_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
            (reached_at - due_at)) - 0) / 900)::int - 1,
            0)
            WHEN date_part('epoch',
            (reached_at - due_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
            (reached_at - due_at)) - 43200) / 1800)::int - 1
            WHEN date_part('epoch',
            (reached_at - due_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
            (reached_at - due_at)) - 172800) / 7200)::int - 1
            WHEN date_part('epoch',
            (reached_at - due_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
            (reached_at - due_at)) - 864000) / 86400)::int - 1
            ELSE 266 END
            WHEN reached_at <= due_at THEN 500 + CASE
            WHEN date_part('epoch',
            (due_at - reached_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
            (due_at - reached_at)) - 0) / 900)::int - 1,
            0)
            WHEN date_part('epoch',
            (due_at - reached_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
            (due_at - reached_at)) - 43200) / 1800)::int - 1
            WHEN date_part('epoch',
            (due_at - reached_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
            (due_at - reached_at)) - 172800) / 7200)::int - 1
            WHEN date_part('epoch',
            (due_at - reached_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
            (due_at - reached_at)) - 864000) / 86400)::int - 1
            ELSE 266 END END AS margin,
            CASE
            WHEN was_reached_at > due_at THEN CASE
            WHEN date_part('epoch',
            (was_reached_at - due_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
            (was_reached_at - due_at)) - 0) / 900)::int - 1,
            0)
            WHEN date_part('epoch',
            (was_reached_at - due_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
            (was_reached_at - due_at)) - 43200) / 1800)::int - 1
            WHEN date_part('epoch',
            (was_reached_at - due_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
            (was_reached_at - due_at)) - 172800) / 7200)::int - 1
            WHEN date_part('epoch',
            (was_reached_at - due_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
            (was_reached_at - due_at)) - 864000) / 86400)::int - 1
            ELSE 266 END
            WHEN was_reached_at <= due_at THEN 500 + CASE
            WHEN date_part('epoch',
            (due_at - was_reached_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
            (due_at - was_reached_at)) - 0) / 900)::int - 1,
            0)
            WHEN date_part('epoch',
            (due_at - was_reached_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
            (due_at - was_reached_at)) - 43200) / 1800)::int - 1
            WHEN date_part('epoch',
            (due_at - was_reached_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
            (due_at - was_reached_at)) - 172800) / 7200)::int - 1
            WHEN date_part('epoch',
            (due_at - was_reached_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
            (due_at - was_reached_at)) - 864000) / 86400)::int - 1
            ELSE 266 END END AS was_margin
            FROM sla_locked
),
sla_changed AS MATERIALIZED (
    SELECT *,
        reached_at IS DISTINCT
        FROM was_reached_at
        OR picked_up_at IS DISTINCT
        FROM was_picked_up_at
        OR departed_at IS DISTINCT
        FROM was_departed_at
        OR arrived_at IS DISTINCT
        FROM was_arrived_at
        OR out_for_delivery_at IS DISTINCT
        FROM was_out_for_delivery_at
        OR attempted_at IS DISTINCT
        FROM was_attempted_at
        OR delivered_at IS DISTINCT
        FROM was_delivered_at
        OR turned_at IS DISTINCT
        FROM was_turned_at
        OR lost_at IS DISTINCT
        FROM was_lost_at AS moved,
        coalesce(attempted_at IS NOT NULL
            AND after <> 'void',
            false)::int AS attempted,
            coalesce(delivered_at <= attempted_at
            AND after <> 'void',
            false)::int AS first_attempt,
            coalesce(delivered_at - picked_up_at <= interval '48 hours'
            AND after <> 'void',
            false)::int AS within_48h,
            coalesce(delivered_at - picked_up_at <= interval '72 hours'
            AND after <> 'void',
            false)::int AS within_72h,
        coalesce(was_attempted_at IS NOT NULL
            AND before <> 'void',
            false)::int AS was_attempted,
            coalesce(was_delivered_at <= was_attempted_at
            AND before <> 'void',
            false)::int AS was_first_attempt,
            coalesce(was_delivered_at - was_picked_up_at <= interval '48 hours'
            AND before <> 'void',
            false)::int AS was_within_48h,
            coalesce(was_delivered_at - was_picked_up_at <= interval '72 hours'
            AND before <> 'void',
            false)::int AS was_within_72h,
        CASE WHEN (after = 'late' OR before = 'late'
            OR (excused
                OR was_excused)
                AND (after IN ('overdue',
                'late')
                OR before IN ('overdue',
                'late'))) THEN nullif(array_remove(ARRAY[nullif(CASE
                WHEN after = 'late' THEN 1000 + CASE
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
                (reached_at - due_at)) - 0) / 900)::int - 1,
                0)
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
                (reached_at - due_at)) - 43200) / 1800)::int - 1
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
                (reached_at - due_at)) - 172800) / 7200)::int - 1
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
                (reached_at - due_at)) - 864000) / 86400)::int - 1
                ELSE 266 END END,
                CASE
                WHEN before = 'late' THEN 1000 + CASE
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 0) / 900)::int - 1,
                0)
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 43200) / 1800)::int - 1
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 172800) / 7200)::int - 1
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 864000) / 86400)::int - 1
                ELSE 266 END END),
                nullif(CASE
                WHEN excused
                AND after IN ('overdue',
                'late') THEN 2000 + array_position(ARRAY['consignee_refused',
                'consignee_absent',
                'consignee_wrong_address',
                'consignee_rescheduled',
                'merchant_not_ready',
                'merchant_bad_data',
                'weather',
                'disaster',
                'force_majeure'],
                excuse_reason::text) - 1 END,
                CASE
                WHEN was_excused
                AND before IN ('overdue',
                'late') THEN 2000 + array_position(ARRAY['consignee_refused',
                'consignee_absent',
                'consignee_wrong_address',
                'consignee_rescheduled',
                'merchant_not_ready',
                'merchant_bad_data',
                'weather',
                'disaster',
                'force_majeure'],
                was_excuse_reason::text) - 1 END),
                CASE
                WHEN CASE
                WHEN before = 'late' THEN 1000 + CASE
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 0) / 900)::int - 1,
                0)
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 43200) / 1800)::int - 1
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 172800) / 7200)::int - 1
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 864000) / 86400)::int - 1
                ELSE 266 END END IS NOT NULL THEN -nullif(CASE
                WHEN before = 'late' THEN 1000 + CASE
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 0) / 900)::int - 1,
                0)
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 43200) / 1800)::int - 1
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 172800) / 7200)::int - 1
                WHEN date_part('epoch',
                (was_reached_at - due_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
                (was_reached_at - due_at)) - 864000) / 86400)::int - 1
                ELSE 266 END END,
                CASE
                WHEN after = 'late' THEN 1000 + CASE
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 43200 THEN greatest(0 + ceil((date_part('epoch',
                (reached_at - due_at)) - 0) / 900)::int - 1,
                0)
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 172800 THEN 48 + ceil((date_part('epoch',
                (reached_at - due_at)) - 43200) / 1800)::int - 1
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 864000 THEN 120 + ceil((date_part('epoch',
                (reached_at - due_at)) - 172800) / 7200)::int - 1
                WHEN date_part('epoch',
                (reached_at - due_at)) <= 5184000 THEN 216 + ceil((date_part('epoch',
                (reached_at - due_at)) - 864000) / 86400)::int - 1
                ELSE 266 END END) END,
                CASE
                WHEN CASE
                WHEN was_excused
                AND before IN ('overdue',
                'late') THEN 2000 + array_position(ARRAY['consignee_refused',
                'consignee_absent',
                'consignee_wrong_address',
                'consignee_rescheduled',
                'merchant_not_ready',
                'merchant_bad_data',
                'weather',
                'disaster',
                'force_majeure'],
                was_excuse_reason::text) - 1 END IS NOT NULL THEN -nullif(CASE
                WHEN was_excused
                AND before IN ('overdue',
                'late') THEN 2000 + array_position(ARRAY['consignee_refused',
                'consignee_absent',
                'consignee_wrong_address',
                'consignee_rescheduled',
                'merchant_not_ready',
                'merchant_bad_data',
                'weather',
                'disaster',
                'force_majeure'],
                was_excuse_reason::text) - 1 END,
                CASE
                WHEN excused
                AND after IN ('overdue',
                'late') THEN 2000 + array_position(ARRAY['consignee_refused',
                'consignee_absent',
                'consignee_wrong_address',
                'consignee_rescheduled',
                'merchant_not_ready',
                'merchant_bad_data',
                'weather',
                'disaster',
                'force_majeure'],
                excuse_reason::text) - 1 END) END],
                NULL),
                '{}') END AS marks,
        CASE
            WHEN kind = 'delivery'
            AND (reached_at IS NOT NULL
            OR was_reached_at IS NOT NULL) THEN nullif(array_remove(ARRAY[nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '72 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '72 hours' THEN 104000
            WHEN arrived_at <= due_at - interval '72 hours' THEN 103000
            WHEN departed_at <= due_at - interval '72 hours' THEN 102000
            WHEN picked_up_at <= due_at - interval '72 hours' THEN 101000
            WHEN ready_at <= due_at - interval '72 hours' THEN 100000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '72 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '72 hours' THEN 104000
            WHEN was_arrived_at <= due_at - interval '72 hours' THEN 103000
            WHEN was_departed_at <= due_at - interval '72 hours' THEN 102000
            WHEN was_picked_up_at <= due_at - interval '72 hours' THEN 101000
            WHEN ready_at <= due_at - interval '72 hours' THEN 100000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '48 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '48 hours' THEN 114000
            WHEN arrived_at <= due_at - interval '48 hours' THEN 113000
            WHEN departed_at <= due_at - interval '48 hours' THEN 112000
            WHEN picked_up_at <= due_at - interval '48 hours' THEN 111000
            WHEN ready_at <= due_at - interval '48 hours' THEN 110000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '48 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '48 hours' THEN 114000
            WHEN was_arrived_at <= due_at - interval '48 hours' THEN 113000
            WHEN was_departed_at <= due_at - interval '48 hours' THEN 112000
            WHEN was_picked_up_at <= due_at - interval '48 hours' THEN 111000
            WHEN ready_at <= due_at - interval '48 hours' THEN 110000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '24 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '24 hours' THEN 124000
            WHEN arrived_at <= due_at - interval '24 hours' THEN 123000
            WHEN departed_at <= due_at - interval '24 hours' THEN 122000
            WHEN picked_up_at <= due_at - interval '24 hours' THEN 121000
            WHEN ready_at <= due_at - interval '24 hours' THEN 120000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '24 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '24 hours' THEN 124000
            WHEN was_arrived_at <= due_at - interval '24 hours' THEN 123000
            WHEN was_departed_at <= due_at - interval '24 hours' THEN 122000
            WHEN was_picked_up_at <= due_at - interval '24 hours' THEN 121000
            WHEN ready_at <= due_at - interval '24 hours' THEN 120000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '20 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '20 hours' THEN 134000
            WHEN arrived_at <= due_at - interval '20 hours' THEN 133000
            WHEN departed_at <= due_at - interval '20 hours' THEN 132000
            WHEN picked_up_at <= due_at - interval '20 hours' THEN 131000
            WHEN ready_at <= due_at - interval '20 hours' THEN 130000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '20 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '20 hours' THEN 134000
            WHEN was_arrived_at <= due_at - interval '20 hours' THEN 133000
            WHEN was_departed_at <= due_at - interval '20 hours' THEN 132000
            WHEN was_picked_up_at <= due_at - interval '20 hours' THEN 131000
            WHEN ready_at <= due_at - interval '20 hours' THEN 130000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '16 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '16 hours' THEN 144000
            WHEN arrived_at <= due_at - interval '16 hours' THEN 143000
            WHEN departed_at <= due_at - interval '16 hours' THEN 142000
            WHEN picked_up_at <= due_at - interval '16 hours' THEN 141000
            WHEN ready_at <= due_at - interval '16 hours' THEN 140000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '16 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '16 hours' THEN 144000
            WHEN was_arrived_at <= due_at - interval '16 hours' THEN 143000
            WHEN was_departed_at <= due_at - interval '16 hours' THEN 142000
            WHEN was_picked_up_at <= due_at - interval '16 hours' THEN 141000
            WHEN ready_at <= due_at - interval '16 hours' THEN 140000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '12 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '12 hours' THEN 154000
            WHEN arrived_at <= due_at - interval '12 hours' THEN 153000
            WHEN departed_at <= due_at - interval '12 hours' THEN 152000
            WHEN picked_up_at <= due_at - interval '12 hours' THEN 151000
            WHEN ready_at <= due_at - interval '12 hours' THEN 150000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '12 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '12 hours' THEN 154000
            WHEN was_arrived_at <= due_at - interval '12 hours' THEN 153000
            WHEN was_departed_at <= due_at - interval '12 hours' THEN 152000
            WHEN was_picked_up_at <= due_at - interval '12 hours' THEN 151000
            WHEN ready_at <= due_at - interval '12 hours' THEN 150000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '6 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '6 hours' THEN 164000
            WHEN arrived_at <= due_at - interval '6 hours' THEN 163000
            WHEN departed_at <= due_at - interval '6 hours' THEN 162000
            WHEN picked_up_at <= due_at - interval '6 hours' THEN 161000
            WHEN ready_at <= due_at - interval '6 hours' THEN 160000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '6 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '6 hours' THEN 164000
            WHEN was_arrived_at <= due_at - interval '6 hours' THEN 163000
            WHEN was_departed_at <= due_at - interval '6 hours' THEN 162000
            WHEN was_picked_up_at <= due_at - interval '6 hours' THEN 161000
            WHEN ready_at <= due_at - interval '6 hours' THEN 160000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '3 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '3 hours' THEN 174000
            WHEN arrived_at <= due_at - interval '3 hours' THEN 173000
            WHEN departed_at <= due_at - interval '3 hours' THEN 172000
            WHEN picked_up_at <= due_at - interval '3 hours' THEN 171000
            WHEN ready_at <= due_at - interval '3 hours' THEN 170000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '3 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '3 hours' THEN 174000
            WHEN was_arrived_at <= due_at - interval '3 hours' THEN 173000
            WHEN was_departed_at <= due_at - interval '3 hours' THEN 172000
            WHEN was_picked_up_at <= due_at - interval '3 hours' THEN 171000
            WHEN ready_at <= due_at - interval '3 hours' THEN 170000 END + was_margin END),
            nullif(CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '1 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '1 hours' THEN 184000
            WHEN arrived_at <= due_at - interval '1 hours' THEN 183000
            WHEN departed_at <= due_at - interval '1 hours' THEN 182000
            WHEN picked_up_at <= due_at - interval '1 hours' THEN 181000
            WHEN ready_at <= due_at - interval '1 hours' THEN 180000 END + margin END,
            CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '1 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '1 hours' THEN 184000
            WHEN was_arrived_at <= due_at - interval '1 hours' THEN 183000
            WHEN was_departed_at <= due_at - interval '1 hours' THEN 182000
            WHEN was_picked_up_at <= due_at - interval '1 hours' THEN 181000
            WHEN ready_at <= due_at - interval '1 hours' THEN 180000 END + was_margin END),
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '72 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '72 hours' THEN 104000
            WHEN was_arrived_at <= due_at - interval '72 hours' THEN 103000
            WHEN was_departed_at <= due_at - interval '72 hours' THEN 102000
            WHEN was_picked_up_at <= due_at - interval '72 hours' THEN 101000
            WHEN ready_at <= due_at - interval '72 hours' THEN 100000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '72 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '72 hours' THEN 104000
            WHEN was_arrived_at <= due_at - interval '72 hours' THEN 103000
            WHEN was_departed_at <= due_at - interval '72 hours' THEN 102000
            WHEN was_picked_up_at <= due_at - interval '72 hours' THEN 101000
            WHEN ready_at <= due_at - interval '72 hours' THEN 100000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '72 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '72 hours' THEN 104000
            WHEN arrived_at <= due_at - interval '72 hours' THEN 103000
            WHEN departed_at <= due_at - interval '72 hours' THEN 102000
            WHEN picked_up_at <= due_at - interval '72 hours' THEN 101000
            WHEN ready_at <= due_at - interval '72 hours' THEN 100000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '48 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '48 hours' THEN 114000
            WHEN was_arrived_at <= due_at - interval '48 hours' THEN 113000
            WHEN was_departed_at <= due_at - interval '48 hours' THEN 112000
            WHEN was_picked_up_at <= due_at - interval '48 hours' THEN 111000
            WHEN ready_at <= due_at - interval '48 hours' THEN 110000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '48 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '48 hours' THEN 114000
            WHEN was_arrived_at <= due_at - interval '48 hours' THEN 113000
            WHEN was_departed_at <= due_at - interval '48 hours' THEN 112000
            WHEN was_picked_up_at <= due_at - interval '48 hours' THEN 111000
            WHEN ready_at <= due_at - interval '48 hours' THEN 110000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '48 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '48 hours' THEN 114000
            WHEN arrived_at <= due_at - interval '48 hours' THEN 113000
            WHEN departed_at <= due_at - interval '48 hours' THEN 112000
            WHEN picked_up_at <= due_at - interval '48 hours' THEN 111000
            WHEN ready_at <= due_at - interval '48 hours' THEN 110000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '24 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '24 hours' THEN 124000
            WHEN was_arrived_at <= due_at - interval '24 hours' THEN 123000
            WHEN was_departed_at <= due_at - interval '24 hours' THEN 122000
            WHEN was_picked_up_at <= due_at - interval '24 hours' THEN 121000
            WHEN ready_at <= due_at - interval '24 hours' THEN 120000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '24 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '24 hours' THEN 124000
            WHEN was_arrived_at <= due_at - interval '24 hours' THEN 123000
            WHEN was_departed_at <= due_at - interval '24 hours' THEN 122000
            WHEN was_picked_up_at <= due_at - interval '24 hours' THEN 121000
            WHEN ready_at <= due_at - interval '24 hours' THEN 120000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '24 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '24 hours' THEN 124000
            WHEN arrived_at <= due_at - interval '24 hours' THEN 123000
            WHEN departed_at <= due_at - interval '24 hours' THEN 122000
            WHEN picked_up_at <= due_at - interval '24 hours' THEN 121000
            WHEN ready_at <= due_at - interval '24 hours' THEN 120000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '20 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '20 hours' THEN 134000
            WHEN was_arrived_at <= due_at - interval '20 hours' THEN 133000
            WHEN was_departed_at <= due_at - interval '20 hours' THEN 132000
            WHEN was_picked_up_at <= due_at - interval '20 hours' THEN 131000
            WHEN ready_at <= due_at - interval '20 hours' THEN 130000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '20 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '20 hours' THEN 134000
            WHEN was_arrived_at <= due_at - interval '20 hours' THEN 133000
            WHEN was_departed_at <= due_at - interval '20 hours' THEN 132000
            WHEN was_picked_up_at <= due_at - interval '20 hours' THEN 131000
            WHEN ready_at <= due_at - interval '20 hours' THEN 130000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '20 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '20 hours' THEN 134000
            WHEN arrived_at <= due_at - interval '20 hours' THEN 133000
            WHEN departed_at <= due_at - interval '20 hours' THEN 132000
            WHEN picked_up_at <= due_at - interval '20 hours' THEN 131000
            WHEN ready_at <= due_at - interval '20 hours' THEN 130000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '16 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '16 hours' THEN 144000
            WHEN was_arrived_at <= due_at - interval '16 hours' THEN 143000
            WHEN was_departed_at <= due_at - interval '16 hours' THEN 142000
            WHEN was_picked_up_at <= due_at - interval '16 hours' THEN 141000
            WHEN ready_at <= due_at - interval '16 hours' THEN 140000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '16 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '16 hours' THEN 144000
            WHEN was_arrived_at <= due_at - interval '16 hours' THEN 143000
            WHEN was_departed_at <= due_at - interval '16 hours' THEN 142000
            WHEN was_picked_up_at <= due_at - interval '16 hours' THEN 141000
            WHEN ready_at <= due_at - interval '16 hours' THEN 140000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '16 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '16 hours' THEN 144000
            WHEN arrived_at <= due_at - interval '16 hours' THEN 143000
            WHEN departed_at <= due_at - interval '16 hours' THEN 142000
            WHEN picked_up_at <= due_at - interval '16 hours' THEN 141000
            WHEN ready_at <= due_at - interval '16 hours' THEN 140000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '12 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '12 hours' THEN 154000
            WHEN was_arrived_at <= due_at - interval '12 hours' THEN 153000
            WHEN was_departed_at <= due_at - interval '12 hours' THEN 152000
            WHEN was_picked_up_at <= due_at - interval '12 hours' THEN 151000
            WHEN ready_at <= due_at - interval '12 hours' THEN 150000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '12 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '12 hours' THEN 154000
            WHEN was_arrived_at <= due_at - interval '12 hours' THEN 153000
            WHEN was_departed_at <= due_at - interval '12 hours' THEN 152000
            WHEN was_picked_up_at <= due_at - interval '12 hours' THEN 151000
            WHEN ready_at <= due_at - interval '12 hours' THEN 150000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '12 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '12 hours' THEN 154000
            WHEN arrived_at <= due_at - interval '12 hours' THEN 153000
            WHEN departed_at <= due_at - interval '12 hours' THEN 152000
            WHEN picked_up_at <= due_at - interval '12 hours' THEN 151000
            WHEN ready_at <= due_at - interval '12 hours' THEN 150000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '6 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '6 hours' THEN 164000
            WHEN was_arrived_at <= due_at - interval '6 hours' THEN 163000
            WHEN was_departed_at <= due_at - interval '6 hours' THEN 162000
            WHEN was_picked_up_at <= due_at - interval '6 hours' THEN 161000
            WHEN ready_at <= due_at - interval '6 hours' THEN 160000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '6 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '6 hours' THEN 164000
            WHEN was_arrived_at <= due_at - interval '6 hours' THEN 163000
            WHEN was_departed_at <= due_at - interval '6 hours' THEN 162000
            WHEN was_picked_up_at <= due_at - interval '6 hours' THEN 161000
            WHEN ready_at <= due_at - interval '6 hours' THEN 160000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '6 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '6 hours' THEN 164000
            WHEN arrived_at <= due_at - interval '6 hours' THEN 163000
            WHEN departed_at <= due_at - interval '6 hours' THEN 162000
            WHEN picked_up_at <= due_at - interval '6 hours' THEN 161000
            WHEN ready_at <= due_at - interval '6 hours' THEN 160000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '3 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '3 hours' THEN 174000
            WHEN was_arrived_at <= due_at - interval '3 hours' THEN 173000
            WHEN was_departed_at <= due_at - interval '3 hours' THEN 172000
            WHEN was_picked_up_at <= due_at - interval '3 hours' THEN 171000
            WHEN ready_at <= due_at - interval '3 hours' THEN 170000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '3 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '3 hours' THEN 174000
            WHEN was_arrived_at <= due_at - interval '3 hours' THEN 173000
            WHEN was_departed_at <= due_at - interval '3 hours' THEN 172000
            WHEN was_picked_up_at <= due_at - interval '3 hours' THEN 171000
            WHEN ready_at <= due_at - interval '3 hours' THEN 170000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '3 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '3 hours' THEN 174000
            WHEN arrived_at <= due_at - interval '3 hours' THEN 173000
            WHEN departed_at <= due_at - interval '3 hours' THEN 172000
            WHEN picked_up_at <= due_at - interval '3 hours' THEN 171000
            WHEN ready_at <= due_at - interval '3 hours' THEN 170000 END + margin END) END,
            CASE
            WHEN CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '1 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '1 hours' THEN 184000
            WHEN was_arrived_at <= due_at - interval '1 hours' THEN 183000
            WHEN was_departed_at <= due_at - interval '1 hours' THEN 182000
            WHEN was_picked_up_at <= due_at - interval '1 hours' THEN 181000
            WHEN ready_at <= due_at - interval '1 hours' THEN 180000 END + was_margin END IS NOT NULL THEN -nullif(CASE
            WHEN kind = 'delivery'
            AND before IN ('met',
            'late')
            AND was_reached_at > due_at - interval '1 hours' THEN CASE
            WHEN was_out_for_delivery_at <= due_at - interval '1 hours' THEN 184000
            WHEN was_arrived_at <= due_at - interval '1 hours' THEN 183000
            WHEN was_departed_at <= due_at - interval '1 hours' THEN 182000
            WHEN was_picked_up_at <= due_at - interval '1 hours' THEN 181000
            WHEN ready_at <= due_at - interval '1 hours' THEN 180000 END + was_margin END,
            CASE
            WHEN kind = 'delivery'
            AND after IN ('met',
            'late')
            AND reached_at > due_at - interval '1 hours' THEN CASE
            WHEN out_for_delivery_at <= due_at - interval '1 hours' THEN 184000
            WHEN arrived_at <= due_at - interval '1 hours' THEN 183000
            WHEN departed_at <= due_at - interval '1 hours' THEN 182000
            WHEN picked_up_at <= due_at - interval '1 hours' THEN 181000
            WHEN ready_at <= due_at - interval '1 hours' THEN 180000 END + margin END) END],
            NULL),
            '{}') END AS progress,
        kind = 'delivery'
            AND fee_fen IS NOT NULL
            AND (after IN ('overdue',
            'late')
            OR before IN ('overdue',
            'late')
            OR lost_at IS NOT NULL OR was_lost_at IS NOT NULL) AS pays
    FROM sla_judged
),

sla_stored AS (
    INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at,
            due_date,
            outcome,
            excused,
            excuse_reason,
            reached_at,
            picked_up_at,
            departed_at,
            arrived_at,
            out_for_delivery_at,
            attempted_at,
            delivered_at,
            turned_at,
            lost_at)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at,
            due_date,
            after,
            excused,
            excuse_reason,
            reached_at,
            picked_up_at,
            departed_at,
            arrived_at,
            out_for_delivery_at,
            attempted_at,
            delivered_at,
            turned_at,
            lost_at
    FROM sla_changed
    ON CONFLICT (parcel_id,
        kind) DO UPDATE SET outcome = excluded.outcome,
        reached_at = excluded.reached_at,
        picked_up_at = excluded.picked_up_at,
        departed_at = excluded.departed_at,
        arrived_at = excluded.arrived_at,
        out_for_delivery_at = excluded.out_for_delivery_at,
        attempted_at = excluded.attempted_at,
        delivered_at = excluded.delivered_at,
        turned_at = excluded.turned_at,
        lost_at = excluded.lost_at
),
sla_progress AS (
    INSERT INTO slas_progresstally (id,
        courier_id,
        tier_id,
        origin_id,
        destination_id,
        due_date,
        marks,
        parcel_id)
    SELECT nextval('slas_progresstally_id_seq'), courier_id, tier_id, origin_id, destination_id, due_date,
        slas_concatenated(progress),
        min(parcel_id)
    FROM sla_changed WHERE progress IS NOT NULL AND merchant_id < 1000000000000000
    GROUP BY courier_id, tier_id, origin_id, destination_id, due_date
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
        SELECT count(*) INTO settled FROM sla_changed;
    END IF;
    RETURN NEXT;
END
