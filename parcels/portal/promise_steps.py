"""Explain a parcel's promise: compute it again as the quote did."""

from dataclasses import dataclass

from alliance.tenancy import Actor
from parcels.models import Parcel
from slas.choices import CommitmentKind
from slas.models import Commitment, TierVersion
from slas.promises.replays import Question, replay_booking
from slas.promises.texts import Ends, explained, rolled_text


@dataclass(frozen=True, slots=True)
class Story:
    """The explanation of a promise, and the version of the rules."""

    version: int
    sentences: list[str]
    note: str


def story_of(actor: Actor, parcel: Parcel) -> Story | None:
    """Return the explanation; None if the promise cannot be reproduced (imported history has no rules)."""
    if parcel.pickup_by is None or parcel.deliver_by is None or parcel.ready_at is None:
        return None
    commitments = Commitment.objects.visible_to(actor).filter(
        parcel_id=parcel.pk, kind=CommitmentKind.DELIVERY
    )
    version = (
        TierVersion.objects.filter(pk__in=commitments.values("version_id")).select_related("tier").first()
    )
    if version is None:
        return None
    question = Question(
        origin=parcel.origin,
        destination=parcel.destination,
        booked_at=parcel.booked_at,
        ready_at=parcel.ready_at,
        known_at=parcel.booked_at,
    )
    promise = replay_booking(
        version=version, question=question, pickup_by=parcel.pickup_by, deliver_by=parcel.deliver_by
    )
    if promise is None:
        return None
    ends = Ends(parcel.origin.name, parcel.destination.name)
    return Story(version.number, explained(promise, ends), rolled_text(promise, ends))
