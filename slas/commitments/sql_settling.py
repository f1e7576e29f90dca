"""The statements that open, settle, void, excuse and lose commitments, each for those of one shard.

Text only, made of the expressions in `slas.commitments.sql`; `slas.commitments.services` runs them. They are
database functions, as planning them takes longer than running them, and run at home.
"""

from typing import Final

from alliance.database.stored_functions import StoredStatement
from alliance.database.work_shares import in_share
from alliance.events import NEXT_ID, Topic
from slas.choices import CommitmentKind, Measure
from slas.commitments.sql import (
    CONSEQUENCES,
    DIMENSIONS,
    DRAFT,
    MILESTONES,
    change_ctes,
    locked,
    opening,
    settlement,
)
from slas.commitments.sql_counts import COUNTS, marks

# Bounds of the parcels' ids: months outside of them are not looked at.
_WITHIN: Final = "BETWEEN %(low)s AND %(high)s"
_OF_PARCELS: Final = {"home": "bigint", "low": "bigint", "high": "bigint", "now": "timestamptz"}
_OF_KEYS: Final = {**_OF_PARCELS, "parcel_id": "bigint[]", "kind": "text[]"}
_CHANGES: Final = {"changed": "bigint", "opened": "bigint", "withdrawn": "bigint"}
_COUNTED: Final = """
SELECT (SELECT count(*) FROM sla_changed),
    (SELECT count(*) FROM sla_breaches WHERE standing),
    (SELECT count(*) FROM sla_breaches WHERE NOT standing)"""


def _returning(query: str) -> str:
    return f"""
BEGIN
RETURN QUERY{query};
END"""


_DRAFT: Final = {
    "kind": "text",
    "merchant_id": "bigint",
    "courier_id": "bigint",
    "tier_id": "int",
    "origin_id": "int",
    "destination_id": "int",
    "version_id": "bigint",
    "due_at": "timestamptz",
    "due_date": "date",
    "ready_at": "timestamptz",
    "fee_fen": "int",
    "declared_value_fen": "int",
}
OPEN: Final = StoredStatement(
    "slas_open",
    at_home=True,
    parameters={
        **{name: kind for name, kind in _OF_PARCELS.items() if name != "now"},
        "parcel_id": "bigint[]",
        **{name: f"{kind}[]" for name, kind in _DRAFT.items()},
    },
    returns={"opened": "bigint"},
    body=_returning(f"""
WITH drafts ({", ".join(DRAFT)}) AS (
    SELECT * FROM unnest({", ".join(f"%({name})s" for name in DRAFT)})
),
{opening("drafts")}
SELECT count(*) FROM sla_changed"""),  # noqa: S608 -- built of constants
)

SETTLE: Final = StoredStatement(
    "slas_settle",
    at_home=True,
    parameters={**_OF_KEYS, "exact": "bool[]", **dict.fromkeys(MILESTONES, "timestamptz[]")},
    returns=_CHANGES,
    body=_returning(f"""
WITH milestones AS (
    SELECT * FROM unnest(%(parcel_id)s, %(kind)s, %(exact)s,
        {", ".join(f"%({name})s" for name in MILESTONES)})
        AS m (parcel_id, kind, exact, {", ".join(MILESTONES)})
),
{settlement(within=_WITHIN)}{_COUNTED}"""),  # noqa: S608 -- built of constants
)

# A reached milestone is not voided: the parcel has moved. For pickups see voided_by_cancellation().
_VOIDABLE: Final = "c.outcome IN ('pending', 'overdue') AND (c.kind = 'delivery' OR c.due_at >= %(now)s)"
VOID: Final = StoredStatement(
    "slas_void",
    at_home=True,
    parameters={**_OF_PARCELS, "parcel_id": "bigint[]"},
    returns=_CHANGES,
    body=_returning(f"""
WITH sla_keys AS (
    SELECT parcel_id, kind FROM unnest(%(parcel_id)s) AS x (parcel_id),
        (VALUES ('pickup'), ('delivery')) AS k (kind)
),
sla_locked AS MATERIALIZED ({locked("sla_keys", condition=_VOIDABLE, within=_WITHIN)}
),
{change_ctes("sla_locked", after="'void'")}{_COUNTED}"""),  # noqa: S608 -- built of constants
)

_KEYS: Final = """
WITH sla_keys AS (
    SELECT parcel_id, kind FROM unnest(%(parcel_id)s, %(kind)s) AS k (parcel_id, kind)
),"""


def _excusing(prefix: str, *, condition: str, excuse: str, topic: Topic) -> StoredStatement:
    held = locked("sla_keys", condition=condition, excuse=excuse, within=_WITHIN)
    body = f"""{_KEYS}
sla_locked AS MATERIALIZED ({held}
),
{change_ctes("sla_locked", after="before", changes=("excused", "excuse_reason"))},
announced AS (
    INSERT INTO alliance_event (id, topic, at, merchant_id, courier_id, parcel_id, payload)
    SELECT {NEXT_ID}, '{topic}', %(now)s, merchant_id, courier_id, parcel_id,
        jsonb_build_object('kind', kind, 'reason', coalesce(nullif(excuse_reason, ''), was_excuse_reason))
    FROM sla_changed
)
SELECT count(*) FROM sla_changed"""  # noqa: S608 -- built of constants
    return StoredStatement(
        prefix,
        at_home=True,
        parameters={**_OF_KEYS, "reason": "text"},
        returns={"changed": "bigint"},
        body=_returning(body),
    )


EXCUSE: Final = _excusing(
    "slas_excuse_commitments",
    condition="c.outcome IN ('late', 'overdue') AND NOT c.excused",
    excuse="true AS excused, %(reason)s::varchar AS excuse_reason",
    topic=Topic.BREACH_EXCUSED,
)
LIFT: Final = _excusing(
    "slas_lift_excuses",
    condition="c.excused",
    excuse="false AS excused, ''::varchar AS excuse_reason",
    topic=Topic.BREACH_EXCUSE_LIFTED,
)

_LOST_TIMES: Final = ", ".join(f"{'l' if name == 'lost_at' else 'c'}.{name}" for name in MILESTONES)
_LOST: Final = locked(
    "sla_keys",
    condition="c.outcome <> 'void' AND c.lost_at IS DISTINCT FROM l.lost_at",
    times=_LOST_TIMES,
    within=_WITHIN,
)
LOSE: Final = StoredStatement(
    "slas_mark_lost",
    at_home=True,
    parameters={**_OF_PARCELS, "parcel_id": "bigint[]", "lost_at": "timestamptz[]"},
    returns={"changed": "bigint"},
    body=_returning(f"""
WITH sla_keys AS (
    SELECT parcel_id, '{CommitmentKind.DELIVERY}' AS kind, lost_at
    FROM unnest(%(parcel_id)s, %(lost_at)s) AS k (parcel_id, lost_at)
),
sla_locked AS MATERIALIZED ({_LOST}
),
{change_ctes("sla_locked", after="before", changes=("lost_at",))}
SELECT count(*) FROM sla_changed"""),  # noqa: S608 -- built of constants
)

# Moves the due times of pickups that are still to come: sooner, to the end of a window that was agreed on, or
# back. Neither the cohort nor an outcome changes, so no rate does: see `revise_due`.
_MOVED: Final = locked(
    "sla_keys",
    condition="""c.outcome = 'pending' AND c.due_at > %(now)s AND l.due_at > %(now)s
            AND CASE WHEN %(sooner)s THEN l.due_at < c.due_at ELSE l.due_at > c.due_at END""",
    within=_WITHIN,
    more=", l.due_at AS agreed_at",
)
MOVE_PICKUPS: Final = StoredStatement(
    "slas_move_pickups",
    at_home=True,
    parameters={**_OF_PARCELS, "sooner": "bool", "parcel_id": "bigint[]", "due_at": "timestamptz[]"},
    returns={"moved": "bigint"},
    body=_returning(f"""
WITH sla_keys AS (
    SELECT parcel_id, '{CommitmentKind.PICKUP}' AS kind, due_at
    FROM unnest(%(parcel_id)s, %(due_at)s) AS k (parcel_id, due_at)
),
sla_locked AS MATERIALIZED ({_MOVED}
),
moved AS (
    UPDATE slas_commitment c SET due_at = l.agreed_at FROM sla_locked l
    WHERE c.parcel_id = l.parcel_id AND c.kind = l.kind AND c.parcel_id {_WITHIN}
    RETURNING 1
)
SELECT count(*) FROM moved"""),  # noqa: S608 -- built of constants
)

# Locks without changing anything, and reads what a decision has to know.
HOLD: Final = StoredStatement(
    "slas_hold_commitments",
    at_home=True,
    parameters={name: kind for name, kind in _OF_KEYS.items() if name != "now"},
    returns={
        "of_parcel": "bigint",
        "of_kind": "text",
        "of_merchant": "bigint",
        "of_courier": "bigint",
        "stands": "text",
    },
    body=_returning(f"""{_KEYS}
held AS MATERIALIZED ({locked("sla_keys", condition="true", within=_WITHIN)}
)
SELECT parcel_id, kind::text, merchant_id, courier_id, before::text FROM held"""),  # noqa: S608 -- of constants
)

DUE: Final = "c.outcome = 'pending' AND c.due_at < %(now)s"
_NO_COUNTS: Final = ", ".join(f"0 AS {name}, 0 AS was_{name}" for name in COUNTS)
# The slice is read without locks, in order of due_at, from the partial index of pending commitments: the cost
# follows what fell due, not the table. The upsert, which always finds its row, locks one row after the other
# in the order that all writers lock in, and checks the newest version again: a commitment settled by a scan
# in the meantime is left alone. For the consequences see slas.commitments.sql. The journey does not change
# here, so of all counts and marks only those of an excuse can, which a breach withdrawn before may have kept.
SWEEP: Final = StoredStatement(
    "slas_sweep",
    at_home=True,
    parameters={"home": "bigint", "now": "timestamptz", "most": "int", "share": "int", "shares": "int"},
    returns={"due": "bigint", "changed": "bigint"},
    # Only the index of pending commitments: the planner's statistics of them are out of date, and starting
    # parallel workers takes longer than an idle sweep.
    planning={"enable_seqscan": "off", "enable_bitmapscan": "off", "max_parallel_workers_per_gather": "0"},
    body=_returning(f"""
WITH sla_slice AS MATERIALIZED (
    SELECT c.parcel_id, c.kind, {DIMENSIONS} FROM slas_commitment c
    WHERE {DUE} AND {in_share("c.courier_id")}
    ORDER BY c.due_at
    LIMIT %(most)s
),
sla_changed AS (
    INSERT INTO slas_commitment AS c (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
        destination_id, due_at, due_date, outcome, excused, excuse_reason)
    SELECT parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id, due_at, due_date,
        'overdue', false, ''
    FROM sla_slice
    ORDER BY parcel_id, kind
    ON CONFLICT (parcel_id, kind) DO UPDATE SET outcome = 'overdue' WHERE {DUE}
    RETURNING c.parcel_id, c.kind, {DIMENSIONS}, c.excused, c.excused AS was_excused,
        'pending'::text AS before, 'overdue'::text AS after, NULL::timestamptz AS reached_at,
        false AS moved, {_NO_COUNTS},
        CASE WHEN c.excused THEN ARRAY[{marks("'overdue'", "c.")[Measure.EXCUSED]}] END AS marks,
        c.kind = '{CommitmentKind.DELIVERY}' AND c.fee_fen IS NOT NULL AS pays
),
{CONSEQUENCES}
SELECT (SELECT count(*) FROM sla_slice), (SELECT count(*) FROM sla_changed)"""),  # noqa: S608 -- of constants
)

SETTLING: Final = (OPEN, SETTLE, VOID, EXCUSE, LIFT, LOSE, MOVE_PICKUPS, HOLD, SWEEP)
