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
    count_stored bigint := 0; k record;
BEGIN
FOR k IN
    SELECT * FROM unnest(%(parcel_id)s, %(id)s, %(endpoint_id)s, %(attempts)s, %(state)s, %(due_at)s,
        %(attempted_at)s, %(entry)s)
        AS u (parcel_id, id, endpoint_id, attempts, state, due_at, attempted_at, entry)
    ORDER BY parcel_id, id
LOOP
    UPDATE parcels_webhookdelivery d
    SET state = k.state, due_at = k.due_at, attempts = k.attempts, tries = d.tries + 1,
        attempted_at = k.attempted_at,
        log = CASE WHEN jsonb_array_length(d.log) >= %(logged)s THEN d.log - 0 ELSE d.log END
            || k.entry::jsonb
    WHERE d.parcel_id = k.parcel_id AND d.id = k.id AND d.attempts = k.attempts - 1 AND d.state = 'pending';
    IF FOUND THEN
        count_stored := count_stored + 1;
    END IF;
    CONTINUE WHEN k.parcel_id <= 0;
    UPDATE parcels_webhookdelivery d SET due_at = %(now)s
    WHERE d.parcel_id = k.parcel_id AND d.due_at IS NULL AND d.id = (
        SELECT n.id FROM parcels_webhookdelivery n
        WHERE n.parcel_id = k.parcel_id AND n.endpoint_id = k.endpoint_id AND n.state = 'pending'
        ORDER BY n.sequence LIMIT 1 FOR UPDATE
    );
END LOOP;
RETURN QUERY SELECT count_stored;
END
