-- parcels_stored_scans, stable
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes parcels bigint[]
-- takes keys bigint[]
-- returns of_parcel bigint
-- returns of_event bigint
-- returns code text
-- returns counted_at timestamptz
-- returns reason text
-- returns facility text
-- returns consent bool
-- returns is_withdrawn bool

BEGIN
RETURN QUERY
SELECT s.parcel_id, s.event_key, s.code::text, coalesce(s.stated_at, s.occurred_at), s.reason::text,
    -- Erasing a recipient leaves only a part of the place.
    CASE WHEN p.erased_at IS NULL THEN s.facility::text END, s.consent,
    EXISTS (SELECT 1 FROM parcels_scan c
        WHERE c.parcel_id = s.parcel_id AND c.code = 'correction' AND c.corrects = s.event_key)
FROM parcels_scan s JOIN parcels_parcel p ON p.id = s.parcel_id
WHERE s.parcel_id = ANY(%(parcels)s) AND s.parcel_id BETWEEN %(low)s AND %(high)s
    AND p.id BETWEEN %(low)s AND %(high)s AND s.event_key = ANY(%(keys)s);
END
