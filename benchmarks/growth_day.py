"""The same simulated day at every size: bookings, pickups, deliveries and breaches by the product's services.

Many merchants send to all cities, so that tallies are like those of real batches: batches of bookings by
merchant, batches of scans by courier, of many merchants and lanes. Import after django.setup().
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from alliance.database.literals import numbers
from alliance.identifiers import parcel_id_at
from alliance.tenancy import Scope, raw_rows, scope
from benchmarks.growth_world import GrowthWorld, Lane
from slas.choices import CommitmentKind
from slas.commitments.services.settling import CommitmentDraft, Milestone, open_commitments, settle

BOOKED_AT_ONCE, SCANNED_AT_ONCE = 1_000, 2_000
HOUR = timedelta(hours=1)
ZONE = "Asia/Shanghai"


class Carried(NamedTuple):
    """A parcel of the day."""

    parcel_id: int
    lane: Lane
    booked_at: datetime
    due_at: datetime

    @property
    def picked_up_at(self) -> datetime:
        return self.booked_at + 2 * HOUR


class Day:
    """A simulated day. All times are relative to its first hour."""

    def __init__(self, world: GrowthWorld, seed: int) -> None:
        self.world = world
        self.begins = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        self._seed = seed

    def book(self, count: int, due_at: Sequence[datetime]) -> list[Carried]:
        """Book parcels of the two days before, due at the given moments in turn, one merchant per batch."""
        parcels = list(self._random_parcels(count, due_at))
        self._seed += 1
        _insert(parcels)
        for batch in _batches(parcels, lambda parcel: parcel.lane.merchant_id, BOOKED_AT_ONCE):
            drafts = [draft for parcel in batch for draft in _drafts(parcel)]
            with scope(Scope.everything()):
                open_commitments(drafts)
        return parcels

    def pick_up(self, parcels: Iterable[Carried]) -> None:
        """Record the pickup scans, one courier per batch."""
        self._scan(
            parcels, lambda parcel: Milestone(parcel.parcel_id, CommitmentKind.PICKUP, parcel.picked_up_at)
        )

    def deliver(self, parcels: Iterable[Carried], *, after: timedelta) -> None:
        """Record deliveries in the three hours before `after` their promises."""
        source, parcel_list = random.Random(self._seed), list(parcels)
        self._scan(
            parcel_list, lambda parcel: _delivery(parcel, parcel.due_at + after - source.random() * 3 * HOUR)
        )
        with scope(Scope.everything()):
            raw_rows(_DELIVERED, {"ids": numbers(parcel.parcel_id for parcel in parcel_list)})

    def _scan(self, parcels: Iterable[Carried], milestone: Callable[[Carried], Milestone]) -> None:
        for batch in _batches(parcels, lambda parcel: parcel.lane.courier_id, SCANNED_AT_ONCE):
            with scope(Scope.everything()):
                settle([milestone(parcel) for parcel in batch], now=self.begins)

    def _random_parcels(self, count: int, due_at: Sequence[datetime]) -> Iterator[Carried]:
        source = random.Random(self._seed)
        world = self.world
        for number in range(count):
            sender = source.randrange(len(world.merchants))
            origin, destination = source.choices(world.cities, k=2)
            booked_at = self.begins - 48 * HOUR + 40 * HOUR * number / count
            lane = Lane(
                world.merchants[sender],
                world.couriers[(sender + origin) % len(world.couriers)],
                world.tiers[sender % len(world.tiers)],
                origin,
                destination,
            )
            bits = (number * 7919 + self._seed) % 2**22
            yield Carried(parcel_id_at(booked_at) + bits, lane, booked_at, due_at[number % len(due_at)])


def _drafts(parcel: Carried) -> Iterator[CommitmentDraft]:
    for kind, due_at, fee_fen in (
        (CommitmentKind.PICKUP, parcel.booked_at + 6 * HOUR, None),
        (CommitmentKind.DELIVERY, parcel.due_at, 1250),
    ):
        yield CommitmentDraft(
            parcel_id=parcel.parcel_id,
            kind=kind,
            **parcel.lane._asdict(),
            version_id=None,
            due_at=due_at,
            zone=ZONE,
            ready_at=parcel.booked_at,
            fee_fen=fee_fen,
        )


def _delivery(parcel: Carried, at: datetime) -> Milestone:
    return Milestone(
        parcel.parcel_id,
        CommitmentKind.DELIVERY,
        at,
        picked_up_at=parcel.picked_up_at,
        departed_at=parcel.booked_at + 5 * HOUR,
        arrived_at=at - 8 * HOUR,
        out_for_delivery_at=at - 3 * HOUR,
        attempted_at=at,
        delivered_at=at,
    )


def _batches(parcels: Iterable[Carried], key: Callable[[Carried], int], size: int) -> Iterator[list[Carried]]:
    """Yield batches of one merchant or courier each, in the order in which they become full."""
    waiting: dict[int, list[Carried]] = defaultdict(list)
    for parcel in parcels:
        batch = waiting[key(parcel)]
        batch.append(parcel)
        if len(batch) == size:
            yield waiting.pop(key(parcel))
    yield from waiting.values()


_PARCELS = """
INSERT INTO parcels_parcel (id, merchant_id, courier_id, tier_id, origin_id, destination_id, source,
    reference, recipient_name, recipient_phone, recipient_address, weight_g, fee_fen, booked_at, ready_at,
    pickup_by, deliver_by, status, status_at, last_scan_at, picked_up_at, corrected)
SELECT id, merchant_id, courier_id, tier_id, origin_id, destination_id, 'api',
    '', 'Recipient', '13800000000', 'West Lake road 88', 800, 1250, booked_at, booked_at,
    booked_at + interval '6 hours', due_at, 'picked_up', booked_at + interval '2 hours',
    booked_at + interval '2 hours', booked_at + interval '2 hours', false
FROM unnest(%(id)s::bigint[], %(merchant_id)s::bigint[], %(courier_id)s::bigint[], %(tier_id)s::int[],
    %(origin_id)s::int[], %(destination_id)s::int[], %(booked_at)s::timestamptz[], %(due_at)s::timestamptz[])
    AS x (id, merchant_id, courier_id, tier_id, origin_id, destination_id, booked_at, due_at)
"""
_DELIVERED = """
UPDATE parcels_parcel SET status = 'delivered', delivered_at = deliver_by WHERE id = ANY(%(ids)s::bigint[])
"""


def _insert(parcels: Sequence[Carried]) -> None:
    columns = dict(
        zip(Lane._fields, map(list, zip(*(parcel.lane for parcel in parcels), strict=True)), strict=True)
    )
    with scope(Scope.everything()):
        raw_rows(
            _PARCELS,
            {
                **columns,
                "id": [parcel.parcel_id for parcel in parcels],
                "booked_at": [parcel.booked_at for parcel in parcels],
                "due_at": [parcel.due_at for parcel in parcels],
            },
        )
