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
    parcels bigint[]; endpoints bigint[];
BEGIN
WITH begun AS (
    UPDATE parcels_webhookdelivery d
    SET state = 'pending', tries = 0, due_at = CASE WHEN d.parcel_id <= 0 THEN %(now)s END
    FROM (
        SELECT id, parcel_id FROM parcels_webhookdelivery
        WHERE endpoint_id = %(endpoint)s AND state = ANY(%(states)s) AND at >= %(since)s AND at < %(until)s
            AND (%(only)s IS NULL OR id = %(only)s)
        ORDER BY parcel_id, id FOR UPDATE
    ) k
    WHERE d.id = k.id AND d.parcel_id = k.parcel_id
    RETURNING d.parcel_id, d.endpoint_id
)
SELECT array_agg(parcel_id), array_agg(endpoint_id) INTO parcels, endpoints FROM begun;
IF parcels IS NOT NULL THEN
    -- Of a parcel that has an earlier one now, the one that was due waits.
    UPDATE parcels_webhookdelivery d SET due_at = NULL
    FROM (
        SELECT DISTINCT k.parcel_id FROM unnest(parcels) AS k (parcel_id) WHERE k.parcel_id > 0
    ) k
    WHERE d.parcel_id = k.parcel_id AND d.endpoint_id = %(endpoint)s AND d.due_at IS NOT NULL
        AND EXISTS (
            SELECT 1 FROM parcels_webhookdelivery b WHERE b.parcel_id = d.parcel_id
                AND b.endpoint_id = d.endpoint_id AND b.state = 'pending' AND b.sequence < d.sequence
        );

UPDATE parcels_webhookdelivery d SET due_at = %(now)s
FROM (
    SELECT DISTINCT k.parcel_id, k.endpoint_id
    FROM unnest(parcels, endpoints) AS k (parcel_id, endpoint_id) WHERE k.parcel_id > 0
) k
CROSS JOIN LATERAL (
    SELECT id FROM parcels_webhookdelivery n
    WHERE n.parcel_id = k.parcel_id AND n.endpoint_id = k.endpoint_id AND n.state = 'pending'
    ORDER BY n.sequence LIMIT 1
) n
WHERE d.parcel_id = k.parcel_id AND d.id = n.id AND d.due_at IS NULL;
END IF;
RETURN QUERY SELECT coalesce(cardinality(parcels), 0)::bigint;
END
