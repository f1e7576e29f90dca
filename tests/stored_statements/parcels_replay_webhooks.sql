-- parcels_replay_webhooks, volatile
-- takes home bigint
-- takes endpoint bigint
-- takes states text[]
-- takes since timestamptz
-- takes until timestamptz
-- takes only bigint
-- takes now timestamptz
-- returns begun bigint

DECLARE
    parcels bigint[] := '{}'; k record;
BEGIN
FOR k IN
    SELECT id, parcel_id FROM parcels_webhookdelivery
    WHERE endpoint_id = %(endpoint)s AND state = ANY(%(states)s) AND at >= %(since)s AND at < %(until)s
        AND (%(only)s IS NULL OR id = %(only)s)
    ORDER BY parcel_id, id FOR UPDATE
LOOP
    UPDATE parcels_webhookdelivery d
    SET state = 'pending', tries = 0, due_at = CASE WHEN d.parcel_id <= 0 THEN %(now)s END
    WHERE d.id = k.id AND d.parcel_id = k.parcel_id;
    parcels := parcels || k.parcel_id;
END LOOP;
PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
FOR k IN
    SELECT DISTINCT u.parcel_id, %(endpoint)s AS endpoint_id
    FROM unnest(parcels) AS u (parcel_id) WHERE u.parcel_id > 0 ORDER BY 1
LOOP
    -- The one that was due waits if the parcel has an earlier one now.
    UPDATE parcels_webhookdelivery d SET due_at = NULL
    WHERE d.parcel_id = k.parcel_id AND d.endpoint_id = k.endpoint_id AND d.due_at IS NOT NULL AND EXISTS (
        SELECT 1 FROM parcels_webhookdelivery b WHERE b.parcel_id = k.parcel_id
            AND b.endpoint_id = k.endpoint_id AND b.state = 'pending' AND b.sequence < d.sequence
    );
    UPDATE parcels_webhookdelivery d SET due_at = %(now)s
    WHERE d.parcel_id = k.parcel_id AND d.due_at IS NULL AND d.id = (
        SELECT n.id FROM parcels_webhookdelivery n
        WHERE n.parcel_id = k.parcel_id AND n.endpoint_id = k.endpoint_id AND n.state = 'pending'
        ORDER BY n.sequence LIMIT 1 FOR UPDATE
    );
END LOOP;
RETURN QUERY SELECT cardinality(parcels)::bigint;
END
