"""The two statements that write scans: one stores a batch, one folds corrected parcels again.

Text only; `parcels/scans/services.py` runs it. The CASEs of both are generated from the tables in
`parcels/scans/rules.py`. The winner among a parcel's candidates is the first by PRECEDENCE; as that is a
total order, the parcel's current status is simply another candidate. Both pass their milestones to the
CTEs of the SLA engine.

The first is a database function: planning it takes ten times as long as running it for one scan.
In it, settling commitments is a separate step, because most scans concern none.

Parcels are selected by an array of ids within bounds, never by a join on the id alone: the bounds prune
months before execution starts, and no partition may be pruned row by row, see
`slas.commitments.sql.locked` for why.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.events import Topic
from parcels.choices import ScanCode
from parcels.scans.rules import CONSIGNEE, MOVEMENTS, RANKED, STATUS_OF_CODE, TERMINAL, TRIED, TRIES
from slas.choices import CommitmentKind
from slas.commitments.sql import MILESTONES, locked, settlement


def _list(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def _case(column: str, table: Mapping[str, str]) -> str:
    whens = " ".join(f"WHEN '{key}' THEN '{value}'" for key, value in table.items())
    return f"CASE {column} {whens} END"


# Expressions over the columns of a scan.
STATUS: Final = (
    f"CASE WHEN code = '{ScanCode.AVAILABLE_FOR_PICKUP}' AND NOT consent"
    f" THEN '{ScanCode.ATTEMPT_FAILED}' ELSE {_case('code', STATUS_OF_CODE)} END"
)
MOVES: Final = f"code IN ({_list(MOVEMENTS)})"
ATTEMPTS: Final = (
    f"(code = '{ScanCode.DELIVERED}' OR (code = '{ScanCode.AVAILABLE_FOR_PICKUP}' AND consent)"
    f" OR (code = '{ScanCode.ATTEMPT_FAILED}' AND starts_with(reason, '{CONSIGNEE}_')))"
)
_TERMINAL: Final = f"status IN ({_list(TERMINAL)})"
_RANKS: Final = ", ".join(f"'{status}'" for status in RANKED)

# The order of the candidates (status, at): the first one wins.
PRECEDENCE: Final = (
    f"({_TERMINAL}) DESC, CASE WHEN {_TERMINAL} THEN at END, at DESC,"
    f" array_position(ARRAY[{_RANKS}], status) DESC"
)
# When each stage of the journey was first reached; those in _STAGES are stored on the parcel.
_STAGES: Final = ("picked_up_at", "departed_at", "arrived_at", "out_for_delivery_at")
_TRIES: Final = f"code IN ({_list(TRIES)})"
_TIMES: Final = f"""
        max(occurred_at) AS last_scan_at,
        min(occurred_at) FILTER (WHERE {MOVES}) AS picked_up_at,
        min(occurred_at) FILTER (WHERE code = '{ScanCode.DEPARTED}') AS departed_at,
        min(occurred_at) FILTER (WHERE code = '{ScanCode.ARRIVED}') AS arrived_at,
        min(occurred_at) FILTER (WHERE code = '{ScanCode.OUT_FOR_DELIVERY}') AS out_for_delivery_at,
        min(occurred_at) FILTER (WHERE {ATTEMPTS}) AS reached_at,
        min(occurred_at) FILTER (WHERE {_TRIES}) AS attempted_at,
        min(occurred_at) FILTER (WHERE code = '{ScanCode.DELIVERED}') AS first_delivered_at,
        min(occurred_at) FILTER (WHERE code = '{ScanCode.LOST}') AS lost_at"""
_TRIED: Final = _list(TRIED)
# In the order of slas.commitments.sql.MILESTONES, over `folded`.
_JOURNEY: Final = (
    "picked_up_at, departed_at, arrived_at, out_for_delivery_at, attempted_at, first_delivered_at, lost_at"
)
_NO_JOURNEY: Final = ", ".join(["NULL::timestamptz"] * 7)
_MILESTONE_COLUMNS: Final = {
    "parcel_id": "bigint", "kind": "text", "exact": "bool", **dict.fromkeys(MILESTONES, "timestamptz")
}  # fmt: skip


def _variable(column: str) -> str:
    return f"milestone_{column}"


# The variables that pass the milestones of a batch from one statement to the next.
_REACHED: Final = ", ".join(_variable(name) for name in _MILESTONE_COLUMNS)

# After `folded`, both statements are the same, except for whether their milestones are exact.
_CONSEQUENCES: Final = f"""
moved AS (
    UPDATE parcels_parcel p
    SET status = f.status, status_at = f.status_at, last_scan_at = f.last_scan_at,
        picked_up_at = f.picked_up_at, departed_at = f.departed_at, arrived_at = f.arrived_at,
        out_for_delivery_at = f.out_for_delivery_at,
        delivered_at = CASE WHEN f.status = 'delivered' THEN f.status_at END, corrected = f.corrected
    FROM folded f
    WHERE p.id = ANY((SELECT array_agg(parcel_id) FROM folded)::bigint[]) AND p.id + 0 = f.parcel_id
        AND p.id BETWEEN %(low)s AND %(high)s
),
announced AS (
    INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT '{Topic.PARCEL_STATUS_CHANGED}', %(now)s, merchant_id, courier_id, parcel_id,
        jsonb_build_object('status', status, 'previous', previous, 'occurred_at', status_at)
    FROM folded WHERE status <> previous
),
"""  # noqa: S608 -- built of constants

# A corrected parcel keeps its values until its scans are folded again.
_EARLIEST: Final = ",\n        ".join(
    f"CASE WHEN p.corrected OR t.corrects THEN p.{name} ELSE least(p.{name}, t.{name}) END AS {name}"
    for name in _STAGES
)
_SOONER: Final = " OR ".join(f"t.{name} < coalesce(p.{name}, 'infinity')" for name in _STAGES)
_SETTLEMENT: Final = settlement(within="BETWEEN %(low)s AND %(high)s")

_TAKE_IN: Final = f"""
WITH line AS (
    SELECT n, parcel_id, event_key, code, reason, facility, event_id, consent, corrects,
        timestamptz 'epoch' + microseconds * interval '1 microsecond' AS occurred_at
    FROM unnest(
        %(n)s::int[], %(parcel_id)s::bigint[], %(event_key)s::bigint[], %(code)s::text[],
        %(microseconds)s::bigint[], %(reason)s::text[], %(facility)s::text[], %(event_id)s::text[],
        %(consent)s::bool[], %(corrects)s::bigint[]
    ) AS x (n, parcel_id, event_key, code, microseconds, reason, facility, event_id, consent, corrects)
),
-- Locked before anything is written, and in the order of ids: batches that share parcels take turns, and
-- what each reads here is what the one before it left.
locked AS MATERIALIZED (
    SELECT p.id, p.merchant_id, p.courier_id, p.status, p.status_at, p.last_scan_at, p.corrected,
        p.picked_up_at, p.departed_at, p.arrived_at, p.out_for_delivery_at,
        date_trunc('second', p.booked_at) AS earliest
    FROM parcels_parcel p
    WHERE p.id = ANY((SELECT %(parcels)s::bigint[])::bigint[]) AND p.id BETWEEN %(low)s AND %(high)s
        AND coalesce(%(courier_id)s, p.courier_id) = p.courier_id
    ORDER BY p.id
    FOR NO KEY UPDATE OF p
),
-- Policies make the planner expect one row above. From here on it expects as many as there are ids.
parcel AS MATERIALIZED (
    SELECT locked.* FROM unnest(%(parcels)s::bigint[]) AS wanted (id) LEFT JOIN locked USING (id)
),
good AS MATERIALIZED (
    SELECT line.*, parcel.merchant_id, parcel.courier_id
    FROM line JOIN parcel ON parcel.id = line.parcel_id
    WHERE line.occurred_at >= parcel.earliest
),
written AS (
    INSERT INTO parcels_scan (parcel_id, event_key, merchant_id, courier_id, code, occurred_at, received_at,
        reason, facility, event_id, consent, corrects)
    SELECT parcel_id, event_key, merchant_id, courier_id, code, occurred_at, %(now)s,
        reason, facility, event_id, consent, corrects
    FROM good
    ON CONFLICT (parcel_id, event_key) DO NOTHING
    RETURNING parcel_id, event_key, code, occurred_at, reason, consent
),
touched AS (
    SELECT parcel_id, bool_or(code = 'correction') AS corrects, {_TIMES}
    FROM written GROUP BY parcel_id
),
winner AS (
    SELECT DISTINCT ON (parcel_id) parcel_id, status, at
    FROM (
        SELECT parcel_id, {STATUS} AS status, occurred_at AS at FROM written WHERE code <> 'correction'
        UNION ALL
        SELECT id, status, status_at FROM parcel WHERE status <> 'booked'
    ) AS candidate
    ORDER BY parcel_id, {PRECEDENCE}
),
-- A parcel with a correction is only marked here: its scans are read anew by the other statement.
folded AS MATERIALIZED (
    SELECT parcel_id, p.merchant_id, p.courier_id, p.status AS previous,
        t.reached_at, t.attempted_at, t.first_delivered_at, t.lost_at,
        p.corrected OR t.corrects AS corrected,
        {_EARLIEST},
        t.picked_up_at < coalesce(p.picked_up_at, 'infinity') AS is_earlier,
        p.status IN ({_TRIED}) AND ({_SOONER}) AS is_sooner,
        CASE WHEN p.corrected OR t.corrects OR p.status = 'cancelled' THEN p.status ELSE w.status
            END AS status,
        CASE WHEN p.corrected OR t.corrects OR p.status = 'cancelled' THEN p.status_at ELSE w.at
            END AS status_at,
        greatest(p.last_scan_at, t.last_scan_at) AS last_scan_at
    FROM touched t
    JOIN parcel p ON p.id = t.parcel_id
    LEFT JOIN winner w USING (parcel_id)
),
{_CONSEQUENCES}
milestones ({", ".join(_MILESTONE_COLUMNS)}) AS (
    SELECT parcel_id, 'pickup', false, picked_up_at, {_NO_JOURNEY} FROM folded
    WHERE is_earlier AND NOT corrected
    UNION ALL
    SELECT parcel_id, 'delivery', false, reached_at, {_JOURNEY} FROM folded
    WHERE (attempted_at IS NOT NULL OR lost_at IS NOT NULL OR is_sooner) AND NOT corrected
)
SELECT
    (SELECT count(*) FROM written),
    ARRAY(SELECT n FROM line WHERE NOT EXISTS (SELECT FROM parcel WHERE parcel.id = line.parcel_id)),
    ARRAY(SELECT n FROM line JOIN parcel ON parcel.id = line.parcel_id
        WHERE line.occurred_at < parcel.earliest),
    ARRAY(SELECT n FROM good WHERE NOT EXISTS (SELECT FROM written
        WHERE written.parcel_id = good.parcel_id AND written.event_key = good.event_key)),
    ARRAY(SELECT parcel_id FROM folded WHERE corrected),
    reached.*
INTO accepted, unknown, early, known, corrected, {_REACHED}
FROM (SELECT {", ".join(f"array_agg({name})" for name in _MILESTONE_COLUMNS)} FROM milestones) AS reached;
"""  # noqa: S608 -- built of constants

# Commitments of corrected parcels are settled after the others, by REFOLD. All are locked before that;
# otherwise this transaction would break the common order in which commitments are locked.
_LOCK_ALL: Final = f"""
        WITH keys AS (
            SELECT DISTINCT id AS parcel_id, kind
            FROM unnest(corrected || {_variable("parcel_id")}) AS x (id),
                (VALUES ('{CommitmentKind.PICKUP}'), ('{CommitmentKind.DELIVERY}')) AS k (kind)
        ),
        held AS MATERIALIZED ({locked("keys", condition="true", within="BETWEEN %(low)s AND %(high)s")})
        SELECT count(*) INTO settled FROM held;"""  # noqa: S608 -- built of constants

# The second statement sees what the first one wrote; the transaction holds the locks on the parcels.
RECORD_SCANS: Final = StoredStatement(
    "parcels_record_scans",
    parameters={
        "low": "bigint",
        "high": "bigint",
        "now": "timestamptz",
        "courier_id": "bigint",
        "parcels": "bigint[]",
        "n": "int[]",
        "parcel_id": "bigint[]",
        "event_key": "bigint[]",
        "microseconds": "bigint[]",
        "corrects": "bigint[]",
        "consent": "bool[]",
        "code": "text[]",
        "reason": "text[]",
        "facility": "text[]",
        "event_id": "text[]",
    },
    returns={
        "accepted": "int",
        "unknown": "int[]",
        "early": "int[]",
        "known": "int[]",
        "corrected": "bigint[]",
    },
    body=f"""
DECLARE
    {" ".join(f"{_variable(name)} {kind}[];" for name, kind in _MILESTONE_COLUMNS.items())} settled int;
BEGIN
    {_TAKE_IN}
    IF corrected <> '{{}}' THEN
        {_LOCK_ALL}
    END IF;
    IF {_variable("parcel_id")} IS NOT NULL THEN
        WITH milestones ({", ".join(_MILESTONE_COLUMNS)}) AS (SELECT * FROM unnest({_REACHED})),
        {_SETTLEMENT}
        SELECT count(*) INTO settled FROM sla_changed;
    END IF;
    RETURN NEXT;
END""",  # noqa: S608 -- built of constants
)
RECORD: Final = RECORD_SCANS.call

# Runs in the transaction of RECORD, which holds the parcels' locks; a separate statement, so that it sees
# what RECORD wrote.
REFOLD: Final = f"""
WITH parcel AS MATERIALIZED (
    SELECT id, merchant_id, courier_id, status, status_at, booked_at
    FROM parcels_parcel
    WHERE id = ANY(%(parcels)s::bigint[])
    ORDER BY id
    FOR NO KEY UPDATE
),
counted AS MATERIALIZED (
    SELECT parcel_id, code, occurred_at, reason, consent
    FROM parcels_scan s
    WHERE parcel_id = ANY(%(parcels)s::bigint[]) AND code <> 'correction' AND NOT EXISTS (
        SELECT FROM parcels_scan c
        WHERE c.parcel_id = ANY(%(parcels)s::bigint[]) AND c.parcel_id + 0 = s.parcel_id
            AND c.code = 'correction' AND c.corrects = s.event_key)
),
touched AS (
    SELECT parcel_id, {_TIMES}
    FROM counted GROUP BY parcel_id
),
winner AS (
    SELECT DISTINCT ON (parcel_id) parcel_id, status, at
    FROM (SELECT parcel_id, {STATUS} AS status, occurred_at AS at FROM counted) AS candidate
    ORDER BY parcel_id, {PRECEDENCE}
),
folded AS MATERIALIZED (
    SELECT p.id AS parcel_id, p.merchant_id, p.courier_id, p.status AS previous, true AS corrected,
        t.last_scan_at, t.reached_at, {_JOURNEY},
        CASE WHEN p.status = 'cancelled' THEN p.status ELSE coalesce(w.status, 'booked') END AS status,
        CASE WHEN p.status = 'cancelled' THEN p.status_at ELSE coalesce(w.at, p.booked_at)
            END AS status_at
    FROM parcel p
    LEFT JOIN touched t ON t.parcel_id = p.id
    LEFT JOIN winner w ON w.parcel_id = p.id
),
{_CONSEQUENCES}
milestones ({", ".join(_MILESTONE_COLUMNS)}) AS (
    SELECT parcel_id, 'pickup', true, picked_up_at, {_NO_JOURNEY} FROM folded
    UNION ALL
    SELECT parcel_id, 'delivery', true, reached_at, {_JOURNEY} FROM folded
),
{_SETTLEMENT}
SELECT count(*) FROM folded
"""  # noqa: S608 -- built of constants
