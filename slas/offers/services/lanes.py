"""Write one offer as programs do: a whole lane, or a part of its terms. Sending it again changes nothing."""

from django.db import IntegrityError, transaction

from alliance.choices import Capability
from alliance.errors import Conflict, NotFound
from alliance.tenancy import Actor, require
from slas.offers.models import Offer
from slas.offers.services.offers import OfferTerms, change_offer, create_offer


def put_offer(*, actor: Actor, terms: OfferTerms) -> tuple[Offer, bool]:
    """Create the offer of a lane at a tier, or give it these terms; return whether it is new."""
    require(actor, Capability.MANAGE_OFFERS)
    own = Offer.objects.visible_to(actor).filter(
        tier=terms.tier, origin=terms.origin, destination=terms.destination
    )
    offer = own.first()
    if offer is None:
        try:
            with transaction.atomic():
                return create_offer(actor=actor, terms=terms), True
        except (Conflict, IntegrityError):
            # Another request has just created it.
            offer = own.get()
    changed = change_offer(
        actor=actor,
        offer_id=offer.pk,
        price_fen=terms.price_fen,
        daily_capacity=terms.daily_capacity,
        active=terms.active,
    )
    return changed, False


def patch_offer(
    *,
    actor: Actor,
    offer_id: int,
    price_fen: int | None = None,
    daily_capacity: int | None = None,
    active: bool | None = None,
) -> Offer:
    """Change those terms of an offer that are given. Raises NotFound for offers of others."""
    require(actor, Capability.MANAGE_OFFERS)
    with transaction.atomic():
        # Locked before it is read: two requests that change different terms must keep both.
        own = Offer.objects.visible_to(actor).select_for_update(of=("self",))
        offer = own.filter(pk=offer_id).first()
        if offer is None:
            raise NotFound
        return change_offer(
            actor=actor,
            offer_id=offer_id,
            price_fen=offer.price_fen if price_fen is None else price_fen,
            daily_capacity=offer.daily_capacity if daily_capacity is None else daily_capacity,
            active=offer.active if active is None else active,
        )
