"""What all answers to a request have in common: whose turn it is, and one guarded UPDATE.

Of two who answer at once, the second one is told what the first one answered.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import Conflict, NotFound, NotPermitted
from alliance.tenancy import Actor, Scope, require, scope
from parcels.bookings.models import Parcel
from parcels.choices import ParcelStatus, PickupState
from parcels.pickups.models import Pickup
from slas.commitments.services.settling import move_pickups


def own_pickup(actor: Actor, pickup_id: int) -> Pickup:
    """Return a request of the actor's. Raises NotFound, and NotPermitted for who may not answer at all."""
    require(actor, Capability.VIEW_PARCELS)
    pickup: Pickup | None = Pickup.objects.visible_to(actor).filter(pk=pickup_id).first()
    if pickup is None:
        raise NotFound
    if not (actor.is_courier or actor.is_merchant):
        raise NotPermitted
    require(actor, Capability.SEND_SCANS if actor.is_courier else Capability.BOOK_PARCELS)
    return pickup


def pickup_for(actor: Actor, pickup_id: int, *, by_courier: bool) -> Pickup:
    """Return a request that one side alone may answer. Raises NotFound, NotPermitted."""
    pickup = own_pickup(actor, pickup_id)
    if by_courier != actor.is_courier:
        raise NotPermitted
    return pickup


def zone_of(pickup: Pickup) -> str:
    """The zone of its address, which a courier's scope does not contain."""
    with scope(Scope.everything()):
        return pickup.address.city.time_zone


def answered(actor: Actor, now: datetime) -> dict[str, Any]:
    return {"answered_by_id": actor.user_id, "answered_at": now}


def settled(actor: Actor, now: datetime) -> dict[str, Any]:
    return {"settled_by_id": actor.user_id, "settled_at": now}


def change(pickup: Pickup, states: Collection[PickupState], condition: Q, values: dict[str, Any]) -> Pickup:
    """Change the request if it is in one of these states. Raises Conflict, with what it is by now."""
    rows = Pickup.objects.filter(condition, pk=pickup.pk, state__in=states)
    changed = rows.update(**values)
    current: Pickup = Pickup.objects.get(pk=pickup.pk)
    if changed:
        return current
    if current.state in states:
        message = _("This window has changed or is over. Read the request again.")
        raise Conflict(message, code="window_over")
    message = _("This request is no longer open: “%s”.") % current.get_state_display()
    raise Conflict(message, code=f"pickup_{current.state}")


def due_by_window(pickup: Pickup, now: datetime) -> None:
    """Make the end of the window, which was agreed on, the hour by which pickups are due."""
    due = dict.fromkeys(sorted(pickup.parcel_ids), pickup.ends_at)
    move_pickups(due=due, sooner=True, now=now)


def due_by_moved_window(pickup: Pickup, now: datetime) -> None:
    """Follow a window that was moved, sooner or later, but never later than promised at booking."""
    due = {pk: min(at, pickup.ends_at) for pk, at in _promised(pickup).items()}
    move_pickups(due=due, sooner=True, now=now)
    move_pickups(due=due, sooner=False, now=now)


def due_as_promised(pickup: Pickup, now: datetime) -> None:
    """Give the promise made at booking back; a request that was not agreed on has moved nothing."""
    move_pickups(due=_promised(pickup), sooner=False, now=now)


def _promised(pickup: Pickup) -> dict[int, datetime]:
    """Until when the pickup of the parcels that are still to come was promised at booking, in their order."""
    parcels = Parcel.objects.filter(pk__in=pickup.parcel_ids, status=ParcelStatus.BOOKED)
    return {pk: at for pk, at in sorted(parcels.values_list("pk", "pickup_by")) if at is not None}
