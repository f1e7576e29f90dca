"""Calls of the product beside an empty view of Django alone, four connections each, in turns.

Django alone, without middleware, is served by the same web server with the same configuration. Each group of
calls has its own turn of it, so that both sides of a ratio are measured within a second or two.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence

from benchmarks import members, servers
from benchmarks.bench_bookings import CITIES, NAIVE, ONE, book_singly
from benchmarks.bench_scans import EMPTY as AUTHENTICATED
from benchmarks.bench_scans import send_singly
from benchmarks.bench_tracking import BARE, EMPTY, FLOOR, JSON, PAGE, some_numbers
from benchmarks.clients import LoadResult, get, keep_calling, post
from benchmarks.rows import WEB, Goal, Row
from benchmarks.scan_loads import PATH as SCANS
from benchmarks.turns import in_turns, rate_row
from benchmarks.watching import Watch
from benchmarks.world import World

CONNECTIONS, SECONDS, ROUNDS = 4, 0.5, 10
SAVED = "serializer and save() a call"
# Calls prepared for each connection and turn.
READS = 500
GOALS = {
    "empty API view": Goal(ratio=0.6),
    "tracking JSON": Goal(ratio=0.35),
    "tracking page": Goal(ratio=0.15),
    "single scan": Goal(ratio=0.15),
}


def run(world: World) -> Iterator[Row]:
    """Measure one group after another; each call has four connections, and each round other parcels."""
    with servers.bare_server() as (port, process):
        calls, watches = _Calls(world, port), {BARE: Watch({WEB: process})}
        for number, group in enumerate(calls.groups()):
            sides = in_turns(world.watch, {BARE: calls.bare, **group}, rounds=ROUNDS, watches=watches)
            if not number:
                yield rate_row(f"{FLOOR}, {CONNECTIONS} connections", sides[BARE])
            for name in group:
                if name == SAVED:
                    yield rate_row(
                        "single booking", sides["single booking"], sides[SAVED], SAVED, Goal(ratio=2)
                    )
                else:
                    yield rate_row(name, sides[name], sides[BARE], FLOOR, GOALS.get(name))


class _Calls:
    """The calls, each as a function that sends them for one turn."""

    def __init__(self, world: World, bare_port: int) -> None:
        self.world, self._bare_port = world, bare_port
        self._cities = members.offer_everywhere(CITIES)
        self._numbers = itertools.cycle(some_numbers(world, 20 * READS))
        # Other references than those of the bookings' own benchmark.
        self._turn = itertools.count(1_000)

    def groups(self) -> Iterator[dict[str, Callable[[], LoadResult]]]:
        yield {
            "/healthz": self._reading("/healthz"),
            "empty API view": self._reading(EMPTY),
            "authenticated empty API view": self._asking_by_key,
        }
        yield {
            "tracking JSON": self._tracking(JSON),
            "tracking page": self._tracking(PAGE),
            "log-in page": self._reading("/accounts/login/"),
        }
        merchant = self.world.merchants[1]
        cookie = members.session_of(merchant)
        yield {
            "single scan": lambda: send_singly(self.world, SCANS, seconds=SECONDS),
            "first page of the portal's list of parcels": self._reading("/parcels/", Cookie=cookie),
        }
        yield {"single booking": self._book(ONE), SAVED: self._book(NAIVE)}

    def bare(self) -> LoadResult:
        return self._send([[get("/healthz")]] * CONNECTIONS, port=self._bare_port)

    def _reading(self, path: str, **headers: str) -> Callable[[], LoadResult]:
        return lambda: self._send([[get(path, **headers)]] * CONNECTIONS)

    def _asking_by_key(self) -> LoadResult:
        return self._send([[post(AUTHENTICATED, b"[]", token=each.token)] for each in self.world.couriers])

    def _tracking(self, path: str) -> Callable[[], LoadResult]:
        # Other numbers in each turn, because recently read rows are cached.
        return lambda: self._send(
            [
                [get(path.format(number)) for number in itertools.islice(self._numbers, READS)]
                for _connection in range(CONNECTIONS)
            ]
        )

    def _book(self, path: str) -> Callable[[], LoadResult]:
        return lambda: book_singly(self.world, self._cities, next(self._turn), path, seconds=SECONDS)

    def _send(self, calls: Sequence[Sequence[bytes]], *, port: int = 0, once: bool = False) -> LoadResult:
        return keep_calling(port or self.world.port, calls, seconds=SECONDS, once=once)
