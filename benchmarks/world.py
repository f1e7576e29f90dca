"""What benchmarks find: a database that can grow, the product's web server, members with keys."""

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
# Parcels on the road that come with a size at which what grows is measured, and with that of all the others.
ROAD = {"growing": 140_000, "once": 620_000}


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation of the benchmark's alliance, and its key."""

    organisation_id: int
    token: str


@dataclass(slots=True)
class World:
    """Four couriers, forty merchants, as many parcels as asked for, and a web server before them."""

    couriers: list[Member]
    merchants: list[Member]
    parameters: dict[str, Any]
    watch: Watch
    port: int = 0
    size: int = 0
    # Whether to take the time that the figures of the issue are defined for.
    full: bool = False
    # Seeds of the parcels that were put on the road last.
    _road: list[int] = field(default_factory=list)
    # By courier, parcels that no scan has been sent of.
    _waiting: dict[int, list[int]] = field(default_factory=dict)

    def connect(self) -> "psycopg2.extensions.connection":
        """Open a bare connection to the benchmarks' database."""
        return psycopg2.connect(**self.parameters)

    def rows(self, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Ask the database as a worker would, seeing everything."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET LOCAL alliance.scope = 'all'")
            cursor.execute(statement, parameters)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        connection.close()
        return found

    def grow(self, size: int, *, road: int) -> None:
        """Add parcels until there are so many, of which so many new ones wait for their first scan.

        Only the new ones are handed out: what an earlier size left waiting would be more parcels on the road
        at one size than at another, on pages that are logged whole when they change.
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
        """Hand out parcels of a courier that no scan was sent of, from all over the road, each once."""
        if not self._waiting:
            self._look_for_waiting()
        waiting = self._waiting[courier.organisation_id]
        if len(waiting) < count:
            raise RuntimeError(f"only {len(waiting):,} parcels wait for a scan, not {count:,}")
        step = len(waiting) // count
        taken = waiting[: step * count : step]
        gone = set(taken)
        self._waiting[courier.organisation_id] = [pk for pk in waiting if pk not in gone]
        return taken

    def _look_for_waiting(self) -> None:
        from alliance.identifiers import parcel_id_at  # noqa: PLC0415 -- after django.setup()
        from benchmarks.filling import NEWEST_HOURS, OLDEST_HOURS  # noqa: PLC0415

        now = datetime.now(UTC)
        low, high = (parcel_id_at(now - timedelta(hours=hours)) for hours in (OLDEST_HOURS, NEWEST_HOURS))
        found = self.rows(
            "SELECT courier_id, array_agg(id ORDER BY id) FROM parcels_parcel"
            " WHERE id BETWEEN %s AND %s AND status = 'booked' AND last_scan_at IS NULL"
            " AND split_part(reference, '-', 2)::bigint = ANY(%s) GROUP BY 1",
            [low, high, self._road],
        )
        self._waiting = dict(found)


@contextmanager
def open_world(*, full: bool = False) -> Iterator[World]:
    """Make the database, its members and the web server; drop and stop all at the end."""
    with own_database(NAME) as parameters:
        from benchmarks import members, servers  # noqa: PLC0415 -- after django.setup()

        couriers, merchants = members.make(COURIERS, MERCHANTS)
        with servers.web_server() as (port, process):
            roots = {WEB: process}
            if database := _database(parameters):
                roots[DATABASE] = database
            yield World(
                couriers, merchants, parameters, Watch(roots, lambda: written(parameters)), port, full=full
            )


def written(parameters: dict[str, Any]) -> int:
    """Return the bytes of WAL written since the server was made."""
    connection = psycopg2.connect(**parameters)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'")
        found = int(cursor.fetchone()[0])
    connection.close()
    return found


def _database(parameters: dict[str, Any]) -> int | None:
    """Return the process id of the database server, if it runs on this machine."""
    connection = psycopg2.connect(**parameters)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = parent_of(int(cursor.fetchone()[0]))
    connection.close()
    return found
