"""Simulate the demo's days: bookings, scans and periodic tasks, each at its own hour."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from alliance.errors import AllianceError, Conflict
from alliance.models import City
from alliance.tenancy import Actor, Scope, scope
from parcels.bookings.rules import BookingRequest, IfFull, Recipient
from parcels.bookings.services.booking import book_parcels
from parcels.bookings.services.cancelling import cancel_parcel
from parcels.bookings.services.writing import Booked
from parcels.choices import ParcelSource
from parcels.demo import cast
from parcels.demo.credits import end_day, keep_books
from parcels.demo.excuses import argue, declare_storm, excuse_storm, propose_for_rain
from parcels.demo.journeys import Itinerary, Sent, journey
from parcels.demo.world import Buyer, Seller
from parcels.scans.services import record_scans
from parcels.watch_list.services import refresh_watch_list
from slas.commitments.services.sweeping import sweep_overdue
from slas.forecasts.services.folding import fold_progress
from slas.promises.services.closures import Declaration, declare_closures
from slas.rates.services.folding import fold_tallies

ZONE = ZoneInfo("Asia/Shanghai")
# When couriers' programs have sent all scans, and the sweep runs.
NOON, NIGHT = time(13, 5), time(22, 30)
BOOKS_TODAY, PINNED, CANCELLED = 0.5, 0.45, 0.015
STORM_PROVINCE = "Guangdong"
STORM_DAYS_AGO, STORM_DAYS = 24, 2


@dataclass(slots=True)
class Counts:
    """Counts of the demo so far."""

    parcels: int = 0
    refused: int = 0
    cancelled: int = 0
    scans: int = 0
    duplicates: int = 0
    overdue: int = 0
    excused: int = 0
    claimed: int = 0


@dataclass(slots=True)
class Stage:
    """The state of the simulation: actors, queues and counts."""

    ops: Actor
    # Customer service, which decides on excuses.
    service: Actor
    sellers: Sequence[Seller]
    buyers: Sequence[Buyer]
    random: Random
    until: datetime
    counts: Counts = field(default_factory=Counts)
    # Unsent scans, by courier, as heaps by time; the number breaks ties.
    waiting: dict[int, list[tuple[datetime, int, Sent]]] = field(default_factory=lambda: defaultdict(list))
    made: int = 0


def play(stage: Stage, *, days: int, on_day: Callable[[int, date], None]) -> Counts:
    """Simulate the days up to now, the current one only partly."""
    today = stage.until.astimezone(ZONE).date()
    first = today - timedelta(days=days - 1)
    storm = _declare_storm(stage, today - timedelta(days=STORM_DAYS_AGO))
    typhoon = declare_storm(stage.ops, STORM_PROVINCE, storm)
    by_courier = {seller.public_id: seller for seller in stage.sellers}
    for number in range(days):
        day = first + timedelta(days=number)
        bookings = sorted(_bookings(stage, day), key=lambda item: item[0])
        for at in (*(datetime.combine(day, hour, ZONE) for hour in (NOON, NIGHT)), None):
            moment = min(at or datetime.combine(day, time.max, ZONE), stage.until)
            while bookings and bookings[0][0] <= moment:
                booked_at, buyer = bookings.pop(0)
                _book(stage, buyer, booked_at, by_courier, storm)
            if at is not None:
                _tick(stage, moment)
        end_day(stage.ops, day, moment)
        if day == today - timedelta(days=STORM_DAYS_AGO - STORM_DAYS - 4):
            stage.counts.excused += excuse_storm(stage.ops, typhoon, moment)
        stage.counts.claimed += argue(stage.service, stage.sellers, day, moment)
        fold_tallies(budget=60)
        on_day(number + 1, day)
    _tick(stage, stage.until)
    stage.counts.claimed += propose_for_rain(stage.ops, STORM_PROVINCE, today)
    fold_tallies(budget=60)
    fold_progress(budget=60)
    refresh_watch_list(now=stage.until)
    return stage.counts


def _bookings(stage: Stage, day: date) -> Iterator[tuple[datetime, Buyer]]:
    opening = datetime.combine(day, time(8), ZONE)
    for buyer in stage.buyers:
        if stage.random.random() < BOOKS_TODAY or buyer.daily:
            yield opening + timedelta(minutes=stage.random.randint(0, 590)), buyer


def _book(
    stage: Stage, buyer: Buyer, at: datetime, by_courier: dict[str, Seller], storm: tuple[datetime, datetime]
) -> None:
    random = stage.random
    a_batch = buyer.parcels_a_day / (1 if buyer.daily else BOOKS_TODAY)
    count = max(1, round(random.gauss(a_batch, 3)))
    # More before a weekend, fewer on it.
    count = round(count * (1.25, 1.0, 1.0, 1.05, 1.2, 0.8, 0.7)[at.weekday()]) or 1
    requests = [_request(stage, buyer, at) for _number in range(count)]
    with scope(Scope.of(buyer.actor)):
        answers = book_parcels(actor=buyer.actor, requests=requests, at=at, source=ParcelSource.API)
        booked = [answer for answer in answers if isinstance(answer, Booked)]
        cancelled = [parcel for parcel in booked if random.random() < CANCELLED]
        for parcel in cancelled:
            cancel_parcel(actor=buyer.actor, parcel_id=parcel.parcel_id, at=at + timedelta(minutes=4))
    stage.counts.parcels += len(booked)
    stage.counts.refused += sum(isinstance(answer, AllianceError) for answer in answers)
    stage.counts.cancelled += len(cancelled)
    called_off = {parcel.parcel_id for parcel in cancelled}
    for parcel in booked:
        if parcel.parcel_id not in called_off:
            _send_off(stage, parcel, by_courier[parcel.offer.courier], storm)


def _request(stage: Stage, buyer: Buyer, at: datetime) -> BookingRequest:
    random = stage.random
    serving = [seller for seller in stage.sellers if buyer.city in seller.cities]
    seller = random.choice(serving)
    tier = random.choices(("same_day", "next_day", "standard"), (12, 58, 30))[0]
    destination = buyer.city
    if tier != "same_day":
        destination = random.choice([city for city in seller.cities if city != buyer.city])
    return BookingRequest(
        tier=tier,
        origin=buyer.city,
        destination=destination,
        weight_g=min(int(random.lognormvariate(6.9, 0.7)) + 80, 9_500),
        ready_at=at + timedelta(minutes=random.randint(5, 40)),
        recipient=recipient(random, destination),
        courier=seller.public_id if random.random() < PINNED else "",
        reference=f"{at:%y%m%d}-{random.randint(100_000, 999_999)}",
        pickup_address_id=buyer.address_id,
        if_full=IfFull.NEXT,
    )


def recipient(random: Random, city: City) -> Recipient:
    name = random.choice(cast.SURNAMES) + random.choice(cast.GIVEN_NAMES)
    street = f"{random.choice(cast.STREETS)}{random.randint(1, 400)}号"
    room = f"{random.randint(1, 12)}幢{random.randint(101, 2_604)}室"
    phone = f"1{random.choice('3578')}{random.randint(0, 999_999_999):09d}"
    return Recipient(name=name, phone=phone, address=f"{city.name_zh}{street}{room}")


def _hub(city: City) -> str:
    """Return the name of a city's facility, which is the same in all languages."""
    return f"{city.name_en} hub {city.name_zh}分拨中心"


def _send_off(stage: Stage, parcel: Booked, seller: Seller, storm: tuple[datetime, datetime]) -> None:
    destination = parcel.request.destination
    plan = Itinerary(
        number=parcel.number,
        ready_at=parcel.request.ready_at,
        pickup_by=parcel.promise.pickup_by,
        deliver_by=parcel.promise.deliver_by,
        origin=_hub(parcel.request.origin),
        destination=_hub(destination),
        punctual=seller.cast.punctual,
        storm=storm if destination.province_en == STORM_PROVINCE else None,
    )
    for sending in journey(plan, stage.random):
        if sending.at <= stage.until and sending.line.occurred_at <= stage.until:
            stage.made += 1
            heapq.heappush(stage.waiting[seller.actor.tenant_id], (sending.at, stage.made, sending))


def _tick(stage: Stage, now: datetime) -> None:
    for seller in stage.sellers:
        queue = stage.waiting[seller.actor.tenant_id]
        lines = []
        while queue and queue[0][0] <= now:
            lines.append(heapq.heappop(queue)[2].line)
        if lines:
            # Programs send scans in the order of their scanners, which is random.
            stage.random.shuffle(lines)
            with scope(Scope.of(seller.actor)):
                report = record_scans(actor=seller.actor, lines=lines, now=now)
            if report.rejections:
                raise Conflict(f"the demo's scans were rejected: {report.rejections[0]}")
            stage.counts.scans += report.accepted
            stage.counts.duplicates += len(report.duplicates)
    stage.counts.overdue += sweep_overdue(now=now).overdue
    keep_books(now)


def _declare_storm(stage: Stage, first: date) -> tuple[datetime, datetime]:
    """Declare closures of a province for a typhoon, announced the afternoon before."""
    start = datetime.combine(first, time(0), ZONE)
    announced_at = start - timedelta(hours=9)
    typhoon = Declaration(
        name="Typhoon 台风“海鸥”", first=first, last=first + timedelta(days=STORM_DAYS - 1), country="CN",
        province=STORM_PROVINCE, announced_at=announced_at,
    )  # fmt: skip
    with scope(Scope.everything()):
        declare_closures(actor=stage.ops, declaration=typhoon, now=announced_at)
    return start, start + timedelta(days=STORM_DAYS)
