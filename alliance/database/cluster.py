"""Whether the tables are on one server, or distributed by Citus over a cluster.

On a cluster, what belongs to a parcel is on the worker that holds the parcel's shard: PostgreSQL's hash of
the parcel's id says which. All such tables are divided alike, so any of them knows the shards.
"""

from typing import Any

from django.db import connections

_HAS_EXTENSION = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"
_HAS_SHARDS = "SELECT EXISTS (SELECT 1 FROM pg_dist_partition WHERE partmethod = 'h')"
# The least whole number whose hash is in the range of each shard: among a thousand for each there is one.
_SHARD_KEYS = """
    WITH shard AS (
        SELECT shardminvalue::integer AS low, shardmaxvalue::integer AS high FROM pg_dist_shard
        WHERE logicalrelid = (SELECT min(logicalrelid::oid) FROM pg_dist_partition WHERE partmethod = 'h')
    )
    SELECT (
        SELECT n FROM generate_series(1, 1000 * (SELECT count(*) FROM shard)) AS n
        WHERE hashint8(n) BETWEEN low AND high LIMIT 1
    )
    FROM shard ORDER BY low
"""
_ONE_SERVER = (0,)

# Host, port and name of a database -> whether it is distributed.
_known: dict[tuple[Any, ...], bool] = {}


def is_distributed(*, using: str = "default") -> bool:
    """Tell whether the tables of a database are distributed.

    Asked once a process: a process that was there before the tables were distributed has to be started again.
    """
    database = connections[using].settings_dict
    place = (database["HOST"], database["PORT"], database["NAME"])
    if (known := _known.get(place)) is None:
        known = _known[place] = bool(_value(_HAS_EXTENSION, using) and _value(_HAS_SHARDS, using))
    return known


def shard_keys(*, using: str = "default") -> tuple[int, ...]:
    """Return a number for each shard, in order, that as a parcel's id would be in it; (0,) on one server.

    Not remembered: shards may be split.
    """
    if not is_distributed(using=using):
        return _ONE_SERVER
    return tuple(key for (key,) in _rows(_SHARD_KEYS, using))


def forget(*, using: str = "default") -> None:
    """Ask again: the tables of a database have just been distributed."""
    database = connections[using].settings_dict
    _known.pop((database["HOST"], database["PORT"], database["NAME"]), None)


def _value(statement: str, using: str) -> Any:
    return _rows(statement, using)[0][0]


def _rows(statement: str, using: str) -> list[tuple[Any, ...]]:
    # On the driver's cursor: asked while a statement is being sent, and no statement of the caller's.
    connection = connections[using]
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        cursor.execute(statement)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows
