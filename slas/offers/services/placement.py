"""Place each of many bookings: with a courier, on a day, within its capacity.

In order: the best courier with room on the earliest day, then the next day, as a quote says. A booking may be
restricted to certain couriers or days, or expect a promise or a price: it gets what a quote would offer now,
or nothing. Capacity is never oversold: it is reserved by a conditional UPDATE, and if a
concurrent booking was faster, all is decided again. Nearly always there is room with the best courier on the
first day, so that is tried first, without looking how much is left.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from alliance.errors import Conflict
from slas.offers.market import Lane, Market, NotAvailable, OnSale
from slas.offers.services.capacity import Slot, Taken, lock, places_left, reserve
from slas.promises.rules import LATER_DAYS, Promise
from slas.promises.tiers_in_force import TierInForce

# From the second on, an attempt locks all rows that earlier ones read: it fails only if it needs more.
ATTEMPTS = LATER_DAYS + 3


@dataclass(frozen=True, slots=True)
class Group:
    """Bookings with the same lane, tier, ready time and possible offers (best first)."""

    market: Market
    lane: Lane
    tier: TierInForce
    ready_at: datetime
    offers: Sequence[OnSale]

    def day(self, later: int) -> Promise | None:
        """Return the promise after `later` full days; None if there is no such day."""
        try:
            return self.market.day(self.lane, self.tier, self.ready_at, later)
        except NotAvailable:
            return None

    def slots(self, later: int) -> list[Slot]:
        """Return the capacity slots of the offers on that day."""
        promise = self.day(later)
        return [Slot(offer.offer_id, promise.effective_date) for offer in self.offers] if promise else []


class Expected(NamedTuple):
    """What a booking was agreed on; None where it takes what there is. The price is the offer's own."""

    pickup_by: datetime | None = None
    deliver_by: datetime | None = None
    price_fen: int | None = None

    def is_met_by(self, offer: OnSale, promise: Promise) -> bool:
        return (
            self.deliver_by in {None, promise.deliver_by}
            and self.pickup_by in {None, promise.pickup_by}
            and self.price_fen in {None, offer.price_fen}
        )


class Want(NamedTuple):
    """One booking in the queue: how many days of its group it accepts, and what it expects of them.

    The parcels of one order are one booking, which takes as many places of one courier's day, or none.
    """

    group: Group
    days: int
    expected: Expected = Expected()
    places: int = 1


class Placement(NamedTuple):
    """The result of one booking. `full_on` are the earlier days that were full.

    If it is not what the booking expects, nothing is reserved.
    """

    offer: OnSale
    promise: Promise
    full_on: tuple[date, ...]
    is_expected: bool = True


def first_choice(wants: Sequence[Want]) -> tuple[list[Placement | None], Mapping[Slot, int]]:
    """Give each booking the best courier on the first day; return that, and what the caller has to reserve.

    Raises Taken if a booking expects something else, which it may get if the first choice is full.
    """
    plan = _Plan(wants, looks=False)
    plan.fill()
    if not all(place and place.is_expected for place in plan.placed):
        raise Taken
    return plan.placed, plan.takes


def allocate(wants: Sequence[Want]) -> list[Placement | None]:
    """Reserve capacity for each booking in order; None where all acceptable days are full.

    Raises Conflict if concurrent bookings were faster at every attempt, which is very unlikely.
    """
    slots: set[Slot] = set()
    for attempt in range(ATTEMPTS):
        plan = _Plan(wants)
        try:
            # Rolling back to the savepoint releases the locks of a failed attempt, so that the next one can
            # take all locks in order. A transaction that waited for more locks while holding some could
            # deadlock.
            with transaction.atomic():
                if attempt:
                    lock(slots)
                plan.fill()
                if attempt and not plan.left.keys() <= slots:
                    raise Taken
                reserve(plan.takes)
        except Taken:
            slots |= plan.left.keys()
        else:
            return plan.placed
    raise Conflict(_("Too many bookings on the same lane at once. Try again."), code="busy", retry_after=1)


class _Plan:
    """One attempt: the capacity left, the placements, and the capacity they use.

    Without `looks` it takes every day to have room.
    """

    def __init__(self, wants: Sequence[Want], *, looks: bool = True) -> None:
        self.wants = wants
        self.looks = looks
        self.left: dict[Slot, int] = {}
        self.takes: Counter[Slot] = Counter()
        self.placed: list[Placement | None] = [None] * len(wants)

    def fill(self) -> None:
        # Day by day, so that the capacity left is queried once per day instead of once per booking.
        waiting = list(range(len(self.wants)))
        later = 0
        while waiting:
            self._look(later, waiting)
            waiting = [index for index in waiting if not self._place(index, later)]
            later += 1
            waiting = [index for index in waiting if later < self.wants[index].days]

    def _look(self, later: int, waiting: list[int]) -> None:
        if not self.looks:
            return
        groups = {id(want.group): want.group for want in map(self.wants.__getitem__, waiting)}
        slots = {slot for group in groups.values() for slot in group.slots(later)}
        self.left |= places_left(slots - self.left.keys())

    def _place(self, index: int, later: int) -> bool:
        """Place the booking on that day; return whether there was room."""
        want = self.wants[index]
        promise = want.group.day(later)
        if promise is None:
            return False
        for offer in want.group.offers:
            slot = Slot(offer.offer_id, promise.effective_date)
            if not self.looks or self.left.get(slot, 0) >= self.takes[slot] + want.places:
                is_expected = want.expected.is_met_by(offer, promise)
                if is_expected:
                    self.takes[slot] += want.places
                self.placed[index] = Placement(offer, promise, _days_before(want, later), is_expected)
                return True
        return False


def _days_before(want: Want, later: int) -> tuple[date, ...]:
    promises = map(want.group.day, range(later))
    return tuple(promise.effective_date for promise in promises if promise)
