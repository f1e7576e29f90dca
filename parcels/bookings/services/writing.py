"""Insert booked parcels, their commitments and their events."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from alliance import events
from alliance.database.literals import moments, numbers, texts
from alliance.errors import Conflict
from alliance.identifiers import new_parcel_id, tracking_number
from alliance.members.acquaintances import acquaint
from alliance.tenancy import raw_rows
from parcels.bookings.rules import BookingRequest
from parcels.choices import ParcelSource
from slas.choices import CommitmentKind
from slas.commitments.services.settling import CommitmentDraft, open_commitments
from slas.offers.market import OnSale
from slas.promises.rules import Promise
from slas.promises.tiers_in_force import TierInForce

# Two ids of the same millisecond collide once in four million pairs: repeated collisions are a bug.
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Booked:
    """A confirmed booking: the parcel's number, its courier and its promise."""

    parcel_id: int
    request: BookingRequest
    tier: TierInForce
    offer: OnSale
    promise: Promise
    fee_fen: int
    # Earlier days that were full.
    full_on: tuple[date, ...]

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


def distinct_ids(count: int, at: datetime, *, used: frozenset[int] = frozenset()) -> list[int]:
    """Draw ids for parcels booked together: random ids of the same millisecond could repeat."""
    ids: dict[int, None] = {}
    while len(ids) < count:
        parcel_id = new_parcel_id(at)
        if parcel_id not in used:
            ids[parcel_id] = None
    return list(ids)


def write_parcels(
    *, merchant_id: int, booked: Sequence[Booked], at: datetime, source: ParcelSource
) -> list[Booked]:
    """Insert parcels, commitments and events, one statement each, and return the bookings.

    If another parcel already has an id, a new id is drawn, so the ids returned may differ.
    """
    bookings = list(booked)
    if not bookings:
        return []
    acquaint((merchant_id, booking.offer.courier_id) for booking in bookings)
    written_ids = _insert(merchant_id, bookings, at, source)
    for _attempt in range(_ATTEMPTS):
        collisions = [index for index, booking in enumerate(bookings) if booking.parcel_id not in written_ids]
        if not collisions:
            break
        new_ids = distinct_ids(len(collisions), at, used=frozenset(written_ids))
        for index, parcel_id in zip(collisions, new_ids, strict=True):
            bookings[index] = replace(bookings[index], parcel_id=parcel_id)
        written_ids |= _insert(merchant_id, [bookings[index] for index in collisions], at, source)
    else:
        raise Conflict(code="busy", retry_after=1)
    open_commitments(list(_drafts(merchant_id, bookings)), at=at)
    events.record([_event(merchant_id, booking) for booking in bookings], at=at)
    return bookings


_INSERT = """
INSERT INTO parcels_parcel (id, merchant_id, courier_id, tier_id, origin_id, destination_id, offer_id,
    version_id, pickup_address_id, source, reference, recipient_name, recipient_phone, recipient_address,
    weight_g, fee_fen, booked_at, ready_at, pickup_date, pickup_by, deliver_by, status, status_at, corrected)
SELECT id, %(merchant_id)s, courier_id, tier_id, origin_id, destination_id, offer_id,
    version_id, pickup_address_id, %(source)s, reference, name, phone, address,
    weight_g, fee_fen, %(at)s, ready_at, pickup_date, pickup_by, deliver_by, 'booked', %(at)s, false
FROM unnest(%(id)s::bigint[], %(courier_id)s::bigint[], %(tier_id)s::int[], %(origin_id)s::int[],
    %(destination_id)s::int[], %(offer_id)s::bigint[], %(version_id)s::bigint[],
    %(pickup_address_id)s::bigint[], %(reference)s::text[], %(name)s::text[], %(phone)s::text[],
    %(address)s::text[], %(weight_g)s::int[], %(fee_fen)s::int[], %(ready_at)s::timestamptz[],
    %(pickup_date)s::date[], %(pickup_by)s::timestamptz[], %(deliver_by)s::timestamptz[]
) AS b (id, courier_id, tier_id, origin_id, destination_id, offer_id, version_id, pickup_address_id,
    reference, name, phone, address, weight_g, fee_fen, ready_at, pickup_date, pickup_by, deliver_by)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""


def _insert(merchant_id: int, booked: Sequence[Booked], at: datetime, source: ParcelSource) -> set[int]:
    rows = raw_rows(
        _INSERT,
        {
            "merchant_id": merchant_id,
            "source": source.value,
            "at": at,
            "id": numbers(item.parcel_id for item in booked),
            "courier_id": numbers(item.offer.courier_id for item in booked),
            "tier_id": numbers(item.tier.id for item in booked),
            "origin_id": numbers(item.request.origin.pk for item in booked),
            "destination_id": numbers(item.request.destination.pk for item in booked),
            "offer_id": numbers(item.offer.offer_id for item in booked),
            "version_id": numbers(item.tier.version_id for item in booked),
            "pickup_address_id": numbers(item.request.pickup_address_id for item in booked),
            "reference": texts(item.request.reference for item in booked),
            "name": texts(item.request.recipient.name for item in booked),
            "phone": texts(item.request.recipient.phone for item in booked),
            "address": texts(item.request.recipient.address for item in booked),
            "weight_g": numbers(item.request.weight_g for item in booked),
            "fee_fen": numbers(item.fee_fen for item in booked),
            "ready_at": moments(item.request.ready_at for item in booked),
            "pickup_date": moments(item.promise.effective_date for item in booked),
            "pickup_by": moments(item.promise.pickup_by for item in booked),
            "deliver_by": moments(item.promise.deliver_by for item in booked),
        },
    )
    return {row[0] for row in rows}


def _drafts(merchant_id: int, booked: Sequence[Booked]) -> list[CommitmentDraft]:
    drafts: list[CommitmentDraft] = []
    for item in booked:
        origin, destination = item.request.origin, item.request.destination
        for kind, due_at, zone in (
            (CommitmentKind.PICKUP, item.promise.pickup_by, origin.time_zone),
            (CommitmentKind.DELIVERY, item.promise.deliver_by, destination.time_zone),
        ):
            drafts.append(
                CommitmentDraft(
                    parcel_id=item.parcel_id,
                    kind=kind,
                    merchant_id=merchant_id,
                    courier_id=item.offer.courier_id,
                    tier_id=item.tier.id,
                    origin_id=origin.pk,
                    destination_id=destination.pk,
                    version_id=item.tier.version_id,
                    due_at=due_at,
                    zone=zone,
                    ready_at=item.request.ready_at,
                    fee_fen=item.fee_fen if kind == CommitmentKind.DELIVERY else None,
                )
            )
    return drafts


def _event(merchant_id: int, item: Booked) -> events.NewEvent:
    return events.NewEvent(
        events.Topic.PARCEL_BOOKED,
        merchant_id=merchant_id,
        courier_id=item.offer.courier_id,
        parcel_id=item.parcel_id,
        payload={
            "tracking_number": item.number,
            "reference": item.request.reference,
            "tier": item.tier.code.value,
            "pickup_by": item.promise.pickup_by.isoformat(),
            "deliver_by": item.promise.deliver_by.isoformat(),
        },
    )
