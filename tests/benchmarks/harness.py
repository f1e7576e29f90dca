"""A database of its own with a million parcels, the web server as shipped, and clients to load it.

The database is dropped before and after: nothing of the product's own data is touched. Parcels are made by
bare SQL (only here; the demo goes through the services). Floors run on the same server in the same minutes.
"""

import multiprocessing
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import django
import psycopg2

from alliance import embedded

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alliance.settings")

NAME = "bench_alliance"
ROOT = Path(__file__).resolve().parents[2]
COURIERS, MERCHANTS, DAYS = 4, 40, 25
CHUNK = 50_000


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results. A goal is of the ratio, unless it is spelled out."""

    what: str
    ours: float
    floor: float | None = None
    floor_is: str = ""
    goal: float | str | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    unit: str = "/s"
    # Of what grows with the data: how much there was.
    size: int | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours / self.floor if self.floor else None

    def text(self) -> str:
        at = f" at {self.size:,}" if self.size else ""
        floor = f"; {self.floor_is}: {number(self.floor)} {self.unit}" if self.floor else ""
        ratio = f"; ratio {self.ratio:.2f}" if self.ratio else ""
        goal = f" (goal {self.goal})" if self.goal else ""
        return f"{self.what}{at}: {number(self.ours)} {self.unit}{floor}{ratio}{goal}  {self.notes or ''}"


def number(value: float) -> str:
    """Spell a rate or a time with as many digits as mean anything."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for the docs."""
    lines = ["| what | ours | floor | floor is | ratio | goal |", "|---|---|---|---|---|---|"]
    lines += [
        f"| {row.what} | {number(row.ours)} {row.unit} | {number(row.floor) if row.floor else ''}"
        f" | {row.floor_is} | {f'{row.ratio:.2f}' if row.ratio else ''} | {row.goal or ''} |"
        for row in rows
        if row.size is None
    ]
    return "\n".join(lines) if len(lines) > 2 else ""


def growth_table(rows: Sequence[Row]) -> str:
    """Return what was measured at several sizes as a table: a column a size, and how much it grew."""
    sizes = sorted({row.size for row in rows if row.size})
    if not sizes:
        return ""
    heads = [f"{size:,}" for size in sizes]
    lines = [f"| what | {' | '.join(heads)} | last / first | floor | ratio | goal |"]
    lines.append("|---" * (len(sizes) + 5) + "|")
    for what in dict.fromkeys(row.what for row in rows if row.size):
        found = {row.size: row for row in rows if row.what == what}
        first, last = found[min(found)], found[max(found)]
        figures = [f"{number(found[size].ours)} {last.unit}" if size in found else "" for size in sizes]
        grown = f"{last.ours / first.ours:.2f}" if first.ours else ""
        floor = number(last.floor) if last.floor else ""
        ratio = f"{last.ratio:.2f}" if last.ratio else ""
        lines.append(f"| {what} | {' | '.join(figures)} | {grown} | {floor} | {ratio} | {last.goal or ''} |")
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Member:
    """A courier of the benchmark's alliance, with its key and the parcels it carries, newest last."""

    organisation_id: int
    token: str
    parcels: list[int]


@dataclass(frozen=True, slots=True)
class World:
    """What a benchmark finds: the web server's port, couriers with parcels, merchants with keys."""

    port: int
    couriers: list[Member]
    merchants: list[Member]
    parameters: dict[str, Any]

    def connect(self) -> "psycopg2.extensions.connection":
        """Open a bare connection to the benchmark's database."""
        return psycopg2.connect(**self.parameters)


@contextmanager
def world(*, parcels: int) -> Iterator[World]:
    """Make the database and the web server; drop both at the end."""
    with own_database(NAME) as parameters:
        couriers, merchants = _fill(parcels)
        with _web_server() as port:
            yield World(port, couriers, merchants, parameters)


@contextmanager
def own_database(name: str) -> Iterator[dict[str, Any]]:
    """Have Django use an empty, migrated database of that name; drop it at the end."""
    with embedded.running():
        django.setup()
        parameters = _make_database(name)
        try:
            yield parameters
        finally:
            from django.db import connections  # noqa: PLC0415 -- needs the settings

            connections.close_all()
            _administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def together(work: Callable[..., int], jobs: Sequence[tuple[Any, ...]]) -> float:
    """Run a process a job, all starting at once; return the items a second they did together.

    `work(ready, *job)` prepares, calls `ready()` and returns how many items it did after that.
    """
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(len(jobs) + 1), context.SimpleQueue()
    processes = [
        context.Process(target=_job, args=(work, barrier, results, job), daemon=True) for job in jobs
    ]
    for process in processes:
        process.start()
    barrier.wait(timeout=300)
    begun = time.perf_counter()
    done = [results.get() for _process in processes]
    seconds = time.perf_counter() - begun
    for process in processes:
        process.join()
    if failed := [error for error in done if isinstance(error, str)]:
        raise RuntimeError(failed[0])
    return sum(done) / seconds


def _job(work: Callable[..., int], barrier: Any, results: Any, job: tuple[Any, ...]) -> None:
    try:
        results.put(work(barrier.wait, *job))
    except Exception as error:  # noqa: BLE001 -- told to the parent, which stops
        barrier.abort()
        results.put(repr(error))


def post(connection: HTTPConnection, path: str, token: str, body: bytes) -> bytes:
    """Send one call and return its answer. Raises RuntimeError for anything but success."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    answer = response.read()
    if response.status >= 300:
        raise RuntimeError(f"{response.status}: {answer[:300]!r}")
    return answer


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


# --- the database ----------------------------------------------------------------------------


def _make_database(name: str) -> dict[str, Any]:
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import connections  # noqa: PLC0415

    _administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _administer(f"CREATE DATABASE {name}")
    connections.close_all()
    database = settings.DATABASES["default"]
    database["NAME"] = name
    # What is remembered of these data is nothing to the product beside them.
    settings.CACHES["default"]["KEY_PREFIX"] = name
    begun = time.perf_counter()
    call_command("migrate", verbosity=0, interactive=False)
    _say(f"migrated in {time.perf_counter() - begun:.1f} s")
    return {
        "dbname": name,
        "user": database["USER"],
        "password": database["PASSWORD"] or None,
        "host": database["HOST"],
        "port": database["PORT"] or None,
    }


def _administer(statement: str) -> None:
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    database = settings.DATABASES["default"]
    connection = psycopg2.connect(
        dbname="postgres",
        user=database["USER"],
        password=database["PASSWORD"] or None,
        host=database["HOST"],
        port=database["PORT"] or None,
    )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def _fill(count: int) -> tuple[list[Member], list[Member]]:
    """Make couriers, merchants and their parcels with both commitments, as 25 days of booking leave them."""
    from alliance import partitions  # noqa: PLC0415 -- after django.setup()
    from alliance.tenancy import Scope, scope  # noqa: PLC0415
    from tests import factories  # noqa: PLC0415

    partitions.ensure_months_ahead()
    couriers = [factories.courier_organisation(f"Courier {number}") for number in range(COURIERS)]
    merchants = [factories.merchant_organisation(f"Merchant {number}") for number in range(MERCHANTS)]
    begun = time.perf_counter()
    carried: list[list[int]] = [[] for _courier in couriers]
    random_source = random.Random(20261122)
    first = datetime.now(UTC) - timedelta(days=DAYS)
    for chunk in range(0, count, CHUNK):
        size = min(CHUNK, count - chunk)
        rows = [
            _parcel(random_source, first, (chunk + place) / count, couriers, merchants)
            for place in range(size)
        ]
        with scope(Scope.everything()):
            _insert(rows)
        for parcel_id, _merchant, courier_id, _booked in rows:
            carried[courier_id - couriers[0].pk].append(parcel_id)
    _analyse()
    _say(f"{count:,} parcels made in {time.perf_counter() - begun:.1f} s")
    return (
        [Member(courier.pk, _key(courier), ids) for courier, ids in zip(couriers, carried, strict=True)],
        [Member(merchant.pk, _key(merchant), []) for merchant in merchants],
    )


def _parcel(
    source: random.Random, first: datetime, share: float, couriers: list[Any], merchants: list[Any]
) -> tuple[int, int, int, str]:
    from alliance.identifiers import new_parcel_id  # noqa: PLC0415 -- after django.setup()

    booked_at = first + timedelta(days=DAYS - 1) * share
    parcel_id = new_parcel_id(booked_at, random_bits=source.getrandbits(22))
    courier = couriers[source.randrange(len(couriers))]
    return parcel_id, merchants[source.randrange(len(merchants))].pk, courier.pk, booked_at.isoformat()


_PARCELS = """
INSERT INTO parcels_parcel (id, merchant_id, courier_id, tier_id, origin_id, destination_id, source,
    reference, recipient_name, recipient_phone, recipient_address, weight_g, fee_fen, booked_at, ready_at,
    pickup_by, deliver_by, status, status_at, corrected)
SELECT x.id, m, c, (SELECT min(id) FROM slas_servicetier), 1 + x.id %% 30, 1 + (x.id / 30) %% 30, 'api',
    'R' || x.id,
    'Recipient ' || x.id %% 1000, '13800' || x.id %% 1000000, 'Building 7, room 1203, West Lake road 88',
    800, 1250, b, b, b + interval '6 hours', b + interval '30 hours', 'booked', b, false
FROM unnest(%(id)s::bigint[], %(m)s::bigint[], %(c)s::bigint[], %(b)s::timestamptz[]) AS x (id, m, c, b)
ON CONFLICT DO NOTHING
"""
_COMMITMENTS = """
INSERT INTO slas_commitment (parcel_id, kind, merchant_id, courier_id, tier_id, origin_id, destination_id,
    due_at, due_date, outcome, excused)
SELECT p.id, k.kind, p.merchant_id, p.courier_id, p.tier_id, p.origin_id, p.destination_id,
    CASE k.kind WHEN 'pickup' THEN p.pickup_by ELSE p.deliver_by END,
    (CASE k.kind WHEN 'pickup' THEN p.pickup_by ELSE p.deliver_by END)::date, 'pending', false
FROM parcels_parcel p, (VALUES ('pickup'), ('delivery')) AS k (kind)
WHERE p.id = ANY(%(id)s::bigint[])
"""


def _insert(rows: list[tuple[int, int, int, str]]) -> None:
    from django.db import connection  # noqa: PLC0415 -- after django.setup()

    names = ("id", "m", "c", "b")
    columns = {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    with connection.cursor() as cursor:
        cursor.execute(_PARCELS, columns)
        cursor.execute(_COMMITMENTS, columns)


def _analyse() -> None:
    from django.db import connection  # noqa: PLC0415 -- after django.setup()

    with connection.cursor() as cursor:
        for name in ("parcels_parcel", "parcels_scan", "slas_commitment", "slas_breach"):
            cursor.execute(f"VACUUM (ANALYZE) {name}")
        cursor.execute("CHECKPOINT" if _may_checkpoint(cursor) else "SELECT 1")


def _may_checkpoint(cursor: Any) -> bool:
    cursor.execute("SELECT pg_has_role(current_user, 'pg_checkpoint', 'USAGE')")
    return bool(cursor.fetchone()[0])


def _key(organisation: Any) -> str:
    from alliance.services import actor_of_organisation, create_api_key  # noqa: PLC0415
    from alliance.tenancy import KEY_SCOPES, Scope, scope  # noqa: PLC0415

    actor = actor_of_organisation(organisation, kind="user", label="bench")
    with scope(Scope.of(actor)):
        return create_api_key(actor=actor, name="bench", scopes=KEY_SCOPES & actor.capabilities)[1]


# --- the web server --------------------------------------------------------------------------


@contextmanager
def _web_server() -> Iterator[int]:
    """Run gunicorn with the product's own configuration on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "--config", str(ROOT / "gunicorn.conf.py")]
    command += ["--chdir", str(ROOT), "--bind", f"127.0.0.1:{port}"]
    environment = {**os.environ, "DATABASE_URL": _database_url(), "LOG_LEVEL": "WARNING"}
    server = subprocess.Popen(command, env=environment)
    try:
        _wait_for(port, server)
        yield port
    finally:
        server.terminate()
        server.wait(timeout=30)


def _database_url() -> str:
    if "DATABASE_URL" in os.environ:
        return os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{NAME}"
    own = embedded.database_settings()
    return f"postgres://{own['USER']}@:{own['PORT']}/{own['HOST']}/{NAME}"


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("the web server did not start")
