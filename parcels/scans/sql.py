"""The statement that stores a batch of scans; `parcels/scans/sql_refold.py` has the one that folds again.

`parcels/scans/sql_single.py` has a shorter one for a single scan, made of the expressions here.

Text only; `parcels/scans/services.py` runs it. The CASEs of both are generated from the tables in
`parcels/scans/rules.py`. The winner among a parcel's candidates is the first by PRECEDENCE; as that is a
total order, the parcel's current status is simply another candidate. Both pass their milestones to the
CTEs of the SLA engine.

Both are database functions: planning them takes ten times as long as running them for one scan.
In this one, settling commitments is a separate step, because most scans concern none.

Scans fold one by one while nothing but a delivery has ended the parcel's way. Corrections, returns, losses
and contradictions change what other scans mean: such parcels are marked, and folded from all their scans.

Parcels are selected by an array of ids within bounds, never by a join on the id alone: the bounds prune
months before execution starts, and no partition may be pruned row by row, see
`slas.commitments.sql.locked` for why.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.events import NEXT_ID, Topic
from parcels.choices import ScanCode
from parcels.scans.rules import (
    CLOCK_ERROR,
    CONSIGNEE,
    ENDS,
    MOST_SCANS,
    MOVEMENTS,
    RANKED,
    STATUS_OF_CODE,
    TRIES,
    TURNS,
)
from slas.choices import CommitmentKind
from slas.commitments.sql import MILESTONES, locked, settlement


def sql_list(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


def sql_case(column: str, table: Mapping[str, str]) -> str:
    whens = " ".join(f"WHEN '{key}' THEN '{value}'" for key, value in table.items())
    return f"CASE {column} {whens} END"


# Expressions over the columns of a scan.
STATUS: Final = (
    f"CASE WHEN code = '{ScanCode.AVAILABLE_FOR_PICKUP}' AND NOT consent"
    f" THEN '{ScanCode.ATTEMPT_FAILED}' ELSE {sql_case('code', STATUS_OF_CODE)} END"
)
MOVES: Final = f"code IN ({sql_list(MOVEMENTS)})"
ATTEMPTS: Final = (
    f"(code = '{ScanCode.DELIVERED}' OR (code = '{ScanCode.AVAILABLE_FOR_PICKUP}' AND consent)"
    f" OR (code = '{ScanCode.ATTEMPT_FAILED}' AND starts_with(reason, '{CONSIGNEE}_')))"
)
_RANKS: Final = ", ".join(f"'{status}'" for status in RANKED)


def precedence(status: str, at: str) -> tuple[str, ...]:
    """Return what candidates are compared by: the one with the greatest values wins."""
    return f"({status} IN ({sql_list(ENDS)}))", at, f"array_position(ARRAY[{_RANKS}], {status})"


# The order of the candidates (status, at): the first one wins.
PRECEDENCE: Final = ", ".join(f"{key} DESC" for key in precedence("status", "at"))
# When each stage of the journey was first reached; those in STAGES are stored on the parcel.
STAGES: Final = ("picked_up_at", "departed_at", "arrived_at", "out_for_delivery_at", "attempted_at")
# In the order of slas.commitments.sql.MILESTONES, over `folded`.
JOURNEY: Final = ", ".join((*STAGES, "delivery_at", "turned_at", "lost_at"))
NO_JOURNEY: Final = ", ".join(["NULL::timestamptz"] * 8)


def times(*, outward: str = "true", of_one: bool = False) -> str:
    """Return the aggregates of a parcel's scans, or the same of one scan.

    `outward` is the condition of scans on the way to the recipient.
    """

    def first(condition: str, which: str = "min") -> str:
        if of_one:
            return f"CASE WHEN {condition} THEN occurred_at END"
        return f"{which}(occurred_at) FILTER (WHERE {condition})"

    return f"""
        {"occurred_at" if of_one else "max(occurred_at)"} AS last_scan_at,
        {first(MOVES)} AS picked_up_at,
        {first(f"code = '{ScanCode.DEPARTED}' AND {outward}")} AS departed_at,
        {first(f"code = '{ScanCode.ARRIVED}' AND {outward}")} AS arrived_at,
        {first(f"code = '{ScanCode.OUT_FOR_DELIVERY}' AND {outward}")} AS out_for_delivery_at,
        {first(f"{ATTEMPTS} AND {outward}")} AS reached_at,
        {first(f"code IN ({sql_list(TRIES)}) AND {outward}")} AS attempted_at,
        {first(f"code = '{ScanCode.DELIVERED}' AND {outward}", "max")} AS delivery_at"""


MILESTONE_COLUMNS: Final = {
    "parcel_id": "bigint", "kind": "text", "exact": "bool", **dict.fromkeys(MILESTONES, "timestamptz")
}  # fmt: skip


def _variable(column: str) -> str:
    return f"milestone_{column}"


# The variables that pass the milestones of a batch from one statement to the next.
_REACHED: Final = ", ".join(_variable(name) for name in MILESTONE_COLUMNS)

RESTLESS: Final = f"code IN ({sql_list([ScanCode.CORRECTION, ScanCode.LOST, *TURNS])})"
# Statuses after which any scan may mean something else than by itself.
_UNSETTLED: Final = "'cancelled', 'lost', 'returning', 'returned'"
_DELIVERED: Final = "CASE WHEN p.status = 'delivered' THEN p.status_at END"
# Whether a parcel's scans must be read anew: see the head of this file.
WHOLE: Final = f"""p.corrected OR t.is_restless OR p.status IN ({_UNSETTLED})
            OR t.deliveries + (p.status = 'delivered')::int > 1
            OR greatest(p.last_scan_at, t.last_scan_at) > coalesce(t.delivery_at, {_DELIVERED})"""
_SLACK: Final = f"interval '{int(CLOCK_ERROR.total_seconds())} seconds'"


# A wrong clock's time counts as the booking's, or as the receipt's. A millionth of the difference is kept, so
# that scans by the same clock stay in order.
def counted(stated_at: str, parcel: str) -> str:
    """Return the time that counts for a scan."""
    return f"""CASE
            WHEN {stated_at} > %(now)s THEN %(now)s + ({stated_at} - %(now)s) / 1000000
            WHEN {stated_at} < {parcel}.booked_at
                THEN {parcel}.booked_at + ({stated_at} - {parcel}.earliest) / 1000000
            ELSE {stated_at} END"""


def announcement(source: str) -> str:
    """Return the INSERT that announces new statuses."""
    return f"""
    INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT {NEXT_ID}, '{Topic.PARCEL_STATUS_CHANGED}', %(now)s, merchant_id, courier_id, parcel_id,
        jsonb_build_object('status', status, 'previous', previous, 'occurred_at', status_at)
    FROM {source} WHERE status <> previous"""  # noqa: S608 -- built of constants


def announced(source: str) -> str:
    """Return the CTE that announces new statuses."""
    return f"""
announced AS ({announcement(source)}
),"""


# Assignments of what was folded, `f`.
MOVES_TO: Final = f"""status = f.status, status_at = f.status_at, last_scan_at = f.last_scan_at, {
    ", ".join(f"{name} = f.{name}" for name in STAGES)
},
        delivered_at = CASE WHEN f.status = 'delivered' THEN f.status_at END"""


def moved(*more: str) -> str:
    """Return the CTE that stores what was folded; `more` are assignments beside those of every fold."""
    return f"""
moved AS (
    UPDATE parcels_parcel p
    SET {MOVES_TO},
        {", ".join(more)}
    FROM folded f
    WHERE p.id = ANY((SELECT array_agg(parcel_id) FROM folded)::bigint[]) AND p.id + 0 = f.parcel_id
        AND p.id BETWEEN %(low)s AND %(high)s
),"""  # noqa: S608 -- built of constants


# A parcel that is read anew keeps its values until then.
_EARLIEST: Final = ",\n        ".join(
    f"CASE WHEN is_whole THEN p.{name} ELSE least(p.{name}, t.{name}) END AS {name}" for name in STAGES
)
SOONER: Final = " OR ".join(f"t.{name} < coalesce(p.{name}, 'infinity')" for name in STAGES)
# The columns of a parcel `p` that folding reads.
PARCEL: Final = f"""p.id, p.merchant_id, p.courier_id, p.status, p.status_at, p.last_scan_at, p.corrected,
        {", ".join(f"p.{name}" for name in STAGES)}, p.booked_at, p.booked_at - {_SLACK} AS earliest,
        p.scan_count, p.erased_at"""
STATED_AT: Final = "timestamptz 'epoch' + {} * interval '1 microsecond'"
# What a parcel `p` is to be after scans `t`, of which the winner is `w`.
FOLDED: Final = f"""parcel_id, p.merchant_id, p.courier_id, p.status AS previous,
        p.scan_count + t.scans AS scan_count,
        t.reached_at, t.delivery_at, NULL::timestamptz AS turned_at, NULL::timestamptz AS lost_at, is_whole,
        {_EARLIEST},
        t.picked_up_at < coalesce(p.picked_up_at, 'infinity') AS is_earlier,
        t.attempted_at IS NOT NULL OR p.attempted_at IS NOT NULL AND ({SOONER}) AS is_sooner,
        CASE WHEN is_whole THEN p.status ELSE w.status END AS status,
        CASE WHEN is_whole THEN p.status_at ELSE w.at END AS status_at,
        greatest(p.last_scan_at, t.last_scan_at) AS last_scan_at"""
_SETTLEMENT: Final = settlement(within="BETWEEN %(low)s AND %(high)s")

_TAKE_IN: Final = f"""
WITH line AS (
    SELECT n, parcel_id, event_key, code, reason, facility, event_id, consent, corrects,
        {STATED_AT.format("microseconds")} AS stated_at
    FROM unnest(
        %(n)s::int[], %(parcel_id)s::bigint[], %(event_key)s::bigint[], %(code)s::text[],
        %(microseconds)s::bigint[], %(reason)s::text[], %(facility)s::text[], %(event_id)s::text[],
        %(consent)s::bool[], %(corrects)s::bigint[]
    ) AS x (n, parcel_id, event_key, code, microseconds, reason, facility, event_id, consent, corrects)
),
-- Locked before anything is written, and in the order of ids: batches that share parcels take turns, and
-- what each reads here is what the one before it left.
locked AS MATERIALIZED (
    SELECT {PARCEL}
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
-- The lines that go beyond what a parcel can have. Nearly always there is no parcel to look at.
beyond AS MATERIALIZED (
    SELECT n FROM (
        SELECT line.n, parcel.scan_count + row_number() OVER (PARTITION BY line.parcel_id ORDER BY line.n)
            AS place
        FROM parcel JOIN line ON line.parcel_id = parcel.id
        WHERE parcel.scan_count + %(most_lines)s > {MOST_SCANS} AND line.stated_at >= parcel.earliest
            AND NOT EXISTS (SELECT FROM parcels_scan s
                WHERE s.parcel_id = ANY((SELECT %(parcels)s::bigint[])::bigint[])
                    AND s.parcel_id BETWEEN %(low)s AND %(high)s
                    AND s.parcel_id + 0 = line.parcel_id AND s.event_key = line.event_key)
    ) AS new WHERE place > {MOST_SCANS}
),
good AS MATERIALIZED (
    SELECT line.*, parcel.merchant_id, parcel.courier_id,
        {counted("line.stated_at", "parcel")} AS occurred_at,
        parcel.erased_at IS NOT NULL AS is_erased
    FROM line JOIN parcel ON parcel.id = line.parcel_id
    WHERE line.stated_at >= parcel.earliest AND line.n <> ALL(ARRAY(SELECT n FROM beyond))
),
written AS (
    INSERT INTO parcels_scan (parcel_id, event_key, merchant_id, courier_id, code, occurred_at, received_at,
        stated_at, reason, facility, event_id, consent, corrects)
    SELECT parcel_id, event_key, merchant_id, courier_id, code, occurred_at, %(now)s,
        nullif(stated_at, occurred_at), reason, CASE WHEN is_erased THEN '' ELSE facility END, event_id,
        consent, corrects
    FROM good
    ON CONFLICT (parcel_id, event_key) DO NOTHING
    RETURNING parcel_id, event_key, code, occurred_at, reason, consent
),
touched AS (
    SELECT parcel_id, count(*) AS scans, bool_or({RESTLESS}) AS is_restless,
        count(*) FILTER (WHERE code = '{ScanCode.DELIVERED}') AS deliveries, {times()}
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
folded AS MATERIALIZED (
    SELECT {FOLDED}
    FROM touched t
    JOIN parcel p ON p.id = t.parcel_id
    CROSS JOIN LATERAL (SELECT coalesce({WHOLE}, false) AS is_whole) AS judged
    LEFT JOIN winner w USING (parcel_id)
),
{moved("corrected = f.is_whole", "scan_count = f.scan_count")}
{announced("folded")}
milestones ({", ".join(MILESTONE_COLUMNS)}) AS (
    SELECT parcel_id, 'pickup', false, picked_up_at, {NO_JOURNEY} FROM folded
    WHERE is_earlier AND NOT is_whole
    UNION ALL
    SELECT parcel_id, 'delivery', false, reached_at, {JOURNEY} FROM folded
    WHERE is_sooner AND NOT is_whole
)
SELECT
    (SELECT count(*) FROM written),
    ARRAY(SELECT n FROM line WHERE NOT EXISTS (SELECT FROM parcel WHERE parcel.id = line.parcel_id)),
    ARRAY(SELECT n FROM line JOIN parcel ON parcel.id = line.parcel_id
        WHERE line.stated_at < parcel.earliest),
    ARRAY(SELECT n FROM beyond),
    ARRAY(SELECT n FROM good WHERE NOT EXISTS (SELECT FROM written
        WHERE written.parcel_id = good.parcel_id AND written.event_key = good.event_key)),
    ARRAY(SELECT parcel_id FROM folded WHERE is_whole),
    reached.*
INTO accepted, unknown, early, beyond_limit, known, whole, {_REACHED}
FROM (SELECT {", ".join(f"array_agg({name})" for name in MILESTONE_COLUMNS)} FROM milestones) AS reached;
"""  # noqa: S608 -- built of constants

# Commitments of parcels that are read anew are settled after the others, by REFOLD. All are locked before
# that; otherwise this transaction would break the common order in which commitments are locked.
_LOCK_ALL: Final = f"""
        WITH keys AS (
            SELECT DISTINCT id AS parcel_id, kind
            FROM unnest(whole || {_variable("parcel_id")}) AS x (id),
                (VALUES ('{CommitmentKind.PICKUP}'), ('{CommitmentKind.DELIVERY}')) AS k (kind)
        ),
        held AS MATERIALIZED ({locked("keys", condition="true", within="BETWEEN %(low)s AND %(high)s")})
        SELECT count(*) INTO settled FROM held;"""  # noqa: S608 -- built of constants

# The second statement sees what the first one wrote; the transaction holds the locks on the parcels.
RECORD_SCANS: Final = StoredStatement(
    "parcels_record_scans",
    at_home=True,
    parameters={
        "home": "bigint",
        "low": "bigint",
        "high": "bigint",
        "now": "timestamptz",
        "courier_id": "bigint",
        "parcels": "bigint[]",
        "most_lines": "int",
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
        "beyond_limit": "int[]",
        "known": "int[]",
        "whole": "bigint[]",
    },
    body=f"""
DECLARE
    {" ".join(f"{_variable(name)} {kind}[];" for name, kind in MILESTONE_COLUMNS.items())} settled int;
BEGIN
    {_TAKE_IN}
    IF whole <> '{{}}' THEN
        {_LOCK_ALL}
    END IF;
    IF {_variable("parcel_id")} IS NOT NULL THEN
        WITH milestones ({", ".join(MILESTONE_COLUMNS)}) AS (SELECT * FROM unnest({_REACHED})),
        {_SETTLEMENT}
        SELECT count(*) INTO settled FROM sla_changed;
    END IF;
    RETURN NEXT;
END""",  # noqa: S608 -- built of constants
)
RECORD: Final = RECORD_SCANS.call
