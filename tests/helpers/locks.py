"""Who waits for a lock, on one server or on any node of a cluster."""

from typing import Final

from django.db import connection

from alliance.database.cluster import is_distributed

_WAITING: Final = "SELECT count(*) FROM pg_locks WHERE NOT granted"


def is_somebody_waiting() -> bool:
    everywhere = f"SELECT sum(result::integer) FROM run_command_on_all_nodes('{_WAITING}')"
    with connection.cursor() as cursor:
        cursor.execute(everywhere if is_distributed() else _WAITING)
        [(number,)] = cursor.fetchall()
    return bool(number)
