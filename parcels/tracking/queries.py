"""The public view of a parcel: no names, phones, addresses or references."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from django.utils.translation import gettext as _

from alliance.database.retirement import is_retired, retired_error
from alliance.errors import NotFound
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number, tracking_number
from alliance.tenancy import Scope, rows_in
from parcels.choices import ParcelStatus
from parcels.scans.timelines import TrackedScan, track
from parcels.tracking.arrivals import Arrival, arrival_of
from parcels.tracking.names import Names, names_of
from parcels.tracking.sql import TRACKED_PARCEL
from parcels.tracking.steps import ProgressStep, progress
from parcels.tracking.verdicts import Verdict, verdict_of
from slas.choices import CommitmentKind, Outcome
from slas.models import Commitment, Revision
from slas.revisions.services import Promised

UNKNOWN = "unknown_tracking_number"
BAD = "bad_tracking_number"


class _Scan(msgspec.Struct, array_like=True):
    event_key: int
    code: str
    occurred_at: datetime
    received_at: datetime
    reason: str
    facility: str
    consent: bool
    corrects: int | None


class _Delivery(msgspec.Struct, array_like=True):
    due_at: datetime
    revised_due_at: datetime | None
    reached_at: datetime | None
    outcome: str
    excused: bool
    delivered_at: datetime | None
    lost_at: datetime | None
    version_id: int | None


class _Revision(msgspec.Struct):
    previous_due_at: datetime
    due_at: datetime
    requested_by: str
    judged: bool
    created_at: datetime


class TrackedParcel(msgspec.Struct):
    """A parcel as returned by TRACKED_PARCEL: data that is not read cannot be shown."""

    id: int
    courier_id: int
    tier_id: int
    origin_id: int
    destination_id: int
    source: str
    status: str
    status_at: datetime
    booked_at: datetime
    ready_at: datetime | None
    deliver_by: datetime
    picked_up_at: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    out_for_delivery_at: datetime | None
    cancelled_at: datetime | None
    delivery: _Delivery | None
    scans: list[_Scan]
    revisions: list[_Revision] = msgspec.field(default_factory=list)

    @property
    def number(self) -> str:
        return tracking_number(self.id)

    def get_status_display(self) -> str:
        return str(ParcelStatus(self.status).label)


_DECODER: Final = msgspec.json.Decoder(TrackedParcel)


@dataclass(frozen=True, slots=True)
class PublicParcel:
    """The data of a parcel's tracking page."""

    parcel: TrackedParcel
    names: Names
    tracked: list[TrackedScan]
    # None for a parcel without an open promise, for example a cancelled one.
    verdict: Verdict | None
    # The expected arrival; None after an attempt, or without a forecast.
    arrival: Arrival | None = None

    @property
    def steps(self) -> list[ProgressStep]:
        return progress(self.parcel.status, self.parcel.scans)

    @property
    def revisions(self) -> Sequence[Revision]:
        # The oldest first.
        return [Revision(**msgspec.structs.asdict(revision)) for revision in self.parcel.revisions]

    @property
    def promised(self) -> Promised | None:
        """The delivery commitment with its revisions, cancelled or not."""
        parcel, delivery = self.parcel, self.parcel.delivery
        if delivery is None:
            return None
        commitment = Commitment(
            parcel_id=parcel.id,
            kind=CommitmentKind.DELIVERY,
            tier_id=parcel.tier_id,
            destination_id=parcel.destination_id,
            **msgspec.structs.asdict(delivery),
        )
        return Promised(commitment, self.revisions)

    @property
    def is_late(self) -> bool:
        return self.verdict is not None and self.verdict.is_broken


def read_number(text: str) -> int:
    """Parse a tracking number. Raises NotFound with BAD and an explanation."""
    try:
        return parse_tracking_number(text)
    except InvalidTrackingNumber as error:
        detail = str(error)
        if error.reason == "check":
            detail = _("One character of this number is mistyped. Compare it with the label.")
        raise NotFound(detail, code=BAD) from None


def look_up(parcel_id: int, *, now: datetime) -> PublicParcel:
    """Read one parcel, in a scope that contains nothing else. Raises NotFound with UNKNOWN, or Gone."""
    [(parcel_text,)] = rows_in(Scope.parcel(parcel_id), TRACKED_PARCEL.call, {"parcel_id": parcel_id})
    if parcel_text is None and is_retired(parcel_id):
        raise retired_error(parcel_id)
    if parcel_text is None:
        detail = _("We can't find this number. Has the shop sent you another one?")
        raise NotFound(detail, code=UNKNOWN)
    parcel = _DECODER.decode(parcel_text)
    verdict = None
    if parcel.delivery is not None and parcel.delivery.outcome != Outcome.VOID:
        verdict = verdict_of(parcel.delivery, now=now)
    return PublicParcel(
        parcel=parcel,
        names=names_of(
            courier_id=parcel.courier_id,
            tier_id=parcel.tier_id,
            origin_id=parcel.origin_id,
            destination_id=parcel.destination_id,
        ),
        tracked=track(parcel.scans),
        verdict=verdict,
        arrival=arrival_of(parcel, verdict, now=now),
    )
