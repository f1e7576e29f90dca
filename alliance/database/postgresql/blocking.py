"""Whom a session of the database waits for."""

from contextlib import closing
from typing import Any, NamedTuple

import psycopg2

from alliance.database.postgresql.commits import waits_for_standby
from alliance.database.postgresql.hosts import Place

_HOLDERS = """
    SELECT pid, coalesce(nullif(application_name, ''), usename, '?'),
        left(regexp_replace(query, '\\s+', ' ', 'g'), 100)
    FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids(%s))
"""


class Holder(NamedTuple):
    """Another session, its name and its statement, which holds a lock."""

    pid: int
    name: str
    query: str


def blocking(params: dict[str, Any], place: Place, pid: int) -> tuple[bool, list[Holder]]:
    """Return whether a session waits for a standby, and who holds what it waits for."""
    host, port = place
    # That server, and not another one of several: each has sessions of its own.
    server = {**params, "host": host, "port": port}
    with closing(psycopg2.connect(**server)) as other, other.cursor() as cursor:
        for_standby = waits_for_standby(cursor, pid)
        cursor.execute(_HOLDERS, [pid])
        return for_standby, [Holder(*row) for row in cursor.fetchall()]
