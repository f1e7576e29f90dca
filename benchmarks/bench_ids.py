"""Ids of a batch of bookings: of one home, and of any, beside bare random numbers."""

import secrets
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from alliance.homes import draw_parcel_ids
from alliance.identifiers import RANDOM_BITS, parcel_id_at
from benchmarks.rows import Goal, Row
from benchmarks.turns import time_row
from benchmarks.world import World

BATCH, TIMES, ROUNDS = 1_000, 5, 9
BARE = "random numbers, neither checked nor different"


def run(_world: World) -> Iterator[Row]:
    """Measure all in turns, by the processor's time."""
    at = datetime.now(UTC)
    start = parcel_id_at(at)
    sides: dict[str, Callable[[], list[int]]] = {
        "of one home": lambda: draw_parcel_ids(at, BATCH, homes=(21,)),
        "of any home": lambda: draw_parcel_ids(at, BATCH),
        "one by one": lambda: [start | secrets.randbits(RANDOM_BITS) for _place in range(BATCH)],
    }
    took: dict[str, list[float]] = {name: [_milliseconds(side)] for name, side in sides.items()}
    for turn in range(ROUNDS):
        for name in sides if turn % 2 == 0 else reversed(sides):
            took[name].append(_milliseconds(sides[name]))
    # The first time, numpy is imported.
    one, some, bare = (took[name][1:] for name in sides)
    what = f"{BATCH:,} parcel ids of one home"
    yield time_row(what, one, bare, BARE, Goal(ratio_most=8))
    yield time_row(what, one, some, "of any home", Goal(ratio_most=8))


def _milliseconds(draw: Callable[[], list[int]]) -> float:
    begun = time.process_time()
    for _time in range(TIMES):
        draw()
    return 1_000 * (time.process_time() - begun) / TIMES
