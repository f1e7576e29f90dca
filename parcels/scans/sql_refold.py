"""The statement that folds parcels from all their scans: after corrections, returns, losses, contradictions.

It runs in the transaction of RECORD, which holds the parcels' locks; a statement of its own, so that it sees
what RECORD wrote. Text only, generated from `parcels/scans/rules.py` as RECORD is.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.events import NEXT_ID, Topic
from parcels.choices import Contradiction, ParcelStatus, ScanCode
from parcels.scans.rules import HOMEWARD, TURNS
from parcels.scans.sql import (
    JOURNEY,
    MILESTONE_COLUMNS,
    NO_JOURNEY,
    PRECEDENCE,
    STATUS,
    announced,
    moved,
    sql_case,
    sql_list,
    times,
)
from slas.commitments.sql import settlement

_DELIVERED: Final = f"code = '{ScanCode.DELIVERED}'"
_RETURNED: Final = f"code = '{ScanCode.RETURNED}'"
_TURNS: Final = f"code IN ({sql_list(TURNS)})"
_OTHER: Final = f"code NOT IN ({sql_list([ScanCode.DELIVERED, *TURNS])})"
_ON_THE_WAY_BACK: Final = (
    f"coalesce(occurred_at > turned_at OR (occurred_at = turned_at AND {_DELIVERED}), false)"
)
# What is back with the sender can't be delivered.
_POSSIBLE: Final = f"NOT ({_DELIVERED} AND is_homeward AND coalesce(occurred_at > returned_at, false))"
_STATUS: Final = (
    f"CASE WHEN is_homeward THEN coalesce({sql_case('code', HOMEWARD)}, {STATUS}) ELSE {STATUS} END"
)
_C: Final = Contradiction
# The first that applies is told.
_CONTRADICTION: Final = f"""CASE
        WHEN p.status = '{ParcelStatus.CANCELLED}'
            THEN CASE WHEN w.status <> '{ParcelStatus.RETURNED}' THEN '{_C.MOVING_THOUGH_CANCELLED}'
                ELSE '' END
        WHEN brought_back_at > coalesce(last_returned_at, '-infinity') THEN '{_C.DELIVERED_AFTER_RETURN}'
        WHEN last_turn_at > first_delivery_at THEN '{_C.RETURNED_AFTER_DELIVERY}'
        WHEN deliveries > 1 THEN '{_C.DELIVERED_TWICE}'
        WHEN other_at > returned_at THEN '{_C.SCANNED_AFTER_RETURN}'
        WHEN other_at > first_delivery_at THEN '{_C.SCANNED_AFTER_DELIVERY}'
        WHEN found_at > first_lost_at THEN '{_C.SEEN_AFTER_LOSS}'
        ELSE '' END"""
_IDS: Final = "ANY((SELECT %(parcels)s::bigint[])::bigint[])"
_BOUNDS: Final = "BETWEEN %(low)s AND %(high)s"

_BODY: Final = f"""
BEGIN
RETURN QUERY
WITH parcel AS MATERIALIZED (
    SELECT p.id, p.merchant_id, p.courier_id, p.status, p.status_at, p.booked_at, p.contradiction
    FROM parcels_parcel p WHERE p.id = {_IDS} AND p.id {_BOUNDS}
),
scan AS MATERIALIZED (
    SELECT s.parcel_id, s.event_key, s.code, s.occurred_at, s.received_at, s.reason, s.consent, s.corrects
    FROM parcels_scan s WHERE s.parcel_id = {_IDS} AND s.parcel_id {_BOUNDS}
),
withdrawal AS MATERIALIZED (
    SELECT c.parcel_id, c.event_key, c.received_at, s.event_key AS withdrawn,
        s.received_at AS withdrawn_received_at
    FROM scan c
    LEFT JOIN scan s ON s.parcel_id = c.parcel_id AND s.event_key = c.corrects AND s.code <> 'correction'
    WHERE c.code = 'correction'
),
standing AS MATERIALIZED (
    SELECT s.parcel_id, s.code, s.occurred_at, s.reason, s.consent,
        min(s.occurred_at) FILTER (WHERE {_TURNS}) OVER (PARTITION BY s.parcel_id) AS turned_at,
        min(s.occurred_at) FILTER (WHERE {_RETURNED}) OVER (PARTITION BY s.parcel_id) AS returned_at
    FROM scan s
    WHERE s.code <> 'correction' AND NOT EXISTS (SELECT 1 FROM withdrawal w
        WHERE w.parcel_id = s.parcel_id AND w.withdrawn = s.event_key)
),
counted AS MATERIALIZED (
    SELECT standing.*, {_ON_THE_WAY_BACK} AS is_homeward FROM standing
),
touched AS (
    SELECT parcel_id, {times(outward="NOT is_homeward")},
        min(turned_at) AS turned_at, min(returned_at) AS returned_at,
        max(occurred_at) FILTER (WHERE {_RETURNED}) AS last_returned_at,
        max(occurred_at) FILTER (WHERE {_DELIVERED} AND is_homeward) AS brought_back_at,
        max(occurred_at) FILTER (WHERE {_TURNS}) AS last_turn_at,
        min(occurred_at) FILTER (WHERE {_DELIVERED} AND NOT is_homeward) AS first_delivery_at,
        count(DISTINCT occurred_at) FILTER (WHERE {_DELIVERED} AND NOT is_homeward) AS deliveries,
        max(occurred_at) FILTER (WHERE {_OTHER}) AS other_at,
        max(occurred_at) FILTER (WHERE code <> '{ScanCode.LOST}') AS found_at,
        min(occurred_at) FILTER (WHERE code = '{ScanCode.LOST}') AS first_lost_at
    FROM counted GROUP BY parcel_id
),
winner AS (
    SELECT DISTINCT ON (parcel_id) parcel_id, status, at
    FROM (
        SELECT parcel_id, {_STATUS} AS status, occurred_at AS at FROM counted WHERE {_POSSIBLE}
    ) AS candidate
    ORDER BY parcel_id, {PRECEDENCE}
),
-- A loss presumed from silence stays until the next search for lost parcels.
presumed AS MATERIALIZED (
    SELECT c.parcel_id, c.lost_at FROM slas_commitment c
    WHERE c.parcel_id = {_IDS} AND c.parcel_id {_BOUNDS} AND c.kind = 'delivery' AND c.lost_at IS NOT NULL
),
folded AS MATERIALIZED (
    SELECT p.id AS parcel_id, p.merchant_id, p.courier_id, p.status AS previous,
        p.contradiction AS previously, {_CONTRADICTION} AS contradiction,
        t.last_scan_at, t.reached_at, {JOURNEY.removesuffix(", lost_at")},
        CASE WHEN w.status = 'lost' THEN w.at WHEN p.status <> 'lost' THEN presumed.lost_at END AS lost_at,
        CASE WHEN p.status = 'cancelled' THEN p.status ELSE coalesce(w.status, 'booked') END AS status,
        CASE WHEN p.status = 'cancelled' THEN p.status_at ELSE coalesce(w.at, p.booked_at)
            END AS status_at
    FROM parcel p
    LEFT JOIN touched t ON t.parcel_id = p.id
    LEFT JOIN winner w ON w.parcel_id = p.id
    LEFT JOIN presumed ON presumed.parcel_id = p.id
),
{
    moved(
        "contradiction = f.contradiction",
        "contradicted_at = CASE WHEN f.contradiction <> '' THEN %(now)s::timestamptz END",
    )
}
{announced("folded")}
warned AS (
    INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT {NEXT_ID}, '{Topic.PARCEL_CONTRADICTED}', %(now)s, merchant_id, courier_id, parcel_id,
        jsonb_build_object('contradiction', contradiction, 'status', status)
    FROM folded WHERE contradiction <> '' AND contradiction <> previously
),
milestones ({", ".join(MILESTONE_COLUMNS)}) AS (
    SELECT parcel_id, 'pickup', true, picked_up_at, {NO_JOURNEY} FROM folded
    UNION ALL
    SELECT parcel_id, 'delivery', true, reached_at, {JOURNEY} FROM folded
),
{settlement(within=_BOUNDS)}
-- What the sender of this batch should know: of parcels, of its corrections, of its scans.
SELECT f.parcel_id, NULL::bigint, f.contradiction::text FROM folded f WHERE f.contradiction <> ''
UNION ALL
SELECT w.parcel_id, w.event_key, 'nothing_withdrawn' FROM withdrawal w
WHERE w.withdrawn IS NULL AND w.received_at = %(now)s
UNION ALL
SELECT w.parcel_id, w.withdrawn, 'withdrawn_already' FROM withdrawal w
WHERE w.withdrawn_received_at = %(now)s AND w.received_at <> %(now)s;
END"""  # noqa: S608 -- built of constants

REFOLD_PARCELS: Final = StoredStatement(
    "parcels_refold",
    at_home=True,
    parameters={
        "home": "bigint",
        "low": "bigint",
        "high": "bigint",
        "now": "timestamptz",
        "parcels": "bigint[]",
    },
    returns={"of_parcel": "bigint", "of_event": "bigint", "remark": "text"},
    body=_BODY,
)
REFOLD: Final = REFOLD_PARCELS.call
