"""The environment of benchmarks: a growing database, the product's web server, members with API keys."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2

from benchmarks.database import own_database
from benchmarks.rows import DATABASE, WEB
from benchmarks.watching import Watch, parent_of

NAME = "bench_alliance"
COURIERS, MERCHANTS = 4, 40
# Parcels in transit that are added at each size of the growing benchmarks, and for all the others.
ROAD = {"growing": 95_000, "once": 560_000}


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation of the benchmark's alliance, and its key."""

    organisation_id: int
    token: str


@dataclass(slots=True)
class World:
    """Four couriers, forty merchants, any number of parcels, and a web server."""

    couriers: list[Member]
    merchants: list[Member]
    parameters: dict[str, Any]
    watch: Watch
    port: int = 0
    size: int = 0
    # Whether to run as long as the definitions of the goals require.
    full: bool = False
    # Seeds of the latest parcels in transit.
    _road: list[int] = field(default_factory=list)
    # Parcels without scans, by courier.
    _waiting: dict[int, list[int]] = field(default_factory=dict)

    def connect(self) -> "psycopg2.extensions.connection":
        """Open a connection to the benchmarks' database without Django."""
        return psycopg2.connect(**self.parameters)

    def rows(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Run a query in the scope of a worker, which sees all rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL alliance.scope = 'all'")
            cursor.execute(statement, parameters)
            result: list[tuple[Any, ...]] = cursor.fetchall()
        connection.close()
        return result

    def grow(self, size: int, *, road: int) -> None:
        """Add parcels up to a size, of which `road` new ones wait for their first scan.

        Scans are sent only for the new ones: with those left from an earlier size, the number of parcels in
        transit would differ between sizes, and their pages would cause more full-page images.
        """
        from benchmarks import filling  # noqa: PLC0415 -- after django.setup()

        missing = max(0, size - self.size)
        road = min(road, missing)
        self._road = filling.fill(
            history=missing - road,
            road=road,
            couriers=[courier.organisation_id for courier in self.couriers],
            merchants=[merchant.organisation_id for merchant in self.merchants],
            seed=self.size + 1,
        )
        self.size = max(size, self.size)
        self._waiting = {}

    def parcels(self, courier: Member, count: int) -> list[int]:
        """Return parcels of a courier without scans, evenly distributed, each only once.

        Ends the run if too few of them are left.
        """
        if not self._waiting:
            self._look_for_waiting()
        waiting = self._waiting.get(courier.organisation_id, [])
        if len(waiting) < count:
            raise SystemExit(
                f"Only {len(waiting):,} parcels of a courier wait for a scan, not {count:,}: give --parcels"
                f" a larger number than {self.size:,}, or name fewer benchmarks a run."
            )
        step = len(waiting) // count
        selected = waiting[: step * count : step]
        used = set(selected)
        self._waiting[courier.organisation_id] = [pk for pk in waiting if pk not in used]
        return selected

    def _look_for_waiting(self) -> None:
        from alliance.identifiers import parcel_id_at  # noqa: PLC0415 -- after django.setup()
        from benchmarks.filling import NEWEST_HOURS, OLDEST_HOURS  # noqa: PLC0415

        now = datetime.now(UTC)
        low, high = (parcel_id_at(now - timedelta(hours=hours)) for hours in (OLDEST_HOURS, NEWEST_HOURS))
        rows = self.rows(
            "SELECT courier_id, array_agg(id ORDER BY id) FROM parcels_parcel"
            " WHERE id BETWEEN %s AND %s AND status = 'booked' AND last_scan_at IS NULL"
            " AND split_part(reference, '-', 2)::bigint = ANY(%s) GROUP BY 1",
            [low, high, self._road],
        )
        self._waiting = dict(rows)


@contextmanager
def open_world(*, full: bool = False) -> Iterator[World]:
    """Create the database and its members, and start the web server; drop and stop them at the end."""
    with own_database(NAME) as parameters:
        from benchmarks import members, servers  # noqa: PLC0415 -- after django.setup()

        couriers, merchants = members.make(COURIERS, MERCHANTS)
        with servers.web_server() as (port, process):
            roots = {WEB: process}
            if database := _database(parameters):
                roots[DATABASE] = database
            yield World(
                couriers, merchants, parameters, Watch(roots, lambda: wal_bytes(parameters)), port, full=full
            )


def wal_bytes(parameters: dict[str, Any]) -> int:
    """Return the total bytes of WAL written by the server."""
    connection = psycopg2.connect(**parameters)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        position = int(cursor.fetchone()[0])
    connection.close()
    return position


def _database(parameters: dict[str, Any]) -> int | None:
    """Return the process id of the database server, if it runs on this machine."""
    connection = psycopg2.connect(**parameters)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        process = parent_of(int(cursor.fetchone()[0]))
    connection.close()
    return process
