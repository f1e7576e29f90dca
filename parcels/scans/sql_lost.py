"""The statements that find parcels without a scan for too long, of one shard.

Text only; `parcels/scans/lost_parcels.py` runs it.
"""

from datetime import timedelta
from typing import Final

from alliance.database.stored_functions import StoredStatement
from parcels.choices import ParcelStatus

# [metrics.md 4; GB/T 27917: local express counts as lost after 3 days, to another city after 7]
LOCAL: Final = timedelta(days=3)
ELSEWHERE: Final = timedelta(days=7)
# In transit with the courier. A parcel waiting in a locker or for its pickup has no scans, but is not lost.
MOVING: Final = (
    ParcelStatus.PICKED_UP,
    ParcelStatus.IN_TRANSIT,
    ParcelStatus.OUT_FOR_DELIVERY,
    ParcelStatus.ATTEMPT_FAILED,
    ParcelStatus.EXCEPTION,
    ParcelStatus.RETURNING,
)
_MOVING: Final = ", ".join(f"'{status.value}'" for status in MOVING)
_SILENCE: Final = f"""CASE WHEN p.origin_id = p.destination_id THEN interval '{LOCAL.days} days'
        ELSE interval '{ELSEWHERE.days} days' END"""
# What was refused and has a return is scanned under that one's number from then on; once the return is
# cancelled, its courier still has it.
_SINCE: Final = "greatest(p.last_scan_at, p.return_cancelled_at)"
_SILENT: Final = (
    f"p.status IN ({_MOVING}) AND (p.returned_by_id IS NULL OR p.return_cancelled_at IS NOT NULL) "
    f"AND {_SINCE} + {_SILENCE} <= %(now)s"
)

# Those to be marked as lost, and those marked that have a scan again. Uses the indexes of pending, overdue,
# attempted but undelivered, and lost commitments: cost grows with these. A parcel that its courier scanned as
# lost stays lost until the next scan, which ends the loss by itself.
SILENT_OR_FOUND: Final = StoredStatement(
    "parcels_silent",
    at_home=True,
    is_stable=True,
    has_nested_loops=True,
    parameters={"home": "bigint", "oldest": "bigint", "now": "timestamptz"},
    returns={"of_parcel": "bigint"},
    body=f"""
BEGIN
RETURN QUERY
SELECT p.id FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.kind = 'delivery' AND c.lost_at IS NULL AND c.parcel_id >= %(oldest)s
    AND (c.outcome = 'pending' OR c.outcome = 'overdue'
        OR (c.outcome IN ('met', 'late') AND c.delivered_at IS NULL))
    AND p.last_scan_at <= %(now)s - interval '{LOCAL.days} days' AND {_SILENT};
RETURN QUERY
SELECT p.id FROM slas_commitment c JOIN parcels_parcel p ON p.id = c.parcel_id
WHERE c.lost_at IS NOT NULL AND c.kind = 'delivery' AND p.status <> '{ParcelStatus.LOST}' AND NOT ({_SILENT});
END""",  # noqa: S608 -- built of constants
)
HOLD_PARCELS: Final = StoredStatement(
    "parcels_hold",
    at_home=True,
    parameters={
        "home": "bigint", "low": "bigint", "high": "bigint", "now": "timestamptz", "parcel_id": "bigint[]",
    },
    returns={"of_parcel": "bigint", "is_silent": "bool", "since": "timestamptz", "has_status": "text"},
    body=f"""
BEGIN
RETURN QUERY
SELECT p.id, {_SILENT}, {_SINCE} + {_SILENCE}, p.status::text
FROM parcels_parcel p
WHERE p.id = ANY(%(parcel_id)s) AND p.id BETWEEN %(low)s AND %(high)s
ORDER BY p.id
FOR NO KEY UPDATE OF p;
END""",  # noqa: S608 -- built of constants
)  # fmt: skip
