"""Call stored statements at home: on a cluster, on the worker that holds the shard.

A shard may have moved away between asking the coordinator where it is and arriving there. Then nothing was
written, or the table that was to be read is no more, and the statement is sent again, to where the shard is
by now.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from django.db import DatabaseError, connections, transaction
from django.utils.translation import gettext as _

from alliance.database.cluster import MOVED, by_shard, is_distributed
from alliance.database.literals import numbers
from alliance.database.postgresql.messages import Savepoint
from alliance.database.stored_functions import StoredStatement
from alliance.errors import Unavailable
from alliance.tenancy import Scope, current_scope, limits_ms, raw_rows, rows_in

if TYPE_CHECKING:
    from alliance.database.postgresql.base import DatabaseWrapper

T = TypeVar("T")
Column = Sequence[Any]
Writer = Callable[[Column], str]
# Values of parcels, in the order of the parcels, and what writes them as an array.
Columns = Mapping[str, tuple[Column, Writer]]
_TRIES, _PAUSE = 5, 0.1
# SQLSTATE of a read that arrived after the table of a shard that was moved away had been dropped.
_DROPPED = "42P01"


def rows_at_home(statement: StoredStatement, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Call a statement at home in the current scope, `home` among its parameters, and return its rows."""
    return where_shards_are(lambda: raw_rows(statement.call, dict(parameters)))


def rows_by_shard(
    statement: StoredStatement,
    parcel_ids: Sequence[int],
    columns: Columns,
    **values: Any,
) -> list[tuple[Any, ...]]:
    """Call a statement at home, once for each shard with some of the parcels, and return all rows.

    `columns` has what belongs to each parcel, and how that is written as an array; the parcels' ids are given
    as `parcel_id`, and their least and greatest as `low` and `high`. Shards come in their order, so
    transactions lock rows in one order.
    """

    def part(places: Sequence[int]) -> dict[str, Any]:
        parcels = at_places(places, parcel_ids)
        bounds = {"home": parcels[0], "low": min(parcels), "high": max(parcels)}
        arrays = {name: write(at_places(places, column)) for name, (column, write) in columns.items()}
        return {**values, **bounds, "parcel_id": numbers(parcels), **arrays}

    parts = [part(places) for places in by_shard(parcel_ids)]
    return where_shards_are(lambda: [row for each in parts for row in raw_rows(statement.call, each)])


def at_places(places: Sequence[int], column: Sequence[T]) -> Sequence[T]:
    """Return a column's values at some places of it, or the column itself if these are all."""
    return column if len(places) == len(column) else [column[place] for place in places]


def of_parcel(statement: StoredStatement, parcel_id: int) -> Any:
    """Return the value of a statement that reads one parcel, in a scope that contains nothing else."""
    call = statement.call_with(parcel_id)
    if is_distributed() and not connections["default"].in_atomic_block:
        # Alone, it is one message to the worker. It opens the scope there, as `of_parcel` statements do.
        return _until_it_has_arrived(lambda: raw_rows(call))
    [(value,)] = where_shards_are(lambda: rows_in(Scope.parcel(parcel_id), call))
    return value


def value_at_home(statement: StoredStatement, parameters: Mapping[str, Any]) -> Any:
    """Return the value of a statement that returns NULL if its shard has moved away; see `null_if_moved`.

    Runs in the current transaction. Raises Unavailable if the shard keeps moving away.
    """
    attempts = _attempts()
    while True:
        next(attempts)
        [(value,)] = raw_rows(statement.call, dict(parameters))
        if value is not None:
            return value


def value_alone(statement: StoredStatement, parameters: Mapping[str, Any], *, courier_id: int | None) -> Any:
    """Return the value of a statement that writes for one courier; see `of_courier`.

    On a cluster it is one message to the worker and commits itself, if it is what the courier's scope begins
    with: else it is a part of the transaction. What it stores must count once however often it is called.
    """
    if not _may_be_alone(courier_id):
        with transaction.atomic(savepoint=False):
            [(value,)] = where_shards_are(lambda: raw_rows(statement.call, dict(parameters)))
        return value
    database = cast("DatabaseWrapper", connections["default"])
    lock_ms, statement_ms = limits_ms()
    told = {**parameters, "lock_ms": lock_ms, "statement_ms": statement_ms}

    def call() -> list[tuple[Any, ...]]:
        with database.wrap_database_errors, database.connection.outside():
            return raw_rows(statement.call_alone, told)

    return _until_it_has_arrived(call)


def _until_it_has_arrived(call: Callable[[], list[tuple[Any, ...]]]) -> Any:
    """Return the value of a call that is a transaction of its own: made again if the shard has moved."""
    attempts = _attempts()
    while True:
        next(attempts)
        try:
            [(value,)] = call()
            return value
        except DatabaseError as error:
            if not _has_moved(error):
                raise


def _attempts() -> Iterator[None]:
    """Allow a few attempts, with pauses between them. Raises Unavailable once all of them were made."""
    for _attempt in range(_TRIES):
        yield
        time.sleep(_PAUSE)
    raise Unavailable(_("The service was interrupted. Try again shortly."))


def _may_be_alone(courier_id: int | None) -> bool:
    """Tell whether nothing is undone, and nothing else is seen, if a call commits itself."""
    database = cast("DatabaseWrapper", connections["default"])
    # Within another transaction the scope is a savepoint, which may be rolled back.
    if courier_id is None or not is_distributed() or len(database.atomic_blocks) != 1:
        return False
    database.ensure_connection()
    return current_scope() == Scope.courier(courier_id) and database.connection.has_only_settings()


def where_shards_are(work: Callable[[], T], *, using: str = "default") -> T:
    """Do what calls statements at home, once more if a shard has moved away; on one server simply do it.

    Needs a transaction, which goes on; one of which nothing was sent yet begins anew. Raises Unavailable if
    shards keep moving away.
    """
    if not is_distributed(using=using):
        return work()
    database = cast("DatabaseWrapper", connections[using])
    database.ensure_connection()
    attempts = _attempts()
    while True:
        next(attempts)
        # A savepoint would be released in the end: one more message to each worker.
        unsent = database.connection.unsent()
        if unsent is None:
            database.connection.put_off(Savepoint("SAVEPOINT at_home"))
        try:
            return work()
        except DatabaseError as error:
            if not _has_moved(error):
                raise
        if unsent is None:
            database.rows("ROLLBACK TO SAVEPOINT at_home")
        else:
            database.connection.begin_again(unsent)


def _has_moved(error: DatabaseError) -> bool:
    return getattr(error.__cause__, "pgcode", None) in (MOVED, _DROPPED)
