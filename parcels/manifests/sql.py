"""The statements of manifests, of one shard: a courier's parcels are in few of them."""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from parcels.choices import ParcelStatus

_BOOKED: Final = f"status = '{ParcelStatus.BOOKED}'"

# A merchant's parcels that wait for one pickup and are on no manifest, in the order of booking: also those
# that should have been picked up on a day before, and those booked from the city without an address.
WAITING_PARCELS: Final = StoredStatement(
    "parcels_waiting",
    at_home=True,
    is_stable=True,
    is_plain=True,
    parameters={
        **{"home": "bigint", "merchant": "bigint", "courier": "bigint", "origin": "int"},
        **{"address": "bigint", "day": "date", "low": "bigint", "high": "bigint", "most": "int"},
    },
    returns={"of_parcel": "bigint"},
    body=f"""
BEGIN
    RETURN QUERY
    SELECT id FROM parcels_parcel
    WHERE merchant_id = %(merchant)s AND id BETWEEN %(low)s AND %(high)s AND courier_id = %(courier)s
        AND origin_id = %(origin)s AND (pickup_address_id = %(address)s OR pickup_address_id IS NULL)
        AND pickup_date <= %(day)s AND {_BOOKED} AND manifest_id IS NULL
    ORDER BY id LIMIT %(most)s;
END""",  # noqa: S608 -- built of constants
)
_OF_SOME: Final = {"home": "bigint", "low": "bigint", "high": "bigint", "parcel_id": "bigint[]"}

# Put parcels, which the transaction holds, on a manifest, or on none (NULL).
PUT_PARCELS: Final = StoredStatement(
    "parcels_put_on_manifest",
    at_home=True,
    parameters={**_OF_SOME, "manifest": "bigint"},
    returns={"of_parcel": "bigint"},
    body="""
BEGIN
    RETURN QUERY
    UPDATE parcels_parcel p SET manifest_id = %(manifest)s
    WHERE p.id = ANY(%(parcel_id)s) AND p.id BETWEEN %(low)s AND %(high)s
    RETURNING p.id;
END""",
)
# The parcels of a manifest after one of them, in their order.
MANIFEST_PARCELS: Final = StoredStatement(
    "parcels_of_manifest",
    at_home=True,
    is_stable=True,
    is_plain=True,
    parameters={
        "home": "bigint", "manifest": "bigint", "low": "bigint", "high": "bigint", "most": "int",
    },
    returns={"of_parcel": "bigint", "has_status": "text"},
    body="""
BEGIN
    RETURN QUERY
    SELECT id, status::text FROM parcels_parcel
    WHERE manifest_id = %(manifest)s AND id BETWEEN %(low)s AND %(high)s
    ORDER BY id LIMIT %(most)s;
END""",
)  # fmt: skip
# How many parcels of each status some manifests have now.
MANIFEST_COUNTS: Final = StoredStatement(
    "parcels_by_manifest",
    at_home=True,
    is_stable=True,
    is_plain=True,
    parameters={"home": "bigint", "manifests": "bigint[]", "low": "bigint", "high": "bigint"},
    returns={"manifest": "bigint", "has_status": "text", "n": "bigint"},
    body="""
BEGIN
    RETURN QUERY
    SELECT manifest_id, status::text, count(*) FROM parcels_parcel
    WHERE manifest_id = ANY(%(manifests)s) AND id BETWEEN %(low)s AND %(high)s
    GROUP BY manifest_id, status;
END""",
)
