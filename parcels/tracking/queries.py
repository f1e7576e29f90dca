"""The state of parcels for every door, and the public view: no names, phones, addresses or references."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import Any, Final, NamedTuple

import msgspec
from django.db.models import Q
from django.utils.translation import gettext as _

from alliance.database.at_home import of_parcel
from alliance.database.retirement import is_retired, retired_error
from alliance.errors import NotFound
from alliance.identifiers import tracking_number
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.models import Parcel
from parcels.bookings.queries import Piece, pieces_of
from parcels.choices import ScanCode
from parcels.revisions.services import OVER, may_choose_day
from parcels.scans.models import Scan
from parcels.scans.rules import ScanFact, contradiction_of, standing
from parcels.scans.timelines import TrackedScan, track
from parcels.tracking.advice import Reader, day_helps, title_of
from parcels.tracking.arrivals import Expectable, arrivals_of
from parcels.tracking.causes import TELLING, TELLING_CODES, Cause, cause_of
from parcels.tracking.names import Names, names_of
from parcels.tracking.sql import TRACKED_PARCEL
from parcels.tracking.state import ParcelState, loss_of, state_of
from parcels.tracking.steps import ProgressStep, progress
from parcels.tracking.verdicts import verdict_of
from slas.choices import CommitmentKind
from slas.models import Commitment, Revision
from slas.revisions.services import Promised

UNKNOWN = "unknown_tracking_number"
# Looked up in the class, a member takes longer than the comparison.
_DAMAGED: Final = ScanCode.DAMAGED


class _Scan(msgspec.Struct, array_like=True):
    event_key: int
    code: str
    occurred_at: datetime
    received_at: datetime
    reason: str
    facility: str
    consent: bool
    corrects: int | None
    # Not public.
    stated_at: datetime | None = None


class _Delivery(msgspec.Struct, array_like=True):
    due_at: datetime
    revised_due_at: datetime | None
    reached_at: datetime | None
    outcome: str
    excused: bool
    delivered_at: datetime | None
    lost_at: datetime | None
    version_id: int | None


class _Revision(msgspec.Struct, array_like=True):
    previous_due_at: datetime
    due_at: datetime
    requested_by: str
    judged: bool
    created_at: datetime


class TrackedParcel(msgspec.Struct, array_like=True, dict=True):
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
    # Not shown: whose rules for returns hold.
    merchant_id: int
    return_of_id: int | None
    returned_by_id: int | None
    return_cancelled_at: datetime | None
    pieces: int
    order_id: int | None
    delivery: _Delivery | None
    scans: list[_Scan]
    revisions: list[_Revision]

    @property
    def number(self) -> str:
        return tracking_number(self.id)

    @property
    def has_return(self) -> bool:
        return self.returned_by_id is not None and self.return_cancelled_at is None

    @cached_property
    def standing_scans(self) -> list[ScanFact]:
        return standing(self.scans)

    @cached_property
    def last_scan_at(self) -> datetime | None:
        return max((scan.occurred_at for scan in self.standing_scans), default=None)


class _Movable(NamedTuple):
    """A promise of which nothing is asked but whether it may be moved."""

    commitment: _Delivery
    revisions: list[_Revision]


_DECODER: Final = msgspec.json.Decoder(TrackedParcel)


class PublicParcel(msgspec.Struct, frozen=True):
    """The data of a parcel's tracking page."""

    parcel: TrackedParcel
    names: Names
    tracked: list[TrackedScan]
    state: ParcelState

    @property
    def steps(self) -> list[ProgressStep]:
        return progress(self.state.shown_status, self.parcel.scans, title=title_of(self.state))

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


def look_up(parcel_id: int, *, now: datetime) -> PublicParcel:
    """Read one parcel, in a scope that contains nothing else. Raises NotFound with UNKNOWN, or Gone."""
    parcel_text = of_parcel(TRACKED_PARCEL, parcel_id)
    if parcel_text is None and is_retired(parcel_id):
        raise retired_error(parcel_id)
    if parcel_text is None:
        detail = _("We can't find this number. Has the shop sent you another one?")
        raise NotFound(detail, code=UNKNOWN)
    parcel = _DECODER.decode(parcel_text)
    names = names_of(
        courier_id=parcel.courier_id,
        tier_id=parcel.tier_id,
        origin_id=parcel.origin_id,
        destination_id=parcel.destination_id,
    )
    facts = _Facts(
        parcel=parcel,
        delivery=parcel.delivery,
        cause=cause_of(parcel.status, parcel.status_at, parcel.scans),
        moved_by=parcel.revisions[-1].requested_by if parcel.revisions else "",
        tier=names.tier.code,
        zone=names.destination.time_zone,
    )
    [state] = _states([facts], now=now)
    return PublicParcel(parcel, names, track(parcel.scans), state)


def order_of(public_parcel: PublicParcel) -> list[Piece]:
    """Return the parcels of a parcel's order, all for the same recipient; none for a parcel alone.

    In the scope of their courier, as that of one parcel does not contain the others.
    """
    parcel = public_parcel.parcel
    if parcel.order_id is None:
        return []
    with scope(Scope.courier(parcel.courier_id)):
        return pieces_of(parcel.order_id)


def reader_of(public_parcel: PublicParcel, *, now: datetime) -> Reader:
    """The anonymous reader of a parcel's tracking page."""
    names, parcel = public_parcel.names, public_parcel.parcel
    scans = parcel.standing_scans
    delivery = parcel.delivery
    return Reader(
        courier=names.courier,
        city=names.destination.name,
        zone=names.destination.time_zone,
        now=now,
        may_choose_day=delivery is not None
        and parcel.status not in OVER
        and day_helps(public_parcel.state)
        and may_choose_day(parcel=parcel, promised=_Movable(delivery, parcel.revisions)),
        last_scan=max(scans, key=attrgetter("occurred_at"), default=None),
        was_damaged=_DAMAGED in [scan.code for scan in scans],
        contradiction=contradiction_of(scans, cancelled_at=parcel.cancelled_at),
    )


def states_of(
    *, actor: Actor, parcels: Sequence[Parcel], now: datetime, with_arrivals: bool = True
) -> dict[int, ParcelState]:
    """Return the state of each parcel of a page, by id; the same few queries, whatever the page holds.

    The parcels come with tier and destination. Only parcels that the actor sees may be passed. A door that
    shows no arrivals need not wait for them.
    """
    ids = [parcel.pk for parcel in parcels]
    commitments = Commitment.objects.visible_to(actor).filter(parcel_id__in=ids, kind=CommitmentKind.DELIVERY)
    deliveries = {commitment.parcel_id: commitment for commitment in commitments}
    causes = _causes_of(actor, parcels)
    moved = _moved_by(actor, [pk for pk, delivery in deliveries.items() if delivery.revised_due_at])
    facts = [
        _Facts(
            parcel=parcel,
            delivery=deliveries.get(parcel.pk),
            cause=causes.get(parcel.pk),
            moved_by=moved.get(parcel.pk, ""),
            tier=parcel.tier.code,
            zone=parcel.destination.time_zone,
        )
        for parcel in parcels
    ]
    return dict(zip(ids, _states(facts, now=now, with_arrivals=with_arrivals), strict=True))


def states_of_booked(parcels: Sequence[Parcel], *, now: datetime) -> dict[int, ParcelState]:
    """Return the states of parcels that were booked a moment ago: nothing has happened to them yet."""
    facts = [
        _Facts(
            parcel=parcel,
            delivery=Commitment(
                parcel_id=parcel.pk,
                kind=CommitmentKind.DELIVERY,
                tier_id=parcel.tier_id,
                due_at=parcel.deliver_by,
            ),
            cause=None,
            moved_by="",
            tier=parcel.tier.code,
            zone=parcel.destination.time_zone,
        )
        for parcel in parcels
    ]
    return dict(zip((parcel.pk for parcel in parcels), _states(facts, now=now), strict=True))


class _Facts(msgspec.Struct, frozen=True):
    """What is read of one parcel for its state."""

    parcel: Any
    delivery: Any
    cause: Cause | None
    moved_by: str
    tier: str
    zone: str


def _states(facts: Sequence[_Facts], *, now: datetime, with_arrivals: bool = True) -> list[ParcelState]:
    verdicts = [item.delivery and verdict_of(item.delivery, now=now) for item in facts]
    losses = [loss_of(item.parcel.status, item.parcel.status_at, item.delivery) for item in facts]
    arrivals = arrivals_of(
        (
            Expectable(item.parcel, verdict, item.cause, item.zone, is_lost=loss is not None)
            if verdict and with_arrivals
            else None
            for item, verdict, loss in zip(facts, verdicts, losses, strict=True)
        ),
        now=now,
    )
    return [
        state_of(
            item.parcel,
            verdict,
            loss=loss,
            cause=item.cause,
            moved_by=item.moved_by,
            tier=item.tier,
            zone=item.zone,
            arrival=arrival,
            now=now,
        )
        for item, verdict, loss, arrival in zip(facts, verdicts, losses, arrivals, strict=True)
    ]


def _causes_of(actor: Actor, parcels: Sequence[Parcel]) -> dict[int, Cause]:
    """The scans that decide the statuses that need one, in one query; none if no status does."""
    telling = {parcel.pk: parcel for parcel in parcels if parcel.status in TELLING}
    if not telling:
        return {}
    # Only the scans of the moments that count: a parcel may have thousands.
    scans = Scan.objects.visible_to(actor).filter(
        Q(code=ScanCode.CORRECTION)
        | Q(code__in=TELLING_CODES, occurred_at__in={parcel.status_at for parcel in telling.values()}),
        parcel_id__in=list(telling),
    )
    by_parcel: dict[int, list[Scan]] = defaultdict(list)
    for scan in scans:
        by_parcel[scan.parcel_id].append(scan)
    causes = {pk: cause_of(parcel.status, parcel.status_at, by_parcel[pk]) for pk, parcel in telling.items()}
    return {pk: cause for pk, cause in causes.items() if cause is not None}


def _moved_by(actor: Actor, parcel_ids: Sequence[int]) -> dict[int, str]:
    """The party that asked for the present day of each moved delivery."""
    if not parcel_ids:
        return {}
    revisions = Revision.objects.visible_to(actor).filter(
        parcel_id__in=parcel_ids, kind=CommitmentKind.DELIVERY
    )
    return dict(revisions.order_by("pk").values_list("parcel_id", "requested_by"))
