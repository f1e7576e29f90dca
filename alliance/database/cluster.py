"""Whether the tables are on one server, or distributed by Citus over a cluster.

On a cluster, what belongs to a parcel is on the worker that holds the parcel's shard: PostgreSQL's hash of
the parcel's id says which. All such tables are divided alike, so any of them knows the shards.
"""

from bisect import bisect
from collections.abc import Sequence
from itertools import count
from typing import Any

from django.db import connections

from alliance.database.postgresql.fences import FENCES
from alliance.homes import HOME_BITS, HOMES, home_of, homes_of

_SIGN, _HASHES_OF_HOME = 1 << 31, 1 << 32 - HOME_BITS
# SQLSTATE of what was sent to a node that a shard has just been moved away from: nothing was written.
MOVED = "AL001"

_HAS_EXTENSION = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')"
_HAS_FENCES = "SELECT to_regclass('pg_dist_poolinfo') IS NOT NULL"
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
_SHARDS = """
    SELECT shardminvalue::integer FROM pg_dist_shard
    WHERE logicalrelid = (SELECT min(logicalrelid::oid) FROM pg_dist_partition WHERE partmethod = 'h')
    ORDER BY 1
"""
_MISSING = """
    SELECT nodename || ':' || nodeport FROM run_command_on_workers('SELECT 1')
    WHERE NOT success ORDER BY 1
"""
_ONE_SERVER = (0,)

# Host, port and name of a database -> whether it is distributed, and the shard of each home.
_known: dict[tuple[Any, ...], bool] = {}
_shards: dict[tuple[Any, ...], Sequence[int]] = {}


def is_distributed(*, using: str = "default") -> bool:
    """Tell whether the tables of a database are distributed.

    Asked once a process: a process that was there before the tables were distributed has to be started again.
    """
    place = place_of(using)
    if (known := _known.get(place)) is None:
        known = _known[place] = bool(_value(_HAS_EXTENSION, using) and _value(_HAS_SHARDS, using))
    return known


def fences(*, using: str = "default") -> str:
    """Return which workers of a cluster are fenced off, as a text to compare with a later one."""
    return str(_value(FENCES, using)) if _value(_HAS_FENCES, using) else ""


def shard_keys(*, using: str = "default") -> tuple[int, ...]:
    """Return a number for each shard, in order, that as a parcel's id would be in it; (0,) on one server.

    Not remembered: shards may be split.
    """
    if not is_distributed(using=using):
        return _ONE_SERVER
    return tuple(key for (key,) in _rows(_SHARD_KEYS, using))


def by_shard(parcel_ids: Sequence[int], *, using: str = "default") -> Sequence[Sequence[int]]:
    """Divide parcels by shard: return their places in the sequence, in the order of shards.

    On one server all are in one part.
    """
    if len(parcel_ids) == 1 or not is_distributed(using=using):
        return [range(len(parcel_ids))]
    shards = _shards_of_homes(using)
    parts: dict[int, list[int]] = {}
    for place, home in enumerate(homes_of(parcel_ids)):
        parts.setdefault(shards[home], []).append(place)
    return [parts[shard] for shard in sorted(parts)]


def missing_workers(*, using: str = "default") -> list[str]:
    """Return the workers that do not answer the coordinator, as `host:port`; none on one server."""
    return [name for (name,) in _rows(_MISSING, using)] if is_distributed(using=using) else []


def keys_of_homes(homes: Sequence[int], *, using: str = "default") -> dict[int, int]:
    """Return the places of some homes' shards, in order, each with a number whose row it would hold."""
    shards = _shards_of_homes(using)
    wanted, keys = {shards[home] for home in homes}, dict[int, int]()
    for number in count(1):
        if len(keys) == len(wanted):
            break
        if (shard := shards[home_of(number)]) in wanted:
            keys.setdefault(shard, number)
    return dict(sorted(keys.items()))


def homes_by_shard(homes: Sequence[int], *, using: str = "default") -> list[list[int]]:
    """Divide homes by the shards that have them, in the order of shards."""
    shards, parts = _shards_of_homes(using), dict[int, list[int]]()
    for home in homes:
        parts.setdefault(shards[home], []).append(home)
    return [parts[shard] for shard in sorted(parts)]


def holds_whole_homes(lows: Sequence[int]) -> bool:
    """Tell whether each shard, given the least hash of each, holds whole homes."""
    return all((low + _SIGN) % _HASHES_OF_HOME == 0 for low in lows)


def forget(*, using: str = "default") -> None:
    """Ask again: the tables of a database have just been distributed, or their shards divided otherwise."""
    _known.pop(place_of(using), None)
    _shards.pop(place_of(using), None)


def _shards_of_homes(using: str) -> Sequence[int]:
    place = place_of(using)
    if (shards := _shards.get(place)) is None:
        lows = [low for (low,) in _rows(_SHARDS, using)]
        shards = [bisect(lows, home * _HASHES_OF_HOME - _SIGN) - 1 for home in range(HOMES)]
        _shards[place] = shards
    return shards


def place_of(using: str = "default") -> tuple[Any, ...]:
    """Return what tells databases apart."""
    database = connections[using].settings_dict
    return database["HOST"], database["PORT"], database["NAME"]


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
