"""What is on sale on some lanes at one moment: offers in order of rank, and the days they promise.

Read at once for any number of lanes, so that a batch of bookings costs the statements of one quote.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.utils.translation import gettext as _

from alliance.clocks import local_clock
from alliance.models import City
from alliance.tenancy import raw_rows
from couriers.choices import Grade
from slas.choices import CommitmentKind
from slas.offers.ranking import NO_RECORD, RECORD_DAYS, Merit, Record, rank_key
from slas.promises.closures import ClosureCalendar, Place
from slas.promises.rules import LATER_DAYS, NoPromise, Promise, day_after, promise
from slas.promises.tiers_in_force import TierInForce, calendar_at, place_of, tiers_at


class Lane(NamedTuple):
    """Cities by id, from and to."""

    origin_id: int
    destination_id: int


@dataclass(frozen=True, slots=True)
class OnSale:
    """One active courier's offer, and how it did on the lane."""

    offer_id: int
    courier_id: int
    courier: str
    courier_name: str
    price_fen: int
    record: Record
    grade: Grade = Grade.MEMBER

    @property
    def merit(self) -> Merit:
        return Merit(self.record, self.grade)


class Market:
    """Offers, tiers and closures as they stood when it was opened, for the lanes asked for."""

    def __init__(self, lanes: Iterable[tuple[City, City]], *, at: datetime) -> None:
        self.at = at
        self.tiers = tiers_at(at)
        self._closures: ClosureCalendar = calendar_at(at)
        pairs = list(lanes)
        self._places: dict[int, Place] = {city.pk: place_of(city) for pair in pairs for city in pair}
        wanted = sorted({Lane(origin.pk, destination.pk) for origin, destination in pairs})
        self._offers = _ranked_offers(wanted, self._places, at)
        self._days: dict[tuple[Lane, str, datetime], list[Promise]] = {}

    def no_such_tier(self) -> str:
        """Say that a tier is none of those on sale, and which are."""
        return _("There is no such service on sale. Give one of: %(tiers)s.") % {
            "tiers": ", ".join(self.tiers)
        }

    def offers(self, lane: Lane, tier: TierInForce) -> Sequence[OnSale]:
        """Return who sells the tier on the lane, the best first."""
        return self._offers.get((lane, tier.id), ())

    def zone(self, city_id: int) -> str:
        return self._places[city_id].zone

    def day(self, lane: Lane, tier: TierInForce, ready_at: datetime, later: int) -> Promise:
        """Return the promise when `later` pickup days before it are full; 0 is the first.

        Raises NoPromise where there is no such day.
        """
        days = self._days.setdefault((lane, tier.code, ready_at), [])
        while len(days) <= later:
            days.append(self._after(lane, tier, days[-1]) if days else self._first(lane, tier, ready_at))
        return days[later]

    def days(self, lane: Lane, tier: TierInForce, ready_at: datetime) -> list[Promise]:
        """Return the promises of all the days that are looked at, the first one first."""
        found: list[Promise] = []
        for later in range(LATER_DAYS + 1):
            try:
                found.append(self.day(lane, tier, ready_at, later))
            except NoPromise:
                if not found:
                    raise
                break
        return found

    def _first(self, lane: Lane, tier: TierInForce, ready_at: datetime) -> Promise:
        return promise(
            tier.rule,
            self._places[lane.origin_id],
            self._places[lane.destination_id],
            ready_at,
            self._closures,
            booked_at=self.at,
        )

    def _after(self, lane: Lane, tier: TierInForce, full: Promise) -> Promise:
        zone = self._places[lane.origin_id].zone
        return day_after(full, lambda ready_at: self._first(lane, tier, ready_at), zone)


def _ranked_offers(
    lanes: list[Lane], places: dict[int, Place], at: datetime
) -> dict[tuple[Lane, int], list[OnSale]]:
    records = _records(lanes, places, at)
    found: dict[tuple[Lane, int], list[OnSale]] = {}
    for offer_id, courier_id, slug, name, grade, tier_id, origin_id, destination_id, price_fen in raw_rows(
        """
        SELECT o.id, o.courier_id, g.slug, g.name, k.grade, o.tier_id, o.origin_id, o.destination_id,
            o.price_fen
        FROM unnest(%s::int[], %s::int[]) AS w(origin_id, destination_id)
        JOIN slas_offer o ON o.origin_id = w.origin_id AND o.destination_id = w.destination_id AND o.active
        JOIN alliance_organisation g ON g.id = o.courier_id AND g.status = 'active'
        JOIN couriers_courier k ON k.organisation_id = o.courier_id
        """,
        _columns(lanes),
    ):
        lane = Lane(origin_id, destination_id)
        record = records.get((courier_id, tier_id, lane), NO_RECORD)
        offer = OnSale(offer_id, courier_id, slug, name, price_fen, record, Grade(grade))
        found.setdefault((lane, tier_id), []).append(offer)
    for offers in found.values():
        offers.sort(key=lambda offer: rank_key(offer.merit, offer.price_fen, offer.offer_id))
    return found


def _records(
    lanes: list[Lane], places: dict[int, Place], at: datetime
) -> dict[tuple[int, int, Lane], Record]:
    """How each courier did, by the local date at the lane's destination."""
    today = [local_clock(at, places[lane.destination_id].zone).date() for lane in lanes]
    rows = raw_rows(
        """
        SELECT r.organisation_id, r.tier_id, r.origin_id, r.destination_id,
            sum(r.met), sum(r.late), sum(r.overdue), sum(r.excused)
        FROM unnest(%s::int[], %s::int[], %s::date[]) AS w(origin_id, destination_id, today)
        JOIN slas_ontimerate r ON r.origin_id = w.origin_id AND r.destination_id = w.destination_id
            AND r.counterpart_id IS NULL AND r.kind = %s
            AND r.due_date > w.today - %s AND r.due_date <= w.today
        GROUP BY 1, 2, 3, 4
        """,
        [*_columns(lanes), today, CommitmentKind.DELIVERY.value, RECORD_DAYS],
    )
    return {
        (courier_id, tier_id, Lane(origin_id, destination_id)): Record(met, late, overdue, excused)
        for courier_id, tier_id, origin_id, destination_id, met, late, overdue, excused in rows
    }


def _columns(lanes: list[Lane]) -> list[object]:
    return [[lane.origin_id for lane in lanes], [lane.destination_id for lane in lanes]]
