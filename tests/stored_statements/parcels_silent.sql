-- parcels_silent, stable
-- takes home bigint
-- takes oldest bigint
-- takes now timestamptz
-- returns of_parcel bigint

BEGIN
RETURN QUERY
SELECT p.id FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.kind = 'delivery' AND c.lost_at IS NULL AND c.parcel_id >= %(oldest)s
    AND (c.outcome = 'pending' OR c.outcome = 'overdue'
        OR (c.outcome IN ('met', 'late') AND c.delivered_at IS NULL))
    AND p.last_scan_at <= %(now)s - interval '3 days'
        AND p.status IN ('picked_up',
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
        ELSE interval '7 days' END <= %(now)s;
RETURN QUERY
SELECT p.id FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.lost_at IS NOT NULL
    AND c.kind = 'delivery'
    AND p.status <> 'lost'
    AND NOT (p.status IN ('picked_up',
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
        ELSE interval '7 days' END <= %(now)s);
END
