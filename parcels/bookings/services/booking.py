"""Book one parcel, or a batch of up to a thousand in a few statements."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.errors import AllianceError, CapacityFull, Conflict, FieldError, InvalidInput, NotPermitted
from alliance.models import City
from alliance.tenancy import Actor, require
from parcels.bookings.models import PickupAddress
from parcels.bookings.rules import BookingRequest, problems_of
from parcels.bookings.services.writing import Booked, distinct_ids, write_parcels
from parcels.choices import ParcelSource
from slas.offers.market import Lane, Market
from slas.offers.services.allocation import Group, Placement, Want, allocate
from slas.offers.services.capacity import Slot, places_left
from slas.promises.rules import LATER_DAYS


def book_parcel(
    *, actor: Actor, request: BookingRequest, at: datetime, source: ParcelSource = ParcelSource.API
) -> Booked:
    """Book one parcel. Raises what `book_parcels` returns: InvalidInput, CapacityFull or Conflict."""
    [result] = book_parcels(actor=actor, requests=[request], at=at, source=source)
    if isinstance(result, AllianceError):
        raise result
    return result


def book_parcels(
    *,
    actor: Actor,
    requests: Sequence[BookingRequest],
    at: datetime,
    requested_at: datetime | None = None,
    source: ParcelSource = ParcelSource.API,
) -> list[Booked | AllianceError]:
    """Book parcels for the acting merchant; return one result per request, in order; none affects another.

    A result is InvalidInput for an invalid request, CapacityFull if all days that the request accepts are
    full, Conflict if the expected promise is no longer valid. Runs in the merchant's scope; the caller makes
    retries safe (Idempotency-Key). `requested_at` is the time of the request if it was earlier: ready times
    are compared with it, so that none is refused because of the wait. Raises NotPermitted unless the actor
    is a merchant.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant or actor.organisation_id is None:
        raise NotPermitted(_("Only merchants can book parcels."))
    with transaction.atomic():
        addresses = _own_addresses(actor, requests)
        batch = _Batch(requests, at=at, requested_at=requested_at or at, addresses=addresses)
        batch.place(allocate(list(batch.wants.values())))
        booked = write_parcels(
            merchant_id=actor.organisation_id, booked=list(batch.booked.values()), at=at, source=source
        )
        batch.booked = dict(zip(batch.booked, booked, strict=True))
        _audit(actor, booked)
    return batch.answers()


def _audit(actor: Actor, booked: Sequence[Booked]) -> None:
    if booked:
        audit.record(
            actor=actor,
            verb="parcels.booked",
            object_type="parcel",
            object_id=booked[0].parcel_id,
            detail={"count": len(booked), "first": booked[0].number, "last": booked[-1].number},
        )


def _own_addresses(actor: Actor, requests: Sequence[BookingRequest]) -> dict[int, int]:
    """Return the merchant's pickup addresses of the requests, with their cities."""
    ids = {request.pickup_address_id for request in requests} - {None}
    if not ids:
        return {}
    addresses = PickupAddress.objects.visible_to(actor).filter(pk__in=ids)
    return dict(addresses.values_list("pk", "city_id"))


class _Batch:
    """A batch of requests, and their results."""

    def __init__(
        self,
        requests: Sequence[BookingRequest],
        *,
        at: datetime,
        requested_at: datetime,
        addresses: dict[int, int],
    ) -> None:
        self.requests = requests
        self.at = at
        self._requested_at = requested_at
        self.booked: dict[int, Booked] = {}
        self.refused: dict[int, AllianceError] = {}
        self.wants: dict[int, Want] = {}
        self._addresses = addresses
        self._groups: dict[tuple[Lane, str, datetime, str], Group] = {}
        self._explained: dict[tuple[int, int], str] = {}
        self._sound = [index for index in range(len(requests)) if self._is_sound(index)]
        self.market = Market({_cities(requests[index]) for index in self._sound}, at=at)
        for index in self._sound:
            self._want(index)

    def answers(self) -> list[Booked | AllianceError]:
        return [self.booked.get(index) or self.refused[index] for index in range(len(self.requests))]

    def place(self, placements: Sequence[Placement | None]) -> None:
        """Set the results from the allocation."""
        ids = iter(distinct_ids(len(placements), self.at))
        for (index, want), placement in zip(self.wants.items(), placements, strict=True):
            request, tier = self.requests[index], want.group.tier
            if placement is None:
                self.refused[index] = self._full(request, want)
                continue
            self.booked[index] = Booked(
                parcel_id=next(ids),
                request=request,
                tier=tier,
                offer=placement.offer,
                promise=placement.promise,
                fee_fen=placement.offer.price_fen + self.market.surcharge_fen(tier, request.weight_g),
                full_on=placement.full_on,
            )

    def _is_sound(self, index: int) -> bool:
        request = self.requests[index]
        errors = list(problems_of(request, at=self._requested_at))
        if request.pickup_address_id is not None:
            city_id = self._addresses.get(request.pickup_address_id)
            if city_id is None:
                errors.append(FieldError("/pickup_address", _("Unknown pickup address."), "unknown"))
            elif city_id != request.origin.pk:
                message = _("The pickup address is not in the origin city.")
                errors.append(FieldError("/pickup_address", message, "other_city"))
        if errors:
            self.refused[index] = InvalidInput(errors=errors)
        return not errors

    def _want(self, index: int) -> None:
        request = self.requests[index]
        try:
            group = self._group(request)
            # Raises for too heavy parcels before capacity is reserved.
            self.market.surcharge_fen(group.tier, request.weight_g)
            self.wants[index] = Want(group, _days(request, group))
        except AllianceError as refusal:
            self.refused[index] = refusal

    def _group(self, request: BookingRequest) -> Group:
        lane = Lane(request.origin.pk, request.destination.pk)
        key = (lane, request.tier, request.ready_at, request.courier)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._new_group(request, lane)
        return group

    def _new_group(self, request: BookingRequest, lane: Lane) -> Group:
        tier = self.market.tier(request.tier)
        offers = self.market.offers(lane, tier, courier=request.courier)
        # Raises with the reason if there is no day at all.
        self.market.day(lane, tier, request.ready_at)
        return Group(self.market, lane, tier, request.ready_at, offers)

    def _full(self, request: BookingRequest, want: Want) -> CapacityFull:
        # Explained once for all bookings alike: a full sales day refuses them by the hundred.
        key = (id(want.group), want.days.start)
        if key not in self._explained:
            self._explained[key] = self._why_full(request, want)
        detail = self._explained[key]
        pointer = "/courier" if request.courier else ""
        return CapacityFull(detail, errors=[FieldError(pointer, detail, "capacity_full")])

    def _why_full(self, request: BookingRequest, want: Want) -> str:
        """Say which day is full and what comes instead: the next courier, then the next day."""
        promise = want.group.day(want.days.start)
        day = promise.effective_date.isoformat() if promise else ""
        who = want.group.offers[0].courier_name if request.courier else _("Every courier")
        full = _("%(who)s is full for pickup on %(day)s.") % {"who": who, "day": day}
        return f"{full} {self._what_instead(want.group, want.days.start)}"

    def _what_instead(self, group: Group, first: int) -> str:
        everybody = replace(group, offers=self.market.offers(group.lane, group.tier))
        days = range(first, LATER_DAYS + 1)
        left = places_left(slot for later in days for slot in everybody.slots(later))
        for promise in filter(None, map(everybody.day, days)):
            for offer in everybody.offers:
                if left.get(Slot(offer.offer_id, promise.effective_date), 0) > 0:
                    return _("Next: %(courier)s on %(day)s, delivered by %(deliver_by)s.") % {
                        "courier": offer.courier_name,
                        "day": promise.effective_date.isoformat(),
                        "deliver_by": promise.deliver_by.isoformat(),
                    }
        return _("The following days are full as well.")


def _cities(request: BookingRequest) -> tuple[City, City]:
    return request.origin, request.destination


def _days(request: BookingRequest, group: Group) -> range:
    """Return which days the request would take: all, or the one it is pinned to."""
    if request.expected_deliver_by is None:
        return range(1 if request.is_pinned else LATER_DAYS + 1)
    if days := group.days_delivering(request.expected_deliver_by):
        return days
    raise _promise_changed(group)


def _promise_changed(group: Group) -> Conflict:
    promise = group.day(0)
    now = promise.deliver_by.isoformat() if promise else ""
    detail = _("The promise you expect is no longer available. It is now: delivered by %s.") % now
    return Conflict(
        detail,
        code="promise_changed",
        errors=[FieldError("/expected_deliver_by", now, "promise_changed")],
    )
