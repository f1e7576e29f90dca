"""What of a parcel only some may see: its price, and its recipient in full."""

from dataclasses import dataclass

from alliance.choices import Capability
from alliance.tenancy import Actor
from parcels.bookings.models import Parcel
from parcels.bookings.rules import Recipient
from parcels.masking import mask_address, mask_name, mask_phone


@dataclass(frozen=True, slots=True)
class Private:
    """The private data of a parcel, as far as one actor may see them."""

    recipient: Recipient
    is_masked: bool
    sees_fee: bool
    # None if the actor may not see it, or if the parcel has none (imported history).
    fee_fen: int | None
    # Of a return: whom it is collected from. None for other parcels, and for what a courier holds.
    sender: Recipient | None = None


def private_of(actor: Actor, parcel: Parcel, *, unmasked: bool = False) -> Private:
    """Return what the actor may see of a parcel's private data.

    A recipient, and the sender of a return, is masked unless the actor may unmask and asks for it; the caller
    records that.
    """
    sees_fee = may_see_fee(actor)
    is_masked = not (unmasked and actor.can(Capability.UNMASK))
    recipient = _shown(parcel.recipient_name, parcel.recipient_phone, parcel.recipient_address, is_masked)
    sender = None
    if parcel.return_of_id is not None and parcel.held_by_id is None:
        sender = _shown(parcel.sender_name, parcel.sender_phone, parcel.sender_address, is_masked)
    return Private(recipient, is_masked, sees_fee, parcel.fee_fen if sees_fee else None, sender)


def _shown(name: str, phone: str, address: str, is_masked: bool) -> Recipient:
    if is_masked:
        name, phone, address = mask_name(name), mask_phone(phone), mask_address(address)
    return Recipient(name, phone, address)


def may_see_fee(actor: Actor) -> bool:
    """Whether the actor may see prices: those who book, and those who keep the books."""
    return actor.can(Capability.VIEW_FINANCE) or actor.can(Capability.BOOK_PARCELS)


def sees_rule(actor: Actor) -> bool:
    """Whether the actor may see by which of the merchant's rules a courier was chosen: never a courier."""
    return actor.is_merchant
