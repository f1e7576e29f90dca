"""What the palette finds of parcels: by tracking number, or by the start of a reference."""

from typing import Final

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from alliance.choices import Capability
from alliance.identifiers import InvalidTrackingNumber, parse_tracking_number
from alliance.portal.palette import FEW, Finder, Hit
from alliance.tenancy import Actor, in_index_order
from couriers.homes.lists import at_homes
from parcels.bookings.querysets import ParcelQuerySet
from parcels.models import Parcel


def _parcels(actor: Actor, text: str) -> list[Hit]:
    if not actor.can(Capability.VIEW_PARCELS):
        return []
    parcels: ParcelQuerySet = Parcel.objects.visible_to(actor)
    try:
        found = list(parcels.filter(pk=parse_tracking_number(text)))
    except InvalidTrackingNumber:
        found = _referenced(actor, parcels, text)
    return [_hit(parcel) for parcel in found]


def _referenced(actor: Actor, parcels: ParcelQuerySet, text: str) -> list[Parcel]:
    # As the list searches: references are indexed as they are written.
    for spelling in dict.fromkeys((text, text.upper(), text.lower())):
        matches = parcels.referenced(spelling)
        matches = matches.under_every_courier().order_by() if actor.is_ops else matches.order_by("reference")
        with in_index_order():
            if found := list(at_homes(matches, most=FEW)[:FEW]):
                return found
    return []


def _hit(parcel: Parcel) -> Hit:
    url = reverse("parcels:parcel_detail", args=[parcel.number])
    return Hit(parcel.number, url, "package", parcel.reference)


FINDERS: Final = {"parcels": Finder(_("Parcels"), 10, _parcels)}
