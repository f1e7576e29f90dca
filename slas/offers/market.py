"""The offers on some lanes at one moment.

A market is loaded at once for any number of lanes, so that a batch of bookings needs only the statements of
one quote. Its methods raise NotAvailable if a parcel cannot be carried.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, NamedTuple

from django.utils.translation import gettext as _

from alliance.clocks import local_clock, wall_clock
from alliance.database.literals import moments, numbers
from alliance.errors import FieldError, InvalidInput
from alliance.models import City
from alliance.public_ids import IdKind, public_id
from alliance.tenancy import raw_rows
from couriers.choices import Grade
from slas.allocation.in_force import rules_in_force
from slas.allocation.rules import Decision, Facts, Rule, RuledOut, Sent, decide
from slas.allocation.texts import ruled_out_text
from slas.offers.ranking import NO_RECORD, Merit, Record, rank_key
from slas.offers.sql import MARKET
from slas.promises.closures import Place
from slas.promises.prices import TooHeavy, fee_fen
from slas.promises.rules import LATER_DAYS, NoPromise, Promise, day_after
from slas.promises.rules import promise as promised
from slas.promises.tiers_in_force import (
    TierInForce,
    calendar_at,
    closures_window,
    place_of,
    tiers_with_announced,
)


class Lane(NamedTuple):
    """Origin and destination by city id."""

    origin_id: int
    destination_id: int


@dataclass(frozen=True, slots=True)
class OnSale:
    """One active courier's offer, and its record on the lane."""

    offer_id: int
    courier_id: int
    # Its id outside.
    courier: str
    courier_name: str
    price_fen: int
    record: Record
    grade: Grade = Grade.MEMBER

    @property
    def score(self) -> float:
        return self.record.score

    @property
    def merit(self) -> Merit:
        return Merit(self.record, self.grade)


class NotAvailable(InvalidInput):
    """A tier cannot carry this parcel on this lane; the error names the input to change."""

    def __init__(self, field: str, message: str, code: str, *, rule: Rule | None = None) -> None:
        # The merchant's rule that leaves nobody.
        self.rule = rule
        self.error = FieldError(f"/{field}", message, code)
        super().__init__(errors=[self.error])


# Reads the rows of MARKET.
Reader = Callable[[dict[str, object]], list[tuple[Any, ...]]]


def _read_market(parameters: dict[str, object]) -> list[tuple[Any, ...]]:
    return raw_rows(MARKET.call, parameters)


class Market:
    """Offers, tiers and closures of the given lanes at the moment of loading."""

    def __init__(
        self,
        lanes: Iterable[tuple[City, City]],
        *,
        at: datetime,
        merchant_id: int | None = None,
        rules: Sequence[Rule] | None = None,
        read: Reader = _read_market,
    ) -> None:
        self.at = at
        pairs = list(lanes)
        self._places: dict[int, Place] = {city.pk: place_of(city) for pair in pairs for city in pair}
        lanes_by_id = sorted({Lane(origin.pk, destination.pk) for origin, destination in pairs})
        rows = read({"merchant_id": merchant_id, **_parameters(lanes_by_id, self._places, at)})
        tiers_stamp, closures_stamp, rules_stamp, *_offer = rows[0]
        self.tiers, self._announced = tiers_with_announced(at, stamp=tiers_stamp)
        self._closures = calendar_at(at, stamp=closures_stamp)
        # Rules to be tried, or those of the merchant.
        self._rules = rules_in_force(merchant_id, rules_stamp) if rules is None else rules
        self._offers = _ranked_offers(rows)
        # Hundreds of similar bookings need the same days.
        self._days: dict[tuple[Lane, str, datetime], list[Promise]] = {}

    def tier(self, code: str) -> TierInForce:
        """Return the tier of a code. Raises NotAvailable if none is on sale."""
        if code not in self.tiers:
            message = _("This service is not on sale. Choose one of: %(tiers)s.")
            raise NotAvailable("tier", message % {"tiers": ", ".join(self.tiers)}, "unknown")
        return self.tiers[code]

    def offers(self, lane: Lane, tier: TierInForce, *, courier: str = "") -> Sequence[OnSale]:
        """Return a tier's offers on a lane, best first; only those of `courier` if given.

        Raises NotAvailable if there are none.
        """
        offers = self._offers.get((lane, tier.id), [])
        if not offers:
            message = _("No courier offers %(tier)s between these cities.") % {"tier": tier.name}
            raise NotAvailable("destination", message, "not_offered")
        if courier:
            offers = [offer for offer in offers if offer.courier == courier]
            if not offers:
                message = _("This courier does not offer this service between these cities.")
                raise NotAvailable("courier", message, "not_offered")
        return offers

    @property
    def has_rules(self) -> bool:
        """Whether the merchant has rules that are on, so that parcels of a lane are chosen for one by one."""
        return bool(self._rules)

    def choose(self, lane: Lane, tier: TierInForce, sent: Sent, *, courier: str = "") -> Decision[OnSale]:
        """Return the offers as the merchant's rules order them; only those of `courier` if given.

        Raises NotAvailable if there are none, or if a rule leaves none.
        """
        offers = self.offers(lane, tier, courier=courier)
        if not self._rules:
            return Decision(tuple(offers))
        origin, destination = self._places[lane.origin_id], self._places[lane.destination_id]
        try:
            return decide(
                self._rules,
                Facts(tier.id, origin, destination, sent),
                offers,
                surcharge_fen=self.surcharge_fen(tier, sent.weight_g),
                is_named=bool(courier),
            )
        except RuledOut as refusal:
            field = "courier" if courier else "destination"
            message = ruled_out_text(refusal.rule, tier, courier)
            raise NotAvailable(field, message, "ruled_out", rule=refusal.rule) from None

    def surcharge_fen(self, tier: TierInForce, weight_g: int) -> int:
        """Return the surcharge of a weight. Raises NotAvailable above the last weight band."""
        try:
            return fee_fen(0, tier.bands, weight_g)
        except TooHeavy as refusal:
            message = _("%(tier)s carries parcels up to %(limit)s kg.") % {
                "tier": tier.name,
                "limit": f"{refusal.limit_g / 1000:g}",
            }
            raise NotAvailable("weight_g", message, "too_heavy") from None

    def day(self, lane: Lane, tier: TierInForce, ready_at: datetime, later: int = 0) -> Promise:
        """Return the promise after `later` full pickup days; 0 is the first day.

        Raises NotAvailable if there is no such day.
        """
        days = self._days.setdefault((lane, tier.code, ready_at), [])
        while len(days) <= later:
            try:
                days.append(self._after(lane, tier, days[-1]) if days else self._first(lane, tier, ready_at))
            except NoPromise as refusal:
                raise NotAvailable("tier", str(refusal.reason.label), refusal.reason.value) from None
        return days[later]

    def days(self, lane: Lane, tier: TierInForce, ready_at: datetime) -> list[Promise]:
        """Return the promises of all days that are considered. Raises NotAvailable if there is none."""
        days = [self.day(lane, tier, ready_at)]
        with suppress(NotAvailable):
            for later in range(1, LATER_DAYS + 1):
                days.append(self.day(lane, tier, ready_at, later))
        return days

    def book_before(self, lane: Lane, tier: TierInForce, promise: Promise, weight_g: int) -> datetime:
        """Return until when this promise can be booked at this price, by the versions announced so far.

        The cut-off that counts is that of the version in force by then, and a version may end the promise.
        """
        cut_off_at, zone = promise.cut_off_at, self._places[lane.origin_id].zone
        surcharge_fen = self.surcharge_fen(tier, weight_g)
        for version in self._announced.get(tier.code, ()):
            if version.valid_from > cut_off_at:
                break
            try:
                later = self._on_day_of(promise, lane, version)
                is_same_price = self.surcharge_fen(version, weight_g) == surcharge_fen
            except (NoPromise, NotAvailable):
                return local_clock(version.valid_from, zone)
            if not is_same_price or _agreed(later) != _agreed(promise):
                return local_clock(version.valid_from, zone)
            cut_off_at = later.cut_off_at
        return cut_off_at

    def _on_day_of(self, promise: Promise, lane: Lane, version: TierInForce) -> Promise:
        """Return what a version promises, once it is in force, for the same pickup day."""
        origin, destination = self._places[lane.origin_id], self._places[lane.destination_id]
        day_begins = wall_clock(promise.effective_date, time(0), origin.zone)
        ready_at = max(promise.ready_at, day_begins)
        return promised(
            version.rule, origin, destination, ready_at, self._closures, booked_at=version.valid_from
        )

    def _first(self, lane: Lane, tier: TierInForce, ready_at: datetime) -> Promise:
        return promised(
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


def _agreed(promise: Promise) -> tuple[date, datetime, datetime]:
    return promise.effective_date, promise.pickup_by, promise.deliver_by


def _parameters(lanes: list[Lane], places: dict[int, Place], at: datetime) -> dict[str, object]:
    return {
        "origin_id": numbers(lane.origin_id for lane in lanes),
        "destination_id": numbers(lane.destination_id for lane in lanes),
        # A courier's record counts by local dates of the lane's destination.
        "today": moments(local_clock(at, places[lane.destination_id].zone).date() for lane in lanes),
        **closures_window(at),
    }


def _ranked_offers(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[Lane, int], list[OnSale]]:
    """Return the offers of each lane and tier, best first."""
    by_lane: dict[tuple[Lane, int], list[OnSale]] = {}
    for _tiers, _closures, _rules, offer_id, courier_id, name, grade, tier_id, *more in rows:
        if offer_id is None:
            continue
        origin_id, destination_id, price_fen, met, late, overdue, excused = more
        record = NO_RECORD if met is None else Record(met, late, overdue, excused)
        courier = public_id(IdKind.COURIER, courier_id)
        offer = OnSale(offer_id, courier_id, courier, name, price_fen, record, Grade(grade))
        by_lane.setdefault((Lane(origin_id, destination_id), tier_id), []).append(offer)
    for offers in by_lane.values():
        offers.sort(key=lambda offer: rank_key(offer.merit, offer.price_fen, offer.offer_id))
    return by_lane
