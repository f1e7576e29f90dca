-- slas_mark_lost, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes now timestamptz
-- takes parcel_id bigint[]
-- takes lost_at timestamptz[]
-- returns changed bigint

BEGIN
RETURN QUERY
WITH sla_keys AS (
    SELECT parcel_id, 'delivery' AS kind, lost_at
    FROM unnest(%(parcel_id)s, %(lost_at)s) AS k (parcel_id, lost_at)
),
sla_locked AS MATERIALIZED (
    SELECT c.* FROM (SELECT * FROM sla_keys ORDER BY parcel_id, kind) l
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
                l.lost_at
        FROM slas_commitment c
        WHERE c.parcel_id = ANY(ARRAY[ARRAY[l.parcel_id]])
            AND c.kind = l.kind
            AND c.parcel_id BETWEEN %(low)s
            AND %(high)s
            AND c.outcome <> 'void'
            AND c.lost_at IS DISTINCT
            FROM l.lost_at
        FOR NO KEY UPDATE OF c
    ) c
),

sla_judged AS MATERIALIZED (
    SELECT *,
        before AS after,
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
    SELECT *, lost_at IS DISTINCT FROM was_lost_at AS moved,
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
        due_at, due_date, outcome, excused, excuse_reason, reached_at, lost_at)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at, due_date, after, excused, excuse_reason, reached_at, lost_at
    FROM sla_changed
    ON CONFLICT (parcel_id, kind) DO UPDATE SET outcome = excluded.outcome, lost_at = excluded.lost_at
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
SELECT count(*) FROM sla_changed;
END
