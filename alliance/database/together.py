"""Commit what the coordinator and workers have written as one.

A call at home is committed on its worker before the coordinator's transaction is: right for what is written
at home alone, and may be done twice. What counts once, as a booking and its place or a tally and its cell,
needs both or neither, even if the coordinator is killed in between. Citus commits in two phases, by PREPARE
TRANSACTION on the workers, as soon as a statement that it plans has written to a table on the coordinator.
(A call at home in a transaction block is a write to Citus; outside of one it would be a read, not prepared.)
"""

from typing import Final

from django.db import connection

from alliance.database.cluster import is_distributed
from alliance.database.postgresql.messages import Unanswered

# Touches no row. The table is one that Citus knows of, as it refers to a table that is on every node.
_WRITE: Final = "DELETE FROM alliance_idempotentrequest WHERE id = 0"


def commit_together() -> None:
    """Have this transaction commit in two phases, if it is on a cluster."""
    if is_distributed():
        with connection.cursor() as cursor:
            cursor.execute(Unanswered(_WRITE))
