"""Pickup requests and manifests of the demo: what a day has at each stage, through the real services."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from random import Random
from typing import Final

from alliance.clocks import local_clock
from alliance.errors import AllianceError
from alliance.tenancy import Scope, scope
from parcels.bookings.rules import BookingRequest, IfFull
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource, ScanCode
from parcels.demo.days import ZONE, Stage, recipient
from parcels.demo.world import Buyer, Seller
from parcels.manifests.services.making import Wanted, make_manifest_of_numbers
from parcels.manifests.services.picking_up import Told, pick_up
from parcels.pickups.models import Pickup
from parcels.pickups.rules import SHORTEST, Window
from parcels.pickups.services.answering import accept_pickup
from parcels.pickups.services.counting import count_missed
from parcels.pickups.services.proposing import propose_window
from parcels.pickups.services.requesting import Asked, request_pickup
from parcels.scans.lines import ScanLine
from parcels.scans.services import record_scans

USUAL: Final = timedelta(hours=2)
# When yesterday's parcels were booked.
YESTERDAY: Final = time(10, 30)
NOTES: Final = ("三号门，找仓库王师傅", "Dock 2, ring twice. 二号月台，按两次铃。", "")
# Merchants beside the first that the first courier comes to today.
NEIGHBOURS: Final = 2


def hand_over_some(stage: Stage) -> int:
    """Have the merchant who can log in hand parcels over to the courier who can; return how many bookings."""
    # Its own random generator, so that the rest of the demo does not change.
    random, now = Random(stage.until.toordinal() + 1), stage.until
    merchant, courier = stage.buyers[0], stage.sellers[0]
    yesterday = datetime.combine(now.astimezone(ZONE).date() - timedelta(days=1), YESTERDAY, ZONE)
    booked = 0
    for buyer, at, count, do in (
        (merchant, yesterday, 5, _miss),
        (merchant, yesterday, 6, _hand_over),
        (merchant, now, 4, _agree),
        (merchant, now, 3, _propose),
        (merchant, now, 2, _ask),
        (merchant, now, 6, _list),
        *((buyer, now, 3, _agree) for buyer in _neighbours(stage, courier)),
    ):
        parcels = _book(buyer, courier, at, count, random)
        booked += len(parcels)
        try:
            if parcels:
                do(buyer, courier, parcels, at)
        except AllianceError:
            # Late on the eve of a holiday no window fits. The parcels wait, as others do.
            continue
    count_missed(now=now)
    return booked


def _neighbours(stage: Stage, courier: Seller) -> list[Buyer]:
    there = [buyer for buyer in stage.buyers[1:] if buyer.city in courier.cities]
    # The longest name too, as pages have to show it.
    return sorted(there, key=lambda buyer: -len(buyer.name))[:NEIGHBOURS]


def _book(buyer: Buyer, courier: Seller, at: datetime, count: int, random: Random) -> list[Booked]:
    destinations = [city for city in courier.cities if city != buyer.city]
    requests = []
    for _number in range(count):
        destination = random.choice(destinations)
        requests.append(
            BookingRequest(
                tier="next_day",
                origin=buyer.city,
                destination=destination,
                weight_g=random.randint(200, 4_000),
                ready_at=at,
                recipient=recipient(random, destination),
                courier=courier.public_id,
                reference=f"{at:%y%m%d}-{random.randint(100_000, 999_999)}",
                pickup_address_id=buyer.address_id,
                if_full=IfFull.NEXT,
            )
        )
    with scope(Scope.of(buyer.actor)):
        answers = book_parcels(actor=buyer.actor, requests=requests, at=at, source=ParcelSource.API)
    return [answer for answer in answers if isinstance(answer, Booked)]


def _window(parcels: Sequence[Booked], at: datetime) -> Window:
    """Two hours in which all may go: the next ones of the day, else those before the promise."""
    zone = parcels[0].request.origin.time_zone
    promised = min(parcel.promise.pickup_by for parcel in parcels)
    local = local_clock(at, zone)
    start = local.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if promised - start < SHORTEST or (start + USUAL).date() != local.date():
        start = local_clock(promised, zone) - USUAL
    return Window(start, min(start + USUAL, promised), zone)


def _request(buyer: Buyer, parcels: Sequence[Booked], at: datetime) -> Pickup:
    window = _window(parcels, at)
    asked = Asked(
        [parcel.parcel_id for parcel in parcels],
        window.starts_at,
        window.ends_at,
        note=NOTES[parcels[0].parcel_id % len(NOTES)],
    )
    with scope(Scope.of(buyer.actor)):
        return request_pickup(actor=buyer.actor, asked=asked, now=at).pickup


def _ask(buyer: Buyer, courier: Seller, parcels: Sequence[Booked], at: datetime) -> None:
    _request(buyer, parcels, at)


def _agree(buyer: Buyer, courier: Seller, parcels: Sequence[Booked], at: datetime) -> Pickup:
    pickup = _request(buyer, parcels, at)
    with scope(Scope.of(courier.actor)):
        return accept_pickup(actor=courier.actor, pickup_id=pickup.pk, now=at)


def _propose(buyer: Buyer, courier: Seller, parcels: Sequence[Booked], at: datetime) -> None:
    pickup = _request(buyer, parcels, at)
    with scope(Scope.of(courier.actor)):
        propose_window(
            actor=courier.actor,
            pickup_id=pickup.pk,
            starts_at=pickup.starts_at + timedelta(minutes=30),
            ends_at=pickup.ends_at + timedelta(minutes=30),
            answer="车辆还在路上。The van is still on its way.",
            now=at,
        )


def _miss(buyer: Buyer, courier: Seller, parcels: Sequence[Booked], at: datetime) -> None:
    """Two are picked up in time, one after the window, and the others never."""
    pickup = _agree(buyer, courier, parcels, at)
    times = (pickup.ends_at - timedelta(minutes=40),) * 2 + (pickup.ends_at + timedelta(minutes=50),)
    lines = [
        ScanLine(parcel.number, ScanCode.PICKED_UP.value, moment, event_id=f"round-{number}")
        for number, (parcel, moment) in enumerate(zip(parcels, times, strict=False))
    ]
    with scope(Scope.of(courier.actor)):
        record_scans(actor=courier.actor, lines=lines, now=max(times))


def _list(buyer: Buyer, courier: Seller, parcels: Sequence[Booked], at: datetime) -> str:
    numbers = [parcel.number for parcel in parcels]
    with scope(Scope.of(buyer.actor)):
        made = make_manifest_of_numbers(actor=buyer.actor, numbers=numbers, wanted=Wanted(), at=at)
    return made.manifest.number


def _hand_over(buyer: Buyer, courier: Seller, parcels: Sequence[Booked], at: datetime) -> None:
    """The courier scans the barcode, and one parcel is not there."""
    number, taken_at = _list(buyer, courier, parcels, at), at + timedelta(hours=3)
    told = Told(at=taken_at, missing=[parcels[-1].number])
    with scope(Scope.of(courier.actor)):
        pick_up(actor=courier.actor, number=number, told=told, now=taken_at)
