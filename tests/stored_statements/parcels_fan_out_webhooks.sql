-- parcels_fan_out_webhooks, volatile
-- takes home bigint
-- takes endpoint_id bigint[]
-- takes organisation_id bigint[]
-- takes topics text[]
-- takes reference_prefix text[]
-- takes listens_from timestamptz[]
-- takes since timestamptz
-- takes until timestamptz
-- takes now timestamptz
-- returns of_endpoint bigint
-- returns deliveries bigint

DECLARE
    parcels bigint[]; endpoints bigint[]; k record;
BEGIN
WITH found AS MATERIALIZED (
        SELECT hashtextextended(e.id || ':' || w.endpoint_id,
            0) & 9223372036854775807 AS id,
            e.parcel_id,
            w.endpoint_id,
            w.organisation_id,
            e.topic,
            e.at,
            e.id AS event_id
        FROM alliance_event e JOIN unnest(%(endpoint_id)s,
            %(organisation_id)s,
            %(topics)s,
            %(reference_prefix)s,
        %(listens_from)s) AS w (endpoint_id,
            organisation_id,
            topics,
            reference_prefix,
            listens_from) ON w.organisation_id = e.merchant_id
        WHERE e.at >= %(since)s AND e.at < %(until)s AND e.at >= w.listens_from
            AND strpos(w.topics, ' ' || e.topic || ' ') > 0
            AND (w.reference_prefix = '' OR (
                SELECT starts_with(p.reference, w.reference_prefix) FROM parcels_parcel p
                WHERE p.id = e.parcel_id
            ))
    UNION ALL
        SELECT hashtextextended(e.id || ':' || w.endpoint_id,
            0) & 9223372036854775807 AS id,
            e.parcel_id,
            w.endpoint_id,
            w.organisation_id,
            e.topic,
            e.at,
            e.id AS event_id
        FROM alliance_event e JOIN unnest(%(endpoint_id)s,
            %(organisation_id)s,
            %(topics)s,
            %(reference_prefix)s,
        %(listens_from)s) AS w (endpoint_id,
            organisation_id,
            topics,
            reference_prefix,
            listens_from) ON w.organisation_id = e.courier_id
        WHERE e.at >= %(since)s AND e.at < %(until)s AND e.at >= w.listens_from
            AND strpos(w.topics, ' ' || e.topic || ' ') > 0
            AND (w.reference_prefix = '' OR (
                SELECT starts_with(p.reference, w.reference_prefix) FROM parcels_parcel p
                WHERE p.id = e.parcel_id
            ))
            -- Of test parcels couriers are told nothing.
            AND coalesce(e.merchant_id, 0) < 1000000000000000
),
missing AS MATERIALIZED (
    SELECT * FROM (
        SELECT f.*, (
            SELECT true FROM parcels_webhookdelivery d WHERE d.id = f.id AND d.parcel_id = f.parcel_id
        ) AS is_there
        FROM found f
    ) f WHERE is_there IS NULL
),
placed AS MATERIALIZED (
    SELECT m.*, coalesce((
        SELECT d.sequence FROM parcels_webhookdelivery d
        WHERE d.parcel_id = m.parcel_id AND d.endpoint_id = m.endpoint_id ORDER BY d.sequence DESC LIMIT 1
    ), 0) AS before
    FROM missing m
),
written AS (
    INSERT INTO parcels_webhookdelivery (id, parcel_id, endpoint_id, organisation_id, topic, at, sequence,
        payload, state, due_at, attempts, tries, log)
    SELECT id, parcel_id, endpoint_id, organisation_id, topic, at,
        greatest(before, max((extract(epoch FROM at) * 1000)::bigint) OVER in_order)
            + row_number() OVER in_order,
        (SELECT e.payload FROM alliance_event e WHERE e.id = event_id AND e.parcel_id = placed.parcel_id),
        'pending', CASE WHEN parcel_id <= 0 THEN %(now)s END, 0, 0, '[]'
    FROM placed
    WINDOW in_order AS (PARTITION BY parcel_id, endpoint_id ORDER BY event_id ROWS UNBOUNDED PRECEDING)
    ON CONFLICT (id, parcel_id) DO NOTHING
    RETURNING parcel_id, endpoint_id
)
SELECT array_agg(parcel_id), array_agg(endpoint_id) INTO parcels, endpoints FROM written;
IF parcels IS NULL THEN
    RETURN;
END IF;
PERFORM set_config('plan_cache_mode', 'force_generic_plan', true);
-- In one order everywhere, so that none waits for another in a circle.
FOR k IN
    SELECT DISTINCT u.parcel_id, u.endpoint_id
    FROM unnest(parcels, endpoints) AS u (parcel_id, endpoint_id) WHERE u.parcel_id > 0 ORDER BY 1, 2
LOOP
    UPDATE parcels_webhookdelivery d SET due_at = %(now)s
    WHERE d.parcel_id = k.parcel_id AND d.due_at IS NULL AND d.id = (
        SELECT n.id FROM parcels_webhookdelivery n
        WHERE n.parcel_id = k.parcel_id AND n.endpoint_id = k.endpoint_id AND n.state = 'pending'
        ORDER BY n.sequence LIMIT 1 FOR UPDATE
    );
END LOOP;
RETURN QUERY SELECT u.endpoint_id, count(*) FROM unnest(endpoints) AS u (endpoint_id) GROUP BY u.endpoint_id;
END
