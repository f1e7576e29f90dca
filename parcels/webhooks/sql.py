"""Statements of deliveries, each of one shard: fan events out, store what became of them, begin anew, forget.

Of each parcel an endpoint gets one event after the other: only the first that waits has a time at which it
is due. Who adds deliveries of a parcel, or ends one, locks the first that waits then: so one of two sees what
the other did, and the next one becomes due.

Text only; `parcels/webhooks/services` runs it.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.sandboxes import OFFSET

# A table that was empty a moment ago is larger than the planner knows.
_BY_INDEX: Final = {"enable_seqscan": "off"}
_PLANNED_WITH_VALUES: Final = {"plan_cache_mode": "force_custom_plan", **_BY_INDEX}
# The same event and endpoint always give the same id. The hash is PostgreSQL's of hash-partitioned tables,
# which never changes.
_ID: Final = "hashtextextended(e.id || ':' || w.endpoint_id, 0) & 9223372036854775807"
_ENDPOINTS: Final = """unnest(%(endpoint_id)s, %(organisation_id)s, %(topics)s, %(reference_prefix)s,
        %(listens_from)s) AS w (endpoint_id, organisation_id, topics, reference_prefix, listens_from)"""
_NEWS: Final = f"""
        SELECT {_ID} AS id, e.parcel_id, w.endpoint_id, w.organisation_id, e.topic, e.at, e.id AS event_id
        FROM alliance_event e JOIN {_ENDPOINTS} ON w.organisation_id = e.<side>_id
        WHERE e.at >= %(since)s AND e.at < %(until)s AND e.at >= w.listens_from
            AND strpos(w.topics, ' ' || e.topic || ' ') > 0
            AND (w.reference_prefix = '' OR (
                SELECT starts_with(p.reference, w.reference_prefix) FROM parcels_parcel p
                WHERE p.id = e.parcel_id
            ))"""  # noqa: S608 -- built of constants
# The first that waits of a parcel becomes due. It is locked, due or not: whoever is just ending it has us
# wait, and looks for the next one only then, or sees ours. One row after the other, each by its key: joined,
# rows of a table that was empty a moment ago are compared with one another.
_PROMOTE: Final = """
    UPDATE parcels_webhookdelivery d SET due_at = %(now)s
    WHERE d.parcel_id = k.parcel_id AND d.due_at IS NULL AND d.id = (
        SELECT n.id FROM parcels_webhookdelivery n
        WHERE n.parcel_id = k.parcel_id AND n.endpoint_id = k.endpoint_id AND n.state = 'pending'
        ORDER BY n.sequence LIMIT 1 FOR UPDATE
    );"""
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
        "reference_prefix": "text[]",
        "listens_from": "timestamptz[]",
        "since": "timestamptz",
        "until": "timestamptz",
        "now": "timestamptz",
    },
    returns={"of_endpoint": "bigint", "deliveries": "bigint"},
    body=f"""
DECLARE
    parcels bigint[]; endpoints bigint[]; k record;
BEGIN
WITH found AS MATERIALIZED ({_NEWS.replace("<side>", "merchant")}
    UNION ALL{_NEWS.replace("<side>", "courier")}
            -- Of test parcels couriers are told nothing.
            AND coalesce(e.merchant_id, 0) < {OFFSET}
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
LOOP{_PROMOTE}
END LOOP;
RETURN QUERY SELECT u.endpoint_id, count(*) FROM unnest(endpoints) AS u (endpoint_id) GROUP BY u.endpoint_id;
END""",  # noqa: S608 -- built of constants
)

# What became of a batch of one endpoint. An attempt that was stored already, or made while somebody else made
# the same one, is not stored again: its number is taken.
STORE: Final = StoredStatement(
    "parcels_store_webhooks",
    at_home=True,
    has_nested_loops=True,
    planning=_BY_INDEX,
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
    CONTINUE WHEN k.parcel_id <= 0;{_PROMOTE}
END LOOP;
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
    parcels bigint[] := '{{}}'; k record;
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
    );{_PROMOTE}
END LOOP;
RETURN QUERY SELECT cardinality(parcels)::bigint;
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
