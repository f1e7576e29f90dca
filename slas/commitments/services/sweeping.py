"""The sweep: pending commitments past due become overdue, and breaches open."""

from datetime import datetime
from typing import Final, NamedTuple

from alliance.database.at_home import rows_at_home
from alliance.database.cluster import is_distributed
from alliance.database.postgresql.messages import Settings
from alliance.database.work_shares import Share, work_in_shares
from alliance.locks import Lock
from alliance.tenancy import Scope, raw_rows, scope
from slas.commitments.sql_settling import DUE, SWEEP

# Rows per transaction: few enough that a scan never waits long for a row locked by the sweep.
SLICE = 5_000


class Swept(NamedTuple):
    """How many commitments fell due, in how many transactions, and whether other sweeps held all shares."""

    overdue: int = 0
    slices: int = 0
    busy: bool = False


# By the index of pending commitments: the planner's statistics of them are out of date.
_BY_INDEX: Final = Settings(
    "SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_seqscan = off;"
    " SET LOCAL enable_bitmapscan = off"
)
_ANY: Final = f"SELECT EXISTS (SELECT 1 FROM slas_commitment c WHERE {DUE})"  # noqa: S608 -- of constants


def sweep_overdue(*, now: datetime, limit: int = SLICE) -> Swept:
    """Mark all pending commitments past due as overdue, `limit` commitments per transaction.

    May run twice, side by side, or be killed anywhere: each slice is one transaction with its breaches,
    tallies and events, and the next sweep continues with the rest.
    """
    if not is_distributed() and not _is_any_due(now):
        return Swept()
    slices: list[int] = []

    def work(share: Share) -> bool:
        [(rows, changed)] = rows_at_home(SWEEP, {"now": now, "most": limit, **share.parameters})
        if rows:
            slices.append(changed)
        return bool(rows == limit)

    got_a_share = work_in_shares(work, lock=Lock.SWEEP)
    return Swept(sum(slices), len(slices), busy=not got_a_share)


def _is_any_due(now: datetime) -> bool:
    """Most sweeps find nothing due: one cheap query tells. On a cluster it would ask every shard, too."""
    with scope(Scope.everything()):
        raw_rows(_BY_INDEX)
        [(is_due,)] = raw_rows(_ANY, {"now": now})
    return bool(is_due)
