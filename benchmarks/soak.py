"""An hour of the alliance's days at a bounded rate: `python -m benchmarks.soak [--minutes 60]`.

Bookings and scans go through the product's services, and what beat runs goes on beside them, in a
database of its own, with row-level security on. Parcels are booked a day back, some two, so that promises
fall due and the sweep, breaches and credits have their share. Prints a line a minute, a table at the end, and
whether anything grew that should not.
"""

import argparse
import multiprocessing
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from benchmarks.database import own_database
from benchmarks.soak_measures import Minute, judge, line, look, table_of
from benchmarks.stopping import cleanly

NAME = "soak_alliance"
COURIERS, MERCHANTS, CITIES, WRITERS = 4, 20, 10, 2
# Of a parcel's day: the scan, hours after booking, and seconds of the run after the booking.
STORY = (
    ("picked_up", 3, 5),
    ("departed", 6, 35),
    ("arrived", 14, 65),
    ("out_for_delivery", 18, 95),
    ("delivered", 22, 125),
)
# Parcels booked together are not scanned together.
SPREAD = 60.0
# So many in a hundred are never delivered: the sweep's.
MISSED = 4
# And so many batches are booked so long ago that the sweep comes before their scans.
TOO_LATE = 4
SHARED = multiprocessing.get_context("fork")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--bookings", type=int, default=200, help="parcels a second; each gets five scans")
    options = parser.parse_args()
    with cleanly(), own_database(NAME) as parameters:
        cities = _world()
        counts = SHARED.Array("q", 2)
        waits: Any = SHARED.SimpleQueue()
        until = time.time() + options.minutes * 60
        jobs = [(_keep, ())] + [
            (_write, (number, options.bookings // WRITERS, cities, counts, waits))
            for number in range(WRITERS)
        ]
        processes = [SHARED.Process(target=_run, args=(job, until, *given)) for job, given in jobs]
        for process in processes:
            process.start()
        minutes = _watch(parameters, options.minutes, counts, waits)
        for process in processes:
            process.join()
        failed = [process.exitcode for process in processes if process.exitcode]
        _conclude(minutes, failed)


def _world() -> list[str]:
    """Make couriers that offer next day between ten cities, and merchants."""
    from alliance.database import partitions  # noqa: PLC0415 -- after django.setup()
    from benchmarks import members  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415

    partitions.ensure_months_ahead()
    for number in range(COURIERS):
        factories.courier_organisation(f"Courier {number}")
    for number in range(MERCHANTS):
        factories.merchant_organisation(f"Merchant {number}")
    return members.offer_everywhere(CITIES)


def _run(job: Callable[..., None], until: float, *given: Any) -> None:
    from django.db import connections  # noqa: PLC0415 -- after django.setup()

    # The parent's connection came along with the fork, and is the parent's.
    connections["default"].connection = None
    job(until, *given)


# --- who writes ------------------------------------------------------------------------------


def _write(until: float, seed: int, rate: int, cities: list[str], counts: Any, waits: Any) -> None:
    """Book so many a second and scan what was booked some seconds ago, until the time is up."""
    from alliance.members.services.actors import actor_of_organisation  # noqa: PLC0415
    from alliance.models import City, Organisation  # noqa: PLC0415
    from alliance.tenancy import Scope, scope  # noqa: PLC0415

    source = random.Random(seed)
    with scope(Scope.everything()):
        places = list(City.objects.filter(code__in=cities))
        found = Organisation.objects.filter(kind__in=["merchant", "courier"])
        actors = {one.pk: actor_of_organisation(one, kind="user", label="soak") for one in found}
    merchants = [actor for actor in actors.values() if actor.is_merchant]
    booked: deque[tuple[float, Any, int]] = deque()
    tick = time.time()
    while tick < until:
        done, took = _book(source.choice(merchants), places, rate, source)
        booked.extend((time.time() + source.uniform(0, SPREAD), parcel, 0) for parcel in done)
        scans, took_scans = _scan(booked, actors, source)
        with counts.get_lock():
            counts[0] += len(done)
            counts[1] += scans
        waits.put((took, took_scans))
        tick += 1
        time.sleep(max(0.0, tick - time.time()))


def _book(merchant: Any, places: list[Any], count: int, source: random.Random) -> tuple[list[Any], float]:
    from alliance.tenancy import Scope, scope  # noqa: PLC0415 -- after django.setup()
    from parcels.bookings.rules import BookingRequest, Recipient  # noqa: PLC0415
    from parcels.bookings.services.booking import book_parcels  # noqa: PLC0415
    from parcels.bookings.services.writing import Booked  # noqa: PLC0415

    # What was booked a day ago is due within a day; the rest is overdue, and scanned too late.
    overdue = source.randrange(100) < TOO_LATE
    at = datetime.now(UTC) - timedelta(hours=60 if overdue else source.uniform(22.5, 24))
    recipient = Recipient("王小明", "13812345678", "人民南路四段12号3单元1203室")
    requests = [
        BookingRequest(
            tier="next_day",
            origin=source.choice(places),
            destination=source.choice(places),
            weight_g=source.randint(100, 20_000),
            ready_at=at,
            recipient=recipient,
            reference=f"SO-{source.getrandbits(40)}",
        )
        for _number in range(count)
    ]
    begun = time.perf_counter()
    with scope(Scope.of(merchant)):
        results = book_parcels(actor=merchant, requests=requests, at=at)
    took = time.perf_counter() - begun
    return [(item.number, item.offer.courier_id, at) for item in results if isinstance(item, Booked)], took


def _scan(booked: deque[Any], actors: dict[int, Any], source: random.Random) -> tuple[int, float]:
    """Send, courier by courier, every scan whose time has come."""
    from alliance.tenancy import Scope, scope  # noqa: PLC0415 -- after django.setup()
    from parcels.scans.lines import ScanLine  # noqa: PLC0415
    from parcels.scans.services import record_scans  # noqa: PLC0415

    now, lines, waiting = time.time(), {}, []
    while booked:
        since, parcel, stage = booked.popleft()
        code, hours, after = STORY[stage]
        if now < since + after:
            waiting.append((since, parcel, stage))
            continue
        number, courier_id, at = parcel
        lines.setdefault(courier_id, []).append(ScanLine(number, code, at + timedelta(hours=hours)))
        missed = stage == len(STORY) - 2 and source.randrange(100) < MISSED
        if stage + 1 < len(STORY) and not missed:
            waiting.append((since, parcel, stage + 1))
    booked.extend(waiting)
    accepted, begun = 0, time.perf_counter()
    for courier_id, sent in lines.items():
        actor = actors[courier_id]
        for first in range(0, len(sent), 2_000):
            with scope(Scope.of(actor)):
                accepted += record_scans(actor=actor, lines=sent[first : first + 2_000]).accepted
    return accepted, time.perf_counter() - begun


# --- what beat runs --------------------------------------------------------------------------


def _keep(until: float) -> None:
    """Run what beat runs, at its pace."""
    from django.utils import timezone  # noqa: PLC0415 -- after django.setup()

    from parcels.watch_list.services import refresh_watch_list  # noqa: PLC0415
    from slas.commitments.services.sweeping import sweep_overdue  # noqa: PLC0415
    from slas.credits.services.entries import work_out_credits  # noqa: PLC0415
    from slas.forecasts.services.folding import fold_progress  # noqa: PLC0415
    from slas.rates.services.folding import fold_tallies  # noqa: PLC0415

    jobs: list[tuple[float, Callable[[], Any]]] = [
        (5, fold_tallies),
        (30, lambda: sweep_overdue(now=timezone.now())),
        (30, lambda: work_out_credits(now=timezone.now())),
        (300, lambda: refresh_watch_list(now=timezone.now())),
        (600, fold_progress),
    ]
    due = [time.time() + pause for pause, _job in jobs]
    while time.time() < until:
        for number, (pause, job) in enumerate(jobs):
            if time.time() >= due[number]:
                job()
                due[number] = time.time() + pause
        time.sleep(0.2)


# --- who watches -----------------------------------------------------------------------------


def _watch(parameters: dict[str, Any], count: int, counts: Any, waits: Any) -> list[Minute]:
    connection = psycopg2.connect(**parameters)
    connection.autocommit = True
    minutes: list[Minute] = []
    seen, begun = [0, 0], time.time()
    with connection.cursor() as cursor:
        for number in range(1, count + 1):
            time.sleep(max(0.0, begun + number * 60 - time.time()))
            now = list(counts)
            tables, (wal, size, age, snapshot) = look(cursor)
            seconds = time.time() - begun - sum(minute.seconds for minute in minutes)
            minute = Minute(
                number,
                seconds,
                now[0] - seen[0],
                now[1] - seen[1],
                tables,
                wal,
                size,
                age,
                snapshot,
                _waits(waits),
            )
            seen = now
            _say(line(minute, minutes[-1] if minutes else None))
            minutes.append(minute)
    connection.close()
    return minutes


def _waits(waits: Any) -> dict[str, float]:
    found = []
    while not waits.empty():
        found.append(waits.get())
    named = {}
    for name, values in zip(("bookings", "scans"), zip(*found, strict=True), strict=False):
        named[f"{name} median"] = statistics.median(values) * 1000
        named[f"{name} worst"] = max(values) * 1000
    return named


def _conclude(minutes: list[Minute], failed: list[int]) -> None:
    """Print the table and the verdict, and whether the rates still are what the commitments say."""
    from alliance.tenancy import Scope, scope  # noqa: PLC0415 -- after django.setup()
    from slas.audits.rates import audit_rates  # noqa: PLC0415

    _say("\n" + table_of(minutes[len(minutes) // 4], minutes[-1]))
    with scope(Scope.everything()):
        differences = audit_rates().differences
    findings = judge(minutes) + [f"the audit: {found}" for found in differences[:5]]
    findings += [f"a process ended with {code}" for code in failed]
    _say("\nFlat." if not findings else "\nNot flat:\n" + "\n".join(findings))
    sys.exit(1 if findings else 0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
