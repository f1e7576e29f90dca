"""What a cluster takes for so many parcels a year: workers, shards and its coordinator. Pure functions.

What a call costs there, beside one server, is taken from a run of `bench_citus`, and so is what the
coordinator does for a call that it passes on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from alliance.homes import HOMES
from benchmarks.capacity_model import ASSUMED, REFRESHES, WEEKS, Cost, Limit, Model
from benchmarks.capacity_model import Needs as PlainNeeds
from benchmarks.rows import Row

# What is measured on a cluster: the beginnings of its rows, which end with the number of clients.
PREFIX: Final = "on a cluster: "
KINDS: Final = {
    "scans": "scans, 2,000 a batch, ",
    "single scans": "single scans, ",
    "bookings": "bookings, 1,000 a batch, ",
    "single bookings": "single bookings, ",
    "tracking": "tracking, ",
}
SCALING: Final = "scans of two workers"
_BATCH: Final = {"scans": ASSUMED.scans_a_call, "bookings": ASSUMED.bookings_a_call}


@dataclass(frozen=True, slots=True)
class Measured:
    """Of each kind: its rate beside one server's, and the coordinator's microseconds an item."""

    ratios: Mapping[str, float]
    passing: Mapping[str, float]
    # Rate of two workers beside one, each of half a core.
    scaling: float | None

    @classmethod
    def of(cls, run: Mapping[str, Any]) -> Self | None:
        """Return what a run measured, or None if it had no cluster."""
        rows = [row for row in map(Row.from_json, run["rows"]) if row.what.startswith(PREFIX)]
        found = {kind: _last(rows, f"{PREFIX}{beginning}") for kind, beginning in KINDS.items()}
        if not all(found.values()):
            return None
        return cls(
            {kind: row.ratio for kind, row in found.items() if row and row.ratio},
            {kind: row.cost.get("coordinator us", 0.0) for kind, row in found.items() if row},
            scaling.ratio if (scaling := _last(rows, f"{PREFIX}{SCALING}")) else None,
        )

    def passed_on(self, kind: str) -> float:
        """Return the calls of a kind that one core of the coordinator passes on in a second."""
        cost = self.passing[kind] * _BATCH.get(kind, 1)
        return 1e6 / cost if cost else math.inf


def _last(rows: list[Row], beginning: str) -> Row | None:
    """Return the row with the most clients: there, both sides use all cores."""
    found = [row for row in rows if row.what.startswith(beginning)]
    return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class Needs:
    """At the peak: cores, and calls a second. Workers are large machines, counted without their standbys."""

    worker_cores: float
    workers: int
    shard_bytes: float
    calls: float
    # Cores of a coordinator for what only it does, and with all calls that it may pass on.
    own_cores: float
    all_cores: float
    web_machines: int

    @property
    def homes_each(self) -> int:
        """Homes of the fullest worker; a shard has one or more of them whole."""
        return math.ceil(HOMES / self.workers)

    @property
    def machines(self) -> int:
        """All machines: workers and the coordinator have a standby each."""
        return 2 * (self.workers + 1) + self.web_machines


def needs(model: Model, measured: Measured, parcels: float) -> Needs:
    """Return what a cluster needs for a number of parcels a year."""
    a, plain = model.assumed, model.needs(parcels)
    peak = plain.bookings * a.peak

    def cores(microseconds: float) -> float:
        return peak * microseconds / 1e6 / a.busy

    pass_on = measured.passing
    worker_cores = cores(_life(model, measured).database)
    # A tally is taken on its worker and added to a cell on the coordinator: as if all of it were done there.
    folds = model.costs["fold"].times(3) + model.costs["delivery fold"] + model.costs["progress"]
    own, looks = pass_on["bookings"] + folds.database, a.looks + a.calls
    return Needs(
        worker_cores=worker_cores,
        workers=_workers(max(_shares_of_a_worker(model, worker_cores, plain))),
        shard_bytes=plain.disk / HOMES,
        calls=peak * model.calls,
        own_cores=cores(own),
        all_cores=cores(own + pass_on["tracking"] * looks + pass_on["scans"] * a.scans),
        web_machines=plain.web_nodes(a),
    )


def _workers(shares: float) -> int:
    """Return how many workers hold `shares` times what one may: the fullest has whole homes, and no more."""
    homes_of_one = min(HOMES, math.floor(HOMES / shares)) if shares else HOMES
    return math.ceil(HOMES / homes_of_one) if homes_of_one else math.ceil(shares)


def _shares_of_a_worker(model: Model, cores: float, plain: PlainNeeds) -> tuple[float, ...]:
    """Return how many workers the processors, the disks and the WAL take; all tables there are by parcel."""
    a = model.assumed
    return cores / a.database_cores, plain.disk / a.database_bytes, plain.wal_at_peak / a.database_wal


def _life(model: Model, measured: Measured) -> Cost:
    """Return the cost of a parcel on a cluster; what was not compared costs as the dearer batches do."""
    a, c, ratios = model.assumed, model.costs, measured.ratios
    compared = {
        "scans": c["scan"].times(a.scans),
        "bookings": c["booking"],
        "tracking": c["look"].times(a.looks) + c["call"].times(a.calls),
    }
    total = Cost()
    for kind, cost in compared.items():
        total += cost.times(1 / ratios[kind])
    rest = (model.parcel + model.watching).database - sum(cost.database for cost in compared.values())
    return total + Cost(database=rest / min(ratios["scans"], ratios["bookings"]))


def limits(model: Model, measured: Measured) -> list[Limit]:
    """Return the limits of a cluster in the order in which they are reached."""
    a, one, plain = model.assumed, needs(model, measured, 1e9), model.needs(1e9)
    shares = _shares_of_a_worker(model, one.worker_cores, plain)
    candidates = [
        ("the coordinator's cores: all calls go through it", a.database_cores, one.all_cores, _ANY),
        ("the coordinator's cores: capacity, idempotency, folds", a.database_cores, one.own_cores, _OWN),
        (f"{HOMES} homes, a worker each", HOMES, max(shares), _HOMES),
        ("one refresh of the watch list within its interval", a.refresh, 1e9 * model.refreshed, REFRESHES),
        (
            f"one month of scans in one partition of a shard, of {HOMES} shards",
            a.partition_bytes * HOMES,
            1e9 * model.scans_a_month,
            WEEKS,
        ),
    ]
    found = [Limit(what, 1e9 * has / used, onto) for what, has, used, onto in candidates if used]
    return sorted(found, key=lambda limit: limit.parcels)


_ANY: Final = "scans and looks over any node, which passes them on as the coordinator does"
_OWN: Final = "the tables of capacity, of keys and of cells, by courier"
_HOMES: Final = "one more bit of the hash a home (`HOME_BITS`), and twice as many shards"
