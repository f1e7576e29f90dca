"""Insert booked parcels, their commitments and their events."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType

from alliance.choices import OrganisationKind
from alliance.clocks import local_clock
from alliance.database.at_home import value_at_home
from alliance.database.cluster import by_shard, is_distributed
from alliance.database.literals import moments, numbers, texts
from alliance.errors import Conflict
from alliance.homes import draw_parcel_ids, home_of, one_of
from alliance.identifiers import parse_tracking_number, tracking_number
from alliance.members.acquaintances import acquaint
from alliance.models import City, Organisation
from alliance.sandboxes import is_sandbox
from alliance.tenancy import raw_rows
from couriers.homes.queries import homes_for_new
from couriers.models import Courier
from parcels.bookings.models import Merchant, Parcel
from parcels.bookings.rules import BookingRequest
from parcels.bookings.sql import BOOK_PARCELS, WRITE_BOOKINGS
from parcels.choices import ParcelSource
from slas.allocation.rules import Rule
from slas.models import ServiceTier
from slas.offers.market import OnSale
from slas.offers.services.capacity import Slot, Taken, demand_columns, reserving_first
from slas.promises.rules import Promise
from slas.promises.tiers_in_force import TierInForce

# Two ids of the same millisecond and home collide once in 57,000 pairs: thousands take a few more draws.
_ATTEMPTS = 10


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
    # The merchant's rule by which this courier was chosen, or by which the choice was limited.
    rule: Rule | None = None
    # The id of the order's first parcel, if it has several.
    order_id: int | None = None

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


def parcel_of(booked: Booked, *, merchant: Merchant, at: datetime) -> Parcel:
    """Return the row that was written for a booking, with what it refers to, without reading it.

    It has what doors show of a parcel; not of a return, whose sender is that of another parcel.
    """
    request, offer, promise, rule = booked.request, booked.offer, booked.promise, booked.rule
    organisation = Organisation(pk=offer.courier_id, kind=OrganisationKind.COURIER, name=offer.courier_name)
    return Parcel(
        id=booked.parcel_id,
        merchant=merchant,
        courier=Courier(organisation=organisation),
        tier=ServiceTier(pk=booked.tier.id, code=booked.tier.code),
        origin=request.origin,
        destination=request.destination,
        reference=request.reference,
        recipient_name=request.recipient.name,
        recipient_phone=request.recipient.phone,
        recipient_address=request.recipient.address,
        weight_g=request.weight_g,
        fee_fen=booked.fee_fen,
        declared_value_fen=request.declared_value_fen,
        piece=request.piece,
        pieces=request.pieces,
        order_id=booked.order_id,
        booked_at=at,
        ready_at=request.ready_at,
        pickup_date=promise.effective_date,
        pickup_by=promise.pickup_by,
        deliver_by=promise.deliver_by,
        status_at=at,
        rule_position=rule.position if rule else None,
        rule_name=rule.name if rule else None,
    )


def are_there(tracking_numbers: Sequence[str]) -> bool:
    """Whether all parcels of a booking that was made can be seen.

    On a cluster, what a worker that was killed had not committed yet is seen some seconds after its return.
    """
    if not is_distributed():
        return True
    ids = [parse_tracking_number(number) for number in tracking_numbers]
    return Parcel.objects.filter(pk__in=ids).count() == len(ids)


def draw_ids(courier_ids: Sequence[int], at: datetime, *, used: AbstractSet[int] = frozenset()) -> list[int]:
    """Draw an id for each parcel, in a home of its courier: the same home for all of one batch.

    What is booked together is scanned together more often than not, and is then in one part of a cluster.
    """
    taken, drawn = {*used}, dict[int, Iterator[int]]()
    homes = homes_for_new(courier_ids)
    for courier_id, count in Counter(courier_ids).items():
        ids = draw_parcel_ids(at, count, homes=one_of(homes[courier_id]), used=taken)
        taken.update(ids)
        drawn[courier_id] = iter(ids)
    return [next(drawn[courier_id]) for courier_id in courier_ids]


def draw_pieces(first_ids: Sequence[int], pieces: Sequence[int], at: datetime) -> list[tuple[int, ...]]:
    """Return the ids of each order's parcels: its first one's, and more of the same home and millisecond."""
    orders: list[tuple[int, ...]] = []
    taken = {*first_ids}
    for first_id, count in zip(first_ids, pieces, strict=True):
        more: list[int] = []
        if count > 1:
            more = draw_parcel_ids(at, count - 1, homes=(home_of(first_id),), used=taken)
            taken.update(more)
        orders.append((first_id, *more))
    return orders


def write_parcels(
    *,
    merchant_id: int,
    booked: Sequence[Booked],
    at: datetime,
    source: ParcelSource,
    reserving: Mapping[Slot, int] = MappingProxyType({}),
) -> list[Booked]:
    """Reserve capacity, insert parcels, commitments and events in one statement, and return the bookings.

    If another parcel already has an id, a new id is drawn, so the ids returned may differ. Raises Taken, and
    has written nothing, if there is too little room in the slots to reserve; Conflict, to be rolled back and
    tried again, if another parcel has the id of one of an order's: the others of the order name it by then.
    """
    bookings = list(booked)
    if not is_sandbox(merchant_id):
        acquaint((merchant_id, booking.offer.courier_id) for booking in bookings)
    written_ids: set[int] = set()
    missing = list(range(len(bookings)))
    for _attempt in range(_ATTEMPTS):
        if not missing:
            return bookings
        waiting = [bookings[index] for index in missing]
        written_ids |= _write(merchant_id, waiting, at, source, reserving)
        reserving = {}
        missing = [index for index in missing if bookings[index].parcel_id not in written_ids]
        if any(bookings[index].order_id for index in missing):
            break
        couriers = [bookings[index].offer.courier_id for index in missing]
        new_ids = draw_ids(couriers, at, used=written_ids)
        for index, parcel_id in zip(missing, new_ids, strict=True):
            bookings[index] = replace(bookings[index], parcel_id=parcel_id)
    raise Conflict(code="busy", retry_after=1)


def _write(
    merchant_id: int,
    booked: Sequence[Booked],
    at: datetime,
    source: ParcelSource,
    reserving: Mapping[Slot, int],
) -> set[int]:
    """Write the bookings whose ids are free; return their ids."""
    common = {"merchant_id": merchant_id, "source": source.value, "at": at}
    if is_distributed():
        with reserving_first(reserving):
            return _write_at_home(booked, common)
    reserved = {f"reserved_{name}": column for name, column in demand_columns(reserving).items()}
    [(written_ids,)] = raw_rows(BOOK_PARCELS.call, {**reserved, **common, **_columns(booked)})
    if written_ids is None:
        raise Taken
    return set(written_ids)


def _write_at_home(booked: Sequence[Booked], common: Mapping[str, object]) -> set[int]:
    """Write each shard's bookings where it is, shard by shard; return the ids."""
    written_ids: set[int] = set()
    for places in by_shard([item.parcel_id for item in booked]):
        part = [booked[place] for place in places]
        written_ids |= set(value_at_home(WRITE_BOOKINGS, {**common, **_columns(part)}))
    return written_ids


def _columns(booked: Sequence[Booked]) -> dict[str, object]:
    return {
        "home": booked[0].parcel_id,
        "id": numbers(item.parcel_id for item in booked),
        "courier_id": numbers(item.offer.courier_id for item in booked),
        "tier_id": numbers(item.tier.id for item in booked),
        "origin_id": numbers(item.request.origin.pk for item in booked),
        "destination_id": numbers(item.request.destination.pk for item in booked),
        "offer_id": numbers(item.offer.offer_id for item in booked),
        "version_id": numbers(item.tier.version_id for item in booked),
        "pickup_address_id": numbers(item.request.pickup_address_id for item in booked),
        "reference": texts(item.request.reference for item in booked),
        "recipient_name": texts(item.request.recipient.name for item in booked),
        "recipient_phone": texts(item.request.recipient.phone for item in booked),
        "recipient_address": texts(item.request.recipient.address for item in booked),
        "weight_g": numbers(item.request.weight_g for item in booked),
        "fee_fen": numbers(item.fee_fen for item in booked),
        "declared_value_fen": numbers(item.request.declared_value_fen for item in booked),
        "ready_at": moments(item.request.ready_at for item in booked),
        "pickup_date": moments(item.promise.effective_date for item in booked),
        "pickup_by": moments(item.promise.pickup_by for item in booked),
        "deliver_by": moments(item.promise.deliver_by for item in booked),
        "piece": numbers(item.request.piece for item in booked),
        "pieces": numbers(item.request.pieces for item in booked),
        "order_id": numbers(item.order_id for item in booked),
        "rule_position": numbers(item.rule.position if item.rule else None for item in booked),
        "rule_name": texts(item.rule.name if item.rule else None for item in booked),
        # The local dates that they fall due on.
        "pickup_due": moments(_day(item.promise.pickup_by, item.request.origin) for item in booked),
        "delivery_due": moments(_day(item.promise.deliver_by, item.request.destination) for item in booked),
        "payload": texts(json.dumps(_event(item), ensure_ascii=False) for item in booked),
    }


def _day(moment: datetime, city: City) -> date:
    return local_clock(moment, city.time_zone).date()


def _event(item: Booked) -> dict[str, str | int]:
    return {
        "tracking_number": item.number,
        "reference": item.request.reference,
        "piece": item.request.piece,
        "pieces": item.request.pieces,
        "tier": item.tier.code.value,
        "pickup_by": item.promise.pickup_by.isoformat(),
        "deliver_by": item.promise.deliver_by.isoformat(),
    }
