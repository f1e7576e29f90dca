"""Audit of credits: compare the ledger with the deliveries, sums and statements with the ledger."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from alliance.database.partitions import retired_before
from alliance.tenancy import raw_rows
from slas.credits.months import spell
from slas.credits.services.schedules import all_schedules
from slas.credits.sql import parameters, targets
from slas.promises.prices import yuan

# A limit, so that a broken table fills neither the report nor memory.
MOST_ROWS: Final = 1_000
# How long the entry of an overdue parcel that reached a band may be missing: two rounds of the hourly task.
GRACE: Final = timedelta(hours=2)

# One statement, so one snapshot: deliveries waiting to be credited in it are left out.
_ENTRIES = f"""
WITH {targets("(c.outcome IN ('late', 'overdue') OR c.lost_at IS NOT NULL) AND c.parcel_id >= %(first)s")},
written AS (
    SELECT parcel_id, sum(amount_fen)::bigint AS fen FROM slas_creditentry
    WHERE parcel_id >= %(first)s GROUP BY parcel_id
)
SELECT coalesce(t.parcel_id, w.parcel_id), coalesce(t.fen, 0), coalesce(w.fen, 0)
FROM credit_target t FULL JOIN written w ON w.parcel_id = t.parcel_id
WHERE coalesce(w.fen, 0) NOT BETWEEN least(coalesce(t.fen, 0), coalesce(t.fen_before, 0))
        AND coalesce(t.fen, 0)
    AND coalesce(t.parcel_id, w.parcel_id) NOT IN (SELECT parcel_id FROM slas_creditcheck)
ORDER BY 1
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants
_STATEMENTS = f"""
WITH line AS (
    SELECT merchant_id AS organisation_id, month, amount_fen FROM slas_creditentry
    UNION ALL
    SELECT courier_id, month, amount_fen FROM slas_creditentry
),
added AS (
    SELECT organisation_id, month, count(*) AS entries, sum(amount_fen)::bigint AS fen
    FROM line JOIN slas_closedmonth USING (month)
    GROUP BY organisation_id, month
)
SELECT coalesce(a.organisation_id, s.organisation_id), coalesce(a.month, s.month),
    coalesce(a.entries, 0), coalesce(a.fen, 0), coalesce(s.entries, 0), coalesce(s.total_fen, 0)
FROM added a FULL JOIN slas_statement s ON s.organisation_id = a.organisation_id AND s.month = a.month
WHERE a.entries IS DISTINCT FROM s.entries OR a.fen IS DISTINCT FROM s.total_fen
ORDER BY 2, 1
LIMIT {MOST_ROWS}
"""  # noqa: S608 -- built of constants
# With the last entry that they have, of the same moment: entries are only ever added.
_SUMS = """
SELECT f.since, f.last_id, s.month, s.courier_id, s.entries, s.fen
FROM slas_creditfold f LEFT JOIN (
    SELECT month, courier_id, sum(entry_count)::bigint AS entries,
        sum(credited_fen + taken_back_fen)::bigint AS fen
    FROM slas_creditsum GROUP BY month, courier_id
) s ON true
"""
_ADDED_UP = """
SELECT month, courier_id, count(*), sum(amount_fen)::bigint FROM slas_creditentry
WHERE id <= %(last_id)s AND month >= %(since)s
GROUP BY month, courier_id
"""


@dataclass(frozen=True, slots=True)
class EntryDifference:
    """A parcel whose entries do not add up to its credit."""

    parcel_id: int
    expected_fen: int
    actual_fen: int

    def __str__(self) -> str:
        return (
            f"parcel {self.parcel_id}: credited with {yuan(self.actual_fen)}"
            f" instead of {yuan(self.expected_fen)}"
        )


@dataclass(frozen=True, slots=True)
class StatementDifference:
    """A statement that differs from the sum of its entries, has none, or is missing."""

    organisation_id: int
    month: date
    expected: tuple[int, int]
    actual: tuple[int, int]

    def __str__(self) -> str:
        (entries, fen), (stated_entries, total) = self.expected, self.actual
        return (
            f"statement of organisation {self.organisation_id}, {spell(self.month)}: {stated_entries} entries"
            f" over {yuan(total)} instead of {entries} over {yuan(fen)}"
        )


@dataclass(frozen=True, slots=True)
class SumDifference:
    """A month's sums of a courier that differ from its entries."""

    month: date
    courier_id: int
    expected: tuple[int, int]
    actual: tuple[int, int]

    def __str__(self) -> str:
        (entries, fen), (summed, total) = self.expected, self.actual
        return (
            f"sums of courier {self.courier_id}, {spell(self.month)}: {summed} entries"
            f" over {yuan(total)} instead of {entries} over {yuan(fen)}"
        )


CreditDifference = EntryDifference | SumDifference | StatementDifference


def audit_credits(*, now: datetime) -> list[CreditDifference]:
    """Recompute every credit, every sum and every statement, and report the differences.

    Needs the scope of everything, changes nothing. Each list is cut at MOST_ROWS.
    """
    credit_parameters = parameters(all_schedules(), now=now, grace=GRACE)
    # Entries of parcels moved out of the database are not checked.
    entry_parameters = {**credit_parameters, "first": retired_before()}
    entries = [EntryDifference(*row) for row in raw_rows(_ENTRIES, entry_parameters)]
    statements = [
        StatementDifference(organisation_id, month, (entries_, fen), (stated, total))
        for organisation_id, month, entries_, fen, stated, total in raw_rows(_STATEMENTS)
    ]
    return [*entries, *_wrong_sums(), *statements]


def _wrong_sums() -> list[SumDifference]:
    rows = raw_rows(_SUMS)
    if not rows:
        return []
    since, last_id, *_sums = rows[0]
    kept = {
        (month, courier_id): (entries, fen)
        for _since, _last, month, courier_id, entries, fen in rows
        if month
    }
    ledger = raw_rows(_ADDED_UP, {"since": since, "last_id": last_id})
    added = {(month, courier_id): (entries, fen) for month, courier_id, entries, fen in ledger}
    nothing = (0, 0)
    differences = [
        SumDifference(*key, expected=added.get(key, nothing), actual=kept.get(key, nothing))
        for key in sorted({*kept, *added})
        if added.get(key, nothing) != kept.get(key, nothing)
    ]
    return differences[:MOST_ROWS]
