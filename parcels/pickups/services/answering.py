"""Accept, decline or cancel a pickup request."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from alliance.errors import FieldError, InvalidInput
from alliance.events import Topic
from alliance.tenancy import Actor
from parcels.choices import PickupState
from parcels.pickups.models import Pickup
from parcels.pickups.services.changing import (
    answered,
    change,
    due_as_promised,
    due_by_window,
    pickup_for,
    settled,
)
from parcels.pickups.services.requesting import note_problems, record


def accept_pickup(*, actor: Actor, pickup_id: int, now: datetime) -> Pickup:
    """Take the window that the merchant asked for: from now on it is the hour until which pickup is due.

    For the courier. Accepting again changes nothing. Raises NotFound, and Conflict once it is answered
    otherwise or the window is over.
    """
    pickup = pickup_for(actor, pickup_id, by_courier=True)
    if pickup.state == PickupState.ACCEPTED:
        return pickup
    with transaction.atomic(savepoint=False):
        values = {"state": PickupState.ACCEPTED, **answered(actor, now)}
        pickup = change(pickup, [PickupState.REQUESTED], Q(ends_at__gt=now), values)
        due_by_window(pickup, now)
        record(actor, pickup, Topic.PICKUP_ACCEPTED, verb="pickup.accepted", at=now)
    return pickup


def decline_pickup(*, actor: Actor, pickup_id: int, answer: str, now: datetime) -> Pickup:
    """Refuse to come, and say why: the parcels keep their promise, and can be requested again.

    For the courier. Declining again changes nothing. Raises NotFound, InvalidInput without a reason, and
    Conflict once it is agreed on or cancelled.
    """
    pickup = pickup_for(actor, pickup_id, by_courier=True)
    if pickup.state == PickupState.DECLINED:
        return pickup
    errors = note_problems("/note", answer)
    if not answer.strip():
        errors = [FieldError("/note", _("Say why: the merchant reads it."), "required")]
    if errors:
        raise InvalidInput(errors=errors)
    values = {"state": PickupState.DECLINED, "answer": answer, **answered(actor, now)}
    with transaction.atomic(savepoint=False):
        pickup = change(pickup, [PickupState.REQUESTED, PickupState.PROPOSED], Q(), values)
        record(actor, pickup, Topic.PICKUP_DECLINED, verb="pickup.declined", at=now)
    return pickup


def cancel_pickup(*, actor: Actor, pickup_id: int, now: datetime) -> Pickup:
    """Take a request back, agreed or not, until its window is over: its parcels are promised as before.

    For the merchant. Cancelling again changes nothing. Raises NotFound, and Conflict once it is declined or
    the agreed window is over: what was missed stays missed.
    """
    pickup = pickup_for(actor, pickup_id, by_courier=False)
    if pickup.state == PickupState.CANCELLED:
        return pickup
    was_agreed = Q(state=PickupState.ACCEPTED)
    values = {"state": PickupState.CANCELLED, **settled(actor, now)}
    states = [PickupState.REQUESTED, PickupState.PROPOSED, PickupState.ACCEPTED]
    with transaction.atomic(savepoint=False):
        pickup = change(pickup, states, ~was_agreed | Q(ends_at__gt=now), values)
        due_as_promised(pickup, now)
        record(actor, pickup, Topic.PICKUP_CANCELLED, verb="pickup.cancelled", at=now)
    return pickup
