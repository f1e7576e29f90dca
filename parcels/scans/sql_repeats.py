"""The statement that reads scans that were sent again, as they were stored.

Text only; `parcels/scans/services.py` runs it.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement

# With whether a correction withdraws them.
STORED_SCANS: Final = StoredStatement(
    "parcels_stored_scans",
    at_home=True,
    is_stable=True,
    parameters={
        "home": "bigint",
        "low": "bigint",
        "high": "bigint",
        "parcels": "bigint[]",
        "keys": "bigint[]",
    },
    returns={
        "of_parcel": "bigint",
        "of_event": "bigint",
        "code": "text",
        "counted_at": "timestamptz",
        "reason": "text",
        "facility": "text",
        "consent": "bool",
        "is_withdrawn": "bool",
    },
    body="""
BEGIN
RETURN QUERY
SELECT s.parcel_id, s.event_key, s.code::text, coalesce(s.stated_at, s.occurred_at), s.reason::text,
    -- Erasing a recipient leaves only a part of the place.
    CASE WHEN p.erased_at IS NULL THEN s.facility::text END, s.consent,
    EXISTS (SELECT 1 FROM parcels_scan c
        WHERE c.parcel_id = s.parcel_id AND c.code = 'correction' AND c.corrects = s.event_key)
FROM parcels_scan s JOIN parcels_parcel p ON p.id = s.parcel_id
WHERE s.parcel_id = ANY(%(parcels)s) AND s.parcel_id BETWEEN %(low)s AND %(high)s
    AND p.id BETWEEN %(low)s AND %(high)s AND s.event_key = ANY(%(keys)s);
END""",
)
