-- slas_settle, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes now timestamptz
-- takes parcel_id bigint[]
-- takes kind text[]
-- takes exact bool[]
-- takes reached_at timestamptz[]
-- takes picked_up_at timestamptz[]
-- takes departed_at timestamptz[]
-- takes arrived_at timestamptz[]
-- takes out_for_delivery_at timestamptz[]
-- takes attempted_at timestamptz[]
-- takes delivered_at timestamptz[]
-- takes turned_at timestamptz[]
-- takes lost_at timestamptz[]
-- returns changed bigint
-- returns opened bigint
-- returns withdrawn bigint

BEGIN
RETURN QUERY
WITH milestones AS (
    SELECT * FROM unnest(%(parcel_id)s, %(kind)s, %(exact)s,
        %(reached_at)s,
            %(picked_up_at)s,
            %(departed_at)s,
            %(arrived_at)s,
            %(out_for_delivery_at)s,
            %(attempted_at)s,
            %(delivered_at)s,
            %(turned_at)s,
            %(lost_at)s)
        AS m (parcel_id,
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
            lost_at)
),

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
SELECT (SELECT count(*) FROM sla_changed),
    (SELECT count(*) FROM sla_breaches WHERE standing),
    (SELECT count(*) FROM sla_breaches WHERE NOT standing);
END
