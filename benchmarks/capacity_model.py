"""Model of the cost of parcels in processor seconds, bytes and machines. Pure functions.

Measured costs come from a stored run; assumptions are in Assumed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from benchmarks.rows import DATABASE, WEB, WORKER, Row
from slas.forecasts.watch_rules import NEAR, REFRESH, TURNS

_YEAR, _DAY = 365.25 * 86_400, 86_400.0


@dataclass(frozen=True, slots=True)
class Assumed:
    """Figures that no benchmark measures. All are in the table of assumptions (`capacity.py`)."""

    # 25,000 scans a second beside 3,170 bookings.
    scans: float = 8
    # As in the rows that the costs are of.
    scans_a_call: float = 2_000
    bookings_a_call: float = 1_000
    # Views of the tracking page, and tracking calls of programs, per parcel.
    looks: float = 4
    calls: float = 1
    # The busiest hour of a sales day, as a multiple of the year's average.
    peak: float = 5
    # Utilisation of a core at the peak, so that calls need not queue.
    busy: float = 0.6
    late: float = 0.05
    # Months of parcels, scans, commitments and breaches kept in the database; older ones are Parquet.
    months: float = 3
    # Bytes over the network: of a scan in a batch, a booking with its response, a page view, an API call.
    scan_bytes: float = 140
    booking_bytes: float = 900
    look_bytes: float = 9_000
    call_bytes: float = 2_000
    # One large database machine, and one large web machine.
    database_cores: float = 32
    database_bytes: float = 8e12
    database_wal: float = 300e6
    web_cores: float = 32
    # Largest month of scans with its index, before vacuum and copies of it take too long.
    partition_bytes: float = 250e9
    connections: float = 400
    # The default of WEB_THREADS, of a process a core.
    threads: float = 12
    # Calls per second of one Valkey; each API request needs two.
    valkey_calls: float = 100_000
    # Seconds between two refreshes of the watch list. Each refresh checks the parcels due within so many
    # hours, one in so many of those due within a day, and all late ones and those with problems.
    refresh: float = REFRESH.total_seconds()
    near: float = NEAR.total_seconds() / 3600
    turns: float = TURNS
    # Work shares, each folded by one worker at a time: the default of WORK_SHARES.
    shares: float = 2


ASSUMED = Assumed()


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor microseconds per program, and bytes of WAL, of one item."""

    web: float = 0.0
    database: float = 0.0
    worker: float = 0.0
    wal: float = 0.0

    def __add__(self, other: Self) -> "Cost":
        return Cost(
            self.web + other.web,
            self.database + other.database,
            self.worker + other.worker,
            self.wal + other.wal,
        )

    def times(self, factor: float) -> "Cost":
        return Cost(self.web * factor, self.database * factor, self.worker * factor, self.wal * factor)


# Measured costs, by the beginning of the row's name.
ROWS = {
    "scan": "scans over HTTP, JSON, 2,000 a batch",
    "booking": "bookings over HTTP, 1,000 a batch",
    "look": "tracking page",
    "call": "tracking JSON by number",
    "fold": "fold of bookings, pickups",
    "delivery fold": "fold of deliveries",
    "progress": "progress of deliveries",
    "late fold": "fold of late deliveries",
    "sweep": "sweep, newly overdue",
    "credit": "credits worked out",
    "watch": "watch list, due within a day",
}
# Table -> rows per parcel, and its growth.
TABLES: Mapping[str, tuple[str, str]] = {
    "parcels_parcel": ("1", "with parcels, by month"),
    "parcels_scan": ("scans", "with scans, by month"),
    "slas_commitment": ("2", "with parcels, by month"),
    "slas_breach": ("late", "with lateness, by month"),
    "alliance_event": ("1 + scans", "with bookings and changes of status; read once"),
}


@dataclass(frozen=True, slots=True)
class Model:
    """The measured costs of a parcel, and the assumptions they are multiplied with."""

    costs: Mapping[str, Cost]
    # Bytes of a row including its indexes.
    bytes: Mapping[str, tuple[float, float]]
    assumed: Assumed = ASSUMED

    @classmethod
    def of(cls, run: Mapping[str, Any], assumed: Assumed = ASSUMED) -> Self:
        rows = [Row.from_json(row) for row in run["rows"]]
        tables = run.get("tables", {})
        return cls(
            {name: _cost(rows, beginning) for name, beginning in ROWS.items()},
            {name: (t["heap"] / t["rows"], t["indexes"] / t["rows"]) for name, t in tables.items()},
            assumed,
        )

    @property
    def parcel(self) -> Cost:
        """The total cost of one parcel, without the watch list."""
        a, c = self.assumed, self.costs
        # Two opened promises and the pickup: three small tallies at most, and that of the delivery.
        folds = c["fold"].times(3) + c["delivery fold"].times(1 - a.late) + c["progress"]
        late = (c["sweep"] + c["fold"] + c["late fold"] + c["credit"].times(2)).times(a.late)
        looking = c["look"].times(a.looks) + c["call"].times(a.calls)
        return c["booking"] + c["scan"].times(a.scans) + looking + folds + late

    @property
    def watching(self) -> Cost:
        """The cost of the watch list per parcel: of the refreshes of the day before its promise."""
        return self.costs["watch"].times(self.seen * _DAY / self.assumed.refresh)

    @property
    def seen(self) -> float:
        """The share of a day's refreshes that check a parcel; all check one with problems."""
        a = self.assumed
        near = a.near / 24
        return a.late + (1 - a.late) * (near + (1 - near) / a.turns)

    def rows_of(self, table: str) -> float:
        """Return the rows of a table per parcel."""
        a = self.assumed
        return {"scans": a.scans, "late": a.late, "1 + scans": 1 + a.scans}.get(TABLES[table][0]) or float(
            TABLES[table][0]
        )

    @property
    def refreshed(self) -> float:
        """The seconds that one process takes to refresh the watch list, with one parcel booked a year."""
        watch = self.costs["watch"]
        return self.seen * (watch.database + watch.worker) / 1e6 / 365.25

    @property
    def scans_a_month(self) -> float:
        """The bytes that the scans of one parcel add to the partition of their month, a twelfth of a year."""
        return sum(self.bytes.get("parcels_scan", (0, 0))) * self.assumed.scans / 12

    @property
    def calls(self) -> float:
        """The calls of programs and people for one parcel."""
        a = self.assumed
        return a.looks + a.calls + 1 / a.bookings_a_call + a.scans / a.scans_a_call

    def bytes_a_parcel(self) -> float:
        return sum(sum(self.bytes[table]) * self.rows_of(table) for table in TABLES if table in self.bytes)

    def needs(self, parcels: float) -> "Needs":
        """Return the needs of a number of parcels per year."""
        a, life = self.assumed, self.parcel + self.watching
        a_second = parcels / _YEAR

        def cores(microseconds: float) -> float:
            return a_second * a.peak * microseconds / 1e6 / a.busy

        traffic = a.scans * a.scan_bytes + a.booking_bytes + a.looks * a.look_bytes + a.calls * a.call_bytes
        return Needs(
            bookings=a_second,
            scans=a_second * a.scans,
            web_cores=cores(life.web),
            database_cores=cores(life.database),
            worker_cores=cores(life.worker),
            disk=parcels * a.months / 12 * self.bytes_a_parcel(),
            wal_a_day=parcels / 365.25 * life.wal,
            wal_at_peak=a_second * a.peak * life.wal,
            network=a_second * a.peak * traffic,
        )


@dataclass(frozen=True, slots=True)
class Needs:
    """Rates are averages of the year; cores and bytes per second are those of the peak."""

    bookings: float
    scans: float
    web_cores: float
    database_cores: float
    worker_cores: float
    disk: float
    wal_a_day: float
    wal_at_peak: float
    network: float

    def web_nodes(self, a: Assumed) -> int:
        """Return the number of large machines for web servers and workers."""
        return max(1, math.ceil((self.web_cores + self.worker_cores) / a.web_cores))

    def database_nodes(self, a: Assumed) -> int:
        """Return the number of large machines for the database, without standbys."""
        shares = (
            self.database_cores / a.database_cores,
            self.disk / a.database_bytes,
            self.wal_at_peak / a.database_wal,
        )
        return max(1, math.ceil(max(shares)))


@dataclass(frozen=True, slots=True)
class Limit:
    """The size at which a part reaches its limit, and how it is split then."""

    what: str
    parcels: float
    onto: str


def limits(model: Model) -> list[Limit]:
    """Return the limits in the order in which they are reached. All needs grow linearly with parcels."""
    a, one = model.assumed, model.needs(1.0)
    fold = model.costs["fold"].times(3) + model.costs["delivery fold"]
    # A share is folded by one process, which waits for the database.
    folding = one.bookings * a.peak * (fold.database + fold.worker) / 1e6 / a.busy
    connections = one.web_cores * a.threads + one.worker_cores
    requests = one.bookings * a.peak * model.calls
    tracking_cost = model.costs["look"].times(a.looks) + model.costs["call"].times(a.calls)
    tracking_cores = one.bookings * a.peak * tracking_cost.database / 1e6 / a.busy
    candidates = [
        (
            "everything on one machine of 2 cores",
            2,
            one.web_cores + one.database_cores + one.worker_cores,
            _MACHINES,
        ),
        ("connections: a web thread has one", a.connections, connections, _POOLER),
        ("one refresh of the watch list within its interval", a.refresh, model.refreshed, REFRESHES),
        (f"folds of {a.shares:g} shares of couriers", a.shares, folding, _FOLDS),
        ("one month of scans in one partition", a.partition_bytes, model.scans_a_month, WEEKS),
        ("processors of one database", a.database_cores, one.database_cores, _CITUS),
        ("disks of one database", a.database_bytes, one.disk, _CITUS),
        ("WAL of one database", a.database_wal, one.wal_at_peak, _CITUS),
        ("looks beside writes on the primary", a.database_cores / 4, tracking_cores, _REPLICAS),
        ("one Valkey for limits and caches", a.valkey_calls, 2 * requests, _VALKEYS),
    ]
    return sorted(
        (Limit(what, has / needs, onto) for what, has, needs, onto in candidates if needs),
        key=lambda limit: limit.parcels,
    )


_MACHINES = "web, workers and database on machines of their own"
_POOLER = "PgBouncer, pooling by transaction; the code keeps no session state"
REFRESHES = "a slice of couriers a worker: not built, one process refreshes all of it"
_FOLDS = "more shares (`WORK_SHARES`), a worker each; on a cluster each shard is one"
WEEKS = "a week, then a day a partition: not built; ids carry their time, so only the ranges change"
_REPLICAS = "read replicas for tracking: not built; it reads one parcel, and may be a second behind"
_VALKEYS = "a Valkey cluster: keys are by API key and address, none are read together"
_CITUS = "Citus: `manage.py distribute`, see [a cluster](#a-cluster)"


def _cost(rows: Sequence[Row], beginning: str) -> Cost:
    """Return the measured cost of an item, at the largest size of the run."""
    matching = [row for row in rows if row.what.startswith(beginning) and row.cost]
    if not matching:
        raise ValueError(f"the run has no costs of: {beginning}")
    cost = max(matching, key=lambda row: row.size or 0).cost
    return Cost(
        *(cost.get(f"{name} us", 0.0) for name in (WEB, DATABASE, WORKER)), cost.get("WAL bytes", 0.0)
    )
