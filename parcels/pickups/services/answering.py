"""Answer a pickup request: accept, propose another window, decline; agree or cancel.

Each is one guarded UPDATE: of two who answer at once, the second one is told what the first one answered.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from alliance.choices import Capability
from alliance.errors import Conflict, FieldError, InvalidInput, NotFound, NotPermitted
from alliance.events import Topic
from alliance.tenancy import Actor, Scope, require, scope
from parcels.bookings.models import Parcel
from parcels.choices import ParcelStatus, PickupState
from parcels.pickups.models import Pickup
from parcels.pickups.rules import Window, window_problems
from parcels.pickups.services.requesting import note_problems, record
from slas.commitments.services.settling import move_pickups


def accept_pickup(*, actor: Actor, pickup_id: int, now: datetime) -> Pickup:
    """Take the window that the merchant asked for: from now on it is the hour until which pickup is due.

    For the courier. Accepting again changes nothing. Raises NotFound, and Conflict once it is answered
    otherwise or the window is over.
    """
    pickup = _own(actor, pickup_id, by_courier=True)
    if pickup.state == PickupState.ACCEPTED:
        return pickup
    with transaction.atomic(savepoint=False):
        values = {"state": PickupState.ACCEPTED, **_answered(actor, now)}
        pickup = _change(pickup, [PickupState.REQUESTED], Q(ends_at__gt=now), values)
        _bring_forward(pickup, now)
        record(actor, pickup, Topic.PICKUP_ACCEPTED, verb="pickup.accepted", at=now)
    return pickup


def propose_window(
    *, actor: Actor, pickup_id: int, starts_at: datetime, ends_at: datetime, answer: str, now: datetime
) -> Pickup:
    """Offer another window: the merchant agrees to it or cancels. A later proposal replaces it.

    For the courier. It may end after the promised pickup: the promise stays as it is, and the merchant is
    told. Raises NotFound, InvalidInput for an impossible window, Conflict once it is answered otherwise.
    """
    pickup = _own(actor, pickup_id, by_courier=True)
    window = Window(starts_at, ends_at, zone_of(pickup))
    errors = [*window_problems(window, now=now), *note_problems("/note", answer)]
    if not errors and (starts_at, ends_at) == (pickup.starts_at, pickup.ends_at):
        message = _("This is the window that was asked for: accept it.")
        errors = [FieldError("/start", message, "same")]
    if errors:
        raise InvalidInput(errors=errors)
    values = {
        "state": PickupState.PROPOSED,
        "proposed_starts_at": starts_at,
        "proposed_ends_at": ends_at,
        "answer": answer,
        **_answered(actor, now),
    }
    with transaction.atomic(savepoint=False):
        # Its own proposal may be replaced after its hour; what was never answered in time is over.
        states, over = [PickupState.REQUESTED, PickupState.PROPOSED], Q(state=PickupState.REQUESTED)
        pickup = _change(pickup, states, ~over | Q(ends_at__gt=now), values)
        record(actor, pickup, Topic.PICKUP_PROPOSED, verb="pickup.proposed", at=now)
    return pickup


def decline_pickup(*, actor: Actor, pickup_id: int, answer: str, now: datetime) -> Pickup:
    """Refuse to come, and say why: the parcels keep their promise, and can be requested again.

    For the courier. Declining again changes nothing. Raises NotFound, InvalidInput without a reason, and
    Conflict once it is agreed on or cancelled.
    """
    pickup = _own(actor, pickup_id, by_courier=True)
    if pickup.state == PickupState.DECLINED:
        return pickup
    errors = note_problems("/note", answer)
    if not answer.strip():
        errors = [FieldError("/note", _("Say why: the merchant reads it."), "required")]
    if errors:
        raise InvalidInput(errors=errors)
    values = {"state": PickupState.DECLINED, "answer": answer, **_answered(actor, now)}
    with transaction.atomic(savepoint=False):
        pickup = _change(pickup, [PickupState.REQUESTED, PickupState.PROPOSED], Q(), values)
        record(actor, pickup, Topic.PICKUP_DECLINED, verb="pickup.declined", at=now)
    return pickup


def agree_to_window(
    *, actor: Actor, pickup_id: int, starts_at: datetime, ends_at: datetime, now: datetime
) -> Pickup:
    """Take the window that the courier proposed, which is named: it may have changed meanwhile.

    For the merchant. Agreeing again changes nothing. Raises NotFound, and Conflict if this is not the window
    proposed, or it is over.
    """
    pickup = _own(actor, pickup_id, by_courier=False)
    if pickup.state == PickupState.ACCEPTED and (pickup.starts_at, pickup.ends_at) == (starts_at, ends_at):
        return pickup
    window = Window(starts_at, ends_at, zone_of(pickup))
    values = {
        "state": PickupState.ACCEPTED,
        "starts_at": F("proposed_starts_at"),
        "ends_at": F("proposed_ends_at"),
        "day": window.day,
        "settled_by_id": actor.user_id,
        "settled_at": now,
    }
    with transaction.atomic(savepoint=False):
        seen = Q(proposed_starts_at=starts_at, proposed_ends_at=ends_at, proposed_ends_at__gt=now)
        pickup = _change(pickup, [PickupState.PROPOSED], seen, values)
        _bring_forward(pickup, now)
        record(actor, pickup, Topic.PICKUP_ACCEPTED, verb="pickup.agreed", at=now)
    return pickup


def cancel_pickup(*, actor: Actor, pickup_id: int, now: datetime) -> Pickup:
    """Take a request back, agreed or not, until its window is over: its parcels are promised as before.

    For the merchant. Cancelling again changes nothing. Raises NotFound, and Conflict once it is declined or
    the agreed window is over: what was missed stays missed.
    """
    pickup = _own(actor, pickup_id, by_courier=False)
    if pickup.state == PickupState.CANCELLED:
        return pickup
    was_agreed = Q(state=PickupState.ACCEPTED)
    values = {"state": PickupState.CANCELLED, "settled_by_id": actor.user_id, "settled_at": now}
    states = [PickupState.REQUESTED, PickupState.PROPOSED, PickupState.ACCEPTED]
    with transaction.atomic(savepoint=False):
        pickup = _change(pickup, states, ~was_agreed | Q(ends_at__gt=now), values)
        _move_back(pickup, now)
        record(actor, pickup, Topic.PICKUP_CANCELLED, verb="pickup.cancelled", at=now)
    return pickup


def zone_of(pickup: Pickup) -> str:
    """The zone of its address, which a courier's scope does not contain."""
    with scope(Scope.everything()):
        return pickup.address.city.time_zone


def _own(actor: Actor, pickup_id: int, *, by_courier: bool) -> Pickup:
    """Return a request of the actor's. Raises NotPermitted if it is the other side's turn, and NotFound."""
    require(actor, Capability.VIEW_PARCELS)
    pickup: Pickup | None = Pickup.objects.visible_to(actor).filter(pk=pickup_id).first()
    if pickup is None:
        raise NotFound
    if by_courier != actor.is_courier or not (actor.is_courier or actor.is_merchant):
        raise NotPermitted
    require(actor, Capability.SEND_SCANS if by_courier else Capability.BOOK_PARCELS)
    return pickup


def _answered(actor: Actor, now: datetime) -> dict[str, Any]:
    return {"answered_by_id": actor.user_id, "answered_at": now}


def _change(pickup: Pickup, states: Collection[PickupState], condition: Q, values: dict[str, Any]) -> Pickup:
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


def _bring_forward(pickup: Pickup, now: datetime) -> None:
    due = dict.fromkeys(sorted(pickup.parcel_ids), pickup.ends_at)
    move_pickups(due=due, sooner=True, now=now)


def _move_back(pickup: Pickup, now: datetime) -> None:
    # The promise made at booking is the parcel's own; a request that was not agreed on has moved nothing.
    parcels = Parcel.objects.filter(pk__in=pickup.parcel_ids, status=ParcelStatus.BOOKED)
    due = {pk: at for pk, at in parcels.values_list("pk", "pickup_by") if at is not None}
    move_pickups(due=dict(sorted(due.items())), sooner=False, now=now)
