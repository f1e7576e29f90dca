"""Which courier and which day each of many bookings gets, and the places taken for them.

In order: the first with room on the earliest day, best courier first, then the next day. A booking
may be held to certain couriers or days. Nothing is ever oversold: places are taken by a guarded
update, and when somebody else was quicker everything is decided anew.
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

# From the second on, an attempt holds all that those before it looked at: it fails only by needing more.
ATTEMPTS = LATER_DAYS + 3


@dataclass(frozen=True, slots=True)
class Group:
    """Bookings alike: same lane, tier and ready time, open to the same offers (best first)."""

    market: Market
    lane: Lane
    tier: TierInForce
    ready_at: datetime
    offers: Sequence[OnSale]

    def day(self, later: int) -> Promise | None:
        """Return the promise when `later` days before it are full; None where there is no such day."""
        try:
            return self.market.day(self.lane, self.tier, self.ready_at, later)
        except NotAvailable:
            return None

    def slots(self, later: int) -> list[Slot]:
        """Return the offers' places on that day."""
        promise = self.day(later)
        return [Slot(offer.offer_id, promise.effective_date) for offer in self.offers] if promise else []

    def days_delivering(self, deliver_by: datetime) -> range:
        """Return which days promise that very moment; empty when none does."""
        days: list[int] = []
        for later in range(LATER_DAYS + 1):
            promise = self.day(later)
            if promise is None or promise.deliver_by > deliver_by:
                break
            if promise.deliver_by == deliver_by:
                days.append(later)
        return range(days[0], days[-1] + 1) if days else range(0)


class Want(NamedTuple):
    """One booking's place in the queue, and which days of its group it would take."""

    group: Group
    days: range


class Placement(NamedTuple):
    """What one booking got. `full_on` are the earlier days it would have had."""

    offer: OnSale
    promise: Promise
    full_on: tuple[date, ...]


def allocate(wants: Sequence[Want]) -> list[Placement | None]:
    """Take a place for each want in order; None where all it would take is full.

    Raises Conflict when others kept being quicker, which takes an unlikely crowd.
    """
    known: set[Slot] = set()
    for attempt in range(ATTEMPTS):
        plan = _Plan(wants)
        try:
            # The savepoint gives back the locks of an attempt that failed, so that the next one
            # can take all of its own in order. Who holds some must not wait for more: two that do
            # wait for each other.
            with transaction.atomic():
                if attempt:
                    lock(known)
                plan.fill()
                if attempt and not plan.left.keys() <= known:
                    raise Taken
                reserve(plan.takes)
        except Taken:
            known |= plan.left.keys()
        else:
            return plan.placed
    raise Conflict(_("Too many bookings on the same lane at once. Try again."), code="busy", retry_after=1)


class _Plan:
    """One attempt: what is left, who gets what, and how many places that takes."""

    def __init__(self, wants: Sequence[Want]) -> None:
        self.wants = wants
        self.left: dict[Slot, int] = {}
        self.takes: Counter[Slot] = Counter()
        self.placed: list[Placement | None] = [None] * len(wants)

    def fill(self) -> None:
        # Day by day, so that what is left is asked for once a day and not once a booking.
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
        """Give the booking a place on that day; say whether it got one."""
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
