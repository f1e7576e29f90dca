"""Claims: a courier claims that a breach was not its fault, and may withdraw the claim until it is
decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.core.files.base import File
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.database.found_at_home import only_row
from alliance.database.slices import in_slices
from alliance.database.together import commit_together
from alliance.dates import time_text
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.events import Topic
from alliance.file_names import name_set
from alliance.stored_files import delete_unnamed
from alliance.tenancy import Actor, require
from couriers.documents.files import Inspected, inspect, shown_name
from couriers.documents.refusals import DocumentRefused
from couriers.homes.lists import at_homes
from slas.choices import ExcuseReason, ExcuseSource, ExcuseState, Outcome
from slas.commitments.models import Breach, Commitment
from slas.commitments.rules import is_breach
from slas.excuses.models import Excuse
from slas.excuses.services.mails import tell_ops_of_claim
from slas.excuses.services.permissions import read_reason, read_text

CLAIMED_WITHIN: Final = timedelta(days=14)
# A file without a row may belong to an upload that is not committed yet.
ORPHAN_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Claim:
    """A courier's claim for one breach."""

    parcel_id: int
    kind: str
    reason: ExcuseReason | str
    note: str = ""
    upload: "File[bytes] | None" = None


def may_claim(actor: Actor) -> bool:
    """Whether an actor may claim excuses: a courier's owners, managers and agents, and its API keys."""
    return actor.is_courier and actor.can(Capability.CLAIM_EXCUSES)


def require_claimant(actor: Actor) -> None:
    """Raise NotAuthenticated or NotPermitted unless the actor may claim excuses."""
    require(actor, Capability.CLAIM_EXCUSES)
    if not actor.is_courier:
        raise NotPermitted(_("Only couriers can request exemptions."), code="not_the_courier")


def claim_until(breach: Breach) -> datetime:
    return breach.opened_at + CLAIMED_WITHIN


def obstacle(
    commitment: Commitment, breach: Breach | None, excuses: Iterable[Excuse], *, now: datetime
) -> Conflict | None:
    """Why an excuse cannot be claimed: no breach, another excuse, or too late; None if it can.

    One claim per breach: a withdrawn or lapsed one may be claimed again, a decided one may not.
    """
    if breach is None or breach.withdrawn_at is not None or not is_breach(Outcome(commitment.outcome)):
        return Conflict(_("There is no breach to exempt."), code="no_breach")
    for excuse in excuses:
        match excuse.state:
            case ExcuseState.CLAIMED:
                return Conflict(
                    _("An exemption was already requested and is waiting for a decision."), code="claimed"
                )
            case ExcuseState.GRANTED:
                return Conflict(_("An exemption was already granted."), code="granted")
            case ExcuseState.REVOKED:
                return Conflict(_("The exemption of this breach was revoked."), code="decided")
            # An excuse proposed by an event is not the courier's own claim.
            case ExcuseState.DECLINED if excuse.source == ExcuseSource.COURIER:
                message = _("Your request was declined; only the alliance can change that.")
                return Conflict(message, code="decided")
    if now > (until := claim_until(breach)):
        message = _("Exemptions can be requested within %(days)d days: for this breach, until %(until)s.")
        until_text = time_text(until)
        return Conflict(message % {"days": CLAIMED_WITHIN.days, "until": until_text}, code="too_late")
    return None


def claim_excuse(*, actor: Actor, claim: Claim, now: datetime | None = None) -> Excuse:
    """Claim that a breach of the actor's own courier was not its fault.

    Raises NotPermitted for everyone else, NotFound for a breach that is not the courier's, InvalidInput for
    an unknown reason, a text too long or a file refused, and Conflict if no breach is open, if it is too
    late, or if the breach was claimed or decided already: a decision is final for the courier.
    """
    require_claimant(actor)
    moment = now or timezone.now()
    reason, note = read_reason(claim.reason), read_text(claim.note)
    # Before the lock: inspecting a large PDF takes time.
    inspected = _inspect(claim.upload)
    with transaction.atomic():
        commitment = _lock(actor, claim)
        _refuse(commitment, moment)
        excuse = Excuse(
            parcel_id=commitment.parcel_id,
            kind=commitment.kind,
            merchant_id=commitment.merchant_id,
            courier_id=commitment.courier_id,
            reason=reason,
            note=note,
            source=ExcuseSource.COURIER,
            state=ExcuseState.CLAIMED,
            claimed_by_id=actor.user_id,
            claimed_at=moment,
        )
        _store(excuse, claim.upload, inspected)
        _record(actor, excuse, Topic.EXCUSE_CLAIMED, at=moment)
        tell_ops_of_claim(excuse, at=moment)
        commit_together()
    return excuse


def find_excuse(*, actor: Actor, excuse_id: int, parcel_id: int | None = None) -> Excuse:
    """Return an excuse that the actor sees. Without its parcel, all shards are asked, or a courier's homes.

    Raises NotFound.
    """
    excuses = Excuse.objects.visible_to(actor).filter(pk=excuse_id)
    by_id = parcel_id is None
    excuse = only_row(excuses, narrow=at_homes) if by_id else excuses.filter(parcel_id=parcel_id).first()
    if excuse is None:
        raise NotFound
    return excuse


@transaction.atomic
def take_back_claim(
    *, actor: Actor, excuse_id: int, parcel_id: int | None = None, now: datetime | None = None
) -> Excuse:
    """Withdraw a claim not decided on yet. A replay changes nothing.

    Raises NotFound for a claim that is not the courier's own, Conflict for one that is decided, or that was
    proposed by a declared event.
    """
    require_claimant(actor)
    excuse = find_excuse(actor=actor, excuse_id=excuse_id, parcel_id=parcel_id)
    if excuse.source != ExcuseSource.COURIER:
        raise Conflict(_("The courier did not request this exemption."), code="not_claimed_by_courier")
    # Guarded update: a decision made in the meantime stands.
    own = Excuse.objects.filter(parcel_id=excuse.parcel_id, pk=excuse_id)
    if own.filter(state=ExcuseState.CLAIMED).update(state=ExcuseState.WITHDRAWN):
        excuse.state = ExcuseState.WITHDRAWN
        _record(actor, excuse, Topic.EXCUSE_WITHDRAWN, at=now or timezone.now())
        commit_together()
        return excuse
    excuse.refresh_from_db(from_queryset=own)
    if excuse.state != ExcuseState.WITHDRAWN:
        raise Conflict(_("This request is already decided."), code="decided")
    return excuse


def forget_orphaned_evidence(*, now: datetime | None = None) -> int:
    """Delete stored files without a claim: an upload's transaction may have been rolled back."""
    claims = in_slices(Excuse.objects.exclude(evidence="").only("evidence"))
    before = (now or timezone.now()) - ORPHAN_AFTER
    with name_set() as names:
        names.add(str(claim.evidence.name) for claim in claims)
        return delete_unnamed("evidence", before=before, named=names.those_of)


def _inspect(upload: "File[bytes] | None") -> Inspected | None:
    if upload is None:
        return None
    try:
        return inspect(upload.file or upload, size=upload.size)
    except DocumentRefused as refusal:
        raise InvalidInput(errors=[FieldError("/file", str(refusal), "refused")]) from refusal


def _lock(actor: Actor, claim: Claim) -> Commitment:
    commitments = Commitment.objects.visible_to(actor).select_for_update(no_key=True)
    commitment = commitments.filter(parcel_id=claim.parcel_id, kind=claim.kind).first()
    if commitment is None:
        raise NotFound
    return commitment


def _refuse(commitment: Commitment, now: datetime) -> None:
    key = {"parcel_id": commitment.parcel_id, "kind": commitment.kind}
    breach, excuses = Breach.objects.filter(**key).first(), Excuse.objects.filter(**key).order_by("pk")
    if (refusal := obstacle(commitment, breach, excuses, now=now)) is not None:
        raise refusal


def _store(excuse: Excuse, upload: "File[bytes] | None", inspected: Inspected | None) -> None:
    if upload is not None and inspected is not None:
        upload.seek(0)
        excuse.content_type = inspected.content_type
        excuse.evidence_name = shown_name(upload.name or "")
        excuse.evidence.save(upload.name or "", File(upload.file or upload), save=False)
    try:
        # A savepoint, so that the file is deleted when the row is refused.
        with transaction.atomic():
            excuse.save(force_insert=True)
    except Exception:
        if excuse.evidence:
            excuse.evidence.delete(save=False)
        raise


def _record(actor: Actor, excuse: Excuse, topic: Topic, *, at: datetime) -> None:
    parties = {"merchant_id": excuse.merchant_id, "courier_id": excuse.courier_id}
    # Without notes and file names: free text is kept in one place, where it can be erased.
    payload = {"kind": excuse.kind, "reason": str(excuse.reason), "excuse": excuse.pk}
    events.record([events.NewEvent(topic, parcel_id=excuse.parcel_id, payload=payload, **parties)], at=at)
    audit.record(
        actor=actor,
        verb=topic.value,
        object_type="excuse",
        object_id=excuse.pk,
        organisation_id=excuse.courier_id,
        detail={"breach": f"{excuse.number} {excuse.kind}", **payload, "file": bool(excuse.evidence)},
    )
