"""A merchant's pickup addresses."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.models import City, Organisation
from alliance.phones import phone_problems, read_phone
from alliance.tenancy import Actor, require
from alliance.texts import one_line
from parcels.bookings.models import Merchant, PickupAddress
from parcels.bookings.rules import name_problems, text_problems

_LIMITS = {"name": 80, "address": 300, "contact_name": 120, "contact_phone": 40}


def save_pickup_address(
    *, actor: Actor, address_id: int | None, city: City, is_default: bool, texts: dict[str, Any]
) -> PickupAddress:
    """Add or change an address. A new default replaces the old one.

    `texts` are name, address, contact_name and contact_phone. Raises InvalidInput, and NotFound for
    another merchant's address.
    """
    merchant_id = _merchant(actor)
    values = {name: one_line(str(texts.get(name, ""))) for name in _LIMITS}
    values["contact_phone"] = read_phone(values["contact_phone"])
    problems: list[FieldError] = []
    for name, limit in _LIMITS.items():
        check = text_problems if name == "contact_phone" else name_problems
        problems += check(f"/{name}", values[name], limit)
    problems += phone_problems("/contact_phone", values["contact_phone"])
    if problems:
        raise InvalidInput(errors=problems)
    with transaction.atomic():
        # Lock all of the merchant's: two requests that set the default at once must see each other.
        addresses = {address.pk: address for address in _locked(actor)}
        address = addresses.get(address_id) if address_id else PickupAddress(merchant_id=merchant_id)
        if address is None:
            raise NotFound
        if any(other.name == values["name"] for other in addresses.values() if other.pk != address_id):
            raise InvalidInput(
                errors=[FieldError("/name", _("You already have an address of this name."), "taken")]
            )
        if is_default:
            PickupAddress.objects.visible_to(actor).exclude(pk=address_id).update(is_default=False)
        address.city, address.is_default = city, is_default
        for name, value in values.items():
            setattr(address, name, value)
        address.save()
        verb = "pickup_address.changed" if address_id else "pickup_address.added"
        audit.record(actor=actor, verb=verb, object_type="pickup_address", object_id=address.pk)
    return address


def delete_pickup_address(*, actor: Actor, address_id: int) -> PickupAddress:
    """Remove an address from the merchant's list and return it; parcels booked from it keep it.

    Raises NotFound.
    """
    _merchant(actor)
    address: PickupAddress | None = PickupAddress.objects.visible_to(actor).filter(pk=address_id).first()
    if address is None:
        raise NotFound
    _mark_removed(actor, address, at=timezone.now(), verb="pickup_address.deleted")
    return address


@transaction.atomic
def restore_pickup_address(*, actor: Actor, address_id: int) -> PickupAddress:
    """Bring a removed address back; doing it again changes nothing.

    It is no longer the default if another is by now. Raises Conflict if its name was taken meanwhile, and
    NotFound for another merchant's address.
    """
    own = PickupAddress.objects.filter(merchant_id=_merchant(actor))
    # Lock all of the merchant's, as saving one does.
    addresses = {address.pk: address for address in own.select_for_update().order_by("pk")}
    address = addresses.get(address_id)
    if address is None:
        raise NotFound
    if address.removed_at is None:
        return address
    others = [other for other in addresses.values() if other.removed_at is None]
    if any(other.name == address.name for other in others):
        raise Conflict(_("There is another address “%(name)s” by now.") % {"name": address.name})
    address.is_default = address.is_default and not any(other.is_default for other in others)
    _mark_removed(actor, address, at=None, verb="pickup_address.restored")
    return address


def _mark_removed(actor: Actor, address: PickupAddress, *, at: datetime | None, verb: str) -> None:
    address.removed_at = at
    address.save(update_fields=["removed_at", "is_default"])
    audit.record(actor=actor, verb=verb, object_type="pickup_address", object_id=address.pk)


def _merchant(actor: Actor) -> int:
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant or actor.organisation_id is None:
        raise NotPermitted
    return actor.organisation_id


def _locked(actor: Actor) -> list[PickupAddress]:
    return list(PickupAddress.objects.visible_to(actor).select_for_update().order_by("pk"))


def create_merchant(organisation: Organisation) -> None:
    """Create the merchant of a new organisation, in the transaction that creates the organisation."""
    Merchant.objects.create(organisation=organisation)
