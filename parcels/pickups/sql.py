"""The statement that puts held parcels into a pickup request, for those of one shard."""

from typing import Final

from alliance.database.stored_functions import StoredStatement

# A column without an index: the row stays on its page, if that has room.
JOIN_PICKUP: Final = StoredStatement(
    "parcels_join_pickup",
    at_home=True,
    parameters={
        **{"home": "bigint", "low": "bigint", "high": "bigint"},
        **{"request": "bigint", "parcel_id": "bigint[]"},
    },
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
