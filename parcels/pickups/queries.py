"""Read pickup requests: each with its window, its place and how far its parcels are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.db.models import Q

from alliance.choices import Capability
from alliance.errors import NotFound
from alliance.tenancy import Actor, Scope, require, scope
from couriers.homes.lists import at_homes, parcel_ids
from parcels.bookings.models import Parcel, PickupAddress
from parcels.choices import ParcelStatus, PickupStage, PickupState
from parcels.pickups.models import Pickup
from parcels.pickups.querysets import PickupQuerySet
from parcels.pickups.rules import MOST_PARCELS, Progress, Stop, Window, stage_of
from slas.listed import with_names

# Among so many of its newest parcels a merchant looks for those that wait for their courier.
LOOKED_AT: Final = 20_000
MOST_STOPS_A_ROUND: Final = 500
# More that wait for an answer are not counted.
MOST_COUNTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class View:
    """A pickup request as both sides see it."""

    pickup: Pickup
    address: PickupAddress
    merchant: str
    courier: str
    progress: Progress
    stage: PickupStage
    # A side asks to move the agreed window, and the other can still answer.
    is_moving: bool = False

    @property
    def zone(self) -> str:
        return self.address.city.time_zone

    @property
    def is_closed(self) -> bool:
        """Whether its parcels may be in another request."""
        return self.stage in {
            PickupStage.MISSED,
            PickupStage.DECLINED,
            PickupStage.CANCELLED,
            PickupStage.LAPSED,
        }

    @property
    def is_missed(self) -> bool:
        return self.stage == PickupStage.MISSED

    @property
    def is_agreed(self) -> bool:
        return self.pickup.state == PickupState.ACCEPTED

    @property
    def window(self) -> Window:
        return Window(self.pickup.starts_at, self.pickup.ends_at, self.zone)

    @property
    def proposed(self) -> Window | None:
        start, end = self.pickup.proposed_starts_at, self.pickup.proposed_ends_at
        return None if start is None or end is None else Window(start, end, self.zone)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Booked parcels of one stop that are in no open request, those promised first at the front."""

    stop: Stop
    parcels: list[Parcel]

    @property
    def courier(self) -> str:
        name: str = self.parcels[0].courier.organisation.name
        return name

    @property
    def promised_by(self) -> datetime | None:
        return next((each.pickup_by for each in self.parcels if each.pickup_by is not None), None)


def pickups_of(actor: Actor) -> PickupQuerySet:
    """Return the requests of the actor's organisation. Raises NotPermitted."""
    require(actor, Capability.VIEW_PARCELS)
    pickups: PickupQuerySet = Pickup.objects.visible_to(actor)
    return pickups


def count_to_answer(*, actor: Actor, now: datetime) -> int:
    """Count the requests that wait for the actor's side; the portal's menu shows it on every page."""
    if actor.organisation_id is None or actor.is_ops:
        return 0
    count: int = Pickup.objects.to_answer_by(actor, now)[:MOST_COUNTED].count()
    return count


def pickup_of(actor: Actor, pickup_id: int, now: datetime) -> View:
    """Return one request. Raises NotFound."""
    views = views_of(pickups_of(actor).filter(pk=pickup_id), now)
    if not views:
        raise NotFound
    return views[0]


def views_of(pickups: Iterable[Pickup], now: datetime) -> list[View]:
    """Return requests with what a page says of them, in their order."""
    listed = with_names(pickups, names=("merchant", "courier"))
    addresses = _addresses({pickup.address_id for pickup in listed})
    progress = progress_of(listed, now)
    return [_view(pickup, addresses[pickup.address_id], progress[pickup.pk], now) for pickup in listed]


def round_of(actor: Actor, day: date, now: datetime) -> list[View]:
    """Return what a courier agreed to pick up on a day, by window, then by address."""
    if not actor.is_courier:
        raise NotFound
    views = views_of(pickups_of(actor).agreed_on(day)[:MOST_STOPS_A_ROUND], now)
    # Of what is left when its parcels were cancelled there is nothing to come for.
    there = [view for view in views if view.progress.parcels]
    return sorted(there, key=lambda view: (view.pickup.starts_at, view.pickup.ends_at, view.address.address))


def parcels_of(actor: Actor, pickup: Pickup) -> list[Parcel]:
    """Return the parcels of a request, with their names, in its order."""
    rows = Parcel.objects.visible_to(actor).filter(pk__in=pickup.parcel_ids)
    found = {parcel.pk: parcel for parcel in with_names(rows)}
    return [found[pk] for pk in pickup.parcel_ids if pk in found]


def progress_of(pickups: Sequence[Pickup], now: datetime) -> dict[int, Progress]:
    """Count the parcels of requests. A parcel that went into a later request is still counted in each."""
    progress = {}
    ids = {pk for pickup in pickups for pk in pickup.parcel_ids}
    rows = Parcel.objects.filter(pk__in=ids).values_list("pk", "status", "picked_up_at") if ids else ()
    found = {pk: (status, at) for pk, status, at in rows}
    for pickup in pickups:
        # Parcels of retired months are no longer here: they went long ago.
        counted = [found[pk] for pk in pickup.parcel_ids if pk in found]
        times = [at for status, at in counted if status != ParcelStatus.CANCELLED]
        over = now >= pickup.ends_at
        progress[pickup.pk] = Progress(
            parcels=len(times),
            picked_up=sum(at is not None for at in times),
            missed=sum(at is None or at > pickup.ends_at for at in times) if over else 0,
        )
    return progress


def waiting_parcels(actor: Actor, now: datetime, stop: Stop | None = None) -> list[Waiting]:
    """Return the merchant's parcels that no open request contains, by courier and address.

    Among its newest LOOKED_AT parcels; up to MOST_PARCELS of all stops, or of one.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    own = Parcel.objects.visible_to(actor).order_by("-id")
    ends = parcel_ids(own[LOOKED_AT - 1 : LOOKED_AT])
    rows = own.filter(status=ParcelStatus.BOOKED)
    if ends:
        rows = rows.filter(pk__gte=ends[-1])
    if stop is not None:
        cities = PickupAddress.objects.filter(pk=stop.address_id).values_list("city_id", flat=True)
        booked_there = Q(pickup_address_id=stop.address_id)
        from_the_city = Q(pickup_address_id__isnull=True, origin_id__in=list(cities))
        rows = rows.filter(booked_there | from_the_city, courier_id=stop.courier_id)
    groups = by_stop(actor, without_open(at_homes(rows, most=MOST_PARCELS)[:MOST_PARCELS], now))
    return [group for group in groups if stop in {None, group.stop}]


def without_open(parcels: Iterable[Parcel], now: datetime) -> list[Parcel]:
    """Return those parcels that are in no open request."""
    listed = list(parcels)
    requests = {parcel.pickup_id for parcel in listed if parcel.pickup_id is not None}
    taken = set(Pickup.objects.filter(pk__in=requests).still_open(now).values_list("pk", flat=True))
    return [parcel for parcel in listed if parcel.pickup_id not in taken]


def by_stop(actor: Actor, parcels: Iterable[Parcel]) -> list[Waiting]:
    """Group a merchant's parcels by courier and address, the groups with most of them first.

    A parcel that was booked from no address is picked up at one in its city, or left out.
    """
    listed, groups = with_names(parcels), defaultdict[Stop, list[Parcel]](list)
    usual = _usual_addresses(actor) if any(each.pickup_address_id is None for each in listed) else {}
    for parcel in listed:
        address_id = parcel.pickup_address_id or usual.get(parcel.origin_id)
        if address_id is not None:
            groups[Stop(parcel.courier_id, address_id)].append(parcel)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return [Waiting(stop, sorted(of_stop, key=_promised)) for stop, of_stop in ordered]


def address_of(actor: Actor, parcel: Parcel) -> int | None:
    """Return where a parcel is picked up: where it was booked from, else at an address in its city."""
    return parcel.pickup_address_id or _usual_addresses(actor).get(parcel.origin_id)


def pickup_of_parcel(actor: Actor, parcel: Parcel, now: datetime) -> View | None:
    """Return the last request that a parcel was in; None if there was none."""
    if parcel.pickup_id is None:
        return None
    views = views_of(Pickup.objects.visible_to(actor).filter(pk=parcel.pickup_id), now)
    return views[0] if views else None


def _promised(parcel: Parcel) -> tuple[bool, datetime, int]:
    return parcel.pickup_by is None, parcel.pickup_by or parcel.deliver_by, parcel.pk


def _usual_addresses(actor: Actor) -> dict[int, int]:
    """The merchant's address in each city: its default one, else the newest."""
    addresses = PickupAddress.objects.visible_to(actor).order_by("is_default", "pk")
    return dict(addresses.values_list("city_id", "pk"))


def _addresses(ids: Iterable[int]) -> Mapping[int, PickupAddress]:
    # A courier's scope does not contain addresses, but it has to find those of its own requests.
    with scope(Scope.everything()):
        return PickupAddress.objects.select_related("city").in_bulk(list(ids))


def _view(pickup: Pickup, address: PickupAddress, progress: Progress, now: datetime) -> View:
    zone = address.city.time_zone
    window = Window(pickup.starts_at, pickup.ends_at, zone)
    start, end = pickup.proposed_starts_at, pickup.proposed_ends_at
    if pickup.state == PickupState.PROPOSED and start is not None and end is not None:
        window = Window(start, end, zone)
    stage = stage_of(pickup.state, window, now, progress)
    return View(
        pickup,
        address,
        pickup.merchant.organisation.name,
        pickup.courier.organisation.name,
        progress,
        stage,
        is_moving=stage == PickupStage.ACCEPTED
        and bool(pickup.move_asked_by)
        and end is not None
        and now < end,
    )
