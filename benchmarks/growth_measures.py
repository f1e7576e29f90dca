"""What is measured at each size, beside what bare SQL does to the same rows in the same minute.

Times are of the clock, and of the processor: the database's backend and this process. On a machine that
does other things meanwhile, only the latter say something. To be imported after django.setup().
"""

import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from alliance.members.services.actors import actor_of_organisation
from alliance.models import Organisation
from alliance.tenancy import Actor, Scope, raw_rows, scope
from benchmarks import growth_floors
from benchmarks.database import say
from benchmarks.growth_day import HOUR, Carried, Day
from benchmarks.growth_world import GrowthWorld, populate, tidy
from benchmarks.rows import DATABASE, WORKER, Goal, Row
from benchmarks.watching import processor_of
from parcels.watch_list.services import refresh_watch_list
from slas.audits.rates import audit_rates
from slas.commitments.services.sweeping import sweep_overdue
from slas.credits.services.entries import work_out_credits
from slas.forecasts.services.folding import fold_progress
from slas.forecasts.watch_rules import REFRESH, TURNS
from slas.rates.queries import MONTH, summary_for
from slas.rates.services.folding import fold_tallies

# Parcels of each part of a day.
PART = 20_000
PARTS = 4
REPEATS = 15
# What has to stay as it is may differ by chance.
FLAT = 0.7


class Took(NamedTuple):
    """Seconds of the clock, of the database's processor and of ours, bytes of WAL, and what came of it."""

    clock: float
    database: float
    client: float
    written: int
    result: Any

    def rate(self, what: str, items: int, size: int, **fields: Any) -> Row:
        """Say how many items a second that was."""
        notes = {
            "items": items,
            "per second of processor": round(items / (self.database + self.client or 1)),
            **fields.pop("notes", {}),
        }
        cost = {
            f"{DATABASE} us": 1e6 * self.database / items,
            f"{WORKER} us": 1e6 * self.client / items,
            # Much more than elsewhere: a checkpoint has just been, and pages are written whole.
            "WAL bytes": self.written / items,
        }
        return Row(what, items / self.clock, notes=notes, size=size, cost=cost, **fields)


def measure(sizes: Sequence[int]) -> Iterator[Row]:
    """Live through the same day at each size; the first time look whether the books agree after it."""
    world = populate()
    lived = 2 * PART * PARTS
    for place, size in enumerate(sizes):
        seconds = world.grow(size - lived)
        say(f"{world.commitments:,} commitments of history after {seconds:.1f} s")
        yield from _day(Day(world, seed=10 * place), size)
        world.commitments += lived
        if not place:
            _must_agree()
        yield from _dashboards(world, size)


def _day(day: Day, size: int) -> Iterator[Row]:
    now = day.begins
    tomorrow = day.book(PART, [now + hours * HOUR for hours in range(6, 22)])
    day.pick_up(tomorrow)
    yield _fold(size, "bookings, pickups")
    yield _refresh(size, now, "due within a day")
    evening = [day.book(PART, [now + hours * HOUR]) for hours in (1, 2)]
    for parcels in evening:
        day.pick_up(parcels)
    # Half an hour later: it is everybody's turn again.
    yield _refresh(size, now + TURNS * REFRESH, "three times as many due")
    fold_tallies()
    day.deliver(tomorrow, after=-HOUR)
    yield _fold(size, "deliveries")
    yield _progress(size, "deliveries")
    yield _idle(size, now, "idle sweep, before the evening")
    yield from _sweeps(size, now)
    yield _idle(size, now + 3 * HOUR, "idle sweep, after all was swept")
    yield _fold(size, "sweeps")
    yield _credits(size, now + 4 * HOUR)
    yield from _come_late(day, evening, size)


def _come_late(day: Day, evening: list[list[Carried]], size: int) -> Iterator[Row]:
    """Deliver what is overdue, so that the next day begins with nothing open."""
    for parcels in evening:
        day.deliver(parcels, after=20 * HOUR)
    yield _fold(size, "late deliveries")
    yield _progress(size, "late deliveries")
    work_out_credits(now=day.begins + 24 * HOUR)
    refresh_watch_list(now=day.begins + 24 * HOUR)


def _fold(size: int, of: str) -> Row:
    with growth_floors.keeping_tallies():
        took = _side_by_side(fold_tallies)
        floor = growth_floors.folds_a_second()
    return took.rate(
        f"fold of {of}",
        sum(folded.tallies for folded in took.result),
        size,
        floor=floor,
        floor_is="bare DELETE and INSERT ... ON CONFLICT of the cells",
        goal=Goal(rate=100_000),
    )


def _progress(size: int, of: str) -> Row:
    with growth_floors.keeping_tallies("slas_progresstally"):
        took = _side_by_side(fold_progress)
        floor = growth_floors.progress_a_second()
    return took.rate(
        f"progress of {of}, folded apart",
        sum(folded.tallies for folded in took.result),
        size,
        floor=floor,
        floor_is="bare DELETE and INSERT of the same tallies into a table",
    )


def _sweeps(size: int, now: datetime) -> Iterator[Row]:
    """Sweep the first half of the evening; the second by bare SQL and, as that is rolled back, once more."""
    took = _side_by_side(lambda: sweep_overdue(now=now + 1.5 * HOUR))
    floor = growth_floors.sweeps_a_second(now + 3 * HOUR)
    again = _side_by_side(lambda: sweep_overdue(now=now + 3 * HOUR))
    yield took.rate(
        "sweep, newly overdue",
        _overdue(took),
        size,
        floor=floor,
        floor_is="bare UPDATE and INSERT of the breaches",
        goal=Goal(rate=40_000, kept=FLAT),
        notes={"again": round(_overdue(again) / again.clock)},
    )


def _overdue(took: Took) -> int:
    return sum(swept.overdue for swept in took.result)


def _idle(size: int, now: datetime, what: str) -> Row:
    return _repeated(lambda: sweep_overdue(now=now), what, size, goal=Goal(most=5, kept=FLAT))


def _refresh(size: int, now: datetime, what: str) -> Row:
    took = _took(lambda: refresh_watch_list(now=now))
    # This one still hears of what happened before the last: events are read twice.
    refresh_watch_list(now=now + REFRESH)
    later = _took(lambda: refresh_watch_list(now=now + 2 * REFRESH))
    notes = {
        "listed": took.result.listed,
        "when it is a sixth's turn": f"{later.result.parcels:,} of {took.result.parcels:,} looked at, "
        f"{later.clock:.1f} s instead of {took.clock:.1f}",
    }
    return took.rate(f"watch list, {what}", took.result.parcels, size, goal=Goal(kept=FLAT), notes=notes)


def _credits(size: int, now: datetime) -> Row:
    floor = growth_floors.credits_a_second()
    took = _took(lambda: work_out_credits(now=now))
    return took.rate(
        "credits worked out",
        took.result.checks,
        size,
        floor=floor,
        floor_is="bare DELETE and INSERT of as many entries",
        notes={"entries": took.result.entries},
    )


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
            yield _repeated(
                lambda actor=actor: summary_for(actor=actor, today=today),
                f"summary of {name}",
                size,
                goal=Goal(kept=FLAT),
                notes={"cells": cells},
            )


def _must_agree() -> None:
    begun = time.perf_counter()
    with scope(Scope.everything()):
        report = audit_rates()
    if not report.is_clean:
        raise RuntimeError(f"the rates are not what the commitments say: {report.as_detail()}")
    say(f"audit of the rates after the day: nothing found, {time.perf_counter() - begun:.1f} s")


def _took(call: Callable[[], Any]) -> Took:
    [(pid, written)] = raw_rows("SELECT pg_backend_pid(), pg_current_wal_insert_lsn() - '0/0'")
    database, client, begun = processor_of(pid), time.process_time(), time.perf_counter()
    result = call()
    clock, client = time.perf_counter() - begun, time.process_time() - client
    database = processor_of(pid) - database
    [(wal,)] = raw_rows("SELECT pg_current_wal_insert_lsn() - '0/0'")
    return Took(clock, database, client, int(wal - written), result)


def _side_by_side(call: Callable[[], Any]) -> Took:
    """The same by as many workers at once as there are shares; the result is a list of theirs."""
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

    [(written,)], client = raw_rows("SELECT pg_current_wal_insert_lsn() - '0/0'"), time.process_time()
    with ThreadPoolExecutor(settings.WORK_SHARES) as pool:
        began, ended, database, results = zip(*pool.map(one, range(settings.WORK_SHARES)), strict=True)
    client = time.process_time() - client
    [(wal,)] = raw_rows("SELECT pg_current_wal_insert_lsn() - '0/0'")
    return Took(max(ended) - min(began), sum(database), client, int(wal - written), list(results))


def _repeated(call: Callable[[], Any], what: str, size: int, **fields: Any) -> Row:
    """Say how many milliseconds a call takes: the median, and the least, its first time left out."""
    call()
    times = []
    for _time in range(REPEATS):
        begun = time.perf_counter()
        call()
        times.append((time.perf_counter() - begun) * 1000)
    notes = {**fields.pop("notes", {}), "least": round(min(times), 2)}
    return Row(what, statistics.median(times), unit="ms", size=size, notes=notes, **fields)
