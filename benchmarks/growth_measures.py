"""The measurements at each size, compared to bare SQL on the same rows in the same minute.

Times are wall-clock and processor times of the database backend and of this process. On a busy machine only
the processor times are meaningful. Import after django.setup().
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from benchmarks import growth_floors
from benchmarks.database import print_progress
from benchmarks.growth_day import HOUR, Carried, Day
from benchmarks.growth_world import GrowthWorld, populate, tidy
from benchmarks.rows import DATABASE, WORKER, Goal, Row
from benchmarks.turns import ratios
from benchmarks.watching import processor_of
from parcels.watch_list.services import refresh_watch_list
from slas.audits.rates import audit_rates
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.services.entries import work_out_credits
from slas.forecasts.services.folding import fold_progress
from slas.forecasts.watch_rules import REFRESH, TURNS
from slas.rates.queries import MONTH, summary_for
from slas.rates.services.folding import fold_tallies

# Parcels per part of a day.
PART = 20_000
PARTS = 4
REPEATS = 15
# Into which the work of each row with a floor is divided.
ROUNDS = 6
# The least share of the first rate that counts as unchanged, because of noise.
FLAT = 0.7


class Measurement(NamedTuple):
    """Wall-clock seconds, processor seconds of the database and of us, bytes of WAL, and the result."""

    clock: float
    database: float
    client: float
    wal: int
    result: Any

    def rate(self, what: str, items: int, size: int, **fields: Any) -> Row:
        """Return a row with the items per second."""
        notes = {
            "items": items,
            "per second of processor": round(items / (self.database + self.client or 1)),
            **fields.pop("notes", {}),
        }
        cost = {
            f"{DATABASE} us": 1e6 * self.database / items,
            f"{WORKER} us": 1e6 * self.client / items,
            # More than usual: it follows a checkpoint, so changed pages are written as full-page images.
            "WAL bytes": self.wal / items,
        }
        return Row(what, items / self.clock, notes=notes, size=size, cost=cost, **fields)


def measure(sizes: Sequence[int]) -> Iterator[Row]:
    """Simulate the same day at each size; after the first, check that rates and commitments agree."""
    world = populate()
    simulated = 2 * PART * PARTS
    for place, size in enumerate(sizes):
        seconds = world.grow(size - simulated)
        print_progress(f"{world.commitments:,} commitments of history after {seconds:.1f} s")
        yield from _day(Day(world, seed=10 * place), size)
        world.commitments += simulated
        if not place:
            _require_agreement()
        yield from _dashboards(world, size)


def _day(day: Day, size: int) -> Iterator[Row]:
    now = day.begins
    tomorrow = day.book(PART, [now + hours * HOUR for hours in range(6, 22)])
    day.pick_up(tomorrow)
    yield _fold(size, "bookings, pickups")
    yield _refresh(size, now, "due within a day")
    moments = _evening(now)
    evening = [day.book(PART, some) for some in (moments[: ROUNDS // 2], moments[ROUNDS // 2 :])]
    for parcels in evening:
        day.pick_up(parcels)
    # Half an hour later, so that all parcels are due for a refresh again.
    yield _refresh(size, now + TURNS * REFRESH, "three times as many due")
    fold_tallies()
    day.deliver(tomorrow, after=-HOUR)
    yield _fold(size, "deliveries")
    yield _progress(size, "deliveries")
    yield _idle(size, now, "idle sweep, before the evening")
    yield _sweeps(size, now)
    yield _idle(size, now + 3 * HOUR, "idle sweep, after all was swept")
    yield _fold(size, "sweeps")
    yield _credits(size, now + 4 * HOUR)
    yield from _come_late(day, evening, size)


def _come_late(day: Day, evening: list[list[Carried]], size: int) -> Iterator[Row]:
    """Deliver overdue parcels, so that the next day begins without open commitments."""
    for parcels in evening:
        day.deliver(parcels, after=20 * HOUR)
    yield _fold(size, "late deliveries")
    yield _progress(size, "late deliveries")
    work_out_credits(now=day.begins + 24 * HOUR)
    refresh_watch_list(now=day.begins + 24 * HOUR)


def _fold(size: int, of: str) -> Row:
    return _queue_row(
        f"fold of {of}",
        size,
        queue="slas_tally",
        ours=lambda: _measure_in_parallel(fold_tallies),
        items=_folded,
        floor=growth_floors.folds_a_second,
        floor_is="bare DELETE and INSERT ... ON CONFLICT of the cells",
        goal=Goal(ratio=0.8),
    )


def _progress(size: int, of: str) -> Row:
    return _queue_row(
        f"progress of {of}, folded apart",
        size,
        queue="slas_progresstally",
        ours=lambda: _measure_in_parallel(fold_progress),
        items=_folded,
        floor=growth_floors.progress_a_second,
        floor_is="bare DELETE and INSERT of the same tallies into a table",
    )


def _folded(results: list[Any]) -> int:
    return sum(folded.tallies for folded in results)


def _credits(size: int, now: datetime) -> Row:
    return _queue_row(
        "credits worked out",
        size,
        queue="slas_creditcheck",
        ours=lambda: _measure_call(lambda: work_out_credits(now=now)),
        items=lambda result: result.checks,
        floor=growth_floors.credits_a_second,
        floor_is="bare DELETE and INSERT of as many entries",
    )


def _queue_row(
    what: str,
    size: int,
    *,
    queue: str,
    ours: Callable[[], Measurement],
    floor: Callable[[], float],
    **more: Any,
) -> Row:
    """Measure how fast a queue is emptied, a part of it in each turn."""

    def ours_after_filling() -> Measurement:
        growth_floors.put_back(queue)
        return ours()

    with growth_floors.set_aside(queue):
        return _row_in_turns(
            what,
            size,
            ours=lambda _turn: ours_after_filling(),
            floor=lambda _turn: floor(),
            before=lambda turn: growth_floors.take_part(turn, ROUNDS),
            **more,
        )


def _row_in_turns(
    what: str,
    size: int,
    *,
    ours: Callable[[int], Measurement],
    floor: Callable[[int], float],
    items: Callable[[Any], int],
    before: Callable[[int], None] = lambda turn: None,
    floor_first: bool = False,
    **more: Any,
) -> Row:
    """Measure in turns ours and the floor, which is rolled back, and first in every other turn or in all."""
    took: list[Measurement] = []
    floors: list[float] = []
    for turn in range(ROUNDS):
        before(turn)
        steps = [lambda turn=turn: took.append(ours(turn)), lambda turn=turn: floors.append(floor(turn))]
        for step in reversed(steps) if turn % 2 or floor_first else steps:
            step()
    counts = [items(each.result) for each in took]
    rates = [count / each.clock for count, each in zip(counts, took, strict=True)]
    total = Measurement(
        *(sum(column) for column in zip(*(each[:4] for each in took), strict=True)), result=None
    )
    row = total.rate(what, sum(counts), size, floor=statistics.median(floors), **more)
    return replace(row, ours=statistics.median(rates), ratios=ratios(rates, floors))


def _sweeps(size: int, now: datetime) -> Row:
    """Sweep what is due at each moment of the evening, by bare SQL that is rolled back, and by us."""
    return _row_in_turns(
        "sweep, newly overdue",
        size,
        ours=lambda turn: _measure_in_parallel(lambda: sweep_overdue(now=_after(now, turn))),
        floor=lambda turn: growth_floors.sweeps_a_second(_after(now, turn)),
        items=lambda results: sum(swept.overdue for swept in results),
        # After ours, nothing is due.
        floor_first=True,
        floor_is="bare UPDATE and INSERT of the breaches",
        goal=Goal(ratio=0.7, kept=FLAT),
    )


def _after(now: datetime, turn: int) -> datetime:
    """A minute after the moment of the evening of a turn."""
    return _evening(now)[turn] + HOUR / 60


def _evening(now: datetime) -> list[datetime]:
    """The moments at which promises are due in the evening, one for each turn."""
    return [now + HOUR + turn * HOUR / 6 for turn in range(ROUNDS)]


def _idle(size: int, now: datetime, what: str) -> Row:
    return _median_row(lambda: sweep_overdue(now=now), what, size, goal=Goal(kept=FLAT))


def _refresh(size: int, now: datetime, what: str) -> Row:
    took = _measure_call(lambda: refresh_watch_list(now=now))
    # This refresh still reads events from before the last one: events are read twice.
    refresh_watch_list(now=now + REFRESH)
    later = _measure_call(lambda: refresh_watch_list(now=now + 2 * REFRESH))
    notes = {
        "listed": took.result.listed,
        "when it is a sixth's turn": f"{later.result.parcels:,} of {took.result.parcels:,} looked at, "
        f"{later.clock:.1f} s instead of {took.clock:.1f}",
    }
    return took.rate(f"watch list, {what}", took.result.parcels, size, goal=Goal(kept=FLAT), notes=notes)


def _dashboards(world: GrowthWorld, size: int) -> Iterator[Row]:
    tidy()
    today = timezone.localdate()
    with scope(Scope.everything()):
        members = {
            name: actor_of_organisation(Organisation.objects.get(pk=pk), kind="user", label="bench")
            for name, pk in (("a courier", world.couriers[0]), ("a merchant", world.merchants[0]))
        }
    for name, actor in {**members, "ops": Actor.system("bench")}.items():
        with scope(Scope.of(actor)):
            cells = growth_floors.cells_since(actor, today - timedelta(days=MONTH - 1))
            yield _median_row(
                lambda actor=actor: summary_for(actor=actor, today=today),
                f"summary of {name}",
                size,
                goal=Goal(kept=FLAT),
                notes={"cells": cells},
            )


def _require_agreement() -> None:
    begun = time.perf_counter()
    with scope(Scope.everything()):
        report = audit_rates()
    if not report.is_clean:
        raise RuntimeError(f"the rates are not what the commitments say: {report.as_detail()}")
    print_progress(f"audit of the rates after the day: nothing found, {time.perf_counter() - begun:.1f} s")


def _measure_call(call: Callable[[], Any]) -> Measurement:
    [(pid, wal_before)] = raw_rows("SELECT pg_backend_pid(), pg_current_wal_insert_lsn() - '0/0'")
    database, client, begun = processor_of(pid), time.process_time(), time.perf_counter()
    result = call()
    clock, client = time.perf_counter() - begun, time.process_time() - client
    database = processor_of(pid) - database
    [(wal,)] = raw_rows("SELECT pg_current_wal_insert_lsn() - '0/0'")
    return Measurement(clock, database, client, int(wal - wal_before), result)


def _measure_in_parallel(call: Callable[[], Any]) -> Measurement:
    """Measure the call in one worker per work share, in parallel; the result is the list of theirs."""
    ready = threading.Barrier(settings.WORK_SHARES)

    def one(_number: int) -> tuple[float, float, float, Any]:
        try:
            [(pid,)] = raw_rows("SELECT pg_backend_pid()")
            database = processor_of(pid)
            ready.wait()
            begun = time.perf_counter()
            result = call()
            return begun, time.perf_counter(), processor_of(pid) - database, result
        finally:
            connection.close()

    [(wal_before,)], client = raw_rows("SELECT pg_current_wal_insert_lsn() - '0/0'"), time.process_time()
    with ThreadPoolExecutor(settings.WORK_SHARES) as pool:
        began, ended, database, results = zip(*pool.map(one, range(settings.WORK_SHARES)), strict=True)
    client = time.process_time() - client
    [(wal,)] = raw_rows("SELECT pg_current_wal_insert_lsn() - '0/0'")
    return Measurement(max(ended) - min(began), sum(database), client, int(wal - wal_before), list(results))


def _median_row(call: Callable[[], Any], what: str, size: int, **fields: Any) -> Row:
    """Return a row with the median and the least milliseconds of a call, without the first call."""
    call()
    times = []
    for _time in range(REPEATS):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    notes = {**fields.pop("notes", {}), "least": round(min(times), 2)}
    return Row(what, statistics.median(times), unit="ms", size=size, notes=notes, **fields)
