"""Read a merchant's address book as it may be seen: masked, unless somebody asks for one in full."""

from dataclasses import dataclass
from typing import Final

from alliance.models import City
from alliance.tenancy import Actor
from parcels.masking import mask_address, mask_name, mask_phone
from parcels.recipients.models import SavedRecipient

SUGGESTED: Final = 8


@dataclass(frozen=True, slots=True)
class Shown:
    """The texts of a recipient, as far as they are shown."""

    name: str
    phone: str
    address: str
    remark: str


def shown(recipient: SavedRecipient, *, unmasked: bool = False) -> Shown:
    """Return a recipient's texts: masked, or in full, of which the caller has made an audit entry."""
    texts = (recipient.name, recipient.phone, recipient.address, recipient.remark)
    if unmasked:
        return Shown(*texts)
    name, phone, address, remark = texts
    # People write phones and rooms into remarks.
    return Shown(mask_name(name), mask_phone(phone), mask_address(address), mask_address(remark))


def suggestions(*, actor: Actor, text: str, city: City) -> list[SavedRecipient]:
    """Return the recipients in a city that a text may mean, those used last first."""
    rows = SavedRecipient.objects.visible_to(actor).filter(city=city).called(text)
    return list(rows.order_by("-last_used_at", "-pk")[:SUGGESTED])
