"""Promises made, reached and called off: everything that changes a commitment except the sweep."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from alliance.literals import moments, numbers
from alliance.tenancy import raw_rows
from slas.choices import CommitmentKind
from slas.settlement import CONSEQUENCES, DIMENSIONS, SETTLEMENT, STORE, locked


@dataclass(frozen=True, slots=True)
class CommitmentDraft:
    """One milestone about to be promised."""

    parcel_id: int
    kind: CommitmentKind
    merchant_id: int
    courier_id: int
    tier_id: int
    origin_id: int
    destination_id: int
    version_id: int | None
    due_at: datetime
    # IANA zone of where it falls due: the origin of a pickup, the destination of a delivery.
    zone: str

    @property
    def due_date(self) -> date:
        """The local date it falls due on: its cohort in the on-time rate."""
        return self.due_at.astimezone(ZoneInfo(self.zone)).date()


class Milestone(NamedTuple):
    """When a milestone was reached; see slas/settlement.py for `exact`."""

    parcel_id: int
    kind: CommitmentKind
    reached_at: datetime | None
    exact: bool = False


class Settled(NamedTuple):
    """How many commitments changed, and how many breaches that opened and withdrew."""

    changed: int
    opened: int
    withdrawn: int


_COUNTS = """
SELECT (SELECT count(*) FROM sla_changed),
    (SELECT count(*) FROM sla_breaches WHERE standing), (SELECT count(*) FROM sla_breaches WHERE NOT standing)
"""

_OPEN = f"""
WITH sla_changed AS (
    INSERT INTO slas_commitment AS c (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id,
        destination_id, version_id, due_at, due_date, outcome, excused)
    SELECT *, 'pending', false
    FROM unnest(%(parcel_id)s::bigint[], %(kind)s::text[], %(merchant_id)s::bigint[],
        %(courier_id)s::bigint[], %(tier_id)s::int[], %(origin_id)s::int[], %(destination_id)s::int[],
        %(version_id)s::bigint[], %(due_at)s::timestamptz[], %(due_date)s::date[])
    ON CONFLICT (parcel_id, kind) DO NOTHING
    RETURNING c.parcel_id, c.kind, {DIMENSIONS}, c.excused,
        NULL::text AS before, c.outcome AS after, c.reached_at
),
{CONSEQUENCES}
SELECT count(*) FROM sla_changed
"""  # noqa: S608 -- built of constants

_SETTLE = f"""
WITH milestones AS (
    SELECT * FROM unnest(%(parcel_id)s::bigint[], %(kind)s::text[], %(reached_at)s::timestamptz[],
        %(exact)s::boolean[]) AS m (parcel_id, kind, reached_at, exact)
),
{SETTLEMENT}
{_COUNTS}
"""  # noqa: S608 -- built of constants

# What was reached has moved, and is not called off. For pickups see voided_by_cancellation().
_CALLED_OFF = "c.outcome IN ('pending', 'overdue') AND (c.kind = 'delivery' OR c.due_at >= %(now)s)"
_VOID = f"""
WITH sla_keys AS (
    SELECT parcel_id, kind FROM unnest(%(parcel_ids)s::bigint[]) AS x (parcel_id),
        (VALUES ('pickup'), ('delivery')) AS k (kind)
),
sla_locked AS MATERIALIZED ({locked("sla_keys", columns="c.reached_at", condition=_CALLED_OFF)}
),
sla_changed AS MATERIALIZED (
    SELECT *, 'void' AS after FROM sla_locked
),
{STORE}
{CONSEQUENCES}
{_COUNTS}
"""  # noqa: S608 -- built of constants


def open_commitments(drafts: Sequence[CommitmentDraft], *, at: datetime) -> int:
    """Promise the milestones, all in one statement; return how many are new.

    A milestone that is promised already is left as it is, so a replay changes nothing. One
    that fell due in the past begins as pending, too: scans and the next sweep judge it.
    """
    if not drafts:
        return 0
    columns = {
        "parcel_id": numbers(draft.parcel_id for draft in drafts),
        "kind": [draft.kind.value for draft in drafts],
        "merchant_id": numbers(draft.merchant_id for draft in drafts),
        "courier_id": numbers(draft.courier_id for draft in drafts),
        "tier_id": numbers(draft.tier_id for draft in drafts),
        "origin_id": numbers(draft.origin_id for draft in drafts),
        "destination_id": numbers(draft.destination_id for draft in drafts),
        "version_id": numbers(draft.version_id for draft in drafts),
        "due_at": moments(draft.due_at for draft in drafts),
        "due_date": moments(draft.due_date for draft in drafts),
    }
    [(opened,)] = raw_rows(_OPEN, {**columns, "now": at})
    return int(opened)


def settle(milestones: Iterable[Milestone], *, now: datetime) -> Settled:
    """Judge commitments by milestones reached, as the scan statement does for a batch.

    Any order, any number of times: the earliest standing one counts. Void stays void.
    """
    rows = list(milestones)
    if not rows:
        return Settled(0, 0, 0)
    parameters = {
        "parcel_id": [row.parcel_id for row in rows],
        "kind": [str(row.kind) for row in rows],
        "reached_at": [row.reached_at for row in rows],
        "exact": [row.exact for row in rows],
        "now": now,
    }
    [counts] = raw_rows(_SETTLE, parameters)
    return Settled(*counts)


def void_commitments(*, parcel_ids: Sequence[int], at: datetime) -> Settled:
    """Call off what was promised for parcels cancelled before pickup, at the moment of cancelling.

    Delivery always; pickup unless it had fallen due. Breaches are withdrawn. Replays change
    nothing. That the parcels have not moved is for the caller, who holds their locks, to know.
    """
    if not parcel_ids:
        return Settled(0, 0, 0)
    [counts] = raw_rows(_VOID, {"parcel_ids": list(parcel_ids), "now": at})
    return Settled(*counts)
