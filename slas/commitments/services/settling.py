"""Open, settle, void, excuse and revise commitments: every change except the sweep."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from alliance.database.at_home import Columns, Writer, rows_by_shard
from alliance.database.literals import moments, numbers, texts
from alliance.errors import Conflict, NotFound
from slas.choices import CommitmentKind, ExcuseReason, Outcome
from slas.commitments.models import Commitment
from slas.commitments.sql import DRAFT, MILESTONES
from slas.commitments.sql_settling import EXCUSE, LIFT, LOSE, MOVE_PICKUPS, OPEN, SETTLE, VOID


@dataclass(frozen=True, slots=True)
class CommitmentDraft:
    """A milestone about to be promised."""

    parcel_id: int
    kind: CommitmentKind
    merchant_id: int
    courier_id: int
    tier_id: int
    origin_id: int
    destination_id: int
    version_id: int | None
    due_at: datetime
    # IANA zone of the place where it falls due: the origin of a pickup, the destination of a delivery.
    zone: str
    ready_at: datetime | None = None
    # Credits are a share of it; deliveries only.
    fee_fen: int | None = None
    # What a lost parcel is credited with; deliveries only.
    declared_value_fen: int | None = None

    @property
    def due_date(self) -> date:
        """The local date it falls due on: its cohort in the on-time rate."""
        return self.due_at.astimezone(ZoneInfo(self.zone)).date()


class Milestone(NamedTuple):
    """The time a milestone was reached, and a delivery's stages; see slas/commitments/sql.py for `exact`."""

    parcel_id: int
    kind: CommitmentKind
    reached_at: datetime | None
    exact: bool = False
    picked_up_at: datetime | None = None
    departed_at: datetime | None = None
    arrived_at: datetime | None = None
    out_for_delivery_at: datetime | None = None
    attempted_at: datetime | None = None
    delivered_at: datetime | None = None
    turned_at: datetime | None = None
    lost_at: datetime | None = None


class Settled(NamedTuple):
    """How many commitments changed, and how many breaches were opened and withdrawn by that."""

    changed: int
    opened: int
    withdrawn: int


def open_commitments(drafts: Sequence[CommitmentDraft]) -> int:
    """Open commitments; return how many are new.

    An existing commitment is left as it is, so a replay changes nothing. One that fell due in the past begins
    as pending, too: scans and the next sweep judge it.
    """
    if not drafts:
        return 0
    writers: dict[str, Writer] = {"kind": texts, **dict.fromkeys(("due_at", "due_date", "ready_at"), moments)}
    columns: Columns = {
        name: ([getattr(draft, name) for draft in drafts], writers.get(name, numbers)) for name in DRAFT[1:]
    }
    rows = rows_by_shard(OPEN, [draft.parcel_id for draft in drafts], columns)
    return sum(opened for (opened,) in rows)


def settle(milestones: Iterable[Milestone], *, now: datetime) -> Settled:
    """Judge commitments by milestones reached, as the scan statement does for a batch.

    May be called in any order and any number of times: the earliest valid time counts. Void stays void.
    """
    rows = list(milestones)
    if not rows:
        return Settled(0, 0, 0)
    columns: Columns = {
        "kind": ([str(row.kind) for row in rows], texts),
        "exact": ([int(row.exact) for row in rows], numbers),
        **{name: ([getattr(row, name) for row in rows], moments) for name in MILESTONES},
    }
    return _sum(rows_by_shard(SETTLE, [row.parcel_id for row in rows], columns, now=now))


def void_commitments(*, parcel_ids: Sequence[int], at: datetime) -> Settled:
    """Void the commitments of parcels cancelled before pickup, as of the cancellation.

    Deliveries always; pickups unless they had fallen due. Breaches are withdrawn. Replays change nothing. The
    caller, who holds the parcels' locks, ensures that they have not moved.
    """
    if not parcel_ids:
        return Settled(0, 0, 0)
    return _sum(rows_by_shard(VOID, parcel_ids, {}, now=at))


def excuse_commitments(
    *, keys: Sequence[tuple[int, str]], reason: ExcuseReason | str | None, now: datetime
) -> int:
    """Excuse commitments for a reason, or with None lift their excuses; return how many changed.

    Only open breaches not excused are excused, and only excused ones are lifted: commitments changed in the
    meantime are left alone, and a replay changes nothing. The caller checks permissions.
    """
    # A duplicate key would be changed twice.
    unique_keys = {(parcel_id, str(kind)) for parcel_id, kind in keys}
    if not unique_keys:
        return 0
    rows = rows_by_shard(
        LIFT if reason is None else EXCUSE,
        [parcel_id for parcel_id, _kind in unique_keys],
        {"kind": ([kind for _parcel_id, kind in unique_keys], texts)},
        now=now,
        reason=None if reason is None else ExcuseReason(reason).value,
    )
    return sum(count for (count,) in rows)


def mark_lost(*, lost: Mapping[int, datetime | None], now: datetime) -> int:
    """Record since when deliveries count as lost, None for not lost; return how many changed.

    This does not affect whether a promise was kept, but it affects the merchant's credit.
    """
    if not lost:
        return 0
    rows = rows_by_shard(LOSE, list(lost), {"lost_at": (list(lost.values()), moments)}, now=now)
    return sum(count for (count,) in rows)


def move_pickups(*, due: Mapping[int, datetime], sooner: bool, now: datetime) -> int:
    """Move due times of pickups `sooner`, to the end of an agreed window, or back; return how many.

    Only those that are pending and not due yet, and never in the other direction: a parcel that was picked
    up, or is late, stays as it is judged. The cohort stays that of the promise, so no rate changes.
    """
    if not due:
        return 0
    rows = rows_by_shard(
        MOVE_PICKUPS, list(due), {"due_at": (list(due.values()), moments)}, sooner=sooner, now=now
    )
    return sum(count for (count,) in rows)


def _sum(rows: Iterable[tuple[int, ...]]) -> Settled:
    return Settled(*(sum(counts) for counts in zip(*rows, strict=True)))


def revise_due(
    *, parcel_id: int, kind: CommitmentKind | str, due_at: datetime, judged: bool, now: datetime
) -> Commitment:
    """Record a later due time beside a promise; if `judged`, on-time is judged by it from now on.

    The cohort stays that of the original promise, so no rate changes. Returns the commitment as it was
    before. Raises NotFound, and Conflict for a promise that is void, (judged) kept or past due, and for a due
    time that is not later than the current one.
    """
    commitment = (
        Commitment.objects.select_for_update(no_key=True).filter(parcel_id=parcel_id, kind=kind).first()
    )
    if commitment is None:
        raise NotFound
    # After an attempt, a new day is that of the next attempt: recorded, but not judged.
    settled = (Outcome.MET, Outcome.LATE, Outcome.VOID) if judged else (Outcome.VOID,)
    if commitment.outcome in settled:
        raise Conflict(_("This promise is settled: it can no longer be rescheduled."), code="settled")
    if judged and (commitment.outcome == Outcome.OVERDUE or commitment.due_at < now):
        raise Conflict(_("The promised time has passed: the parcel stays late."), code="past_due")
    if due_at <= max(commitment.due_at, commitment.revised_due_at or commitment.due_at):
        raise Conflict(_("The new date must be later than the promised one."), code="not_later")
    changes = {"revised_due_at": due_at, **({"due_at": due_at} if judged else {})}
    Commitment.objects.filter(parcel_id=parcel_id, kind=kind).update(**changes)
    return commitment
