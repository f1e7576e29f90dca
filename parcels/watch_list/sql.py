"""The statements that read what the watch list has to know of parcels, each of one shard.

Text only; `parcels/watch_list/services.py` runs it.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.events import Topic
from slas.commitments.landmarks import STAGE_COLUMNS
from slas.forecasts.sql_watch import PLANNED_WITH_VALUES

# Held, failed or contradicted parcels, perhaps days before the promise, come from the outbox: an index of
# parcels by status would cost too much, because every scan would update it. The same query finds every parcel
# on the list with an event: it is refreshed at once, before its turn.
NEWS: Final = StoredStatement(
    "parcels_watch_news",
    at_home=True,
    is_stable=True,
    is_plain=True,
    planning=PLANNED_WITH_VALUES,
    parameters={"home": "bigint", "since": "timestamptz", "troubled": "text[]"},
    returns={"of_parcel": "bigint"},
    body=f"""
BEGIN
RETURN QUERY
SELECT DISTINCT parcel_id FROM alliance_event e
WHERE at > %(since)s AND (
    topic = '{Topic.PARCEL_STATUS_CHANGED}' AND payload->>'status' = ANY(%(troubled)s)
    OR topic = '{Topic.PARCEL_CONTRADICTED}'
    OR EXISTS (SELECT 1 FROM slas_watchitem w WHERE w.parcel_id = e.parcel_id)
);
END""",  # noqa: S608 -- built of constants
)
# Of the parcels due later: those whose last scan may be a day ago. Scans that were received late, or
# committed late by an open transaction, are found by their time of receipt.
SEEN: Final = StoredStatement(
    "parcels_watch_seen",
    at_home=True,
    is_stable=True,
    is_plain=True,
    planning=PLANNED_WITH_VALUES,
    parameters={
        "home": "bigint",
        "first": "timestamptz",
        "last": "timestamptz",
        "since": "timestamptz",
        "oldest": "bigint",
        "final": "text[]",
    },
    returns={"of_parcel": "bigint"},
    body="""
BEGIN
RETURN QUERY
SELECT parcel_id FROM parcels_scan
WHERE occurred_at > %(first)s AND occurred_at <= %(last)s
    AND parcel_id >= %(oldest)s AND code <> ALL(%(final)s)
UNION
SELECT parcel_id FROM parcels_scan
WHERE received_at > %(since)s AND occurred_at <= %(first)s
    AND parcel_id >= %(oldest)s AND code <> ALL(%(final)s);
END""",
)

_OF_PARCEL: Final = {
    "id": "bigint",
    "merchant_id": "bigint",
    "courier_id": "bigint",
    "tier_id": "smallint",
    "origin_id": "integer",
    "destination_id": "integer",
    "booked_at": "timestamptz",
    "pickup_by": "timestamptz",
    "last_scan_at": "timestamptz",
    "status": "text",
    "comes_back": "boolean",
}
_OF_COMMITMENT: Final = {
    "is_lost": "boolean",
    "due_at": "timestamptz",
    "outcome": "text",
    "revised_due_at": "timestamptz",
    "contradicted_at": "timestamptz",
}

# OFFSET 0 forces two index look-ups per parcel: because of the policies the planner estimates one row each,
# and would otherwise scan all commitments of a slice for each of its parcels.
SIGHTINGS: Final = StoredStatement(
    "parcels_sightings",
    at_home=True,
    is_stable=True,
    has_nested_loops=True,
    parameters={"home": "bigint", "low": "bigint", "high": "bigint", "parcel_id": "bigint[]"},
    returns={**_OF_PARCEL, **_OF_COMMITMENT, **dict.fromkeys(STAGE_COLUMNS, "timestamptz")},
    body=f"""
BEGIN
RETURN QUERY
SELECT p.id, p.merchant_id, p.courier_id, p.tier_id, p.origin_id, p.destination_id, p.booked_at, p.pickup_by,
    p.last_scan_at, p.status::text, p.returned_by_id IS NOT NULL AND p.return_cancelled_at IS NULL,
    c.lost_at IS NOT NULL, c.due_at, c.outcome::text,
    c.revised_due_at, p.contradicted_at, {", ".join(f"p.{name}" for name in STAGE_COLUMNS)}
FROM unnest(%(parcel_id)s) AS k (id)
CROSS JOIN LATERAL (
    SELECT * FROM parcels_parcel WHERE id = k.id AND id BETWEEN %(low)s AND %(high)s OFFSET 0
) p
CROSS JOIN LATERAL (
    SELECT * FROM slas_commitment
    WHERE parcel_id = k.id AND kind = 'delivery' AND parcel_id BETWEEN %(low)s AND %(high)s
    OFFSET 0
) c;
END""",  # noqa: S608 -- built of constants
)
