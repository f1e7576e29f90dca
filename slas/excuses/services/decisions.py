"""Decisions on excuses: customer service and ops grant, decline and revoke, one or thousands at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import events
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.events import Topic
from alliance.members.queries import refuse_own
from alliance.tenancy import Actor
from slas.choices import CommitmentKind, Decision, ExcuseReason, ExcuseSource, ExcuseState
from slas.commitments.services.settling import excuse_commitments
from slas.excuses.models import Excuse
from slas.excuses.services.permissions import (
    Key,
    Locked,
    lock_commitments,
    read_reason,
    read_text,
    require_decider,
    require_few,
    write_down,
)

# The state an excuse must be in for each decision, and the one it is in after it.
STEPS: Final[Mapping[Decision, tuple[ExcuseState, ExcuseState]]] = {
    Decision.GRANT: (ExcuseState.CLAIMED, ExcuseState.GRANTED),
    Decision.DECLINE: (ExcuseState.CLAIMED, ExcuseState.DECLINED),
    Decision.REVOKE: (ExcuseState.GRANTED, ExcuseState.REVOKED),
}
_TOPICS: Final[Mapping[ExcuseState, Topic]] = {
    ExcuseState.GRANTED: Topic.EXCUSE_GRANTED,
    ExcuseState.DECLINED: Topic.EXCUSE_DECLINED,
    ExcuseState.REVOKED: Topic.EXCUSE_REVOKED,
    ExcuseState.LAPSED: Topic.EXCUSE_LAPSED,
}
# Rows a statement when excuses are written: more parameters than that are slow to send.
_BATCH: Final = 2_000


class Decided(NamedTuple):
    """What became of the excuses a decision was made on."""

    decided: int = 0
    # Of claims: the breach stands no more, so there was nothing left to decide.
    lapsed: int = 0
    # Somebody else decided, or took the claim back, meanwhile.
    untouched: int = 0


class Excused(NamedTuple):
    """What became of the breaches that were to be excused directly."""

    excused: int = 0
    # No breach (any more).
    gone: int = 0
    # The courier has claimed an excuse: that is to be decided on.
    waiting: int = 0
    # Excused before.
    already: int = 0


@transaction.atomic
def decide_excuses(
    *,
    actor: Actor,
    excuse_ids: Iterable[int],
    decision: Decision | str,
    note: str = "",
    now: datetime | None = None,
) -> Decided:
    """Grant, decline or revoke excuses, all in one go; a replay finds nothing left to decide.

    Claims whose breach stands no more lapse, whatever the decision. Raises NotPermitted for everybody but
    customer service and superusers, and for members of a courier concerned; InvalidInput for an unknown
    decision, for declining or revoking without saying why, and for more than MOST_AT_ONCE.
    """
    require_decider(actor)
    if decision not in Decision.values:
        raise InvalidInput(_("Choose to grant, to decline or to revoke."))
    step, moment = Decision(decision), now or timezone.now()
    why = read_text(note, required=step != Decision.GRANT)
    wanted = sorted(set(excuse_ids))
    require_few(wanted)
    rows = Excuse.objects.filter(pk__in=wanted).values_list("parcel_id", "kind", "courier_id")
    keys = [(parcel_id, kind) for parcel_id, kind, _courier in rows]
    refuse_own(actor, {courier_id for _parcel, _kind, courier_id in rows})
    commitments = lock_commitments(keys)
    before, after = STEPS[step]
    # Read again, under the lock: somebody else may have decided meanwhile.
    standing = list(Excuse.objects.select_for_update().filter(pk__in=wanted, state=before).order_by("pk"))
    lapsed = [row for row in standing if before == ExcuseState.CLAIMED and not _stands(row, commitments)]
    gone = {row.pk for row in lapsed}
    decided = [row for row in standing if row.pk not in gone]
    _carry_out(step, decided, moment)
    changes = {"decision_note": why, "decided_by_id": actor.user_id, "decided_at": moment}
    Excuse.objects.filter(pk__in=[row.pk for row in decided]).update(state=after, **changes)
    Excuse.objects.filter(pk__in=gone).update(state=ExcuseState.LAPSED)
    _tell(decided, after, moment)
    _tell(lapsed, ExcuseState.LAPSED, moment)
    write_down(
        actor,
        f"excuse.{after}",
        {row.courier_id for row in decided},
        at=moment,
        note=why,
        excuses=[row.pk for row in decided],
    )
    return Decided(len(decided), len(lapsed), len(wanted) - len(standing))


def excuse_breach(
    *,
    actor: Actor,
    parcel_id: int,
    kind: CommitmentKind | str,
    reason: ExcuseReason | str,
    note: str = "",
    now: datetime | None = None,
) -> Excuse:
    """Excuse one breach without a claim; again returns the first excuse.

    Raises what `excuse_breaches` raises, NotFound for an unknown commitment, and Conflict when no breach
    stands or the courier's claim is waiting.
    """
    key = (parcel_id, str(kind))
    with transaction.atomic():
        if not lock_commitments([key]):
            # Who may not decide is told so first.
            require_decider(actor)
            raise NotFound
        done = excuse_breaches(actor=actor, keys=[key], reason=reason, note=note, now=now)
        if done.gone:
            raise Conflict(_("There is no standing breach to excuse."), code="no_breach")
        if done.waiting:
            raise Conflict(_("The courier has claimed an excuse: decide on that."), code="claim_waiting")
        excuse: Excuse = Excuse.objects.standing().get(parcel_id=parcel_id, kind=kind)
    return excuse


@transaction.atomic
def excuse_breaches(
    *,
    actor: Actor,
    keys: Iterable[tuple[int, str]],
    reason: ExcuseReason | str,
    note: str = "",
    now: datetime | None = None,
) -> Excused:
    """Excuse many breaches for one reason without a claim, all in one go.

    Raises NotPermitted for everybody but customer service and superusers, and for members of a courier
    concerned; InvalidInput for an unknown reason and for more than MOST_AT_ONCE.
    """
    require_decider(actor)
    chosen, why, moment = read_reason(reason), read_text(note), now or timezone.now()
    wanted = sorted({(parcel_id, str(kind)) for parcel_id, kind in keys})
    require_few(wanted)
    commitments = lock_commitments(wanted)
    refuse_own(actor, {found.courier_id for found in commitments.values()})
    standing = [key for key in wanted if key in commitments and commitments[key].stands]
    states = _states(standing)
    free = [key for key in standing if key not in states]
    excuses = [
        Excuse(
            parcel_id=parcel_id,
            kind=kind,
            merchant_id=commitments[parcel_id, kind].merchant_id,
            courier_id=commitments[parcel_id, kind].courier_id,
            reason=chosen,
            note=why,
            source=ExcuseSource.OPS,
            state=ExcuseState.GRANTED,
            claimed_by_id=actor.user_id,
            claimed_at=moment,
            decided_by_id=actor.user_id,
            decided_at=moment,
        )
        for parcel_id, kind in free
    ]
    Excuse.objects.bulk_create(excuses, batch_size=_BATCH)
    excuse_commitments(keys=free, reason=chosen, now=moment)
    write_down(
        actor,
        Topic.EXCUSE_GRANTED.value,
        {row.courier_id for row in excuses},
        at=moment,
        reason=chosen.value,
        note=why,
        excuses=[row.pk for row in excuses],
    )
    waiting = sum(state == ExcuseState.CLAIMED for state in states.values())
    return Excused(len(free), len(wanted) - len(standing), waiting, len(states) - waiting)


def _states(keys: Sequence[Key]) -> dict[Key, str]:
    """The state of the excuse that waits or is granted, by the breaches that have one."""
    wanted = set(keys)
    numbers = {parcel_id for parcel_id, _kind in wanted}
    rows = Excuse.objects.standing().filter(parcel_id__in=numbers).values_list("parcel_id", "kind", "state")
    return {(parcel_id, kind): state for parcel_id, kind, state in rows if (parcel_id, kind) in wanted}


def _stands(excuse: Excuse, commitments: Mapping[Key, Locked]) -> bool:
    found = commitments.get((excuse.parcel_id, excuse.kind))
    return found is not None and found.stands


def _carry_out(decision: Decision, excuses: Sequence[Excuse], now: datetime) -> None:
    """Have the commitments follow: rates, histograms, credits and notices with them."""
    if decision == Decision.DECLINE:
        return
    by_reason: defaultdict[str | None, list[Key]] = defaultdict(list)
    for excuse in excuses:
        reason = excuse.reason if decision == Decision.GRANT else None
        by_reason[reason].append((excuse.parcel_id, excuse.kind))
    for reason, keys in by_reason.items():
        excuse_commitments(keys=keys, reason=reason, now=now)


def _tell(excuses: Sequence[Excuse], state: ExcuseState, at: datetime) -> None:
    """Tell both parties what became of the excuses; that a breach is excused is told with the commitment."""
    told: list[Any] = [
        events.NewEvent(
            _TOPICS[state],
            merchant_id=excuse.merchant_id,
            courier_id=excuse.courier_id,
            parcel_id=excuse.parcel_id,
            payload={"kind": excuse.kind, "reason": excuse.reason, "excuse": excuse.pk},
        )
        for excuse in excuses
    ]
    events.record(told, at=at)
