"""The statement of prints, as a database function."""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from parcels.choices import ParcelStatus

# Notes the first print of parcels that have none and are not cancelled, and returns which those are. A column
# without an index: on the page where the row is. Rows are taken in the order in which scans and cancellations
# take them: an UPDATE alone takes them as its plan comes upon them, and two that wait for each other end in a
# deadlock. Who prints the same parcel at the same time waits for the row, and finds it printed.
NOTE_PRINTS: Final = StoredStatement(
    "parcels_note_prints",
    at_home=True,
    parameters={
        **{"home": "bigint", "low": "bigint", "high": "bigint", "at": "timestamptz"},
        "parcel_id": "bigint[]",
    },
    returns={"of_parcel": "bigint"},
    body=f"""
BEGIN
RETURN QUERY
WITH held AS MATERIALIZED (
    SELECT id FROM parcels_parcel
    WHERE id = ANY(%(parcel_id)s) AND id BETWEEN %(low)s AND %(high)s
        AND label_printed_at IS NULL AND status <> '{ParcelStatus.CANCELLED}'
    ORDER BY id
    FOR NO KEY UPDATE
)
UPDATE parcels_parcel p SET label_printed_at = %(at)s
FROM held h
WHERE p.id = h.id AND p.id BETWEEN %(low)s AND %(high)s
RETURNING p.id;
END""",  # noqa: S608 -- built of constants
)
