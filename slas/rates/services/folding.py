"""The fold: waiting tallies are deleted and added to the on-time rates."""

import time
from typing import NamedTuple

from alliance.database.at_home import rows_at_home
from alliance.database.cluster import is_distributed
from alliance.database.together import commit_together
from alliance.database.work_shares import Share, work_in_shares
from alliance.locks import Lock
from alliance.tenancy import raw_rows
from slas.rates.sql import TALLIES, Queue

# Tallies per transaction, and how long one call may run before it leaves the rest to the next. Larger batches
# have more tallies of the same cells.
BATCH = 50_000
BUDGET_SECONDS = 60.0


class Folded(NamedTuple):
    """How many tallies were folded, in how many transactions, and whether other folds held all shares."""

    tallies: int = 0
    batches: int = 0
    busy: bool = False


def fold_tallies(*, limit: int = BATCH, budget: float = BUDGET_SECONDS) -> Folded:
    """Fold waiting tallies into the on-time rates until none is left or the time is up."""
    return fold(TALLIES, lock=Lock.FOLD_TALLIES, limit=limit, budget=budget)


def fold(queue: Queue, *, lock: Lock, limit: int, budget: float) -> Folded:
    """Fold a queue, up to `limit` tallies of a share at a time, until none is left or the time is up.

    May run twice, side by side (each at other shares, by `lock`), or be killed anywhere: tallies are deleted
    and counted in the same transaction, so each counts exactly once.
    """
    until = time.monotonic() + budget
    batches: list[int] = []

    def work(share: Share) -> bool:
        raw_rows(queue.planning)
        folded = _fold_batch(queue, {"limit": limit, **share.parameters})
        if folded:
            batches.append(folded)
        return bool(folded == limit and time.monotonic() <= until)

    got_a_share = work_in_shares(work, lock=lock)
    return Folded(sum(batches), len(batches), busy=not got_a_share)


def _fold_batch(queue: Queue, parameters: dict[str, int]) -> int:
    if not is_distributed():
        [(folded,)] = raw_rows(queue.fold, parameters)
        return int(folded)
    [(folded, *sums)] = rows_at_home(queue.take, parameters)
    if folded:
        commit_together()
        names = [name for name in queue.take.returns if name != "folded"]
        raw_rows(queue.add, dict(zip(names, sums, strict=True)))
    return int(folded)


def no_longer_overdue(commitments: str) -> None:
    """Subtract the overdue promises of a detached month of commitments from the overdue counts.

    Must run once, in the transaction that records that it was done; needs the scope of everything.
    """
    # Waits for a running fold and blocks the next: each writes rows in an order of its own.
    raw_rows("LOCK TABLE slas_overduecount IN SHARE ROW EXCLUSIVE MODE")
    raw_rows(f"""
        WITH counted AS (
            SELECT merchant_id, courier_id, kind FROM {commitments} WHERE outcome = 'overdue'
        ),
        gone AS (
            SELECT organisation_id, counterpart_id, kind, count(*) AS overdue FROM (
                SELECT courier_id AS organisation_id, NULL::bigint AS counterpart_id, kind FROM counted
                UNION ALL SELECT merchant_id, courier_id, kind FROM counted
            ) AS x GROUP BY organisation_id, counterpart_id, kind
        )
        UPDATE slas_overduecount r SET overdue = r.overdue - gone.overdue FROM gone
        WHERE r.organisation_id = gone.organisation_id AND r.kind = gone.kind
            AND r.counterpart_id IS NOT DISTINCT FROM gone.counterpart_id
    """)  # noqa: S608 -- a name of the catalogue
