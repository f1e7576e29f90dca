"""The credit ledger: changes of deliveries become entries, each difference once."""

import random
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from alliance.database.at_home import rows_at_home
from alliance.database.cluster import shard_keys
from alliance.database.literals import moments, numbers
from alliance.database.together import commit_together
from alliance.database.work_shares import Outages
from alliance.events import Topic
from alliance.locks import Lock, try_to_take, wait_for
from alliance.tenancy import Scope, raw_rows, scope
from slas.choices import CreditCause
from slas.credits.models import ClosedMonth
from slas.credits.months import month_of, next_month
from slas.credits.rules import Credit, Schedule, Schedules, cause_of_change, credit_for
from slas.credits.services.schedules import all_schedules
from slas.credits.services.sums import Amount, add_entries, add_written, level_fold
from slas.credits.sql import parameters
from slas.credits.sql_checks import CHECK_GROWN, TAKE_CHECKS

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
    declared_value_fen: int | None
    lost_at: datetime | None
    delivered_at: datetime | None


class _Entry(NamedTuple):
    """An entry to be written."""

    facts: _Facts
    schedule: Schedule
    amount_fen: int
    cause: CreditCause
    late_by: timedelta | None


# Read without locks: a change that commits in the meantime leaves a check of its own.
_FACTS = """
SELECT parcel_id, merchant_id, courier_id, tier_id, due_at, reached_at, outcome, excused, excuse_reason,
    fee_fen, declared_value_fen, lost_at, delivered_at
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


def work_out_credits(*, now: datetime, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> CreditRun:
    """Turn waiting checks into entries until none is left or the time is up.

    May run twice, side by side, or be killed anywhere: a batch deletes its checks and writes the difference
    to the ledger's sum in one transaction, one batch at a time. So ids of entries are in the order of their
    commits, also on a cluster, where the coordinator draws them: whoever reads the ledger page by page misses
    none. A batch is of one shard: if a node of the cluster is down, its checks wait while the others are
    worked on; then raises OperationalError.
    """
    until = time.monotonic() + budget
    outages = Outages()
    with outages.noted():
        _catch_up(until)
    checks = entries = 0
    keys = shard_keys()
    # In random order and in turns, so that none waits for ever if there is more than one call can do.
    waiting = deque(random.sample(keys, len(keys)))
    while waiting:
        home = waiting.popleft()
        with outages.noted(), scope(Scope.everything()):
            if not try_to_take(Lock.WORK_OUT_CREDITS):
                return CreditRun(checks, entries, busy=True)
            taken = rows_at_home(TAKE_CHECKS, {"home": home, "limit": limit})
            written = _work_out({parcel_id for parcel_id, kind in taken if kind == "delivery"}, now)
            if len(taken) == limit:
                waiting.append(home)
            checks, entries = checks + len(taken), entries + written
        if time.monotonic() > until:
            break
    outages.raise_first()
    return CreditRun(checks, entries)


def check_grown_credits(*, now: datetime) -> int:
    """Queue checks of overdue deliveries whose credit grew by a band; return how many.

    The cost depends on overdue deliveries only. A second run before the credits are computed queues none
    twice. If a node of the cluster is down, the others are looked at before OperationalError is raised.
    """
    queued, outages = 0, Outages()
    for home in shard_keys():
        with outages.noted(), scope(Scope.everything()):
            values = parameters(all_schedules(), now=now, grace=timedelta())
            [(count,)] = rows_at_home(CHECK_GROWN, {"home": home, **values})
            queued += count
    outages.raise_first()
    return queued


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


def _catch_up(until: float) -> None:
    """Add what the sums do not have to them, in slices; another process may be at it."""
    has_more = True
    while has_more and time.monotonic() <= until:
        with scope(Scope.everything()):
            has_more = try_to_take(Lock.WORK_OUT_CREDITS) and add_entries()


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
        month = open_month(now)
        fold = level_fold()
        commit_together()
        raw_rows(_WRITE, {**_columns(entries), "at": now, "month": month})
        if fold is not None:
            add_written(fold, _amounts(entries, month))
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


def _amounts(entries: Iterable[_Entry], month: date) -> Iterable[Amount]:
    for facts, _schedule, fen, cause, _late_by in entries:
        yield Amount(month, facts.merchant_id, facts.courier_id, facts.tier_id, cause.value, fen)


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
