"""Book one parcel, or a batch of up to a thousand in a few statements."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from alliance import audit
from alliance.choices import Capability
from alliance.database.together import commit_together
from alliance.errors import AllianceError, InvalidInput, NotPermitted
from alliance.models import City
from alliance.sandboxes import is_sandbox, live_of
from alliance.tenancy import Actor, require
from alliance.test_mode import as_live
from parcels.bookings.models import PickupAddress
from parcels.bookings.rules import BookingRequest, orders_of, pickup_problems, problems_of
from parcels.bookings.services.limits import Opening, no_room
from parcels.bookings.services.refusals import OrderRefused, Refusals, order_refusal
from parcels.bookings.services.writing import Booked, draw_ids, draw_pieces, write_parcels
from parcels.choices import ParcelSource
from parcels.stories.rules import promise_of, story_of
from parcels.stories.services import begin_stories
from slas.allocation.rules import Decision
from slas.offers.market import Lane, Market, OnSale, Reader
from slas.offers.services.capacity import Taken
from slas.offers.services.placement import Expected, Group, Placement, Want, allocate, first_choice
from slas.promises.checks import READY_GRACE, ready_problems
from slas.promises.rules import LATER_DAYS
from slas.promises.tiers_in_force import TierInForce

# Of a parcel that is said to cost less than its surcharge, the offer would cost less than nothing, too.
_NO_PRICE = -(2**31)


def book_parcel(
    *, actor: Actor, request: BookingRequest, at: datetime, source: ParcelSource = ParcelSource.API
) -> Booked:
    """Book one parcel. Raises what `book_parcels` returns: InvalidInput, CapacityFull or Conflict."""
    [result] = book_order(actor=actor, requests=[request], at=at, source=source, is_listed=False)
    return result


def book_order(
    *,
    actor: Actor,
    requests: Sequence[BookingRequest],
    at: datetime,
    source: ParcelSource = ParcelSource.API,
    is_listed: bool = True,
) -> list[Booked]:
    """Book all parcels of one order, or none. Raises what `book_parcels` returns, of the first refused.

    With `is_listed`, an error of one of its parcels points to it: `/pieces/0/weight_g`.
    """
    results = book_parcels(actor=actor, requests=requests, at=at, source=source)
    if refusal := order_refusal(results, is_listed=is_listed):
        raise refusal
    return [result for result in results if isinstance(result, Booked)]


def book_parcels(
    *,
    actor: Actor,
    requests: Sequence[BookingRequest],
    at: datetime,
    requested_at: datetime | None = None,
    source: ParcelSource = ParcelSource.API,
) -> list[Booked | AllianceError]:
    """Book parcels for the acting merchant; return one result per request, in order; none affects another.

    The parcels of one order (`piece` of `pieces`) are booked together: with one courier, one promise, each at
    its own fee; or none of them, and those that were not refused themselves are OrderRefused.

    A result is InvalidInput for an invalid request, CapacityFull if all days that the request accepts are
    full, Conflict if what it expects (promise, price) is not what a quote would offer now, TooMany beyond
    the limit of a new merchant. Runs in the merchant's scope; the caller makes retries safe
    (Idempotency-Key). `requested_at` is the time of the request if it was earlier: ready times are compared
    with it, so that none is refused because of the wait.
    Raises NotPermitted unless the actor is an active merchant, and Conflict while others take all places: the
    caller's transaction has to be rolled back then.
    """
    require(actor, Capability.BOOK_PARCELS)
    if not actor.is_merchant or actor.organisation_id is None:
        raise NotPermitted(_("Only merchants can book parcels."))
    # Without a savepoint: on a cluster its release would be a message to each worker.
    with transaction.atomic(savepoint=False):
        opening, addresses = Opening(actor.organisation_id), _own_addresses(actor, requests)
        with as_live(actor):
            batch = _Batch(
                requests,
                at=at,
                requested_at=requested_at or at,
                addresses=addresses,
                merchant_id=live_of(actor.organisation_id),
                read=opening.read_market,
            )
        wanted = sum(want.places for want in batch.wants.values())
        batch.keep_within(opening.room(at=at, wanted=wanted))
        _book(batch, merchant_id=actor.organisation_id, source=source)
        _audit(actor, list(batch.booked.values()))
    return batch.answers()


def _book(batch: "_Batch", *, merchant_id: int, source: ParcelSource) -> None:
    """Reserve capacity and write the parcels."""
    wants = list(batch.wants.values())
    # Before it waits for a place: whoever waits without having said so is one and the same to a cluster's
    # detector of deadlocks, which takes two of them in a queue for a deadlock.
    commit_together()
    write = partial(write_parcels, merchant_id=merchant_id, at=batch.at, source=source)
    if is_sandbox(merchant_id):
        _book_tests(batch, wants, write, merchant_id)
        return
    try:
        placements, reserving = first_choice(wants)
        batch.place(placements)
        booked = write(booked=list(batch.booked.values()), reserving=reserving)
    except Taken:
        batch.place(allocate(wants))
        booked = write(booked=list(batch.booked.values()))
    batch.booked = dict(zip(batch.booked, booked, strict=True))


def _book_tests(
    batch: "_Batch", wants: Sequence[Want], write: Callable[..., list[Booked]], merchant_id: int
) -> None:
    """Write test parcels with the couriers and promises that live ones would get now, and begin stories."""
    # Looks for room, and takes none: see slas.offers.services.capacity.
    batch.place(allocate(wants))
    booked = write(booked=[_in_its_story(item, batch.at) for item in batch.booked.values()])
    references = ((item.parcel_id, item.request.reference) for item in booked)
    begin_stories(sandbox_id=merchant_id, references=references, at=batch.at)
    batch.booked = dict(zip(batch.booked, booked, strict=True))


def _in_its_story(item: Booked, at: datetime) -> Booked:
    promised = promise_of(story_of(item.request.reference), at)
    if promised is None:
        return item
    promise = item.promise
    pickup_by, deliver_by = (
        moment.astimezone(usual.tzinfo)
        for moment, usual in zip(promised, (promise.pickup_by, promise.deliver_by), strict=True)
    )
    return replace(item, promise=replace(promise, pickup_by=pickup_by, deliver_by=deliver_by))


def _audit(actor: Actor, booked: Sequence[Booked]) -> None:
    if booked:
        audit.record(
            actor=actor,
            verb="parcels.booked",
            object_type="parcel",
            object_id=booked[0].parcel_id,
            detail={
                "count": len(booked),
                "first": booked[0].number,
                "last": booked[-1].number,
                **_by_rule(booked),
            },
        )


def _by_rule(booked: Sequence[Booked]) -> dict[str, list[dict[str, object]]]:
    """Return which rules of the merchant's decided, and of which parcels; nothing if none did."""
    numbers: dict[tuple[int, str], list[str]] = {}
    for item in booked:
        if item.rule is not None:
            numbers.setdefault((item.rule.id, item.rule.name), []).append(item.number)
    rules = [{"id": pk, "name": name, "parcels": parcels} for (pk, name), parcels in numbers.items()]
    return {"rules": rules} if rules else {}


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
        merchant_id: int,
        read: Reader,
    ) -> None:
        # What was ready earlier today is ready now: no promise is counted from before the booking.
        self.requests = [
            replace(request, ready_at=at) if _is_early(request.ready_at, requested_at) else request
            for request in requests
        ]
        self.at = at
        self._requested_at = requested_at
        self.booked: dict[int, Booked] = {}
        self.refused: dict[int, AllianceError] = {}
        # By their orders: a parcel alone is an order of one.
        self.wants: dict[range, Want] = {}
        self._addresses = addresses
        self._groups: dict[tuple[Lane, str, datetime, tuple[int, ...]], Group] = {}
        self._decisions: dict[range, Decision[OnSale]] = {}
        self._alike: dict[tuple[Lane, int, str], Decision[OnSale]] = {}
        self._refusals = Refusals()
        sound = [order for order in orders_of(self.requests) if self._is_sound(order)]
        lanes = {_cities(self.requests[order.start]) for order in sound}
        self.market = Market(lanes, at=at, merchant_id=merchant_id, read=read)
        for order in sound:
            self._want(order)

    def answers(self) -> list[Booked | AllianceError]:
        return [self.booked.get(index) or self.refused[index] for index in range(len(self.requests))]

    def keep_within(self, room: int | None) -> None:
        """Refuse what is beyond the limit of a new merchant, in order."""
        if room is not None:
            for order, want in list(self.wants.items()):
                room -= want.places
                if room < 0:
                    del self.wants[order]
                    self._refuse(order, {order.start: no_room()})

    def place(self, placements: Sequence[Placement | None]) -> None:
        """Set the results from the allocation, instead of those that were set before."""
        self.booked.clear()
        placed: list[tuple[range, Want, Placement]] = []
        for (order, want), placement in zip(self.wants.items(), placements, strict=True):
            if placement is None:
                full = self._refusals.full(self.requests[order.start], want)
                self._refuse(order, {order.start: full})
            elif not placement.is_expected:
                index = next(index for index in order if self._is_unexpected(index, want, placement))
                changed = self._refusals.changed(self.requests[index], want, placement)
                self._refuse(order, {index: changed})
            else:
                placed.append((order, want, placement))
        ids = draw_ids([placement.offer.courier_id for _order, _want, placement in placed], self.at)
        pieces = draw_pieces(ids, [want.places for _order, want, _placement in placed], self.at)
        for parcel_ids, (order, want, placement) in zip(pieces, placed, strict=True):
            tier, rule = want.group.tier, self._decisions[order].rule_of(placement.offer)
            for parcel_id, index in zip(parcel_ids, order, strict=True):
                request = self.requests[index]
                self.booked[index] = Booked(
                    parcel_id=parcel_id,
                    request=request,
                    tier=tier,
                    offer=placement.offer,
                    promise=placement.promise,
                    fee_fen=placement.offer.price_fen + self.market.surcharge_fen(tier, request.weight_g),
                    full_on=placement.full_on,
                    rule=rule,
                    order_id=parcel_ids[0] if len(order) > 1 else None,
                )

    def _is_sound(self, order: range) -> bool:
        refusals: dict[int, AllianceError] = {}
        for index in order:
            request = self.requests[index]
            limit_fen = settings.DECLARED_VALUE_LIMIT_FEN
            errors = list(problems_of(request, at=self._requested_at, value_limit_fen=limit_fen))
            if request.pickup_address_id is not None:
                city_id = self._addresses.get(request.pickup_address_id)
                errors += pickup_problems("/pickup_address", city_id, request.origin)
            if errors:
                refusals[index] = InvalidInput(errors=errors)
        self._refuse(order, refusals)
        return not refusals

    def _want(self, order: range) -> None:
        # Rules choose one courier for all: by the heaviest parcel, which not every courier may carry.
        index = max(order, key=lambda index: self.requests[index].weight_g)
        request = self.requests[index]
        lane = Lane(request.origin.pk, request.destination.pk)
        try:
            tier = self.market.tier(request.tier)
            decision = self._decision(request, lane, tier)
            group = self._group(lane, tier, request.ready_at, decision.offers)
            # Raises for too heavy parcels before capacity is reserved.
            expected = [self._expected(each, tier) for each in order]
        except AllianceError as refusal:
            self._refuse(order, {index: refusal})
            return
        self.wants[order] = Want(group, _days(request), _together(expected), len(order))
        self._decisions[order] = decision

    def _refuse(self, order: range, refusals: dict[int, AllianceError]) -> None:
        """Refuse an order because of some of its parcels; with none of them, do nothing."""
        self.refused |= refusals
        for index in order if refusals else ():
            if index not in refusals:
                self.refused[index] = OrderRefused.because_of(self.requests[min(refusals)])

    def _expected(self, index: int, tier: TierInForce) -> Expected:
        request = self.requests[index]
        return _expected(request, self.market.surcharge_fen(tier, request.weight_g))

    def _is_unexpected(self, index: int, want: Want, placement: Placement) -> bool:
        expected = self._expected(index, want.group.tier)
        return not expected.is_met_by(placement.offer, placement.promise)

    def _decision(self, request: BookingRequest, lane: Lane, tier: TierInForce) -> Decision[OnSale]:
        if self.market.has_rules:
            return self.market.choose(lane, tier, request.sent, courier=request.courier)
        # Without rules all parcels of a lane are alike.
        key = (lane, tier.id, request.courier)
        decision = self._alike.get(key)
        if decision is None:
            decision = self.market.choose(lane, tier, request.sent, courier=request.courier)
            self._alike[key] = decision
        return decision

    def _group(self, lane: Lane, tier: TierInForce, ready_at: datetime, offers: Sequence[OnSale]) -> Group:
        # By the offers: the merchant's rules may order those of a lane in another way for each parcel.
        key = (lane, tier.code, ready_at, tuple(offer.offer_id for offer in offers))
        group = self._groups.get(key)
        if group is None:
            # Raises with the reason if there is no day at all.
            self.market.day(lane, tier, ready_at)
            group = self._groups[key] = Group(self.market, lane, tier, ready_at, offers)
        return group


def _is_early(ready_at: datetime, requested_at: datetime) -> bool:
    is_moment = ready_at.utcoffset() is not None
    return (
        is_moment
        and ready_at < requested_at - READY_GRACE
        and not any(ready_problems("", ready_at, at=requested_at))
    )


def _cities(request: BookingRequest) -> tuple[City, City]:
    return request.origin, request.destination


def _days(request: BookingRequest) -> int:
    """Return how many days the request considers: all of a quote, or only the first."""
    expects_a_day = request.expected_deliver_by is not None or request.expected_pickup_by is not None
    return LATER_DAYS + 1 if expects_a_day or not request.is_pinned else 1


def _together(expected: Sequence[Expected]) -> Expected:
    """What the parcels of an order expect of their common offer: no price meets several."""
    prices = {each.price_fen for each in expected} - {None}
    price_fen = prices.pop() if prices else None
    return expected[0]._replace(price_fen=_NO_PRICE if prices else price_fen)


def _expected(request: BookingRequest, surcharge_fen: int) -> Expected:
    price_fen = request.expected_price_fen
    return Expected(
        pickup_by=request.expected_pickup_by,
        deliver_by=request.expected_deliver_by,
        price_fen=None if price_fen is None else price_fen - surcharge_fen,
    )
