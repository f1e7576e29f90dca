"""Excuses: deciding that a breach was not the courier's fault."""

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.models import Member
from alliance.tenancy import Actor
from slas.choices import CommitmentKind, ExcuseReason
from slas.models import Commitment, Excuse, Tally
from slas.outcomes import is_breach

# More than a person can look at in one go; each is locked until all are decided.
MOST_AT_ONCE = 1000


@transaction.atomic
def excuse_breach(
    *, actor: Actor, parcel_id: int, kind: CommitmentKind | str, reason: ExcuseReason | str, note: str = ""
) -> Excuse:
    """Decide that a breach was not the courier's fault: the accountable rate leaves it out.

    Deciding again returns the first decision. Raises NotPermitted for everybody but ops, and for
    ops who belong to the breach's courier: nobody judges their own lateness. Raises NotFound for
    an unknown commitment, Conflict when no breach stands, InvalidInput for an unknown reason.
    """
    if not actor.is_ops:
        raise NotPermitted
    if reason not in ExcuseReason.values:
        raise InvalidInput(errors=[FieldError("/reason", _("Choose one of the reasons."), "choice")])
    # Lock the commitment, not the breach: a late-arriving scan withdraws breaches under the
    # same lock, and one of the two must see the other.
    commitment = (
        Commitment.objects.select_for_update(no_key=True).filter(parcel_id=parcel_id, kind=kind).first()
    )
    if commitment is None:
        raise NotFound
    _refuse_own(actor, commitment)
    decided = Excuse.objects.filter(parcel_id=parcel_id, kind=kind).first()
    if decided is not None:
        return decided
    if not is_breach(commitment.outcome):
        raise Conflict(_("There is no standing breach to excuse."), code="no_breach")
    return _excuse(actor, commitment, ExcuseReason(reason), note.strip())


@transaction.atomic
def excuse_breaches(
    *, actor: Actor, keys: Iterable[tuple[int, str]], reason: ExcuseReason | str, note: str = ""
) -> tuple[int, int]:
    """Excuse many breaches for one reason; return how many are excused, and how many stand no more.

    All or none. Raises what `excuse_breach` raises, except for breaches withdrawn meanwhile,
    and InvalidInput for more than MOST_AT_ONCE.
    """
    # In the order everybody locks commitments in.
    wanted = sorted(set(keys))
    if len(wanted) > MOST_AT_ONCE:
        message = _("Choose at most %(most)d breaches at once.") % {"most": MOST_AT_ONCE}
        raise InvalidInput(message, errors=[FieldError("/keys", message, "max_length")])
    excused = gone = 0
    for parcel_id, kind in wanted:
        try:
            excuse_breach(actor=actor, parcel_id=parcel_id, kind=kind, reason=reason, note=note)
        except Conflict:
            gone += 1
        else:
            excused += 1
    return excused, gone


def _refuse_own(actor: Actor, commitment: Commitment) -> None:
    courier_id = commitment.courier_id
    if actor.organisation_id == courier_id:
        raise NotPermitted
    if actor.user_id is None:
        return
    if Member.objects.filter(user_id=actor.user_id, organisation_id=courier_id).exists():
        raise NotPermitted(_("You belong to this courier: somebody else must decide."), code="own_courier")


def _excuse(actor: Actor, commitment: Commitment, reason: ExcuseReason, note: str) -> Excuse:
    parties = {"merchant_id": commitment.merchant_id, "courier_id": commitment.courier_id}
    key = {"parcel_id": commitment.parcel_id, "kind": commitment.kind}
    excuse = Excuse.objects.create(**key, **parties, reason=reason, note=note, decided_by_id=actor.user_id)
    Commitment.objects.filter(**key).update(excused=True)
    Tally.objects.create(
        **parties,
        tier_id=commitment.tier_id,
        origin_id=commitment.origin_id,
        destination_id=commitment.destination_id,
        kind=commitment.kind,
        due_date=commitment.due_date,
        excused=1,
    )
    payload = {"kind": commitment.kind, "reason": reason.value}
    events.record(
        [events.NewEvent("breach.excused", parcel_id=commitment.parcel_id, payload=payload, **parties)]
    )
    audit.record(
        actor=actor,
        verb="breach.excused",
        object_type="breach",
        object_id=f"{commitment.parcel_id}:{commitment.kind}",
        organisation_id=commitment.courier_id,
        detail={"reason": reason.value, "note": note, "excuse": excuse.pk},
    )
    return excuse
