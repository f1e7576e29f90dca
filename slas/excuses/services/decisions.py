"""Decisions on excuses: customer service and ops grant, decline and revoke one or thousands at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import events
from alliance.database.literals import numbers
from alliance.database.together import commit_together
from alliance.errors import Conflict, InvalidInput, NotFound
from alliance.events import Topic
from alliance.members.queries import own_couriers, refuse_own
from alliance.tenancy import Actor, raw_rows
from slas.choices import CommitmentKind, Decision, ExcuseReason, ExcuseSource, ExcuseState
from slas.commitments.services.settling import excuse_commitments
from slas.excuses.models import Excuse
from slas.excuses.services.mails import tell_couriers_of_decision
from slas.excuses.services.permissions import (
    ExcuseKey,
    Key,
    Locked,
    lock_commitments,
    read_reason,
    read_text,
    record_decision,
    require_decider,
    require_few,
)
from slas.excuses.services.writing import write_excuses

# The state an excuse must be in for each decision, and its state after it.
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
# Guarded: what is in another state by now was decided or withdrawn meanwhile. Not at home: the claims of a
# proposal that is granted at once are written in the same transaction, over other connections to the worker.
_NOTE: Final = """
UPDATE slas_excuse SET state = %(after)s, decision_note = %(note)s, decided_by_id = %(decided_by)s,
    decided_at = %(decided_at)s
WHERE parcel_id = ANY(%(parcel_ids)s::bigint[]) AND id = ANY(%(ids)s::bigint[]) AND state = %(before)s
RETURNING id
"""


class DecisionResult(NamedTuple):
    """The result of a decision on excuses."""

    decided: int = 0
    # Claims whose breach is no longer open, so nothing was left to decide.
    lapsed: int = 0
    # Decided by another person, or withdrawn, in the meantime.
    untouched: int = 0
    # Of couriers that the actor belongs to: left for another person.
    barred: int = 0


class ExcuseResult(NamedTuple):
    """The result of excusing breaches without a claim."""

    excused: int = 0
    # No breach (any more).
    gone: int = 0
    # Claimed by the courier: the claim has to be decided on.
    waiting: int = 0
    # Excused before.
    already: int = 0
    # Of couriers that the actor belongs to: left for another person.
    barred: int = 0


@transaction.atomic
def decide_excuses(
    *,
    actor: Actor,
    keys: Iterable[ExcuseKey],
    decision: Decision | str,
    note: str = "",
    now: datetime | None = None,
) -> DecisionResult:
    """Grant, decline or revoke excuses in one transaction; a replay finds nothing left to decide.

    Excuses are named by their parcel's id and their own.
    Claims whose breach is no longer open lapse, whatever the decision; those of the actor's own courier are
    left. Raises NotPermitted for everyone but customer service and superusers, and if all are the actor's
    own; InvalidInput for an unknown decision, for declining or revoking without a note, and for more than
    MOST_AT_ONCE.
    """
    require_decider(actor)
    if decision not in Decision.values:
        raise InvalidInput(_("Choose to grant, decline or revoke."))
    step, moment = Decision(decision), now or timezone.now()
    decision_note = read_text(note, required=step != Decision.GRANT)
    unique_keys = set(keys)
    require_few(unique_keys)
    excuses, barred = _without_own(actor, excuses_of(unique_keys))
    commitments = lock_commitments((row.parcel_id, row.kind) for row in excuses)
    before, after = STEPS[step]
    void = [row for row in excuses if before == ExcuseState.CLAIMED and not _stands(row, commitments)]
    lapsed = _note(void, before, ExcuseState.LAPSED)
    void_ids = {row.pk for row in void}
    left = [row for row in excuses if row.pk not in void_ids]
    decided = _note(left, before, after, note=decision_note, decided_by=actor.user_id, decided_at=moment)
    _apply(step, decided, moment)
    _record_events(decided, after, moment)
    _record_events(lapsed, ExcuseState.LAPSED, moment)
    tell_couriers_of_decision(decided, after)
    record_decision(
        actor,
        f"excuse.{after}",
        {row.courier_id for row in decided},
        at=moment,
        note=decision_note,
        excuses=[row.pk for row in decided],
    )
    commit_together()
    untouched = len(unique_keys) - barred - len(decided) - len(lapsed)
    return DecisionResult(len(decided), len(lapsed), untouched, barred)


def excuses_of(keys: Iterable[ExcuseKey]) -> list[Excuse]:
    """Return the excuses with these keys, in the order of their ids."""
    wanted = set(keys)
    parcel_ids, ids = {parcel_id for parcel_id, _pk in wanted}, {pk for _parcel_id, pk in wanted}
    rows = Excuse.objects.filter(parcel_id__in=parcel_ids, pk__in=ids).order_by("pk")
    return [row for row in rows if (row.parcel_id, row.pk) in wanted]


def _without_own(actor: Actor, excuses: Sequence[Excuse]) -> tuple[list[Excuse], int]:
    """Leave out excuses of the actor's own couriers, and count them.

    Raises NotPermitted if no others are left.
    """
    own = own_couriers(actor, {excuse.courier_id for excuse in excuses})
    others = [excuse for excuse in excuses if excuse.courier_id not in own]
    if own and not others:
        refuse_own(actor, own)
    return others, len(excuses) - len(others)


def _note(
    excuses: Sequence[Excuse],
    before: ExcuseState,
    after: ExcuseState,
    *,
    note: str = "",
    decided_by: int | None = None,
    decided_at: datetime | None = None,
) -> list[Excuse]:
    """Write a decision on excuses that are still in the state before it, and return those.

    The commitments are locked, but a courier withdraws a claim without that lock.
    """
    if not excuses:
        return []
    parameters = {
        "parcel_ids": numbers({excuse.parcel_id for excuse in excuses}),
        "ids": numbers(excuse.pk for excuse in excuses),
        "before": before.value, "after": after.value,
        "note": note, "decided_by": decided_by, "decided_at": decided_at,
    }  # fmt: skip
    noted = {pk for (pk,) in raw_rows(_NOTE, parameters)}
    return [excuse for excuse in excuses if excuse.pk in noted]


def excuse_breach(
    *,
    actor: Actor,
    parcel_id: int,
    kind: CommitmentKind | str,
    reason: ExcuseReason | str,
    note: str = "",
    now: datetime | None = None,
) -> Excuse:
    """Excuse one breach without a claim; a replay returns the first excuse.

    Raises what `excuse_breaches` raises, NotFound for an unknown commitment, and Conflict if no breach is
    open or the courier's claim is waiting.
    """
    key = (parcel_id, str(kind))
    with transaction.atomic():
        if not lock_commitments([key]):
            # Actors who may not decide get NotPermitted rather than NotFound.
            require_decider(actor)
            raise NotFound
        result = excuse_breaches(actor=actor, keys=[key], reason=reason, note=note, now=now)
        if result.gone:
            raise Conflict(_("There is no breach to exempt."), code="no_breach")
        if result.waiting:
            raise Conflict(
                _("The courier has requested an exemption: decide on that request."), code="claim_waiting"
            )
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
) -> ExcuseResult:
    """Excuse many breaches for one reason without a claim, in one transaction.

    Breaches of the actor's own courier are left. Raises NotPermitted for everyone but customer service and
    superusers, and if all are the actor's own; InvalidInput for an unknown reason and for more than
    MOST_AT_ONCE.
    """
    require_decider(actor)
    chosen, decision_note, moment = read_reason(reason), read_text(note), now or timezone.now()
    unique_keys = sorted({(parcel_id, str(kind)) for parcel_id, kind in keys})
    require_few(unique_keys)
    commitments = lock_commitments(unique_keys)
    own = own_couriers(actor, {commitment.courier_id for commitment in commitments.values()})
    barred = {key for key, commitment in commitments.items() if commitment.courier_id in own}
    if barred and len(barred) == len(unique_keys):
        refuse_own(actor, own)
    unique_keys = [key for key in unique_keys if key not in barred]
    open_keys = [key for key in unique_keys if key in commitments and commitments[key].stands]
    states = _states(open_keys)
    unclaimed = [key for key in open_keys if key not in states]
    excuses = [
        Excuse(
            parcel_id=parcel_id,
            kind=kind,
            merchant_id=commitments[parcel_id, kind].merchant_id,
            courier_id=commitments[parcel_id, kind].courier_id,
            reason=chosen,
            note=decision_note,
            source=ExcuseSource.OPS,
            state=ExcuseState.GRANTED,
            claimed_by_id=actor.user_id,
            claimed_at=moment,
            decided_by_id=actor.user_id,
            decided_at=moment,
        )
        for parcel_id, kind in unclaimed
    ]
    write_excuses(excuses)
    excuse_commitments(keys=unclaimed, reason=chosen, now=moment)
    record_decision(
        actor,
        Topic.EXCUSE_GRANTED.value,
        {row.courier_id for row in excuses},
        at=moment,
        reason=chosen.value,
        note=decision_note,
        excuses=[row.pk for row in excuses],
    )
    commit_together()
    waiting = sum(state == ExcuseState.CLAIMED for state in states.values())
    gone, already = len(unique_keys) - len(open_keys), len(states) - waiting
    return ExcuseResult(len(unclaimed), gone, waiting, already, len(barred))


def _states(keys: Sequence[Key]) -> dict[Key, str]:
    """The state of the claimed or granted excuse, by breach."""
    key_set = set(keys)
    numbers = {parcel_id for parcel_id, _kind in key_set}
    rows = Excuse.objects.standing().filter(parcel_id__in=numbers).values_list("parcel_id", "kind", "state")
    return {(parcel_id, kind): state for parcel_id, kind, state in rows if (parcel_id, kind) in key_set}


def _stands(excuse: Excuse, commitments: Mapping[Key, Locked]) -> bool:
    commitment = commitments.get((excuse.parcel_id, excuse.kind))
    return commitment is not None and commitment.stands


def _apply(decision: Decision, excuses: Sequence[Excuse], now: datetime) -> None:
    """Update the commitments, and with them rates, histograms, credits and events."""
    if decision == Decision.DECLINE:
        return
    by_reason: defaultdict[str | None, list[Key]] = defaultdict(list)
    for excuse in excuses:
        reason = excuse.reason if decision == Decision.GRANT else None
        by_reason[reason].append((excuse.parcel_id, excuse.kind))
    for reason, keys in by_reason.items():
        excuse_commitments(keys=keys, reason=reason, now=now)


def _record_events(excuses: Sequence[Excuse], state: ExcuseState, at: datetime) -> None:
    """Send both parties an event; that a breach is excused is sent with the commitment."""
    new_events: list[Any] = [
        events.NewEvent(
            _TOPICS[state],
            merchant_id=excuse.merchant_id,
            courier_id=excuse.courier_id,
            parcel_id=excuse.parcel_id,
            payload={"kind": excuse.kind, "reason": excuse.reason, "excuse": excuse.pk},
        )
        for excuse in excuses
    ]
    events.record(new_events, at=at)
