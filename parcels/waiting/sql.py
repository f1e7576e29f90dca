"""The statement that holds parcels which may wait for their courier, for those of one shard."""

from typing import Final

from alliance.database.stored_functions import StoredStatement

# Parcels as they are, locked in the order in which scans and cancellations lock: until the transaction ends,
# none moves, and of two that want one parcel the second sees what the first made of it.
HELD_PARCELS: Final = StoredStatement(
    "parcels_held",
    at_home=True,
    parameters={"home": "bigint", "low": "bigint", "high": "bigint", "parcel_id": "bigint[]"},
    returns={
        **{"of_parcel": "bigint", "merchant": "bigint", "courier": "bigint", "origin": "int"},
        **{"address": "bigint", "day": "date", "has_status": "text", "manifest": "bigint"},
        **{"request": "bigint", "ready": "timestamptz", "promised_by": "timestamptz", "grams": "int"},
    },
    body="""
BEGIN
RETURN QUERY
SELECT id, merchant_id, courier_id, origin_id, pickup_address_id, pickup_date, status::text, manifest_id,
    pickup_id, ready_at, pickup_by, weight_g
FROM parcels_parcel
WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
ORDER BY id
FOR NO KEY UPDATE;
END""",
)
