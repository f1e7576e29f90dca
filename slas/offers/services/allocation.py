"""Allocate a courier, a day and capacity to each of many bookings.

In order: the best courier with room on the earliest day, then the next day. A booking may be restricted to
certain couriers or days. Capacity is never oversold: it is reserved by a conditional UPDATE, and if a
concurrent booking was faster, all is decided again.
"""

from collections import Counter
from collections.abc import Sequence
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

    def days_delivering(self, deliver_by: datetime) -> range:
        """Return the days that promise exactly this moment; empty if none does."""
        days: list[int] = []
        for later in range(LATER_DAYS + 1):
            promise = self.day(later)
            if promise is None or promise.deliver_by > deliver_by:
                break
            if promise.deliver_by == deliver_by:
                days.append(later)
        return range(days[0], days[-1] + 1) if days else range(0)


class Want(NamedTuple):
    """One booking in the queue, and the days of its group that it accepts."""

    group: Group
    days: range


class Placement(NamedTuple):
    """The result of one booking. `full_on` are the earlier days that were full."""

    offer: OnSale
    promise: Promise
    full_on: tuple[date, ...]


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
    """One attempt: the capacity left, the placements, and the capacity they use."""

    def __init__(self, wants: Sequence[Want]) -> None:
        self.wants = wants
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
            waiting = [index for index in waiting if later < self.wants[index].days.stop]

    def _look(self, later: int, waiting: list[int]) -> None:
        groups = {id(want.group): want.group for want in map(self.wants.__getitem__, waiting)}
        slots = {slot for group in groups.values() for slot in group.slots(later)}
        self.left |= places_left(slots - self.left.keys())

    def _place(self, index: int, later: int) -> bool:
        """Place the booking on that day; return whether there was room."""
        want = self.wants[index]
        promise = want.group.day(later) if later >= want.days.start else None
        if promise is None:
            return False
        for offer in want.group.offers:
            slot = Slot(offer.offer_id, promise.effective_date)
            if self.left.get(slot, 0) > 0:
                self.left[slot] -= 1
                self.takes[slot] += 1
                self.placed[index] = Placement(offer, promise, _days_before(want, later))
                return True
        return False


def _days_before(want: Want, later: int) -> tuple[date, ...]:
    promises = map(want.group.day, range(want.days.start, later))
    return tuple(promise.effective_date for promise in promises if promise)
