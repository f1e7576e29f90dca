-- parcels_store_webhooks, volatile
-- takes home bigint
-- takes low bigint
-- takes high bigint
-- takes parcel_id bigint[]
-- takes id bigint[]
-- takes endpoint_id bigint[]
-- takes attempts bigint[]
-- takes state text[]
-- takes due_at timestamptz[]
-- takes attempted_at timestamptz[]
-- takes entry text[]
-- takes logged integer
-- takes now timestamptz
-- returns stored bigint

DECLARE
    count_stored bigint;
BEGIN
PERFORM 1 FROM unnest(%(parcel_id)s, %(id)s) AS k (parcel_id, id)
JOIN parcels_webhookdelivery d ON d.parcel_id = k.parcel_id AND d.id = k.id
ORDER BY d.parcel_id, d.id FOR UPDATE OF d;
UPDATE parcels_webhookdelivery d
SET state = k.state, due_at = k.due_at, attempts = k.attempts, tries = d.tries + 1,
    attempted_at = k.attempted_at,
    log = CASE WHEN jsonb_array_length(d.log) >= %(logged)s THEN d.log - 0 ELSE d.log END || k.entry::jsonb
FROM unnest(%(parcel_id)s, %(id)s, %(attempts)s, %(state)s, %(due_at)s, %(attempted_at)s, %(entry)s)
    AS k (parcel_id, id, attempts, state, due_at, attempted_at, entry)
WHERE d.parcel_id = k.parcel_id AND d.id = k.id AND d.attempts = k.attempts - 1 AND d.state = 'pending';
GET DIAGNOSTICS count_stored = ROW_COUNT;

UPDATE parcels_webhookdelivery d SET due_at = %(now)s
FROM (
    SELECT DISTINCT k.parcel_id, k.endpoint_id
    FROM unnest(%(parcel_id)s, %(endpoint_id)s) AS k (parcel_id, endpoint_id) WHERE k.parcel_id > 0
) k
CROSS JOIN LATERAL (
    SELECT id FROM parcels_webhookdelivery n
    WHERE n.parcel_id = k.parcel_id AND n.endpoint_id = k.endpoint_id AND n.state = 'pending'
    ORDER BY n.sequence LIMIT 1
) n
WHERE d.parcel_id = k.parcel_id AND d.id = n.id AND d.due_at IS NULL;
RETURN QUERY SELECT count_stored;
END
