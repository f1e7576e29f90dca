"""Tracking by number, as JSON and as a page, beside an empty view of Django alone and a view of one row."""

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from alliance.identifiers import tracking_number
from benchmarks import floor_paths, servers
from benchmarks.clients import LoadResult, get, keep_calling
from benchmarks.rows import WEB, Goal, Row
from benchmarks.turns import in_turns, rate_row, time_row
from benchmarks.watching import Watch
from benchmarks.world import World

ONLY_READS = True
EMPTY, ONE_ROW = floor_paths.OPEN, floor_paths.ONE_ROW
CLIENTS, CALLS, ROUNDS, SECONDS = 4, 500, 10, 0.5
JSON, PAGE = "/api/v1/tracking/{}", "/track/{}/"
BARE, FLOOR = "bare", "an empty view of Django alone"
# A sample of all parcels, because old ones are tracked as well as new ones.
_SOME = "SELECT id FROM parcels_parcel TABLESAMPLE BERNOULLI (%s) ORDER BY random() LIMIT %s"


def run(world: World) -> Iterator[Row]:
    """Measure all in turns, each round with other numbers: recently read rows are cached."""
    with servers.bare_server() as (port, process):
        numbers = some_numbers(world, CLIENTS * CALLS * 4)
        sides: dict[str, Callable[[], LoadResult]] = {
            ONE_ROW: _tracking(world, ONE_ROW, numbers),
            JSON: _tracking(world, JSON, numbers),
            BARE: lambda: keep_calling(port, [[get("/healthz")]] * CLIENTS, seconds=SECONDS),
            PAGE: _tracking(world, PAGE, numbers),
        }
        watches = {BARE: Watch({WEB: process})}
        measured = in_turns(world.watch, sides, rounds=ROUNDS, watches=watches)
    json, page, one_row, bare = (measured[name] for name in (JSON, PAGE, ONE_ROW, BARE))
    name = f"tracking JSON by number, {CLIENTS} clients"
    yield rate_row(name, json, bare, FLOOR, Goal(ratio=0.35))
    yield rate_row(f"tracking page, {CLIENTS} clients", page, bare, FLOOR, Goal(ratio=0.15))
    # The least query of a view: the difference is the cost of all else of tracking.
    yield rate_row(name, json, one_row, "a view that reads one row by its key")
    yield rate_row(f"a view that reads one row by its key, {CLIENTS} clients", one_row, bare, FLOOR)
    yield time_row(
        f"{name}: slowest of a hundred",
        json.slowest(0.99),
        json.slowest(0.5),
        "the median",
        Goal(ratio_most=4),
    )


def some_numbers(world: World, count: int) -> list[str]:
    """Return a random sample of tracking numbers."""
    percent = min(100.0, 200 * count / world.size)
    return [tracking_number(pk) for (pk,) in world.rows(_SOME, [percent, count])]


def _tracking(world: World, path: str, numbers: Sequence[str]) -> Callable[[], LoadResult]:
    turns = count()

    def measure() -> LoadResult:
        first = next(turns) * CLIENTS * CALLS % len(numbers)
        now = [get(path.format(number)) for number in numbers[first : first + CLIENTS * CALLS]]
        return keep_calling(world.port, [now[client::CLIENTS] for client in range(CLIENTS)], seconds=SECONDS)

    return measure
