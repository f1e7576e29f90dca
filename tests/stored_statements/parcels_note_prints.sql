-- parcels_note_prints, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes at timestamptz
-- takes parcel_id bigint[]
-- returns of_parcel bigint

BEGIN
RETURN QUERY
WITH held AS MATERIALIZED (
    SELECT id FROM parcels_parcel
    WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
        AND label_printed_at IS NULL AND status <> 'cancelled'
    ORDER BY id
    FOR NO KEY UPDATE
)
UPDATE parcels_parcel p SET label_printed_at = %(at)s
FROM held h
WHERE p.id = h.id AND p.id BETWEEN %(low)s AND %(high)s
RETURNING p.id;
END
