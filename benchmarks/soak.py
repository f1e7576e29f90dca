"""A soak test of an hour at a limited rate: `python -m benchmarks.soak [--minutes 60]`.

Bookings and scans use the product's services while the periodic tasks run, in a separate database with
row-level security. Parcels are booked one or two days in the past, so that promises fall due and the sweep,
breaches and credits have work. Prints a line per minute, and at the end a table and what grew unexpectedly.
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
# Scans of a parcel: the code, hours after booking, and seconds of the run after the booking.
STORY = (
    ("picked_up", 3, 5),
    ("departed", 6, 35),
    ("arrived", 14, 65),
    ("out_for_delivery", 18, 95),
    ("delivered", 22, 125),
)
# Parcels booked together are not scanned together.
SPREAD = 60.0
# Percentage of parcels that are never delivered, for the sweep.
MISSED = 4
# One in so many batches is booked so far in the past that the sweep runs before its scans.
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
        processes = [SHARED.Process(target=_run, args=(job, until, *args)) for job, args in jobs]
        for process in processes:
            process.start()
        minutes = _watch(parameters, options.minutes, counts, waits)
        for process in processes:
            process.join()
        exit_codes = [process.exitcode for process in processes if process.exitcode]
        _conclude(minutes, exit_codes)


def _world() -> list[str]:
    """Create couriers with next-day offers between ten cities, and merchants."""
    from alliance.database import partitions  # noqa: PLC0415 -- after django.setup()
    from benchmarks import members  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415

    partitions.ensure_months_ahead()
    for number in range(COURIERS):
        factories.courier_organisation(f"Courier {number}")
    for number in range(MERCHANTS):
        factories.merchant_organisation(f"Merchant {number}")
    return members.offer_everywhere(CITIES)


def _run(job: Callable[..., None], until: float, *args: Any) -> None:
    from django.db import connections  # noqa: PLC0415 -- after django.setup()

    # The forked process inherits the parent's connection, and must not use it.
    connections["default"].connection = None
    job(until, *args)


# --- writers ---------------------------------------------------------------------------------


def _write(until: float, seed: int, rate: int, cities: list[str], counts: Any, waits: Any) -> None:
    """Book at a rate per second and scan the parcels booked some seconds ago, until the end."""
    from alliance.members.services.actors import actor_of_organisation  # noqa: PLC0415
    from alliance.models import City, Organisation  # noqa: PLC0415
    from alliance.tenancy import Scope, scope  # noqa: PLC0415

    source = random.Random(seed)
    with scope(Scope.everything()):
        places = list(City.objects.filter(code__in=cities))
        organisations = Organisation.objects.filter(kind__in=["merchant", "courier"])
        actors = {one.pk: actor_of_organisation(one, kind="user", label="soak") for one in organisations}
    merchants = [actor for actor in actors.values() if actor.is_merchant]
    queue: deque[tuple[float, Any, int]] = deque()
    tick = time.time()
    while tick < until:
        parcels, took = _book(source.choice(merchants), places, rate, source)
        queue.extend((time.time() + source.uniform(0, SPREAD), parcel, 0) for parcel in parcels)
        scans, took_scans = _scan(queue, actors, source)
        with counts.get_lock():
            counts[0] += len(parcels)
            counts[1] += scans
        waits.put((took, took_scans))
        tick += 1
        time.sleep(max(0.0, tick - time.time()))


def _book(merchant: Any, places: list[Any], count: int, source: random.Random) -> tuple[list[Any], float]:
    from alliance.tenancy import Scope, scope  # noqa: PLC0415 -- after django.setup()
    from parcels.bookings.rules import BookingRequest, Recipient  # noqa: PLC0415
    from parcels.bookings.services.booking import book_parcels  # noqa: PLC0415
    from parcels.bookings.services.writing import Booked  # noqa: PLC0415

    # Parcels booked a day ago are due within a day; the others are overdue, and scanned too late.
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


def _scan(queue: deque[Any], actors: dict[int, Any], source: random.Random) -> tuple[int, float]:
    """Send all scans that are due, by courier."""
    from alliance.tenancy import Scope, scope  # noqa: PLC0415 -- after django.setup()
    from parcels.scans.lines import ScanLine  # noqa: PLC0415
    from parcels.scans.services import record_scans  # noqa: PLC0415

    now, lines, waiting = time.time(), {}, []
    while queue:
        since, parcel, stage = queue.popleft()
        code, hours, after = STORY[stage]
        if now < since + after:
            waiting.append((since, parcel, stage))
            continue
        number, courier_id, at = parcel
        lines.setdefault(courier_id, []).append(ScanLine(number, code, at + timedelta(hours=hours)))
        is_missed = stage == len(STORY) - 2 and source.randrange(100) < MISSED
        if stage + 1 < len(STORY) and not is_missed:
            waiting.append((since, parcel, stage + 1))
    queue.extend(waiting)
    count, begun = 0, time.perf_counter()
    for courier_id, courier_lines in lines.items():
        actor = actors[courier_id]
        for first in range(0, len(courier_lines), 2_000):
            with scope(Scope.of(actor)):
                count += record_scans(actor=actor, lines=courier_lines[first : first + 2_000]).accepted
    return count, time.perf_counter() - begun


# --- periodic tasks --------------------------------------------------------------------------


def _keep(until: float) -> None:
    """Run the periodic tasks at beat's intervals."""
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


# --- monitoring ------------------------------------------------------------------------------


def _watch(parameters: dict[str, Any], count: int, counts: Any, waits: Any) -> list[Minute]:
    connection = psycopg2.connect(**parameters)
    connection.autocommit = True
    minutes: list[Minute] = []
    previous, begun = [0, 0], time.time()
    with connection.cursor() as cursor:
        for number in range(1, count + 1):
            time.sleep(max(0.0, begun + number * 60 - time.time()))
            now = list(counts)
            tables, (wal, size, age, snapshot) = look(cursor)
            seconds = time.time() - begun - sum(minute.seconds for minute in minutes)
            minute = Minute(
                number,
                seconds,
                now[0] - previous[0],
                now[1] - previous[1],
                tables,
                wal,
                size,
                age,
                snapshot,
                _waits(waits),
            )
            previous = now
            _print_line(line(minute, minutes[-1] if minutes else None))
            minutes.append(minute)
    connection.close()
    return minutes


def _waits(waits: Any) -> dict[str, float]:
    rounds = []
    while not waits.empty():
        rounds.append(waits.get())
    figures = {}
    for name, values in zip(("bookings", "scans"), zip(*rounds, strict=True), strict=False):
        figures[f"{name} median"] = statistics.median(values) * 1000
        figures[f"{name} worst"] = max(values) * 1000
    return figures


def _conclude(minutes: list[Minute], exit_codes: list[int]) -> None:
    """Print the table and the result, including the audit of rates against commitments."""
    from alliance.tenancy import Scope, scope  # noqa: PLC0415 -- after django.setup()
    from slas.audits.rates import audit_rates  # noqa: PLC0415

    _print_line("\n" + table_of(minutes[len(minutes) // 4], minutes[-1]))
    with scope(Scope.everything()):
        differences = audit_rates().differences
    findings = judge(minutes) + [f"the audit: {difference}" for difference in differences[:5]]
    findings += [f"a process ended with {code}" for code in exit_codes]
    _print_line("\nFlat." if not findings else "\nNot flat:\n" + "\n".join(findings))
    sys.exit(1 if findings else 0)


def _print_line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
