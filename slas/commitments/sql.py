"""SQL that judges commitments, shared by bookings, scans, sweeps and cancellations.

Each text is a list of CTEs without the word WITH, to be appended to a statement's own:

    WITH milestones AS (SELECT parcel_id, kind, reached_at, exact, ... FROM ...), {settlement()}
    SELECT count(*) FROM sla_changed

`milestones(parcel_id bigint, kind text, exact boolean, <the columns of MILESTONES>)` has the time a
milestone was reached, and for a delivery also the time of each stage. If exact, the times (NULL: not
reached after all) replace the stored ones; otherwise the earlier of the two is kept. Duplicates are merged,
unknown keys ignored. The parameter `now` is the moment of judging. `slas.commitments.rules.judge` is the
same rule in Python, and a test checks that the two agree.

Races. All writers lock commitments in (parcel_id, kind) order and decide on the locked row. A caller that
sends an exact milestone computed it from all scans of a parcel, and must have locked that parcel in a
statement of its own before reading them: otherwise a scan written in the meantime would be lost.
"""

from typing import Final

from alliance.events import NEXT_ID, Topic
from alliance.sandboxes import OFFSET
from slas.commitments.sql_counts import (
    COUNTS,
    MARGINS,
    counted,
    sql_mark_changes,
    sql_progress_changes,
)

# The times of a delivery's stages; a pickup has none of these.
JOURNEY: Final = (
    "picked_up_at",
    "departed_at",
    "arrived_at",
    "out_for_delivery_at",
    "attempted_at",
    "delivered_at",
    "turned_at",
    "lost_at",
)
MILESTONES: Final = ("reached_at", *JOURNEY)
# The columns that breaches and tallies take from a commitment `c`, besides its key.
DIMENSIONS: Final = (
    "c.merchant_id, c.courier_id, c.tier_id, c.origin_id, c.destination_id, c.due_at, c.due_date"
)
_BREACH: Final = "('overdue', 'late')"
# Test parcels are in no rate, no forecast and no credit. Policies refuse them there as well.
_LIVE: Final = f"merchant_id < {OFFSET}"
# The common prefix of both topics.
_COMMITMENT: Final = Topic.COMMITMENT_LATE.removesuffix("late")
_TALLIED: Final = ("pending", "met", "late", "overdue", "void", "excused", *COUNTS)


def _delta(outcome: str) -> str:
    return f"(after = '{outcome}')::int - (coalesce(before, '') = '{outcome}')::int"


_EXCUSED: Final = (
    f"(excused AND after IN {_BREACH})::int - (was_excused AND coalesce(before, '') IN {_BREACH})::int"
)
# What a row of sla_changed adds to each of _TALLIED.
_DELTAS: Final = (
    *(_delta(outcome) for outcome in ("pending", "met", "late", "overdue", "void")),
    _EXCUSED,
    *(f"{name} - was_{name}" for name in COUNTS),
)
# The counts of a change, before and after it.
COUNTED: Final = f"""{", ".join(f"{counted(name, 'after')} AS {name}" for name in COUNTS)},
        {", ".join(f"{counted(name, 'before', 'was_')} AS was_{name}" for name in COUNTS)}"""
_CELL: Final = "merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date"
_PROGRESS_CELL: Final = "courier_id, tier_id, origin_id, destination_id, due_date"


def tallying(*, of_one: bool = False) -> str:
    """Return the INSERT of what sla_changed adds to the rates; `of_one`: it has no two of a kind."""
    deltas = ", ".join(delta if of_one else f"sum({delta})" for delta in _DELTAS)
    marks = "marks" if of_one else "slas_concatenated(marks) FILTER (WHERE marks IS NOT NULL)"
    grouped = "" if of_one else f"\n    GROUP BY {_CELL}\n    RETURNING 1"
    return f"""
    INSERT INTO slas_tally (id, {_CELL},
        {", ".join(_TALLIED)}, marks, parcel_id)
    SELECT nextval('slas_tally_id_seq'), {_CELL},
        {deltas}, {marks}, {_parcel(of_one=of_one)}
    FROM sla_changed
    WHERE (before IS DISTINCT FROM after OR moved) AND {_LIVE}{grouped}"""  # noqa: S608 -- built of constants


def progressing(*, of_one: bool = False) -> str:
    """Return the INSERT of how far the deliveries of sla_changed had come; `of_one`: it has one row."""
    grouped = "" if of_one else f"\n    GROUP BY {_PROGRESS_CELL}"
    # Of couriers alone, and folded at leisure: see slas.services.progress.
    return f"""
    INSERT INTO slas_progresstally (id, {_PROGRESS_CELL}, marks, parcel_id)
    SELECT nextval('slas_progresstally_id_seq'), {_PROGRESS_CELL},
        {"progress" if of_one else "slas_concatenated(progress)"},
        {_parcel(of_one=of_one)}
    FROM sla_changed WHERE progress IS NOT NULL AND {_LIVE}{grouped}"""  # noqa: S608 -- built of constants


def _parcel(*, of_one: bool) -> str:
    # Any of the group's would do: on a cluster it says where the tally is kept.
    return "parcel_id" if of_one else "min(parcel_id)"


_TALLIES: Final = f"""sla_tallies AS ({tallying()}
)"""

# The consequences of `sla_changed(parcel_id, kind, <dimensions>, fee_fen, was_excused, excused, before,
# after, reached_at, moved, <counts> and was_<counts>, marks, pays)`, see change_ctes(). An excuse counts only
# while there is a breach to excuse. A breach that opens again is a new one: opened_at is the time it opened
# last.
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
        due_at = CASE WHEN excluded.withdrawn_at IS NULL THEN excluded.due_at ELSE b.due_at END,
        opened_at = CASE WHEN excluded.withdrawn_at IS NULL THEN excluded.opened_at ELSE b.opened_at END,
        withdrawn_at = excluded.withdrawn_at
    RETURNING b.withdrawn_at IS NULL AS standing
),
{_TALLIES},
sla_credits AS (
    -- Whoever works credits out reads the commitment as it is by then.
    INSERT INTO slas_creditcheck (id, parcel_id, kind, merchant_id, courier_id)
    SELECT nextval('slas_creditcheck_id_seq'), parcel_id, kind, merchant_id, courier_id
    FROM sla_changed WHERE pays AND {_LIVE}
    RETURNING 1
),
sla_events AS (
    INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT {NEXT_ID},
        CASE WHEN after IN {_BREACH} THEN '{_COMMITMENT}' || after ELSE '{Topic.BREACH_WITHDRAWN}' END,
        %(now)s, merchant_id, courier_id, parcel_id,
        jsonb_build_object('kind', kind, 'due_at', due_at, 'reached_at', reached_at, 'outcome', after)
    FROM sla_changed
    WHERE before IS DISTINCT FROM after AND (after IN {_BREACH} OR before IN {_BREACH})
    RETURNING 1
)"""  # noqa: S608 -- built of constants

_NOTHING: Final = ", ".join(f"0 AS {name}, 0 AS was_{name}" for name in COUNTS)
# The columns of a commitment that is opened, in the order of `opening`.
DRAFT: Final = (
    *(
        "parcel_id",
        "kind",
        "merchant_id",
        "courier_id",
        "tier_id",
        "origin_id",
        "destination_id",
        "version_id",
    ),
    *("due_at", "due_date", "ready_at", "fee_fen", "declared_value_fen"),
)


def opening(drafts: str) -> str:
    """Return the CTEs that open the commitments of `drafts`, with the columns of DRAFT.

    They provide sla_changed. An existing commitment is left as it is. One that fell due in the past begins as
    pending, too, so there are no other consequences than tallies.
    """
    return f"""{_opened(drafts)},
{_TALLIES}"""


def opening_of_one(drafts: str) -> str:
    """Return the statement that opens the commitments of one parcel: nothing to be added up."""
    return f"WITH {_opened(drafts)}{tallying(of_one=True)};"


def _opened(drafts: str) -> str:
    return f"""
sla_changed AS (
    INSERT INTO slas_commitment AS c ({", ".join(DRAFT)}, outcome, excused, excuse_reason)
    SELECT {", ".join(DRAFT)}, 'pending', false, '' FROM {drafts}
    ON CONFLICT (parcel_id, kind) DO NOTHING
    RETURNING c.parcel_id, c.kind, {DIMENSIONS}, c.excused, c.excused AS was_excused,
        NULL::text AS before, c.outcome AS after, false AS moved, {_NOTHING}, NULL::int[] AS marks
)"""  # noqa: S608 -- built of constants


# The columns of `sla_locked` when only the outcome or an excuse changes: the journey stays as it is.
_OLD: Final = ", ".join(f"c.{name}" for name in MILESTONES)
_WAS: Final = ", ".join(f"c.{name} AS was_{name}" for name in MILESTONES)


def locked(
    keys: str, *, condition: str, within: str = "", times: str = _OLD, excuse: str = "", more: str = ""
) -> str:
    """Return the query that locks the commitments `c` of the keys `l`, in the order that all writers lock in.

    `times` gives the new columns of MILESTONES, `excuse` those of the excuse, over `c` and `l`; `condition`
    selects the rows to change. `within`, a condition on c.parcel_id with literals, prunes months when
    planning; without it each month's index is searched.
    """
    # With LATERAL each key is one index lookup, whatever the planner expects: policies mislead it about the
    # number of rows. The nested array is for PostgreSQL 18 (18.6: perform_pruning_base_step), which crashes
    # when a plan that prunes months row by row has waited for a lock and rechecks its row. It is usable by
    # the index, but not for pruning.
    bounds = f"AND c.parcel_id {within}" if within else ""
    return f"""
    SELECT c.* FROM (SELECT * FROM {keys} ORDER BY parcel_id, kind) l
    CROSS JOIN LATERAL (
        SELECT c.parcel_id, c.kind, {DIMENSIONS}, c.fee_fen, c.ready_at, c.outcome AS before,
            c.excused AS was_excused, c.excuse_reason AS was_excuse_reason,
            {excuse or "c.excused, c.excuse_reason"}, {_WAS}, {times}{more}
        FROM slas_commitment c
        WHERE c.parcel_id = ANY(ARRAY[ARRAY[l.parcel_id]]) AND c.kind = l.kind {bounds} AND {condition}
        FOR NO KEY UPDATE OF c
    ) c"""  # noqa: S608 -- built of constants


def change_ctes(source: str, *, after: str, changes: tuple[str, ...] = ()) -> str:
    """Return the CTEs from the rows of locked() to all consequences of their change.

    `after` is the new outcome; `changes` names the other columns that `source` may have changed.
    """
    # Most changes have no marks before or after; then none are computed.
    has_marks = f"""(after = 'late' OR before = 'late'
            OR (excused OR was_excused) AND (after IN {_BREACH} OR before IN {_BREACH}))"""
    was_reached = "kind = 'delivery' AND (reached_at IS NOT NULL OR was_reached_at IS NOT NULL)"
    moved = " OR ".join(f"{name} IS DISTINCT FROM was_{name}" for name in changes) or "false"
    return f"""
sla_judged AS MATERIALIZED (
    SELECT *, {after} AS after, {MARGINS} FROM {source}
),
sla_changed AS MATERIALIZED (
    SELECT *, {moved} AS moved,
        {COUNTED},
        CASE WHEN {has_marks} THEN {sql_mark_changes()} END AS marks,
        CASE WHEN {was_reached} THEN {sql_progress_changes()} END AS progress,
        kind = 'delivery' AND fee_fen IS NOT NULL AND (after IN {_BREACH} OR before IN {_BREACH}
            OR lost_at IS NOT NULL OR was_lost_at IS NOT NULL) AS pays
    FROM sla_judged
),
{_store(changes)}
sla_progress AS ({progressing()}
),
{CONSEQUENCES}"""  # noqa: S608 -- built of constants


def _store(changes: tuple[str, ...]) -> str:
    # An upsert, because it uses the key and the newest version of a row, which UPDATE ... FROM does only if
    # it is planned well; the rows exist and are locked. The row for the insert, which never happens, must
    # still be valid: hence the columns besides those that change.
    columns = tuple(dict.fromkeys(("excused", "excuse_reason", "reached_at", *changes)))
    stored = ", ".join(f"{name} = excluded.{name}" for name in changes)
    return f"""
sla_stored AS (
    INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at, due_date, outcome, {", ".join(columns)})
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
        due_at, due_date, after, {", ".join(columns)}
    FROM sla_changed
    ON CONFLICT (parcel_id, kind) DO UPDATE SET outcome = excluded.outcome{", " * bool(changes)}{stored}
),"""  # noqa: S608 -- built of constants


def settlement(*, within: str = "") -> str:
    """Return the CTEs that settle commitments from `milestones`; `within` as in locked().

    They provide sla_changed (before, after) and sla_breaches (standing).
    """
    merged = ", ".join(
        f"CASE WHEN bool_or(exact) THEN min({name}) FILTER (WHERE exact) ELSE min({name}) END AS {name}"
        for name in MILESTONES
    )
    times = ", ".join(
        f"CASE WHEN l.exact THEN l.{name} ELSE least(c.{name}, l.{name}) END AS {name}" for name in MILESTONES
    )
    exactly = " OR ".join(f"l.{name} IS DISTINCT FROM c.{name}" for name in MILESTONES)
    earlier = " OR ".join(f"l.{name} < coalesce(c.{name}, 'infinity')" for name in MILESTONES)
    condition = f"c.outcome <> 'void' AND CASE WHEN l.exact THEN {exactly} ELSE {earlier} END"
    after = """CASE
        WHEN reached_at <= due_at THEN 'met'
        WHEN reached_at > due_at THEN 'late'
        -- What was seen to be overdue stays due, should this process's clock be behind.
        WHEN before = 'overdue' OR due_at < %(now)s THEN 'overdue'
        ELSE 'pending' END"""
    return f"""
sla_reached AS (
    SELECT parcel_id, kind, bool_or(exact) AS exact, {merged}
    FROM milestones
    GROUP BY parcel_id, kind
),
sla_locked AS MATERIALIZED ({locked("sla_reached", condition=condition, within=within, times=times)}
),
{change_ctes("sla_locked", after=after, changes=MILESTONES)}"""  # noqa: S608 -- built of constants
