"""The credit ledger: changes of deliveries become entries, each difference once."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from alliance.database.literals import moments, numbers
from alliance.events import Topic
from alliance.locks import Lock, try_to_take, wait_for
from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import CreditCause
from slas.credits.models import ClosedMonth
from slas.credits.months import month_of, next_month
from slas.credits.rules import Credit, Schedule, Schedules, cause_of_change, credit_for
from slas.credits.services.schedules import all_schedules
from slas.credits.services.sums import add_entries
from slas.credits.sql import parameters, targets

# Checks per transaction, and how long one call may run before it leaves the rest to the next.
BATCH: Final = 5_000
BUDGET_SECONDS: Final = 60.0


class CreditRun(NamedTuple):
    """How many checks were processed, how many entries written, and whether another process held the lock."""

    checks: int = 0
    entries: int = 0
    busy: bool = False


@dataclass(slots=True)
class _Facts:
    """The fields of a delivery that the ledger needs: see slas.credits.rules.Delivery."""

    parcel_id: int
    merchant_id: int
    courier_id: int
    tier_id: int
    due_at: datetime
    reached_at: datetime | None
    outcome: str
    excused: bool
    excuse_reason: str
    fee_fen: int | None
    lost_at: datetime | None
    delivered_at: datetime | None


class _Entry(NamedTuple):
    """An entry to be written."""

    facts: _Facts
    schedule: Schedule
    amount_fen: int
    cause: CreditCause
    late_by: timedelta | None


# Oldest first, by the index: see slas.rates.services.folding.oldest(). A check committed later with a lower
# id is taken by the next batch.
_TAKE = f"""
DELETE FROM slas_creditcheck
WHERE id <= (
    SELECT coalesce((SELECT id FROM slas_creditcheck ORDER BY id OFFSET %(limit)s - 1 LIMIT 1), {2**63 - 1})
)
RETURNING parcel_id, kind
"""  # noqa: S608 -- built of constants
# Read without locks: a change that commits in the meantime leaves a check of its own.
_FACTS = """
SELECT parcel_id, merchant_id, courier_id, tier_id, due_at, reached_at, outcome, excused, excuse_reason,
    fee_fen, lost_at, delivered_at
FROM slas_commitment
WHERE parcel_id = ANY(%(parcels)s::bigint[]) AND kind = 'delivery'
ORDER BY parcel_id
"""
_STANDING = """
SELECT parcel_id, sum(amount_fen)::bigint, (array_agg(cause ORDER BY id DESC))[1]
FROM slas_creditentry
WHERE parcel_id = ANY(%(parcels)s::bigint[]) AND kind = 'delivery'
GROUP BY parcel_id
"""
_WRITE = f"""
WITH written AS (
    INSERT INTO slas_creditentry (parcel_id, kind, merchant_id, courier_id, tier_id, schedule_id, amount_fen,
        cause, late_by, due_at, reached_at, at, month)
    SELECT parcel_id, 'delivery', merchant_id, courier_id, tier_id, schedule_id, amount_fen, cause, late_by,
        due_at, reached_at, %(at)s, %(month)s
    FROM unnest(%(parcel_id)s::bigint[], %(merchant_id)s::bigint[], %(courier_id)s::bigint[],
        %(tier_id)s::int[], %(schedule_id)s::bigint[], %(amount_fen)s::int[], %(cause)s::text[],
        %(late_by)s::int[], %(due_at)s::timestamptz[], %(reached_at)s::timestamptz[])
        AS x (parcel_id, merchant_id, courier_id, tier_id, schedule_id, amount_fen, cause, late_by, due_at,
            reached_at)
    RETURNING id, parcel_id, merchant_id, courier_id, amount_fen, cause, month
)
INSERT INTO alliance_event (topic, at, merchant_id, courier_id, parcel_id, payload)
SELECT '{Topic.CREDIT_WRITTEN}', %(at)s, merchant_id, courier_id, parcel_id, jsonb_build_object(
    'entry', id, 'amount', to_char(amount_fen / 100.0, 'FM9999999990.00'), 'currency', 'CNY',
    'cause', cause, 'statement', to_char(month, 'YYYY-MM'))
FROM written
RETURNING 1
"""  # noqa: S608 -- built of constants
# The limit of the column, reached by a parcel overdue for years or by a wrong clock.
_MOST_SECONDS: Final = 2**31 - 1
_GROWN = f"""
WITH {targets("c.outcome = 'overdue' AND NOT c.excused AND c.lost_at IS NULL")}
INSERT INTO slas_creditcheck (parcel_id, kind, merchant_id, courier_id)
SELECT t.parcel_id, 'delivery', t.merchant_id, t.courier_id
FROM credit_target t
WHERE t.fen <> coalesce((
        SELECT sum(e.amount_fen) FROM slas_creditentry e
        WHERE e.parcel_id = t.parcel_id AND e.kind = 'delivery'), 0)
    AND NOT EXISTS (SELECT 1 FROM slas_creditcheck k WHERE k.parcel_id = t.parcel_id)
RETURNING 1
"""  # noqa: S608 -- built of constants


def work_out_credits(*, now: datetime, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> CreditRun:
    """Turn waiting checks into entries until none is left or the time is up.

    May run twice, side by side, or be killed anywhere: a batch deletes its checks and writes the difference
    to the ledger's sum in one transaction, one batch at a time. So ids of entries are in the order of their
    commits, also on a cluster, where the coordinator draws them: whoever reads the ledger page by page misses
    none.
    """
    until = time.monotonic() + budget
    checks = entries = 0
    while True:
        with scope(Scope.everything()):
            if not try_to_take(Lock.WORK_OUT_CREDITS):
                return CreditRun(checks, entries, busy=True)
            checks_taken = raw_rows(_TAKE, {"limit": limit})
            entries += _work_out({parcel_id for parcel_id, kind in checks_taken if kind == "delivery"}, now)
            has_more = add_entries()
        checks += len(checks_taken)
        if (len(checks_taken) < limit and not has_more) or time.monotonic() > until:
            return CreditRun(checks, entries)


def check_grown_credits(*, now: datetime) -> int:
    """Queue checks of overdue deliveries whose credit grew by a band; return how many.

    The cost depends on overdue deliveries only. A second run before the credits are computed queues none
    twice.
    """
    with scope(Scope.everything()):
        credit_parameters = parameters(all_schedules(), now=now, grace=timedelta())
        return len(raw_rows(_GROWN, credit_parameters))


def lock_books(*, closing: bool = False) -> None:
    """Prevent the closing of months until this transaction ends; with `closing`, block writers of entries."""
    wait_for(Lock.CLOSE_BOOKS, shared=not closing)


def open_month(moment: datetime) -> date:
    """The first month at or after a moment whose statements are not final. Requires lock_books()."""
    month = month_of(moment)
    closed = set(ClosedMonth.objects.filter(month__gte=month).values_list("month", flat=True))
    while month in closed:
        month = next_month(month)
    return month


def _work_out(parcels: set[int], now: datetime) -> int:
    if not parcels:
        return 0
    query = {"parcels": numbers(sorted(parcels))}
    deliveries = [_Facts(*row) for row in raw_rows(_FACTS, query)]
    sums = {parcel_id: (int(fen), cause) for parcel_id, fen, cause in raw_rows(_STANDING, query)}
    entries = list(_entries(deliveries, sums, all_schedules(), now))
    if entries:
        # As late as possible: closing a month waits for this.
        lock_books()
        raw_rows(_WRITE, {**_columns(entries), "at": now, "month": open_month(now)})
    return len(entries)


def _entries(
    deliveries: Iterable[_Facts],
    sums: Mapping[int, tuple[int, str]],
    schedules: Schedules,
    now: datetime,
) -> Iterable[_Entry]:
    for facts in deliveries:
        schedule = schedules.for_parcel(facts.tier_id, facts.parcel_id)
        credit: Credit = credit_for(schedule, facts, now=now)
        credited_fen, last_cause = sums.get(facts.parcel_id, (0, None))
        change = credit.fen - credited_fen
        if change and schedule is not None:
            cause = cause_of_change(change, credit, facts, last_cause)
            yield _Entry(facts, schedule, change, cause, credit.late_by)


def _columns(entries: Sequence[_Entry]) -> dict[str, Any]:
    return {
        "parcel_id": numbers(entry.facts.parcel_id for entry in entries),
        "merchant_id": numbers(entry.facts.merchant_id for entry in entries),
        "courier_id": numbers(entry.facts.courier_id for entry in entries),
        "tier_id": numbers(entry.facts.tier_id for entry in entries),
        "schedule_id": numbers(entry.schedule.id for entry in entries),
        "amount_fen": numbers(entry.amount_fen for entry in entries),
        "cause": [entry.cause.value for entry in entries],
        "late_by": numbers(_seconds(entry.late_by) for entry in entries),
        "due_at": moments(entry.facts.due_at for entry in entries),
        "reached_at": [entry.facts.reached_at for entry in entries],
    }


def _seconds(late_by: timedelta | None) -> int | None:
    return None if late_by is None else min(late_by // timedelta(seconds=1), _MOST_SECONDS)
