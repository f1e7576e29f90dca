"""Audit: recount the rates from the commitments, in the database, and compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog
from django.utils import timezone

from alliance import audit
from alliance.database.partitions import retired_before
from alliance.database.retirement import is_detaching, retired_through
from alliance.database.together import require_settled
from alliance.health import note_heartbeat
from alliance.tenancy import Actor, raw_rows
from slas.choices import Measure, Outcome
from slas.commitments.histograms import MEASURE_STEP
from slas.commitments.landmarks import measure_name, sql_progress_marks
from slas.commitments.sql_counts import COUNTS, counted, marks
from slas.credits.audit import CreditDifference, audit_credits
from slas.forecasts.services.folding import kept_from

log = structlog.get_logger(__name__)
HEARTBEAT = "audit-rates"
# A limit, so that a broken table fills neither the report nor memory.
MOST_ROWS = 1000

_COUNTS = ("pending", "met", "late", "overdue", "void", "excused", *COUNTS)
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in _COUNTS)
_OUTCOMES = ", ".join(f"count(*) FILTER (WHERE outcome = '{name}') AS {name}" for name in Outcome.values)
_FACTS = ", ".join(f"sum({counted(name, 'outcome')})::bigint AS {name}" for name in COUNTS)
_LISTED = ", ".join(_COUNTS)
_DIFFERENT = " OR ".join(f"coalesce(e.{name}, 0) <> coalesce(f.{name}, 0)" for name in _COUNTS)
_BOTH = ", ".join(f"coalesce({side}.{name}, 0)" for side in "ef" for name in _COUNTS)
# Days with parcels moved out of the database cannot be recounted; later days are complete.
_HERE = "due_date > %(retired)s"
_CELL = ("organisation_id", "counterpart_id", "kind", "tier_id", "origin_id", "destination_id", "due_date")
_BIN = (*_CELL, "measure", "bin")


def _key(columns: tuple[str, ...]) -> str:
    return ", ".join(f"CASE WHEN e.due_date IS NULL THEN f.{name} ELSE e.{name} END" for name in columns)


def _same(columns: tuple[str, ...]) -> str:
    return " AND ".join(f"e.{name} = f.{name}" for name in columns)


def _both_grains(source: str, listed: str) -> str:
    """Map each row of a source, by courier, merchant and lane, to the courier's cell and the merchant's."""
    return f"""
    SELECT courier_id AS organisation_id, 0 AS counterpart_id, kind, tier_id, origin_id, destination_id,
        due_date, {listed} FROM {source}
    UNION ALL
    SELECT merchant_id, courier_id, kind, tier_id, origin_id, destination_id, due_date, {listed}
    FROM {source}"""  # noqa: S608


def _of_couriers(source: str) -> str:
    return f"""
    SELECT courier_id, 0, 'delivery', tier_id, origin_id, destination_id, due_date, measure, bin, step
    FROM {source}"""  # noqa: S608


def _both_owners(source: str) -> str:
    return f"""
    SELECT courier_id AS organisation_id, 0 AS counterpart_id, kind, overdue FROM {source}
    UNION ALL SELECT merchant_id, courier_id, kind, overdue FROM {source}"""  # noqa: S608


# One statement, so one snapshot: scans and folds may run meanwhile. No cell has id 0, so zero stands for
# "none" here and the full join can compare with "=", by hash.
_CELLS = f"""
WITH counted AS (
    SELECT merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date, {_OUTCOMES},
        count(*) FILTER (WHERE excused AND outcome IN ('late', 'overdue')) AS excused, {_FACTS}
    FROM slas_commitment GROUP BY merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date
),
expected AS (
    SELECT {", ".join(_CELL)}, {_SUMS}
    FROM ({_both_grains("counted", _LISTED)}) AS x WHERE {_HERE} GROUP BY {", ".join(_CELL)}
),
found AS (
    SELECT {", ".join(_CELL)}, {_SUMS} FROM (
        SELECT organisation_id, coalesce(counterpart_id, 0) AS counterpart_id, kind, tier_id, origin_id,
            destination_id, due_date, {_LISTED}
        FROM slas_ontimerate
        UNION ALL {_both_grains("slas_tally", _LISTED)}
    ) AS x WHERE {_HERE} GROUP BY {", ".join(_CELL)}
)
SELECT {_key(_CELL)}, {_BOTH}
FROM expected e FULL JOIN found f ON {_same(_CELL)}
WHERE {_DIFFERENT}
ORDER BY 7, 1, 2, 3, 4, 5, 6
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants

_MARKED = ", ".join(marks("outcome").values())
_PROGRESSED = ", ".join(sql_progress_marks("outcome").values())
_SPELLED = (
    f"abs(mark) / {MEASURE_STEP} AS measure, abs(mark) %% {MEASURE_STEP} AS bin, sign(mark)::int AS step"
)
# Progress is counted for couriers only, and deleted after a while, see slas.forecasts.services.folding; the
# remaining days must be right.
_BINS = f"""
WITH marked AS (
    SELECT merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date, {_SPELLED}
    FROM slas_commitment, unnest(ARRAY[{_MARKED}]) AS m (mark)
    WHERE mark IS NOT NULL
),
waiting AS (
    SELECT merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date, {_SPELLED}
    FROM slas_tally, unnest(marks) AS m (mark)
),
come AS (
    SELECT courier_id, tier_id, origin_id, destination_id, due_date, {_SPELLED}
    FROM slas_commitment, unnest(ARRAY[{_PROGRESSED}]) AS m (mark)
    WHERE mark IS NOT NULL AND due_date >= %(kept_from)s
),
known AS (
    SELECT courier_id, tier_id, origin_id, destination_id, due_date, {_SPELLED}
    FROM slas_progresstally, unnest(marks) AS m (mark) WHERE due_date >= %(kept_from)s
    UNION ALL
    SELECT courier_id, tier_id, origin_id, destination_id, due_date,
        mark / {MEASURE_STEP}, mark %% {MEASURE_STEP}, count
    FROM slas_progress, unnest(marks, counts) AS m (mark, count) WHERE due_date >= %(kept_from)s
),
expected AS (
    SELECT {", ".join(_BIN)}, sum(step)::bigint AS count FROM (
        {_both_grains("marked", "measure, bin, step")}
        UNION ALL {_of_couriers("come")}
    ) AS x WHERE {_HERE} GROUP BY {", ".join(_BIN)}
),
found AS (
    SELECT {", ".join(_BIN)}, sum(step)::bigint AS count FROM (
        SELECT organisation_id, coalesce(counterpart_id, 0) AS counterpart_id, kind, tier_id, origin_id,
            destination_id, due_date, measure, bin, count AS step
        FROM slas_histogrambin
        UNION ALL {_both_grains("waiting", "measure, bin, step")}
        UNION ALL {_of_couriers("known")}
    ) AS x WHERE {_HERE} GROUP BY {", ".join(_BIN)}
)
SELECT {_key(_BIN)}, coalesce(e.count, 0), coalesce(f.count, 0)
FROM expected e FULL JOIN found f ON {_same(_BIN)}
WHERE coalesce(e.count, 0) <> coalesce(f.count, 0)
ORDER BY 7, 1, 2, 3, 4, 5, 6, 8, 9
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants

_OWNER = ("organisation_id", "counterpart_id", "kind")
_OVERDUE = f"""
WITH counted AS (
    SELECT merchant_id, courier_id, kind, count(*) AS overdue FROM slas_commitment
    WHERE outcome = 'overdue' AND parcel_id >= %(first)s GROUP BY merchant_id, courier_id, kind
),
expected AS (
    SELECT {", ".join(_OWNER)}, sum(overdue)::bigint AS overdue
    FROM ({_both_owners("counted")}) AS x GROUP BY {", ".join(_OWNER)}
),
found AS (
    SELECT {", ".join(_OWNER)}, sum(overdue)::bigint AS overdue FROM (
        SELECT organisation_id, coalesce(counterpart_id, 0) AS counterpart_id, kind, overdue
        FROM slas_overduecount
        UNION ALL {_both_owners("slas_tally")}
    ) AS x GROUP BY {", ".join(_OWNER)}
)
SELECT coalesce(e.organisation_id, f.organisation_id), coalesce(e.counterpart_id, f.counterpart_id),
    coalesce(e.kind, f.kind), coalesce(e.overdue, 0), coalesce(f.overdue, 0)
FROM expected e FULL JOIN found f ON {_same(_OWNER)}
WHERE coalesce(e.overdue, 0) <> coalesce(f.overdue, 0)
ORDER BY 1, 2, 3
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants

_BREACHES = f"""
SELECT coalesce(c.parcel_id, b.parcel_id), coalesce(c.kind, b.kind), coalesce(c.outcome, ''),
    b.parcel_id IS NOT NULL
FROM (SELECT parcel_id, kind, outcome FROM slas_commitment
    WHERE outcome IN ('late', 'overdue') AND parcel_id >= %(first)s) c
FULL JOIN (SELECT parcel_id, kind FROM slas_breach WHERE withdrawn_at IS NULL AND parcel_id >= %(first)s) b
    ON b.parcel_id = c.parcel_id AND b.kind = c.kind
WHERE b.parcel_id IS NULL OR c.parcel_id IS NULL
ORDER BY 1, 2
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants


@dataclass(frozen=True, slots=True)
class CellDifference:
    """A cell whose counts, waiting tallies included, differ from those of the commitments."""

    organisation_id: int
    counterpart_id: int | None
    kind: str
    tier_id: int
    origin_id: int | None
    destination_id: int | None
    due_date: date
    expected: dict[str, int]
    actual: dict[str, int]

    def __str__(self) -> str:
        wrong = ", ".join(
            f"{name} {self.actual[name]} instead of {self.expected[name]}"
            for name in _COUNTS
            if self.actual[name] != self.expected[name]
        )
        cell = f"{self.due_date} organisation {self.organisation_id}, {self._where}, tier {self.tier_id}"
        return f"{cell}, {self.kind}: {wrong}"

    @property
    def _where(self) -> str:
        lane = f"lane {self.origin_id}-{self.destination_id}"
        return f"courier {self.counterpart_id}, {lane}" if self.counterpart_id else lane


@dataclass(frozen=True, slots=True)
class BinDifference:
    """A histogram bin whose count, waiting tallies included, differs from that of the commitments."""

    organisation_id: int
    counterpart_id: int
    kind: str
    tier_id: int
    origin_id: int
    destination_id: int
    due_date: date
    measure: int
    bin: int
    expected: int
    actual: int

    def __str__(self) -> str:
        lane = f"lane {self.origin_id}-{self.destination_id}"
        where = f"{self.due_date} organisation {self.organisation_id}, {lane}, {self.kind}"
        name = (
            measure_name(self.measure)
            if self.measure >= Measure.PROGRESS
            else Measure(self.measure).name.lower()
        )
        what = f"{name}, bin {self.bin}"
        return f"{where}: {what}: {self.actual} instead of {self.expected}"


@dataclass(frozen=True, slots=True)
class OverdueDifference:
    """A count of overdue promises that, waiting tallies included, differs from that of the commitments."""

    organisation_id: int
    counterpart_id: int
    kind: str
    expected: int
    actual: int

    def __str__(self) -> str:
        owner = f"organisation {self.organisation_id}"
        owner += f" with courier {self.counterpart_id}" if self.counterpart_id else ""
        return f"{owner}, {self.kind}: {self.actual} overdue instead of {self.expected}"


@dataclass(frozen=True, slots=True)
class BreachDifference:
    """A broken promise without an open breach, or an open breach without a broken promise."""

    parcel_id: int
    kind: str
    outcome: str
    standing: bool

    def __str__(self) -> str:
        what = (
            "a breach stands, but the promise is not broken"
            if self.standing
            else f"{self.outcome}, but no breach"
        )
        return f"parcel {self.parcel_id}, {self.kind}: {what}"


Difference = CellDifference | OverdueDifference | BreachDifference | BinDifference | CreditDifference


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The differences an audit found; empty when the rates are right."""

    cells: list[CellDifference]
    overdue: list[OverdueDifference]
    breaches: list[BreachDifference]
    bins: list[BinDifference]
    credits: list[CreditDifference]

    @property
    def differences(self) -> list[Difference]:
        return [*self.cells, *self.overdue, *self.breaches, *self.bins, *self.credits]

    @property
    def is_clean(self) -> bool:
        return not self.differences

    def as_detail(self) -> dict[str, Any]:
        """Return counts and the first few rows, for an audit entry or a heartbeat."""
        parts: dict[str, Sequence[object]] = {
            "cells": self.cells,
            "overdue": self.overdue,
            "breaches": self.breaches,
            "bins": self.bins,
            "credits": self.credits,
        }
        counts = {name: len(rows) for name, rows in parts.items()}
        first = [str(row) for rows in parts.values() for row in rows[:5]]
        return {**counts, "first": first}


def audit_rates() -> AuditReport:
    """Recompute cells, bins and credits from the commitments and report differences; change nothing.

    Needs the scope of everything. Cells that include parcels moved out of the database (see
    `alliance.database.retirement`) are not compared. Each list is cut at MOST_ROWS. Raises Unavailable while
    a worker of a cluster has not committed what the coordinator has.
    """
    require_settled()
    parameters = {"kept_from": kept_from(), "retired": retired_through(), "first": retired_before()}
    # The overdue promises of a month being detached no longer count, and are subtracted from the counts in a
    # moment.
    overdue = [] if is_detaching() else raw_rows(_OVERDUE, parameters)
    return AuditReport(
        cells=[_cell_difference(row) for row in raw_rows(_CELLS, parameters)],
        overdue=[OverdueDifference(*row) for row in overdue],
        breaches=[BreachDifference(*row) for row in raw_rows(_BREACHES, parameters)],
        bins=[BinDifference(*row) for row in raw_rows(_BINS, parameters)],
        credits=audit_credits(now=timezone.now()),
    )


def run_audit(*, actor: Actor) -> AuditReport:
    """Audit, and record the result: a heartbeat for health, and an audit entry if there are differences."""
    report = audit_rates()
    detail = report.as_detail()
    note_heartbeat(HEARTBEAT, **detail)
    if not report.is_clean:
        log.error("rates_differ_from_commitments", **detail)
        audit.record(
            actor=actor, verb="rates.audit_failed", object_type="on_time_rate", object_id="all", detail=detail
        )
    return report


def _cell_difference(row: tuple[Any, ...]) -> CellDifference:
    key, numbers = row[: len(_CELL)], row[len(_CELL) :]
    organisation, counterpart, kind, tier, origin, destination, due_date = key
    return CellDifference(
        organisation_id=organisation,
        counterpart_id=counterpart or None,
        kind=kind,
        tier_id=tier,
        origin_id=origin or None,
        destination_id=destination or None,
        due_date=due_date,
        expected=dict(zip(_COUNTS, numbers[: len(_COUNTS)], strict=True)),
        actual=dict(zip(_COUNTS, numbers[len(_COUNTS) :], strict=True)),
    )
