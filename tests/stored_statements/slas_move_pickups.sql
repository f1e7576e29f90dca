-- slas_move_pickups, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes now timestamptz
-- takes sooner bool
-- takes parcel_id bigint[]
-- takes due_at timestamptz[]
-- returns moved bigint

BEGIN
RETURN QUERY
WITH sla_keys AS (
    SELECT parcel_id, 'pickup' AS kind, due_at
    FROM unnest(%(parcel_id)s, %(due_at)s) AS k (parcel_id, due_at)
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
                c.lost_at,
                l.due_at AS agreed_at
        FROM slas_commitment c
        WHERE c.parcel_id = ANY(ARRAY[ARRAY[l.parcel_id]])
            AND c.kind = l.kind
            AND c.parcel_id BETWEEN %(low)s
            AND %(high)s
            AND c.outcome = 'pending'
            AND c.due_at > %(now)s
            AND l.due_at > %(now)s
            AND CASE WHEN %(sooner)s THEN l.due_at < c.due_at ELSE l.due_at > c.due_at END
        FOR NO KEY UPDATE OF c
    ) c
),
moved AS (
    UPDATE slas_commitment c SET due_at = l.agreed_at FROM sla_locked l
    WHERE c.parcel_id = l.parcel_id AND c.kind = l.kind AND c.parcel_id BETWEEN %(low)s AND %(high)s
    RETURNING 1
)
SELECT count(*) FROM moved;
END
