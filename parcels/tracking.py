"""What anybody who has a parcel's number may know of it: no names, phones, addresses or references."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from alliance.errors import NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.tenancy import Scope, scope
from parcels.arrivals import Arrival, arrival_of
from parcels.models import Parcel, Scan
from parcels.progress import ProgressStep, progress
from parcels.timelines import TrackedScan, track
from parcels.verdicts import Verdict, verdict_of
from slas.choices import Outcome
from slas.models import Commitment, Revision
from slas.services.revisions import Promised, promised_delivery

UNKNOWN = "unknown_tracking_number"
BAD = "bad_tracking_number"
# Left in the database: what is not read cannot be shown by mistake.
_PRIVATE = ("recipient_name", "recipient_phone", "recipient_address", "reference", "weight_g", "fee_fen")


@dataclass(frozen=True, slots=True)
class PublicParcel:
    """A parcel as its tracking page shows it."""

    parcel: Parcel
    tracked: list[TrackedScan]
    steps: list[ProgressStep]
    # None for a parcel nothing stands promised for: called off, say.
    verdict: Verdict | None
    # The same with the later days agreed on, called off or not.
    promised: Promised | None = None
    # When it will probably be at the door; None when it was there, or nobody knows.
    arrival: Arrival | None = None

    @property
    def revisions(self) -> Sequence[Revision]:
        """Later days agreed on for the delivery, the oldest first."""
        return self.promised.revisions if self.promised else ()

    @property
    def delivery(self) -> Commitment | None:
        return self.promised.commitment if self.promised else None

    @property
    def is_late(self) -> bool:
        return self.verdict is not None and self.verdict.is_broken


def read_number(text: str) -> int:
    """Read a tracking number. Raises NotFound, with BAD, that says what is wrong with the text."""
    try:
        return parse_tracking_number(text)
    except InvalidTrackingNumber as error:
        detail = str(error)
        if error.reason == "check":
            detail = _("A character of this number is mistyped. Compare it with the label once more.")
        raise NotFound(detail, code=BAD) from None


def look_up(parcel_id: int, *, now: datetime) -> PublicParcel:
    """Read one parcel, in a scope that holds nothing else. Raises NotFound, with UNKNOWN."""
    with scope(Scope.parcel(parcel_id)):
        names = ("courier__organisation", "tier", "origin", "destination")
        parcel = Parcel.objects.filter(pk=parcel_id).select_related(*names).defer(*_PRIVATE).first()
        if parcel is None:
            detail = _("We know no parcel of this number. Has the shop sent you another one?")
            raise NotFound(detail, code=UNKNOWN)
        scans = list(Scan.objects.filter(parcel_id=parcel_id))
        promised = promised_delivery(parcel_id=parcel_id)
    verdict = None
    if promised is not None and promised.commitment.outcome != Outcome.VOID:
        verdict = verdict_of(promised.commitment, now=now)
    return PublicParcel(
        parcel=parcel,
        tracked=track(scans),
        steps=progress(parcel.status, scans),
        verdict=verdict,
        arrival=arrival_of(parcel, verdict, now=now),
        promised=promised,
    )
