"""The statements that put parcels into a pickup request, each for those of one shard.

Two of them: what the locked rows say is judged in between, by `parcels.pickups.rules`.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement

_OF_PARCELS: Final = {"home": "bigint", "low": "bigint", "high": "bigint"}

# Locked in the order in which cancellations and scans lock: two requests for one parcel wait for each other,
# and the second one sees the first one's.
HOLD_FOR_PICKUP: Final = StoredStatement(
    "parcels_hold_for_pickup",
    at_home=True,
    parameters={**_OF_PARCELS, "of_merchant": "bigint", "parcel_id": "bigint[]"},
    returns={
        **{"of_parcel": "bigint", "has_status": "text", "courier": "bigint", "address": "bigint"},
        **{
            "city": "int",
            "ready": "timestamptz",
            "promised_by": "timestamptz",
            "request": "bigint",
            "grams": "int",
        },
    },
    body="""
BEGIN
RETURN QUERY
SELECT id, status::text, courier_id, pickup_address_id, origin_id, ready_at, pickup_by, pickup_id, weight_g
FROM parcels_parcel
WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s AND merchant_id = %(of_merchant)s
ORDER BY id
FOR NO KEY UPDATE;
END""",
)
# A column without an index: the row stays on its page, if that has room.
JOIN_PICKUP: Final = StoredStatement(
    "parcels_join_pickup",
    at_home=True,
    parameters={**_OF_PARCELS, "request": "bigint", "parcel_id": "bigint[]"},
    returns={"joined": "bigint"},
    body="""
BEGIN
RETURN QUERY
WITH joined AS (
    UPDATE parcels_parcel SET pickup_id = %(request)s
    WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
    RETURNING 1
)
SELECT count(*) FROM joined;
END""",
)
