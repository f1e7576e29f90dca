"""Write a courier's offers, one by one."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound
from alliance.models import City
from alliance.tenancy import Actor, require
from couriers.applications.queries import approved_cities
from slas.offers.models import Offer
from slas.offers.services.capacity import follow_offers
from slas.promises.models import ServiceTier

MAX_PRICE_FEN = 10_000_000
MAX_CAPACITY = 10_000_000


@dataclass(frozen=True, slots=True)
class OfferTerms:
    """The terms of an offer: a lane at a tier, its price, and its daily capacity."""

    tier: ServiceTier
    origin: City
    destination: City
    price_fen: int
    daily_capacity: int
    active: bool = True


def create_offer(*, actor: Actor, terms: OfferTerms) -> Offer:
    """Create an offer of a lane at a tier. Raises Conflict when the courier has one already.

    Raises InvalidInput for cities that the courier was not approved for.
    """
    require(actor, Capability.MANAGE_OFFERS)
    courier_id = actor.tenant_id
    check_terms(terms, approved_cities(courier_id))
    existing = Offer.objects.filter(
        courier_id=courier_id, tier=terms.tier, origin=terms.origin, destination=terms.destination
    )
    if existing.exists():
        raise Conflict(
            _("You already sell this lane at this tier. Change that offer instead."), code="offer_exists"
        )
    offer = Offer.objects.create(
        courier_id=courier_id, tier=terms.tier, origin=terms.origin, destination=terms.destination,
        price_fen=terms.price_fen, daily_capacity=terms.daily_capacity, active=terms.active,
    )  # fmt: skip
    _record(actor, "offer.created", offer)
    return offer


def change_offer(*, actor: Actor, offer_id: int, price_fen: int, daily_capacity: int, active: bool) -> Offer:
    """Change price, daily capacity or whether it is on sale. The lane and the tier stay.

    Bookings keep their price; the new capacity applies from today on. Without a difference nothing changes.
    Raises NotFound for offers of others, InvalidInput for cities that are not approved unless it is off sale.
    """
    require(actor, Capability.MANAGE_OFFERS)
    offer = Offer.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    terms = OfferTerms(offer.tier, offer.origin, offer.destination, price_fen, daily_capacity, active)
    # An offer in a city that is no longer approved can only be taken off sale.
    check_terms(terms, approved_cities(offer.courier_id) if active else None)
    if (offer.price_fen, offer.daily_capacity, offer.active) == (price_fen, daily_capacity, active):
        return offer
    offer.price_fen, offer.daily_capacity, offer.active = price_fen, daily_capacity, active
    offer.save(update_fields=["price_fen", "daily_capacity", "active", "updated_at"])
    follow_offers([offer.pk], first_day=first_day_of_change())
    _record(actor, "offer.changed", offer)
    return offer


def put_on_sale(*, actor: Actor, offer_id: int, active: bool) -> Offer:
    """Put an offer on sale or take it off, at its price and capacity. Raises as `change_offer`."""
    require(actor, Capability.MANAGE_OFFERS)
    offer = Offer.objects.visible_to(actor).select_for_update(of=("self",)).filter(pk=offer_id).first()
    if offer is None:
        raise NotFound
    return change_offer(
        actor=actor,
        offer_id=offer_id,
        price_fen=offer.price_fen,
        daily_capacity=offer.daily_capacity,
        active=active,
    )


def first_day_of_change() -> date:
    # Time zones differ: from yesterday's date on covers today everywhere.
    return timezone.now().date() - timedelta(days=1)


def check_terms(terms: OfferTerms, served: frozenset[int] | None) -> None:
    """Raise InvalidInput for terms out of range, and for cities that are not `served`; None is any city."""
    errors = []
    for field, city in (("origin", terms.origin), ("destination", terms.destination)):
        if served is not None and city.pk not in served:
            message = _("%(city)s is not among your approved service cities.") % {"city": city.name}
            errors.append(FieldError(f"/{field}", message, "not_served"))
    if not 0 < terms.price_fen <= MAX_PRICE_FEN:
        errors.append(FieldError("/price", _("The price must be above 0 and at most 100,000 yuan."), "range"))
    if not 0 <= terms.daily_capacity <= MAX_CAPACITY:
        message = _("The capacity must be from 0 to 10,000,000 parcels a day.")
        errors.append(FieldError("/daily_capacity", message, "range"))
    if errors:
        raise InvalidInput(errors=errors)


def _record(actor: Actor, verb: str, offer: Offer) -> None:
    audit.record(
        actor=actor, verb=verb, object_type="offer", object_id=offer.pk, organisation_id=offer.courier_id,
        detail={"price_fen": offer.price_fen, "daily_capacity": offer.daily_capacity, "active": offer.active},
    )  # fmt: skip
