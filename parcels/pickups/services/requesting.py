"""Ask a courier to pick parcels up."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit, events
from alliance.choices import Capability
from alliance.database.at_home import rows_by_shard
from alliance.errors import AllianceError, Conflict, FieldError, InvalidInput, NotFound
from alliance.tenancy import Actor, require
from parcels.bookings.models import Parcel, PickupAddress
from parcels.bookings.rules import text_problems
from parcels.pickups.models import Pickup
from parcels.pickups.queries import address_of
from parcels.pickups.rules import MOST_PARCELS, NOTE_LENGTH, Window, refusal_of, window_problems
from parcels.pickups.sql import JOIN_PICKUP
from parcels.waiting.holding import hold
from parcels.waiting.rules import HeldParcel, Place, judge, none_fits, unknown_parcel


@dataclass(frozen=True, slots=True)
class Asked:
    """What a merchant asks for: these parcels, in this window, by the clock of their address."""

    # Their ids; what could not be read as a number stays in its place.
    parcels: Sequence[int | AllianceError]
    starts_at: datetime
    ends_at: datetime
    # Those of the first parcel, if they are not named.
    courier_id: int | None = None
    address_id: int | None = None
    note: str = ""
    # All or none: who ticks parcels on a page sees which do not fit, and decides.
    is_whole: bool = False

    @property
    def ids(self) -> list[int]:
        return [each for each in self.parcels if isinstance(each, int)]


@dataclass(frozen=True, slots=True)
class Requested:
    """A request, and what became of each parcel that was named, in their order."""

    pickup: Pickup
    results: list[HeldParcel | AllianceError]


def request_pickup(*, actor: Actor, asked: Asked, now: datetime) -> Requested:
    """Ask the courier of some parcels to come.

    A parcel that does not fit is left out and says why. Raises InvalidInput for a window, an address or a
    note that is wrong, and Conflict, with the reasons by parcel, if none is left or one is and all are asked.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant:
        raise NotFound
    address, place = _place(actor, asked)
    window = Window(asked.starts_at, asked.ends_at, address.city.time_zone)
    errors = [*window_problems(window, now=now), *note_problems("/note", asked.note)]
    if errors:
        raise InvalidInput(errors=errors)
    # Without a savepoint: on a cluster its release would be a message to each worker.
    with transaction.atomic(savepoint=False):
        results = _judge(actor, asked, place, window, now)
        joined = [each for each in results if isinstance(each, HeldParcel)]
        fits = len(joined) == len(results) if asked.is_whole else bool(joined)
        pickup = _create(actor, asked, address, place, window, joined, now) if fits else None
    # Not within: the caller's transaction goes on, for a page shows the form again.
    if pickup is None:
        raise _none(asked, results)
    return Requested(pickup, results)


def note_problems(pointer: str, text: str) -> list[FieldError]:
    return list(text_problems(pointer, text, NOTE_LENGTH, required=False))


def record(actor: Actor, pickup: Pickup, topic: events.Topic, *, verb: str, at: datetime) -> None:
    """Record what happened to a request: an event for both sides, and who did it."""
    parties = {"merchant_id": pickup.merchant_id, "courier_id": pickup.courier_id}
    payload = {
        "pickup": pickup.pk,
        "state": pickup.state,
        "start": pickup.starts_at,
        "end": pickup.ends_at,
        "proposed_start": pickup.proposed_starts_at,
        "proposed_end": pickup.proposed_ends_at,
        "proposed_by": pickup.proposed_by or None,
        "parcels": len(pickup.parcel_ids),
    }
    events.record([events.NewEvent(topic, payload=payload, **parties)], at=at)
    audit.record(
        actor=actor,
        verb=verb,
        object_type="pickup",
        object_id=pickup.pk,
        organisation_id=pickup.merchant_id,
        # Without the notes: free text is kept in one place.
        detail={name: value for name, value in payload.items() if value is not None},
    )


def _create(
    actor: Actor,
    asked: Asked,
    address: PickupAddress,
    place: Place,
    window: Window,
    parcels: Sequence[HeldParcel],
    now: datetime,
) -> Pickup:
    ids = [parcel.of_parcel for parcel in parcels]
    pickup = Pickup.objects.create(
        merchant_id=actor.tenant_id,
        courier_id=place.courier_id,
        address=address,
        day=window.day,
        starts_at=window.starts_at,
        ends_at=window.ends_at,
        parcel_ids=ids,
        weight_g=sum(parcel.grams or 0 for parcel in parcels),
        note=asked.note,
        requested_by_id=actor.user_id,
        requested_at=now,
    )
    rows_by_shard(JOIN_PICKUP, sorted(ids), {}, request=pickup.pk)
    record(actor, pickup, events.Topic.PICKUP_REQUESTED, verb="pickup.requested", at=now)
    return pickup


def _place(actor: Actor, asked: Asked) -> tuple[PickupAddress, Place]:
    """Return the address and the courier: as named, else those of the first parcel that is the merchant's."""
    if not 1 <= len(asked.parcels) <= MOST_PARCELS:
        message = _("Give 1 to %(most)d parcels: these are %(count)d.") % {
            "most": MOST_PARCELS,
            "count": len(asked.parcels),
        }
        raise InvalidInput(errors=[FieldError("/tracking_numbers", message, "length")])
    courier_id, address_id = asked.courier_id, asked.address_id
    if courier_id is None or address_id is None:
        first = _first(actor, asked)
        courier_id = first.courier_id if courier_id is None else courier_id
        address_id = address_of(actor, first) if address_id is None else address_id
    # One that was removed is still where parcels booked from it are.
    addresses = PickupAddress.objects.filter(merchant_id=actor.tenant_id).select_related("city")
    address = addresses.filter(pk=address_id).first()
    if address is None:
        message = _("Unknown pickup address.")
        if asked.address_id is None:
            message = _("You have no pickup address in the city of these parcels: add one.")
        raise InvalidInput(errors=[FieldError("/pickup_address", message, "unknown")])
    return address, Place(courier_id, address.city_id, address.pk)


def _first(actor: Actor, asked: Asked) -> Parcel:
    """Return the first parcel that is the merchant's. Raises Conflict if none is."""
    found = Parcel.objects.visible_to(actor).in_bulk(asked.ids)
    first: Parcel | None = next((found[pk] for pk in asked.ids if pk in found), None)
    if first is None:
        unknown = [each if isinstance(each, AllianceError) else unknown_parcel() for each in asked.parcels]
        raise _none(asked, unknown)
    return first


def _judge(
    actor: Actor, asked: Asked, place: Place, window: Window, now: datetime
) -> list[HeldParcel | AllianceError]:
    held = hold(asked.ids)
    # What was open when the parcels were locked can only have been closed since.
    requests = {each.request for each in held.values() if each.request is not None}
    taken = set(Pickup.objects.filter(pk__in=requests).still_open(now).values_list("pk", flat=True))

    def refuse(parcel: HeldParcel) -> AllianceError | None:
        return refusal_of(parcel, place, window, is_taken=parcel.request in taken, now=now)

    return judge(asked.parcels, held, merchant_id=actor.tenant_id, refuse=refuse)


def _none(asked: Asked, results: Sequence[object]) -> Conflict:
    detail = _("None of these parcels can be in this pickup.")
    if any(isinstance(each, HeldParcel) for each in results):
        detail = _("Some of these parcels cannot be in this pickup.")
    return none_fits(asked.parcels, results, detail, pointer="/tracking_numbers")
