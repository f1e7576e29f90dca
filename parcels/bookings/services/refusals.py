"""Why a booking was refused: no capacity, or what was agreed no longer holds; and what can be booked now."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from django.utils.translation import gettext as _

from alliance.errors import AllianceError, CapacityFull, Conflict, FieldError
from alliance.wording import money_text, sentences
from parcels.bookings.rules import BookingRequest
from slas.offers.market import OnSale
from slas.offers.services.capacity import Slot, places_left
from slas.offers.services.placement import Expected, Group, Placement, Want
from slas.promises.prices import CURRENCY, yuan
from slas.promises.rules import LATER_DAYS, Promise
from slas.promises.texts import day_text, moment_text


class Available(NamedTuple):
    """What can be booked now instead."""

    group: Group
    offer: OnSale
    promise: Promise
    fee_fen: int

    def json(self) -> dict[str, Any]:
        """For programs: sent back as `courier` and `expected_...`, these values book it."""
        deliver_by = self.promise.deliver_by.isoformat()
        return {
            "courier": self.offer.courier,
            "courier_name": self.offer.courier_name,
            "tier": self.group.tier.code.value,
            "price": yuan(self.fee_fen),
            "currency": CURRENCY,
            "promise": {
                "original": deliver_by,
                "current": deliver_by,
                "pickup_date": self.promise.effective_date.isoformat(),
                "pickup_by": self.promise.pickup_by.isoformat(),
            },
        }


class OrderRefused(Conflict):
    """A parcel that was not refused itself, but another one of its order."""

    code = "order_refused"

    @classmethod
    def because_of(cls, request: BookingRequest) -> "OrderRefused":
        message = _("Parcel %(n)d of %(m)d of this order was refused, so none of them was booked.")
        params = {"n": request.piece, "m": request.pieces}
        return cls(message % params, errors=[FieldError("", message % params, cls.code)])


def order_refusal(results: Sequence[object], *, is_listed: bool) -> AllianceError | None:
    """Return why an order was refused, from the results of its parcels; None if it was not.

    With `is_listed`, what is wrong with one parcel points to its place: `/pieces/0/weight_g`.
    """
    refusals = {
        place: result
        for place, result in enumerate(results)
        if isinstance(result, AllianceError) and not isinstance(result, OrderRefused)
    }
    if not refusals:
        return None
    refusal = next(iter(refusals.values()))
    if is_listed:
        errors = [_at_piece(error, place) for place, each in refusals.items() for error in each.errors]
        refusal.errors = list(dict.fromkeys(errors))
    return refusal


def _at_piece(error: FieldError, place: int) -> FieldError:
    if error.pointer not in _OF_A_PIECE:
        return error
    return FieldError(f"/pieces/{place}{error.pointer}", error.message, error.code)


# What the parcels of an order may differ in.
_OF_A_PIECE: Final = frozenset({"/weight_g", "/expected_price", "/declared_value"})


class Refusals:
    """The refusals of one batch.

    Bookings alike are explained once: a full day refuses them by the hundred.
    """

    def __init__(self) -> None:
        self._full: dict[tuple[int, int], tuple[str, Available | None]] = {}

    def changed(self, request: BookingRequest, want: Want, placement: Placement) -> Conflict:
        """Return the refusal of a booking that would get other than it expects."""
        if _is_agreed_day_full(want, placement):
            return self.full(request, want)
        surcharge_fen = want.group.market.surcharge_fen(want.group.tier, request.weight_g)
        offer, promise = placement.offer, placement.promise
        now = Available(want.group, offer, promise, offer.price_fen + surcharge_fen)
        errors = list(_changes(request, now))
        code = "price_changed" if errors[0].pointer == "/expected_price" else "promise_changed"
        detail = sentences(*(error.message for error in errors))
        return Conflict(detail, code=code, errors=errors, members={"available": now.json()})

    def full(self, request: BookingRequest, want: Want) -> CapacityFull:
        """Return the refusal of a booking for which every day that it accepts is full."""
        key = (id(want.group), want.places)
        if key not in self._full:
            self._full[key] = _why_full(request, want)
        detail, instead = self._full[key]
        if instead is not None:
            surcharge_fen = want.group.market.surcharge_fen(want.group.tier, request.weight_g)
            instead = instead._replace(fee_fen=instead.offer.price_fen + surcharge_fen)
        error = FieldError("/courier" if request.courier else "", detail, "capacity_full")
        return CapacityFull(detail, errors=[error], members={"available": instead and instead.json()})


def _is_agreed_day_full(want: Want, placement: Placement) -> bool:
    """Whether the agreed promise is still made, and there is no room on its day."""
    agreed = want.expected._replace(price_fen=None)
    if agreed == Expected():
        return False
    earlier = filter(None, map(want.group.day, range(len(placement.full_on))))
    return any(agreed.is_met_by(placement.offer, promise) for promise in earlier)


def _changes(request: BookingRequest, now: Available) -> Sequence[FieldError]:
    """Return what is no longer as expected, the promise first."""
    changes: list[FieldError] = []
    for name, expected, value, text in (
        (
            "deliver_by",
            request.expected_deliver_by,
            now.promise.deliver_by,
            _("The promise has changed: it is now delivered by %s."),
        ),
        (
            "pickup_by",
            request.expected_pickup_by,
            now.promise.pickup_by,
            _("The pickup has changed: it is now picked up by %s."),
        ),
    ):
        if expected not in {None, value}:
            message = text % moment_text(value)
            changes.append(FieldError(f"/expected_{name}", message, "promise_changed"))
    if request.expected_price_fen not in {None, now.fee_fen}:
        message = _("The price has changed: it is now %s.") % money_text(yuan(now.fee_fen))
        changes.append(FieldError("/expected_price", message, "price_changed"))
    return changes


def _why_full(request: BookingRequest, want: Want) -> tuple[str, Available | None]:
    """Say which day is full and what comes instead: the next courier, then the next day."""
    group = want.group
    promise = group.day(0)
    who = group.offers[0].courier_name if request.courier else _("Every courier")
    params = {"who": who, "day": day_text(promise.effective_date if promise else None), "n": want.places}
    full = _("%(who)s is full for pickup on %(day)s.") % params
    if want.places > 1:
        full = _("%(who)s has no room for the %(n)d parcels of this order on %(day)s.") % params
    instead = _next(group, request, want.places)
    if instead is None:
        return sentences(full, _("The following days are full as well.")), None
    next_params = {
        "courier": instead.offer.courier_name,
        "day": day_text(instead.promise.effective_date),
        "deliver_by": moment_text(instead.promise.deliver_by),
    }
    text = _("Next: %(courier)s on %(day)s, delivered by %(deliver_by)s.")
    return sentences(full, text % next_params), instead


def _next(group: Group, request: BookingRequest, places: int) -> Available | None:
    # Of a booking that names its courier, the others that the merchant's rules leave: at least that one.
    offers = group.market.choose(group.lane, group.tier, request.sent).offers
    everybody = replace(group, offers=offers)
    days = range(LATER_DAYS + 1)
    left = places_left(slot for later in days for slot in everybody.slots(later))
    for promise in filter(None, map(everybody.day, days)):
        for offer in everybody.offers:
            if left.get(Slot(offer.offer_id, promise.effective_date), 0) >= places:
                return Available(group, offer, promise, offer.price_fen)
    return None
