"""Why a parcel was promised for that hour: its promise worked out again, as the quote did."""

from dataclasses import dataclass

from alliance.tenancy import Actor
from parcels.models import Parcel
from slas.choices import CommitmentKind
from slas.models import Commitment, TierVersion
from slas.promises.replays import Question, replay_booking
from slas.promises.texts import Ends, explained, rolled_text


@dataclass(frozen=True, slots=True)
class Story:
    """The sentences of a promise, by the version of the rules that made it."""

    version: int
    sentences: list[str]
    note: str


def story_of(actor: Actor, parcel: Parcel) -> Story | None:
    """Tell it only where it comes out as what was promised: imported history names no rules."""
    if parcel.pickup_by is None or parcel.deliver_by is None or parcel.ready_at is None:
        return None
    promised = Commitment.objects.visible_to(actor).filter(parcel_id=parcel.pk, kind=CommitmentKind.DELIVERY)
    version = TierVersion.objects.filter(pk__in=promised.values("version_id")).select_related("tier").first()
    if version is None:
        return None
    question = Question(
        origin=parcel.origin,
        destination=parcel.destination,
        booked_at=parcel.booked_at,
        ready_at=parcel.ready_at,
        known_at=parcel.booked_at,
    )
    found = replay_booking(
        version=version, question=question, pickup_by=parcel.pickup_by, deliver_by=parcel.deliver_by
    )
    if found is None:
        return None
    ends = Ends(parcel.origin.name, parcel.destination.name)
    return Story(version.number, explained(found, ends), rolled_text(found, ends))
