"""What a booking answers: the parcel as it is read everywhere, and how its promise came about."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from alliance.api.fields import MoneyField
from alliance.models import Organisation
from alliance.small_tables import Recent
from alliance.tenancy import Actor
from parcels.api.answers import JSON, ends_of, parcels_json, pieces_json, promise_json
from parcels.api.serializers import BookedPieceAnswer, PromiseAnswer
from parcels.api.states import ParcelAnswer, ParcelPromiseAnswer
from parcels.bookings.services.writing import Booked, parcel_of
from parcels.models import Merchant, Parcel
from parcels.tracking.queries import states_of_booked
from slas.listed import first_with_names

# Who books now mostly books again in a second.
_BOOKING: Final = Recent[Organisation](Organisation.objects.in_bulk)


class BookedPromiseAnswer(PromiseAnswer, ParcelPromiseAnswer):
    """The promise with its pickup, and why it is what it is."""


class BookedAnswer(ParcelAnswer):
    """The parcel that was booked; of an order the first one."""

    promise = BookedPromiseAnswer()
    total_price = MoneyField(required=False, help_text="Of all parcels, if `pieces` were sent.")
    parcels = BookedPieceAnswer(
        many=True, required=False, help_text="All parcels of the order, if `pieces` were sent."
    )


def booked_json(actor: Actor, order: Sequence[Booked], *, is_listed: bool, at: datetime) -> JSON:
    """An order's first parcel, and all of them if the booking listed them."""
    # Nothing is read again: that would take as long as booking it.
    [organisation] = _BOOKING.of([actor.tenant_id]).values()
    parcel = parcel_of(order[0], merchant=Merchant(organisation=organisation), at=at)
    [result] = parcels_json(actor, [parcel], states=states_of_booked([parcel], now=at))
    return {**_explained(result, order[0]), **(pieces_json(order) if is_listed else {})}


def return_json(actor: Actor, booked: Booked) -> JSON:
    """The parcel that comes back."""
    parcel = first_with_names(Parcel.objects.visible_to(actor).filter(pk=booked.parcel_id))
    [result] = parcels_json(actor, [parcel] if parcel else [])
    return _explained(result, booked)


def _explained(parcel: JSON, booked: Booked) -> JSON:
    """The JSON of a parcel, with why its promise is what it is."""
    why = promise_json(booked.promise, ends_of(booked), booked.full_on, with_steps=True)
    return {**parcel, "promise": {**why, **parcel["promise"]}}
