"""Call stored statements at home: on a cluster, on the worker that holds the shard.

A shard may have moved away between asking the coordinator where it is and arriving there. Then nothing was
written, and the statement is sent again, to where the shard is by now.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django.db import DatabaseError, connections
from django.utils.translation import gettext as _

from alliance.database.cluster import MOVED, is_distributed
from alliance.database.postgresql.messages import Unanswered
from alliance.database.stored_functions import StoredStatement
from alliance.errors import Unavailable
from alliance.tenancy import raw_rows

T = TypeVar("T")
_TRIES, _PAUSE = 5, 0.1


def rows_at_home(statement: StoredStatement, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Call a statement at home in the current scope, `home` among its parameters, and return its rows."""
    return where_shards_are(lambda: raw_rows(statement.call, dict(parameters)))


def where_shards_are(work: Callable[[], T], *, using: str = "default") -> T:
    """Do what calls statements at home, once more if a shard has moved away; on one server simply do it.

    Needs a transaction, which goes on. Raises Unavailable if shards keep moving away.
    """
    if not is_distributed(using=using):
        return work()
    for _attempt in range(_TRIES):
        # Not released: that would be one more message to each worker.
        _execute(Unanswered("SAVEPOINT at_home"), using)
        try:
            return work()
        except DatabaseError as error:
            if getattr(error.__cause__, "pgcode", None) != MOVED:
                raise
        _execute("ROLLBACK TO SAVEPOINT at_home", using)
        time.sleep(_PAUSE)
    raise Unavailable(_("The service was interrupted. Try again shortly."))


def _execute(statement: str, using: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
