"""Is what the rates say what the commitments say? Counted again from scratch, in the database."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import structlog

from alliance import audit
from alliance.health import note_heartbeat
from alliance.tenancy import Actor, raw_rows

log = structlog.get_logger(__name__)
HEARTBEAT = "audit-rates"
# A sick table must not fill the report, or the memory of whoever makes it.
MOST_ROWS = 1000

_COUNTS = ("pending", "met", "late", "overdue", "void", "excused")
_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in _COUNTS)
_OUTCOMES = ", ".join(f"count(*) FILTER (WHERE outcome = '{name}') AS {name}" for name in _COUNTS[:-1])
_LISTED = ", ".join(_COUNTS)
_DIFFERENT = " OR ".join(f"coalesce(e.{name}, 0) <> coalesce(f.{name}, 0)" for name in _COUNTS)
_BOTH = ", ".join(f"coalesce({side}.{name}, 0)" for side in "ef" for name in _COUNTS)
_CELL = ("organisation_id", "counterpart_id", "kind", "tier_id", "origin_id", "destination_id", "due_date")
_KEY = ", ".join(f"CASE WHEN e.due_date IS NULL THEN f.{name} ELSE e.{name} END" for name in _CELL)
_SAME_CELL = " AND ".join(f"e.{name} = f.{name}" for name in _CELL)


def _both_grains(source: str) -> str:
    """Give each row of a source by courier, merchant and lane to the courier's cell and the merchant's."""
    return f"""
    SELECT courier_id AS organisation_id, 0 AS counterpart_id, kind, tier_id, origin_id, destination_id,
        due_date, {_LISTED} FROM {source}
    UNION ALL
    SELECT merchant_id, courier_id, kind, tier_id, 0, 0, due_date, {_LISTED} FROM {source}"""  # noqa: S608


# One statement, so one snapshot: scans and folds may go on meanwhile. No cell has id 0 in it, so
# zero stands for "none" here and the full join can compare with "=", that is hash.
_CELLS = f"""
WITH counted AS (
    SELECT merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date, {_OUTCOMES},
        count(*) FILTER (WHERE excused AND outcome IN ('late', 'overdue')) AS excused
    FROM slas_commitment GROUP BY merchant_id, courier_id, tier_id, origin_id, destination_id, kind, due_date
),
expected AS (
    SELECT {", ".join(_CELL)}, {_SUMS} FROM ({_both_grains("counted")}) AS x GROUP BY {", ".join(_CELL)}
),
found AS (
    SELECT {", ".join(_CELL)}, {_SUMS} FROM (
        SELECT organisation_id, coalesce(counterpart_id, 0) AS counterpart_id, kind, tier_id,
            coalesce(origin_id, 0) AS origin_id, coalesce(destination_id, 0) AS destination_id,
            due_date, {_LISTED}
        FROM slas_ontimerate
        UNION ALL {_both_grains("slas_tally")}
    ) AS x GROUP BY {", ".join(_CELL)}
)
SELECT {_KEY}, {_BOTH}
FROM expected e FULL JOIN found f ON {_SAME_CELL}
WHERE {_DIFFERENT}
ORDER BY 7, 1, 2, 3, 4, 5, 6
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants

_BREACHES = f"""
SELECT coalesce(c.parcel_id, b.parcel_id), coalesce(c.kind, b.kind), coalesce(c.outcome, ''),
    b.parcel_id IS NOT NULL
FROM (SELECT parcel_id, kind, outcome FROM slas_commitment WHERE outcome IN ('late', 'overdue')) c
FULL JOIN (SELECT parcel_id, kind FROM slas_breach WHERE withdrawn_at IS NULL) b
    ON b.parcel_id = c.parcel_id AND b.kind = c.kind
WHERE b.parcel_id IS NULL OR c.parcel_id IS NULL
ORDER BY 1, 2
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants


@dataclass(frozen=True, slots=True)
class CellDifference:
    """A cell whose counts, waiting tallies added, are not those of the commitments."""

    organisation_id: int
    counterpart_id: int | None
    kind: str
    tier_id: int
    origin_id: int | None
    destination_id: int | None
    due_date: date
    expected: dict[str, int]
    found: dict[str, int]

    def __str__(self) -> str:
        wrong = ", ".join(
            f"{name} {self.found[name]} instead of {self.expected[name]}"
            for name in _COUNTS
            if self.found[name] != self.expected[name]
        )
        cell = f"{self.due_date} organisation {self.organisation_id}, {self._where}, tier {self.tier_id}"
        return f"{cell}, {self.kind}: {wrong}"

    @property
    def _where(self) -> str:
        if self.counterpart_id:
            return f"courier {self.counterpart_id}"
        return f"lane {self.origin_id}-{self.destination_id}"


@dataclass(frozen=True, slots=True)
class BreachDifference:
    """A broken promise without a standing breach, or a standing breach without a broken promise."""

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


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What an audit found; nothing is as it must be."""

    cells: list[CellDifference]
    breaches: list[BreachDifference]

    @property
    def is_clean(self) -> bool:
        return not self.cells and not self.breaches

    def as_detail(self) -> dict[str, Any]:
        """Return the finding for an audit entry or a heartbeat: counts, and the first few rows."""
        first = [str(row) for row in (*self.cells[:5], *self.breaches[:5])]
        return {"cells": len(self.cells), "breaches": len(self.breaches), "first": first}


def audit_rates() -> AuditReport:
    """Recompute every cell from the commitments and report each that differs; change nothing.

    Needs the scope of everything. Each list is cut at MOST_ROWS.
    """
    return AuditReport(
        cells=[_cell_difference(row) for row in raw_rows(_CELLS)],
        breaches=[BreachDifference(*row) for row in raw_rows(_BREACHES)],
    )


def run_audit(*, actor: Actor) -> AuditReport:
    """Audit, and write down what was found: a heartbeat for health, an entry when something is wrong."""
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
        found=dict(zip(_COUNTS, numbers[len(_COUNTS) :], strict=True)),
    )
