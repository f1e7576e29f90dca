"""Propose another window, agree to it, or keep the one that was agreed on.

A courier proposes instead of accepting. Once a window is agreed on either side may ask to move it: the agreed
one stands until the other side agrees.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from alliance.choices import OrganisationKind
from alliance.errors import Conflict, FieldError, InvalidInput
from alliance.events import Topic
from alliance.tenancy import Actor
from parcels.bookings.models import Parcel
from parcels.choices import ParcelStatus, PickupState
from parcels.pickups.models import Pickup
from parcels.pickups.rules import Misfit, Window, hour_text, misfit_of, window_problems
from parcels.pickups.services.changing import (
    answered,
    change,
    due_by_moved_window,
    due_by_window,
    own_pickup,
    settled,
    zone_of,
)
from parcels.pickups.services.requesting import note_problems, record

_NO_MOVE: dict[str, Any] = {
    "proposed_starts_at": None, "proposed_ends_at": None, "move_asked_by": "", "move_note": "",
}  # fmt: skip


def propose_window(
    *, actor: Actor, pickup_id: int, starts_at: datetime, ends_at: datetime, answer: str, now: datetime
) -> Pickup:
    """Offer another window: the other side agrees to it or not. A later proposal replaces it.

    For the courier, and for either side once a window is agreed on. A merchant's window has to suit the
    promises of its parcels; the courier's may end after the promised pickup, which stays as it is. Raises
    NotFound, InvalidInput for an impossible window, Conflict once the request is answered otherwise.
    """
    pickup = own_pickup(actor, pickup_id)
    is_move = pickup.state == PickupState.ACCEPTED
    if not is_move and actor.is_merchant:
        message = _("Ask for another window once one is agreed on, or cancel this request.")
        raise Conflict(message, code="not_agreed")
    window = Window(starts_at, ends_at, zone_of(pickup))
    errors = [*window_problems(window, now=now), *note_problems("/note", answer)]
    if not errors:
        errors = [*_misfits(actor, pickup, window, now)]
    if errors:
        raise InvalidInput(errors=errors)
    if is_move and _is_waiting(pickup, _side(actor), starts_at, ends_at):
        return pickup
    values: dict[str, Any] = {"proposed_starts_at": starts_at, "proposed_ends_at": ends_at}
    values |= answered(actor, now) if actor.is_courier else {}
    if is_move:
        values |= {"move_asked_by": _side(actor), "move_note": answer}
        states, condition = [PickupState.ACCEPTED], Q(ends_at__gt=now)
    else:
        values |= {"state": PickupState.PROPOSED, "answer": answer}
        states = [PickupState.REQUESTED, PickupState.PROPOSED]
        # Its own proposal may be replaced after its hour; what was never answered in time is over.
        condition = Q(state=PickupState.PROPOSED) | Q(ends_at__gt=now)
    with transaction.atomic(savepoint=False):
        pickup = change(pickup, states, condition, values)
        record(actor, pickup, Topic.PICKUP_PROPOSED, verb="pickup.proposed", at=now)
    return pickup


def agree_to_window(
    *, actor: Actor, pickup_id: int, starts_at: datetime, ends_at: datetime, now: datetime
) -> Pickup:
    """Take the window that the other side proposed, which is named: it may have changed meanwhile.

    Agreeing again changes nothing. Raises NotFound, and Conflict if this is not the window proposed, it is
    one's own, or one of the two windows is over.
    """
    pickup = own_pickup(actor, pickup_id)
    is_move = pickup.state == PickupState.ACCEPTED
    if is_move and (pickup.starts_at, pickup.ends_at) == (starts_at, ends_at):
        return pickup
    if not is_move and not actor.is_merchant and pickup.state != PickupState.PROPOSED:
        raise Conflict(_("Nobody has proposed another window."), code="not_proposed")
    if pickup.proposed_by == _side(actor):
        raise Conflict(_("You proposed this window: the other side agrees to it."), code="own_proposal")
    values: dict[str, Any] = {
        "state": PickupState.ACCEPTED,
        "starts_at": F("proposed_starts_at"),
        "ends_at": F("proposed_ends_at"),
        "day": Window(starts_at, ends_at, zone_of(pickup)).day,
        **(settled(actor, now) if actor.is_merchant else answered(actor, now)),
        **(_NO_MOVE if is_move else {}),
    }
    seen = Q(proposed_starts_at=starts_at, proposed_ends_at=ends_at, proposed_ends_at__gt=now)
    if is_move:
        seen &= Q(move_asked_by=_other_side(actor), ends_at__gt=now)
    with transaction.atomic(savepoint=False):
        pickup = change(pickup, [PickupState.ACCEPTED if is_move else PickupState.PROPOSED], seen, values)
        (due_by_moved_window if is_move else due_by_window)(pickup, now)
        record(actor, pickup, Topic.PICKUP_ACCEPTED, verb="pickup.agreed", at=now)
    return pickup


def keep_window(
    *, actor: Actor, pickup_id: int, starts_at: datetime, ends_at: datetime, now: datetime
) -> Pickup:
    """Leave an agreed window as it is: take the own proposal back, or refuse the other side's. It is named.

    Again, it changes nothing. Raises NotFound, and Conflict if another window is proposed by now, or none is
    agreed on.
    """
    pickup = own_pickup(actor, pickup_id)
    if pickup.state == PickupState.ACCEPTED and not pickup.move_asked_by:
        return pickup
    if pickup.state in {PickupState.REQUESTED, PickupState.PROPOSED}:
        raise Conflict(_("No window is agreed on yet."), code="not_agreed")
    seen = Q(proposed_starts_at=starts_at, proposed_ends_at=ends_at) & ~Q(move_asked_by="")
    with transaction.atomic(savepoint=False):
        pickup = change(pickup, [PickupState.ACCEPTED], seen, _NO_MOVE)
        record(actor, pickup, Topic.PICKUP_KEPT, verb="pickup.kept", at=now)
    return pickup


def _side(actor: Actor) -> str:
    return OrganisationKind.COURIER.value if actor.is_courier else OrganisationKind.MERCHANT.value


def _other_side(actor: Actor) -> str:
    return OrganisationKind.MERCHANT.value if actor.is_courier else OrganisationKind.COURIER.value


def _is_waiting(pickup: Pickup, side: str, starts_at: datetime, ends_at: datetime) -> bool:
    """Whether this very window waits for an answer by the other side."""
    waiting = (pickup.move_asked_by, pickup.proposed_starts_at, pickup.proposed_ends_at)
    return waiting == (side, starts_at, ends_at)


def _misfits(actor: Actor, pickup: Pickup, window: Window, now: datetime) -> Iterator[FieldError]:
    """Yield why a window, which is possible by itself, is not proposed for this request."""
    if (window.starts_at, window.ends_at) == (pickup.starts_at, pickup.ends_at):
        message = _("This is the window that was asked for: accept it.")
        if pickup.state == PickupState.ACCEPTED:
            message = _("This is the window that is agreed on.")
        yield FieldError("/starts_at", message, "same")
    elif _is_waiting(pickup, _other_side(actor), window.starts_at, window.ends_at):
        yield FieldError("/starts_at", _("The other side proposes this window: agree to it."), "same")
    elif actor.is_merchant:
        # Else the merchant's own wish would make the courier late.
        parcels = Parcel.objects.filter(pk__in=pickup.parcel_ids, status=ParcelStatus.BOOKED)
        hours = [*parcels.values_list("ready_at", "pickup_by")]
        misfits = [misfit_of(ready_at, by, window, now=now) for ready_at, by in hours]
        # The last of the hours at which they are ready, and the first of those that are promised.
        for pointer, pick in (("/starts_at", max), ("/ends_at", min)):
            found = [each for each in misfits if each is not None and each.pointer == pointer]
            if found:
                worst = pick(found, key=lambda each: each.hour)
                yield FieldError(pointer, _text(worst, window), worst.code)


def _text(misfit: Misfit, window: Window) -> str:
    params = {"at": hour_text(misfit.hour, window)}
    if misfit.code == "not_ready":
        return _("Not all parcels are ready before %(at)s: begin the window then.") % params
    return _("The pickup of some parcels is promised by %(at)s: end the window by then.") % params
