"""Quotes: the offers for one parcel, as a booking would get them, and why the first is recommended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from django.conf import settings

from alliance.choices import Capability
from alliance.errors import InvalidInput
from alliance.models import City
from alliance.sandboxes import live_of
from alliance.tenancy import Actor, require
from alliance.test_mode import as_live
from couriers.choices import Grade
from slas.allocation.rules import PREFERENCES, Rule, Sent
from slas.choices import RuleAction
from slas.offers.market import Lane, Market, NotAvailable, OnSale
from slas.offers.ranking import Reason, Record, reason_for
from slas.offers.services.capacity import Slot, places_left
from slas.promises.checks import ready_problems, value_problems, weight_problems
from slas.promises.rules import Promise, Step, StepCode
from slas.promises.tiers_in_force import TierInForce


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """The parcel of a quote. Without a tier, all tiers are quoted.

    Of an order of several parcels, `weights_g` has them all, and `weight_g` is the heaviest's.
    """

    origin: City
    destination: City
    weight_g: int
    ready_at: datetime
    tier: str = ""
    # Shares of a split are drawn by it, as a booking's are.
    reference: str = ""
    declared_value_fen: int | None = None
    weights_g: tuple[int, ...] = ()

    @property
    def weights(self) -> tuple[int, ...]:
        return self.weights_g or (self.weight_g,)


@dataclass(frozen=True, slots=True)
class QuotedOffer:
    """One courier's offer: on the first day with room, or on the first day if no day has room."""

    offer: OnSale
    tier: TierInForce
    # Of all parcels of the order, and of each.
    fee_fen: int
    fees_fen: tuple[int, ...]
    promise: Promise
    places_left: int
    # Full pickup days before that of the promise.
    full_on: tuple[date, ...]
    # If full: the next courier on the first of those days, and its name.
    next_courier: str
    next_courier_name: str
    # The reason of the recommendation; None if not recommended.
    reason: Reason | None
    # The merchant's rule because of which it is recommended, and the shares of a split by courier's name.
    rule: Rule | None
    shares: tuple[tuple[str, int], ...]
    to_cut_off: timedelta

    @property
    def recommended(self) -> bool:
        return self.reason is not None

    @property
    def is_full(self) -> bool:
        """Whether no considered day has room for all parcels."""
        return self.places_left < len(self.fees_fen)

    @property
    def record(self) -> Record:
        return self.offer.record

    @property
    def grade(self) -> Grade:
        return self.offer.grade


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A tier that is not available for this parcel, and why."""

    tier: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Quote:
    """The result. Offers by tier, the best of each tier first."""

    request: QuoteRequest
    at: datetime
    offers: tuple[QuotedOffer, ...]
    unavailable: tuple[Unavailable, ...]


def quote(*, actor: Actor, request: QuoteRequest, at: datetime) -> Quote:
    """Return the offers for booking this parcel now, without reserving anything.

    Raises InvalidInput for an unknown tier, an invalid weight or ready time.
    """
    require(actor, Capability.BOOK_PARCELS)
    problems = [error for each in request.weights for error in weight_problems("/weight_g", each)]
    limit_fen = settings.DECLARED_VALUE_LIMIT_FEN
    problems += value_problems("/declared_value", request.declared_value_fen, limit_fen=limit_fen)
    if errors := [*dict.fromkeys(problems), *ready_problems("/ready_at", request.ready_at, at=at)]:
        raise InvalidInput(errors=errors)
    merchant_id = live_of(actor.tenant_id) if actor.is_merchant else None
    with as_live(actor):
        market = Market([(request.origin, request.destination)], at=at, merchant_id=merchant_id)
    tiers = [market.tier(request.tier)] if request.tier else list(market.tiers.values())
    offers: list[QuotedOffer] = []
    unavailable: list[Unavailable] = []
    for tier in tiers:
        try:
            offers += _quote_tier(market, tier, request)
        except NotAvailable as refusal:
            unavailable.append(Unavailable(tier.code.value, refusal.error.code, refusal.error.message))
    return Quote(request, at, tuple(offers), tuple(unavailable))


def _quote_tier(market: Market, tier: TierInForce, request: QuoteRequest) -> list[QuotedOffer]:
    """Quote each offer of a tier, those with room on an earlier day first."""
    lane = Lane(request.origin.pk, request.destination.pk)
    sent = Sent(request.weight_g, request.reference, request.reference, request.declared_value_fen or 0)
    decision = market.choose(lane, tier, sent)
    offers = decision.offers
    surcharges = [market.surcharge_fen(tier, weight_g) for weight_g in request.weights]
    days = [
        _until(market.book_before(lane, tier, day, request.weight_g), day)
        for day in market.days(lane, tier, request.ready_at)
    ]
    left = places_left(Slot(offer.offer_id, day.effective_date) for offer in offers for day in days)
    places = len(surcharges)
    full = {offer.offer_id: _full_days(offer, days, left, places) for offer in offers}
    by_day = sorted(offers, key=lambda offer: full[offer.offer_id])
    # The first offer is the one that a booking would get; it replaces those that are full on the first day.
    best = by_day[0]
    next_courier = best if full[best.offer_id] == 0 else None
    rule = decision.rule_of(best)
    reason = _reason(by_day, full, rule) if full[best.offer_id] < len(days) else None
    quotes: list[QuotedOffer] = []
    for offer in by_day:
        full_on = days[: full[offer.offer_id]]
        # If all days are full, show the first.
        promise = days[len(full_on)] if len(full_on) < len(days) else days[0]
        instead = next_courier if full_on else None
        quotes.append(
            QuotedOffer(
                offer=offer,
                tier=tier,
                fee_fen=offer.price_fen * places + sum(surcharges),
                fees_fen=tuple(offer.price_fen + surcharge_fen for surcharge_fen in surcharges),
                promise=promise,
                places_left=left.get(Slot(offer.offer_id, promise.effective_date), 0),
                full_on=tuple(day.effective_date for day in full_on),
                next_courier=instead.courier if instead else "",
                next_courier_name=instead.courier_name if instead else "",
                reason=reason if offer is best else None,
                rule=rule if reason and offer is best else None,
                shares=_shares(rule, offers) if offer is best else (),
                to_cut_off=promise.cut_off_at - market.at,
            )
        )
    return quotes


def _until(book_before: datetime, promise: Promise) -> Promise:
    """Return a promise with the cut-off that counts, and says so if other rules will be in force by then."""
    if book_before == promise.cut_off_at:
        return promise
    new_rules = Step(StepCode.NEW_RULES, at=book_before)
    return replace(promise, cut_off_at=book_before, steps=(*promise.steps, new_rules))


def _full_days(offer: OnSale, days: Sequence[Promise], left: dict[Slot, int], places: int) -> int:
    """Count the days before the first day with room for so many; all days if none has room."""
    rooms = (left.get(Slot(offer.offer_id, day.effective_date), 0) for day in days)
    return next((index for index, room in enumerate(rooms) if room >= places), len(days))


def _reason(by_day: Sequence[OnSale], full: dict[int, int], rule: Rule | None) -> Reason:
    """Return why the first offer is recommended instead of others with room on the same day.

    A preference is the whole reason, and so is a limit that leaves one courier.
    """
    best, *others = by_day
    if rule is not None and (rule.action in PREFERENCES or not others):
        return Reason.RULE
    rivals = [other.merit for other in others if full[other.offer_id] == full[best.offer_id]]
    return reason_for(best.merit, rivals, others_on_sale=len(others))


def _shares(rule: Rule | None, offers: Sequence[OnSale]) -> tuple[tuple[str, int], ...]:
    """Return the shares of a split among the offers, the largest first."""
    shares = rule.couriers if rule and rule.action == RuleAction.SPLIT else {}
    sharing = [
        (offer.courier_name, shares[offer.courier_id]) for offer in offers if offer.courier_id in shares
    ]
    return tuple(sorted(sharing, key=lambda each: -each[1]))
