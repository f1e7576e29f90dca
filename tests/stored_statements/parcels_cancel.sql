-- parcels_cancel, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes at timestamptz
-- takes of_merchant bigint
-- takes parcel_id bigint[]
-- takes only_locked bigint[]
-- returns of_parcel bigint
-- returns is_own bool
-- returns was_booked bool
-- returns has_status text
-- returns since timestamptz
-- returns merchant bigint
-- returns courier bigint
-- returns offer bigint
-- returns day date
-- returns known_as text

BEGIN
RETURN QUERY
WITH held AS MATERIALIZED (
    SELECT id, status, status_at, merchant_id, courier_id, offer_id, pickup_date, reference,
        %(of_merchant)s IS NULL OR merchant_id = %(of_merchant)s AS own
    FROM parcels_parcel
    WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
    ORDER BY id
    FOR NO KEY UPDATE
),
cancelled AS (
    UPDATE parcels_parcel p
    SET status = 'cancelled', status_at = %(at)s, cancelled_at = %(at)s
    FROM held h
    WHERE p.id = h.id AND p.id BETWEEN %(low)s AND %(high)s AND h.own AND h.status = 'booked'
        AND p.id <> ALL(%(only_locked)s)
    RETURNING p.id
)
SELECT h.id, h.own, c.id IS NOT NULL,
    (CASE WHEN c.id IS NULL THEN h.status ELSE 'cancelled' END)::text,
    CASE WHEN c.id IS NULL THEN h.status_at ELSE %(at)s END,
    h.merchant_id, h.courier_id, h.offer_id, h.pickup_date, h.reference::text
FROM held h LEFT JOIN cancelled c ON c.id = h.id;
END
