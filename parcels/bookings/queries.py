"""The parcels of one order, read together."""

from typing import NamedTuple

from alliance.database.at_home import rows_at_home
from alliance.identifiers import RANDOM_BITS, tracking_number
from alliance.tenancy import Actor
from parcels.bookings.models import Parcel
from parcels.bookings.querysets import ParcelQuerySet
from parcels.bookings.sql import PIECES_OF_ORDER

_RANDOM = (1 << RANDOM_BITS) - 1


class Piece(NamedTuple):
    """One parcel of an order, with the status that is shown: one that counts as lost is not in transit."""

    parcel_id: int
    piece: int
    status: str

    @property
    def number(self) -> str:
        return tracking_number(self.parcel_id)


def pieces_of(order_id: int) -> list[Piece]:
    """Return the parcels of an order that can be seen in the current scope, in their order."""
    bounds = {"home": order_id, "low": order_id & ~_RANDOM, "high": order_id | _RANDOM}
    return [Piece(*row) for row in rows_at_home(PIECES_OF_ORDER, bounds)]


def parcels_of_order(actor: Actor, parcel: Parcel) -> ParcelQuerySet:
    """Return all parcels of a parcel's order that the actor sees, in their order; alone it has none."""
    if parcel.order_id is None:
        return Parcel.objects.none()
    ids = [piece.parcel_id for piece in pieces_of(parcel.order_id)]
    parcels: ParcelQuerySet = Parcel.objects.visible_to(actor).filter(pk__in=ids).order_by("piece")
    return parcels
