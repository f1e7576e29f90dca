"""The statement that reads what the watch list judges parcels by, of one shard; `services` runs it."""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from slas.commitments.landmarks import STAGE_COLUMNS

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
    p.last_scan_at, p.status::text, c.lost_at IS NOT NULL, c.due_at, c.outcome::text,
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
