"""Statements of deliveries, each of one shard: fan events out, store what became of them, begin anew, forget.

Of each parcel an endpoint gets one event after the other: only the first that waits has a time at which it
is due. Who adds a delivery locks the first one of its parcel, who ends one changes it: so one of the two sees
the other, and the next one becomes due.

Text only; `parcels/webhooks/services` runs it.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement

_PLANNED_WITH_VALUES: Final = {"plan_cache_mode": "force_custom_plan"}
# The same event and endpoint always give the same id. The hash is PostgreSQL's of hash-partitioned tables,
# which never changes.
_ID: Final = "hashtextextended(e.id || ':' || w.endpoint_id, 0) & 9223372036854775807"
_ENDPOINTS: Final = """unnest(%(endpoint_id)s, %(organisation_id)s, %(topics)s, %(listens_from)s)
        AS w (endpoint_id, organisation_id, topics, listens_from)"""
_NEWS: Final = f"""
        SELECT {_ID} AS id, e.parcel_id, w.endpoint_id, w.organisation_id, e.topic, e.at, e.id AS event_id
        FROM alliance_event e JOIN {_ENDPOINTS} ON w.organisation_id = e.<side>_id
        WHERE e.at >= %(since)s AND e.at < %(until)s AND e.at >= w.listens_from
            AND strpos(w.topics, ' ' || e.topic || ' ') > 0"""  # noqa: S608 -- built of constants
# The first that waits of each parcel among some becomes due.
_PROMOTE: Final = """
UPDATE parcels_webhookdelivery d SET due_at = %(now)s
FROM (
    SELECT DISTINCT k.parcel_id, k.endpoint_id
    FROM unnest({parcels}, {endpoints}) AS k (parcel_id, endpoint_id) WHERE k.parcel_id > 0
) k
CROSS JOIN LATERAL (
    SELECT id FROM parcels_webhookdelivery n
    WHERE n.parcel_id = k.parcel_id AND n.endpoint_id = k.endpoint_id AND n.state = 'pending'
    ORDER BY n.sequence LIMIT 1
) n
WHERE d.parcel_id = k.parcel_id AND d.id = n.id AND d.due_at IS NULL;"""

# What is new of a stretch of the outbox, for all endpoints. Read again, it adds nothing. Within a parcel, ids
# of events are in the order of its locks, and so in that in which things happened to it. A sequence is never
# less than the time of its event: it goes on growing when earlier deliveries have been deleted.
# Subqueries in the SELECT list are look-ups by key, row by row, whatever the planner believes.
FAN_OUT: Final = StoredStatement(
    "parcels_fan_out_webhooks",
    at_home=True,
    has_nested_loops=True,
    planning=_PLANNED_WITH_VALUES,
    parameters={
        "home": "bigint",
        "endpoint_id": "bigint[]",
        "organisation_id": "bigint[]",
        "topics": "text[]",
        "listens_from": "timestamptz[]",
        "since": "timestamptz",
        "until": "timestamptz",
        "now": "timestamptz",
    },
    returns={"of_endpoint": "bigint", "deliveries": "bigint"},
    body=f"""
DECLARE
    parcels bigint[]; endpoints bigint[];
BEGIN
WITH found AS MATERIALIZED ({_NEWS.replace("<side>", "merchant")}
    UNION ALL{_NEWS.replace("<side>", "courier")}
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
PERFORM 1 FROM (
    SELECT DISTINCT k.parcel_id, k.endpoint_id
    FROM unnest(parcels, endpoints) AS k (parcel_id, endpoint_id) WHERE k.parcel_id > 0
) k
JOIN parcels_webhookdelivery d ON d.parcel_id = k.parcel_id AND d.endpoint_id = k.endpoint_id
WHERE d.state = 'pending' AND d.due_at IS NOT NULL
ORDER BY d.parcel_id, d.id FOR UPDATE OF d;
{_PROMOTE.format(parcels="parcels", endpoints="endpoints")}
RETURN QUERY SELECT k.endpoint_id, count(*) FROM unnest(endpoints) AS k (endpoint_id) GROUP BY k.endpoint_id;
END""",  # noqa: S608 -- built of constants
)

# What became of a batch of one endpoint. An attempt that was stored already, or made while somebody else made
# the same one, is not stored again: its number is taken.
STORE: Final = StoredStatement(
    "parcels_store_webhooks",
    at_home=True,
    has_nested_loops=True,
    parameters={
        "home": "bigint",
        "low": "bigint",
        "high": "bigint",
        "parcel_id": "bigint[]",
        "id": "bigint[]",
        "endpoint_id": "bigint[]",
        "attempts": "bigint[]",
        "state": "text[]",
        "due_at": "timestamptz[]",
        "attempted_at": "timestamptz[]",
        "entry": "text[]",
        "logged": "integer",
        "now": "timestamptz",
    },
    returns={"stored": "bigint"},
    body=f"""
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
{_PROMOTE.format(parcels="%(parcel_id)s", endpoints="%(endpoint_id)s")}
RETURN QUERY SELECT count_stored;
END""",  # noqa: S608 -- built of constants
)

# Begin deliveries of a stretch anew, in the order of each parcel: what waits behind them goes on waiting.
REPLAY: Final = StoredStatement(
    "parcels_replay_webhooks",
    at_home=True,
    has_nested_loops=True,
    planning=_PLANNED_WITH_VALUES,
    parameters={
        "home": "bigint",
        "endpoint": "bigint",
        "states": "text[]",
        "since": "timestamptz",
        "until": "timestamptz",
        "only": "bigint",
        "now": "timestamptz",
    },
    returns={"begun": "bigint"},
    body=f"""
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
    {_PROMOTE.format(parcels="parcels", endpoints="endpoints")}
END IF;
RETURN QUERY SELECT coalesce(cardinality(parcels), 0)::bigint;
END""",  # noqa: S608 -- built of constants
)

# Some of the deliveries that are older than they are kept, and that nobody has touched since.
FORGET: Final = StoredStatement(
    "parcels_forget_webhooks",
    at_home=True,
    planning=_PLANNED_WITH_VALUES,
    parameters={"home": "bigint", "before": "timestamptz", "most": "integer"},
    returns={"forgotten": "bigint"},
    body="""
DECLARE
    count_forgotten bigint;
BEGIN
DELETE FROM parcels_webhookdelivery d USING (
    SELECT id, parcel_id FROM parcels_webhookdelivery
    WHERE at < %(before)s AND coalesce(attempted_at, at) < %(before)s LIMIT %(most)s
) k
WHERE d.id = k.id AND d.parcel_id = k.parcel_id;
GET DIAGNOSTICS count_forgotten = ROW_COUNT;
RETURN QUERY SELECT count_forgotten;
END""",
)
