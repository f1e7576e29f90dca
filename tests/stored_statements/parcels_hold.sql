-- parcels_hold, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes now timestamptz
-- takes parcel_id bigint[]
-- returns of_parcel bigint
-- returns is_silent bool
-- returns since timestamptz
-- returns has_status text

BEGIN
RETURN QUERY
SELECT p.id,
    p.status IN ('picked_up',
    'in_transit',
    'out_for_delivery',
    'attempt_failed',
    'exception',
    'returning')
    AND (p.returned_by_id IS NULL
    OR p.return_cancelled_at IS NOT NULL)
    AND greatest(p.last_scan_at,
    p.return_cancelled_at) + CASE
    WHEN p.origin_id = p.destination_id THEN interval '3 days'
        ELSE interval '7 days' END <= %(now)s,
            greatest(p.last_scan_at,
            p.return_cancelled_at) + CASE
            WHEN p.origin_id = p.destination_id THEN interval '3 days'
        ELSE interval '7 days' END, p.status::text
FROM parcels_parcel p
WHERE p.id = ANY(%(parcel_id)s) AND p.id BETWEEN %(low)s AND %(high)s
ORDER BY p.id
FOR NO KEY UPDATE OF p;
END
