"""Quotes: who would carry a parcel, when, for how much, and whom we would take."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import FieldError, InvalidInput
from alliance.models import City
from alliance.tenancy import Actor, require
from couriers.choices import Grade
from slas.offers.market import Lane, Market, OnSale
from slas.offers.ranking import Reason, Record, reason_for
from slas.offers.services.capacity import Slot, places_left
from slas.promises.checks import ready_problems, weight_problems
from slas.promises.prices import TooHeavy, fee_fen
from slas.promises.rules import LATER_DAYS, NoPromise, Promise
from slas.promises.tiers_in_force import TierInForce


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """What is to be carried. Without a tier, all of them are quoted."""

    origin: City
    destination: City
    weight_g: int
    ready_at: datetime
    tier: str = ""


@dataclass(frozen=True, slots=True)
class QuotedOffer:
    """One courier's offer: on the first day it has room, or on the first day if it has none at all."""

    offer: OnSale
    tier: TierInForce
    fee_fen: int
    promise: Promise
    places_left: int
    # Pickup days before the promise's that are full.
    full_on: tuple[date, ...]
    # When full: the courier, and its name, that comes next on the first of those days.
    next_courier: str
    next_courier_name: str
    recommended: bool
    reason: Reason | None
    to_cut_off: timedelta

    @property
    def is_full(self) -> bool:
        """Whether no day that was looked at has room."""
        return self.places_left == 0

    @property
    def record(self) -> Record:
        return self.offer.record

    @property
    def grade(self) -> Grade:
        return self.offer.grade


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A tier that cannot be had for this parcel, and why."""

    tier: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer. Offers by tier, the best of each tier first."""

    request: QuoteRequest
    at: datetime
    offers: tuple[QuotedOffer, ...]
    unavailable: tuple[Unavailable, ...]


def quote(*, actor: Actor, request: QuoteRequest, at: datetime) -> Quote:
    """Say what booking this parcel now would get, without reserving anything.

    Raises InvalidInput for an unknown tier, an impossible weight or ready time.
    """
    require(actor, Capability.BOOK_PARCELS)
    problems = weight_problems("/weight_g", request.weight_g)
    if errors := [*problems, *ready_problems("/ready_at", request.ready_at, at=at)]:
        raise InvalidInput(errors=errors)
    market = Market([(request.origin, request.destination)], at=at)
    tiers = _tiers_asked(market, request)
    offers: list[QuotedOffer] = []
    unavailable: list[Unavailable] = []
    for tier in tiers:
        try:
            offers += _quote_tier(market, tier, request)
        except NotAvailable as refusal:
            unavailable.append(Unavailable(tier.code.value, refusal.code, refusal.detail))
    return Quote(request, at, tuple(offers), tuple(unavailable))


class NotAvailable(Exception):
    """A tier cannot carry this parcel on this lane. `field` is the input to change."""

    def __init__(self, code: str, detail: str, field: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.field = field


def offers_for(market: Market, lane: Lane, tier: TierInForce) -> Sequence[OnSale]:
    """Return the tier's offers on a lane, the best first. Raises NotAvailable when there are none."""
    offers = market.offers(lane, tier)
    if not offers:
        detail = _("No courier offers %(tier)s between these cities.") % {"tier": tier.name}
        raise NotAvailable("not_offered", detail, "destination")
    return offers


def days_for(market: Market, lane: Lane, tier: TierInForce, ready_at: datetime) -> list[Promise]:
    """Return the days a parcel could be promised for. Raises NotAvailable when there is none."""
    try:
        return market.days(lane, tier, ready_at)
    except NoPromise as refusal:
        raise NotAvailable(refusal.reason.value, str(refusal.reason.label), "tier") from None


def surcharged(base_fen: int, tier: TierInForce, weight_g: int) -> int:
    """Return the fee of a parcel of that weight. Raises NotAvailable over the last weight band."""
    try:
        return fee_fen(base_fen, tier.bands, weight_g)
    except TooHeavy as refusal:
        detail = _("%(tier)s carries parcels up to %(limit)s kg.") % {
            "tier": tier.name,
            "limit": f"{refusal.limit_g / 1000:g}",
        }
        raise NotAvailable("too_heavy", detail, "weight_g") from None


def _tiers_asked(market: Market, request: QuoteRequest) -> list[TierInForce]:
    if not request.tier:
        return list(market.tiers.values())
    if request.tier not in market.tiers:
        raise InvalidInput(errors=[FieldError("/tier", market.no_such_tier(), "unknown")])
    return [market.tiers[request.tier]]


def _quote_tier(market: Market, tier: TierInForce, request: QuoteRequest) -> Iterator[QuotedOffer]:
    lane = Lane(request.origin.pk, request.destination.pk)
    offers = offers_for(market, lane, tier)
    surcharged(0, tier, request.weight_g)
    days = days_for(market, lane, tier, request.ready_at)
    left = places_left(Slot(o.offer_id, day.effective_date) for o in offers for day in days)
    first_days = {offer.offer_id: _first_day_with_room(offer, days, left) for offer in offers}
    recommended, reason = _recommend(offers, first_days)
    open_first = next((o for o in offers if first_days[o.offer_id] == 0), None)
    # A list, not lazily: what is refused must be refused in here.
    return iter(
        [
            _quoted(
                market, tier, request, offer, days, first_days[offer.offer_id], left,
                open_first, reason if offer is recommended else None,
            )
            # Who has room first comes first, so that the recommended one leads.
            for offer in sorted(offers, key=lambda each: _or_last(first_days[each.offer_id]))
        ]
    )  # fmt: skip


def _or_last(day: int | None) -> int:
    return LATER_DAYS + 1 if day is None else day


def _first_day_with_room(offer: OnSale, days: list[Promise], left: dict[Slot, int]) -> int | None:
    rooms = (left.get(Slot(offer.offer_id, day.effective_date), 0) for day in days)
    return next((index for index, room in enumerate(rooms) if room > 0), None)


def _recommend(
    offers: Sequence[OnSale], first_days: dict[int, int | None]
) -> tuple[OnSale | None, Reason | None]:
    """The best of those with room on the earliest day anybody has room: what booking would take."""
    earliest = min((day for day in first_days.values() if day is not None), default=None)
    if earliest is None:
        return None, None
    best, *others = [offer for offer in offers if first_days[offer.offer_id] == earliest]
    merits = [other.merit for other in others]
    return best, reason_for(best.merit, merits, others_on_sale=len(offers) - 1)


def _quoted(
    market: Market,
    tier: TierInForce,
    request: QuoteRequest,
    offer: OnSale,
    days: list[Promise],
    first_day: int | None,
    left: dict[Slot, int],
    open_first: OnSale | None,
    reason: Reason | None,
) -> QuotedOffer:
    promise = days[first_day or 0]
    full = days if first_day is None else days[:first_day]
    comes_instead = open_first if full else None
    return QuotedOffer(
        offer=offer,
        tier=tier,
        fee_fen=surcharged(offer.price_fen, tier, request.weight_g),
        promise=promise,
        places_left=left.get(Slot(offer.offer_id, promise.effective_date), 0),
        full_on=tuple(day.effective_date for day in full),
        next_courier=comes_instead.courier if comes_instead else "",
        next_courier_name=comes_instead.courier_name if comes_instead else "",
        recommended=reason is not None,
        reason=reason,
        to_cut_off=promise.cut_off_at - market.at,
    )
