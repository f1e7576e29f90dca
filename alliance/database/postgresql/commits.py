"""Commits that nobody confirms: no standby, or not a worker of the cluster.

With synchronous replication a server answers a COMMIT once a standby has it. While none does, it waits, for
hours if need be: the transaction keeps its locks, hanging up does not end it, and it stands in the end. So a
request waits for some seconds. From then on this process commits nothing that wrote until those that wait are
gone, as each would take one more of the server's connections; what only reads goes on.

On a cluster, the coordinator commits although a worker that has a part of the transaction does not answer to
its COMMIT, and merely warns. The part may be lost: who sent it is told to send it again.
"""

from typing import Any

import psycopg2

# How long a request waits for its COMMIT. One that was cut off may stand; sent again, it counts once.
COMMIT_SECONDS = 5.0
# Whether this transaction wrote nothing, and how many of this role have waited for a standby for long.
_WAITING = """
    SELECT pg_current_xact_id_if_assigned() IS NULL, count(*) FROM pg_stat_activity
    WHERE wait_event = 'SyncRep' AND state_change < clock_timestamp() - interval '2 seconds'
"""
_WAITS = "SELECT coalesce(bool_or(wait_event = 'SyncRep'), false) FROM pg_stat_activity WHERE pid = %s"


class Unconfirmed(psycopg2.OperationalError):
    """A commit that is not confirmed: not made, or may be lost with the primary, or on a worker."""


class Confirmation:
    """Whether commits of this process are confirmed, as far as it knows."""

    def __init__(self) -> None:
        # A commit was cut off, and nobody has looked since.
        self.is_doubtful = False

    def require(self, connection: Any) -> None:
        """Before a commit, when one was cut off: roll back and raise Unconfirmed if others wait."""
        with connection.cursor() as cursor:
            cursor.execute(_WAITING)
            only_reads, waiting = cursor.fetchone()
        if not waiting:
            self.is_doubtful = False
        elif not only_reads:
            connection.rollback()
            raise Unconfirmed(f"{waiting} commits wait for a standby")


CONFIRMATION = Confirmation()


def count_waiting(cursor: Any) -> int:
    """Return how many commits have waited for a standby for seconds."""
    cursor.execute(_WAITING)
    return int(cursor.fetchone()[1])


def waits_for_standby(cursor: Any, pid: int) -> bool:
    """Tell whether that session waits for a standby to confirm its commit."""
    cursor.execute(_WAITS, [pid])
    return bool(cursor.fetchone()[0])
