"""Judging commitments in SQL: the text that bookings, scans, sweeps and cancellations share.

Each text is a list of CTEs without the word WITH, to be appended to a statement's own:

    WITH milestones AS (SELECT parcel_id, kind, reached_at, exact FROM ...), {SETTLEMENT}
    SELECT count(*) FROM sla_changed

`milestones(parcel_id bigint, kind text, reached_at timestamptz, exact boolean)` says when a
milestone was reached. Where exact, reached_at (NULL: not reached after all) replaces what is
stored; otherwise the earlier of the two stands. Duplicates are merged, unknown keys ignored.
The statement is given `now`, the moment of judging. `slas.outcomes.judge` is the same rule in
Python, and a test holds the two equal.

Races. Commitments are locked in (parcel_id, kind) order by everybody who changes them, and what
is decided is decided on the locked row. Whoever sends an exact milestone worked it out from all
scans of a parcel, and must have locked that parcel in a statement of its own before reading them:
else a scan being written meanwhile would be forgotten.
"""

from typing import Final

# What breaches and tallies take from a commitment `c`, besides its key.
DIMENSIONS: Final = (
    "c.merchant_id, c.courier_id, c.tier_id, c.origin_id, c.destination_id, c.due_at, c.due_date"
)
_BREACH: Final = "('overdue', 'late')"


def _delta(outcome: str) -> str:
    return f"sum((after = '{outcome}')::int - (coalesce(before, '') = '{outcome}')::int)"


# What follows from `sla_changed(parcel_id, kind, <dimensions>, excused, before, after, reached_at)`.
# An excuse is counted only while there is a breach to excuse. A breach that opens again is a new
# one: opened_at says since when it has stood.
CONSEQUENCES: Final = f"""
sla_breaches AS (
    -- One upsert opens and withdraws. A plain UPDATE would not see the breach that a sweep opened
    -- while this statement waited for its lock; ON CONFLICT does.
    INSERT INTO slas_breach AS b (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
        destination_id, due_at, opened_at, withdrawn_at)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id, due_at, %(now)s,
        CASE WHEN after IN {_BREACH} THEN NULL ELSE %(now)s END
    FROM sla_changed
    WHERE (after IN {_BREACH}) <> (coalesce(before, '') IN {_BREACH})
    ON CONFLICT (parcel_id, kind) DO UPDATE SET
        opened_at = CASE WHEN excluded.withdrawn_at IS NULL THEN excluded.opened_at ELSE b.opened_at END,
        withdrawn_at = excluded.withdrawn_at
    RETURNING b.withdrawn_at IS NULL AS standing
),
sla_tallies AS (
    INSERT INTO slas_tally (merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date,
        pending, met, late, overdue, void, excused)
    SELECT merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date,
        {_delta("pending")}, {_delta("met")}, {_delta("late")}, {_delta("overdue")}, {_delta("void")},
        sum((excused AND after IN {_BREACH})::int - (excused AND coalesce(before, '') IN {_BREACH})::int)
    FROM sla_changed
    WHERE before IS DISTINCT FROM after
    GROUP BY merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date
    RETURNING 1
),
sla_events AS (
    INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT CASE WHEN after IN {_BREACH} THEN 'commitment.' || after ELSE 'breach.withdrawn' END,
        %(now)s, merchant_id, courier_id, parcel_id,
        jsonb_build_object('kind', kind, 'due_at', due_at, 'reached_at', reached_at, 'outcome', after)
    FROM sla_changed
    WHERE before IS DISTINCT FROM after AND (after IN {_BREACH} OR before IN {_BREACH})
    RETURNING 1
)"""  # noqa: S608 -- built of constants


def locked(keys: str, *, columns: str, condition: str, within: str = "") -> str:
    """Return the query that locks the commitments `c` of the keys `l`, in the order everybody locks in.

    `columns` and `condition` are over `c` and `l`. `within`, a condition on c.parcel_id with literals,
    leaves months out when planning; without it each month's index is asked.
    """
    # By way of LATERAL each key is one look into the index, whatever the planner expects: policies
    # mislead it about how many rows there are. The nested array is for PostgreSQL 18 (18.6:
    # perform_pruning_base_step), which crashes when a plan that prunes months row by row has waited for
    # a lock and looks at its row again. It finds its way into the index, but not into pruning.
    bounds = f"AND c.parcel_id {within}" if within else ""
    return f"""
    SELECT c.* FROM (SELECT * FROM {keys} ORDER BY parcel_id, kind) l
    CROSS JOIN LATERAL (
        SELECT c.parcel_id, c.kind, {DIMENSIONS}, c.excused, c.outcome AS before, {columns}
        FROM slas_commitment c
        WHERE c.parcel_id = ANY(ARRAY[ARRAY[l.parcel_id]]) AND c.kind = l.kind {bounds} AND {condition}
        FOR NO KEY UPDATE OF c
    ) c"""  # noqa: S608 -- built of constants


# Stores the outcomes of `sla_changed`. As an upsert, because that goes by the key and to the newest
# version of a row, which an UPDATE ... FROM does only if it is planned well; the rows are there and locked.
STORE: Final = """
sla_stored AS (
    INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at, due_date, excused, reached_at, outcome)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at, due_date, excused, reached_at, after
    FROM sla_changed
    ON CONFLICT (parcel_id, kind) DO UPDATE SET reached_at = excluded.reached_at, outcome = excluded.outcome
),"""


def settlement(*, within: str = "") -> str:
    """Return the CTEs that settle commitments from `milestones`; `within` as in locked().

    They give sla_changed (before, after) and sla_breaches (standing).
    """
    reached = "CASE WHEN l.exact THEN l.reached_at ELSE least(c.reached_at, l.reached_at) END AS reached_at"
    changes = """c.outcome <> 'void' AND CASE
            WHEN l.exact THEN l.reached_at IS DISTINCT FROM c.reached_at
            ELSE l.reached_at < coalesce(c.reached_at, 'infinity') END"""
    return f"""
sla_reached AS (
    SELECT parcel_id, kind, bool_or(exact) AS exact,
        CASE WHEN bool_or(exact) THEN min(reached_at) FILTER (WHERE exact) ELSE min(reached_at) END
            AS reached_at
    FROM milestones
    GROUP BY parcel_id, kind
),
sla_locked AS MATERIALIZED ({locked("sla_reached", columns=reached, condition=changes, within=within)}
),
sla_changed AS MATERIALIZED (
    SELECT *, CASE
        WHEN reached_at <= due_at THEN 'met'
        WHEN reached_at > due_at THEN 'late'
        -- What was seen to be overdue stays due, should this process's clock be behind.
        WHEN before = 'overdue' OR due_at < %(now)s THEN 'overdue'
        ELSE 'pending' END AS after
    FROM sla_locked
),
{STORE}
{CONSEQUENCES}"""  # noqa: S608 -- built of constants


SETTLEMENT: Final = settlement()
