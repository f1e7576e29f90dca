"""Move deliveries to a later day; the original promise is kept beside it.

A change moves the due time that on-time is judged by if it is made before that time: the courier keeps to
the new day. Afterwards it is recorded only: what is late stays late. The cohort stays that of the original
promise, so that moving parcels out of a month improves no rate.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Final, NamedTuple, Protocol

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.contact_data import has_contact_data
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.members.queries import refuse_own
from alliance.models import City
from alliance.tenancy import Actor, require
from slas.choices import CommitmentKind, Outcome, RevisionParty, TierCode
from slas.commitments.models import Commitment
from slas.commitments.querysets import CommitmentQuerySet, JudgedQuerySet
from slas.commitments.rules import judge
from slas.commitments.services.settling import revise_due
from slas.promises.closures import ClosureCalendar, Place
from slas.promises.models import TierVersion
from slas.promises.rules import TierRule
from slas.promises.texts import Ends, day_text, step_text
from slas.promises.tiers_in_force import calendar_at, place_of, rule_of
from slas.revisions.models import Revision
from slas.revisions.rules import DeliveryDay, delivery_on, possible_days, span_after

REASON_LENGTH: Final = 300
# How many changes of day each party has per parcel.
MOST_BY_PARTY: Final = {RevisionParty.RECIPIENT: 2, RevisionParty.MERCHANT: 5}


@dataclass(frozen=True, slots=True)
class RevisionRequest:
    """The new day, the party that requested it, and the reason."""

    day: date
    requested_by: str
    reason: str = ""
    # The recipient proved who they are; without a proof nobody asks in the recipient's name.
    is_proven: bool = False


@dataclass(frozen=True, slots=True)
class Promised:
    """A delivery promise with its revisions, the oldest first."""

    commitment: Commitment
    revisions: Sequence[Revision]

    @property
    def first_due_at(self) -> datetime:
        return self.revisions[0].previous_due_at if self.revisions else self.commitment.due_at


class Movable(Protocol):
    """The fields of a commitment that decide whether its day may change."""

    @property
    def outcome(self) -> str: ...
    @property
    def delivered_at(self) -> datetime | None: ...
    @property
    def lost_at(self) -> datetime | None: ...


class Change(Protocol):
    """The field of a revision that counts against its party."""

    @property
    def requested_by(self) -> str: ...


class MovablePromise(Protocol):
    """What decides whether a delivery may be moved: of a Promised, or read without models."""

    @property
    def commitment(self) -> Movable: ...
    @property
    def revisions(self) -> Sequence[Change]: ...


class Moved(NamedTuple):
    """The new due time, and whether on-time is judged by it."""

    due_at: datetime
    judged: bool


@dataclass(frozen=True, slots=True)
class _Delivery:
    """The current due time of a delivery, and the rules that give another one."""

    current_due_at: datetime
    rule: TierRule
    city: City
    place: Place
    closures: ClosureCalendar


def revise_delivery(*, actor: Actor, parcel_id: int, asked: RevisionRequest, now: datetime) -> Revision:
    """Record that a parcel is to be delivered on another day.

    For its merchant and for ops; a recipient's request comes through parcels, which asks for proof. After an
    attempt it names the day of the next one. Raises NotPermitted for couriers, NotFound for another
    organisation's parcel, InvalidInput for an impossible day or an unproven recipient, and Conflict once the
    parcel is delivered, lost or cancelled.
    """
    require(actor, Capability.BOOK_PARCELS)
    if actor.is_courier:
        raise NotPermitted(_("A courier cannot reschedule its own promises."))
    if problems := list(_problems(asked)):
        raise InvalidInput(errors=problems)
    party = RevisionParty(asked.requested_by)
    with transaction.atomic():
        commitment = _lock_commitment(actor, parcel_id)
        refuse_own(actor, [commitment.courier_id])
        _refuse_over(commitment)
        _refuse_many(list(_revisions(parcel_id)), party)
        due_at = _deadline(_delivery(commitment, now), asked.day, now)
        judged = _outcome(commitment, now) == Outcome.PENDING
        revise_due(parcel_id=parcel_id, kind=CommitmentKind.DELIVERY, due_at=due_at, judged=judged, now=now)
        revision = _create_revision(actor, commitment, asked, Moved(due_at, judged), now)
        _record(actor, revision)
    return revision


def promised_delivery(*, parcel_id: int) -> Promised | None:
    """Return a parcel's delivery promise with its revisions, as visible in the caller's scope."""
    commitment = _commitments(parcel_id).first()
    if commitment is None:
        return None
    return Promised(commitment, list(_revisions(parcel_id).order_by("pk")))


def days_to_choose(
    *,
    promised: Promised,
    parties: Iterable[RevisionParty],
    now: datetime,
    most: int | None = None,
) -> list[DeliveryDay]:
    """Return the next days that any of the parties can move a delivery to; empty if none may."""
    if refusal_of(promised=promised, parties=parties) is not None:
        return []
    delivery = _delivery(promised.commitment, now)
    days = possible_days(
        delivery.rule, delivery.place, delivery.closures, current_due_at=delivery.current_due_at, now=now
    )
    return list(islice(days, most))


def refusal_of(*, promised: MovablePromise, parties: Iterable[RevisionParty]) -> Conflict | None:
    """Return why none of the parties may move the delivery; None when one of them may."""
    refusals = [_refusal(promised, party) for party in parties]
    return None if None in refusals else refusals[-1]


def _refusal(promised: MovablePromise, party: RevisionParty) -> Conflict | None:
    try:
        _refuse_over(promised.commitment)
        _refuse_many(promised.revisions, party)
    except Conflict as refusal:
        return refusal
    return None


def _commitments(parcel_id: int) -> CommitmentQuerySet:
    commitments: CommitmentQuerySet = Commitment.objects.filter(
        parcel_id=parcel_id, kind=CommitmentKind.DELIVERY
    )
    return commitments


def _revisions(parcel_id: int) -> JudgedQuerySet:
    revisions: JudgedQuerySet = Revision.objects.filter(parcel_id=parcel_id, kind=CommitmentKind.DELIVERY)
    return revisions


def _lock_commitment(actor: Actor, parcel_id: int) -> Commitment:
    # A sweep and a scan decide under the same lock: one sees the changes of the other.
    row = _commitments(parcel_id).visible_to(actor).select_for_update(no_key=True).first()
    if row is None:
        raise NotFound
    commitment: Commitment = row
    return commitment


def _delivery(commitment: Commitment, now: datetime) -> _Delivery:
    version = _version(commitment, now)
    city = City.objects.get(pk=commitment.destination_id)
    return _Delivery(
        current_due_at=max(commitment.due_at, commitment.revised_due_at or commitment.due_at),
        rule=rule_of(version, TierCode(version.tier.code)),
        city=city,
        place=place_of(city),
        closures=calendar_at(now),
    )


def _version(commitment: Commitment, now: datetime) -> TierVersion:
    """The rules that made the promise; for commitments without a version, those in force now."""
    versions = TierVersion.objects.select_related("tier")
    if commitment.version_id is not None:
        return versions.get(pk=commitment.version_id)
    version = versions.filter(tier_id=commitment.tier_id, valid_from__lte=now).order_by("-valid_from").first()
    if version is None:
        raise Conflict(_("This service has no rules to calculate another day."), code="no_rules")
    return version


def _problems(request: RevisionRequest) -> Iterator[FieldError]:
    if request.requested_by not in RevisionParty.values:
        message = _("Choose who asked for it: the recipient or the merchant.")
        yield FieldError("/requested_by", message, "choice")
    elif request.requested_by == RevisionParty.RECIPIENT and not request.is_proven:
        message = _(
            "Only recipients can ask in their own name, on the tracking page. Record the change as the "
            "merchant's, and say in the reason who asked."
        )
        yield FieldError("/requested_by", message, "unproven")
    reason = request.reason.strip()
    if not reason and request.requested_by == RevisionParty.MERCHANT:
        yield FieldError("/reason", _("Enter a reason: the courier reads it."), "required")
    if len(reason) > REASON_LENGTH:
        message = _("At most %(most)d characters.") % {"most": REASON_LENGTH}
        yield FieldError("/reason", message, "max_length")
    elif any(not character.isprintable() for character in reason):
        yield FieldError("/reason", _("Enter a single line of text."), "characters")
    # The tracking page shows it to everyone who has the tracking number.
    elif has_contact_data(reason):
        message = _(
            "Leave out phone numbers and e-mails: the reason is kept longer than the recipient's data."
        )
        yield FieldError("/reason", message, "personal")


def _outcome(commitment: Commitment, now: datetime) -> Outcome:
    return judge(commitment.due_at, commitment.reached_at, now, commitment.outcome == Outcome.VOID)


def _refuse_over(commitment: Movable) -> None:
    """Raise Conflict when no delivery is to come. After an attempt one is, and late is no obstacle."""
    if commitment.outcome == Outcome.VOID:
        raise Conflict(_("There is no delivery date for this parcel any more."), code="settled")
    if commitment.delivered_at is not None:
        raise Conflict(_("The parcel was delivered: it can no longer be rescheduled."), code="settled")
    if commitment.lost_at is not None:
        raise Conflict(_("This parcel counts as lost."), code="lost")


def _refuse_many(revisions: Iterable[Change], party: RevisionParty) -> None:
    most = MOST_BY_PARTY[party]
    if sum(revision.requested_by == party for revision in revisions) >= most:
        message = _("The delivery day was already changed %(most)d times, the most allowed.")
        raise Conflict(message % {"most": most}, code="too_many_revisions")


def _deadline(delivery: _Delivery, day: date, now: datetime) -> datetime:
    """The delivery deadline of that day. Raises InvalidInput, with the reason, if there is none."""
    span = span_after(delivery.current_due_at, now, delivery.place.zone)
    if day < span.first:
        raise _day_error(_("Choose a day after the current one, from %s on.") % day_text(span.first))
    if day > span.last:
        raise _day_error(_("Choose a day no later than %s.") % day_text(span.last))
    due_at = delivery_on(delivery.rule, delivery.place, day, delivery.closures)
    if not isinstance(due_at, datetime):
        raise _day_error(step_text(due_at, Ends("", delivery.city.name)))
    if due_at <= max(delivery.current_due_at, now):
        raise _day_error(_("The last delivery of that day is over."))
    return due_at


def _day_error(message: str) -> InvalidInput:
    return InvalidInput(errors=[FieldError("/day", message, "day")])


def _create_revision(
    actor: Actor, commitment: Commitment, request: RevisionRequest, moved: Moved, now: datetime
) -> Revision:
    return Revision.objects.create(
        parcel_id=commitment.parcel_id,
        kind=commitment.kind,
        merchant_id=commitment.merchant_id,
        courier_id=commitment.courier_id,
        requested_by=request.requested_by,
        previous_due_at=max(commitment.due_at, commitment.revised_due_at or commitment.due_at),
        due_at=moved.due_at,
        judged=moved.judged,
        reason=request.reason.strip(),
        agreed_by_id=actor.user_id,
        label=actor.label[:160],
        created_at=now,
    )


def _record(actor: Actor, revision: Revision) -> None:
    # Without the reason: free text is kept in one place, where it can be erased.
    detail = {
        "kind": revision.kind,
        "previous_due_at": revision.previous_due_at,
        "due_at": revision.due_at,
        "requested_by": revision.requested_by,
        "judged": revision.judged,
    }
    parties = {"merchant_id": revision.merchant_id, "courier_id": revision.courier_id}
    event = events.NewEvent(
        events.Topic.COMMITMENT_REVISED, parcel_id=revision.parcel_id, payload=detail, **parties
    )
    events.record([event], at=revision.created_at)
    audit.record(
        actor=actor,
        verb="commitment.revised",
        object_type="commitment",
        object_id=f"{revision.parcel_id}:{revision.kind}",
        organisation_id=revision.merchant_id,
        detail=detail,
    )
