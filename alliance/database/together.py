"""Commit what the coordinator and workers have written as one; or write it over one connection to each.

A call at home is committed on its worker before the coordinator's transaction is: right for what is written
at home alone, and may be done twice. What counts once, as a booking and its place or a tally and its cell,
needs both or neither, even if the coordinator is killed in between. Citus commits in two phases, by PREPARE
TRANSACTION on the workers, as soon as a statement that it plans has written to a table on the coordinator.
It plans those of tables that it knows, and is told of one (alliance/database/distribution/coordinator.py).
(A call at home in a transaction block is a write to Citus; outside of one it would be a read, not prepared.)

A worker that is killed in between has its part prepared, and nobody sees it until Citus finishes the
transaction, some seconds after the worker's return. Until then the coordinator's rows say more than there is.
"""

from collections.abc import Sequence
from typing import Final

from django.db import connection
from django.utils.translation import gettext as _

from alliance.database.cluster import is_distributed, keys_of_homes
from alliance.database.literals import numbers
from alliance.database.placements import group_table
from alliance.database.postgresql.messages import Settings, Unanswered
from alliance.database.stored_functions import StoredStatement
from alliance.errors import Unavailable
from alliance.homes import ALL_HOMES

# Of the tables on the coordinator alone. No key ties it to another, which Citus would have to take over, too.
PLANNED_BY_CITUS: Final = "alliance_retiredmonth"
# Touches no row. In a function, so that Citus plans it once a connection. The name of its table is quoted,
# as that of its shard would take its place (alliance/database/shard_functions.py), which is a plain table's.
SAY_TOGETHER: Final = StoredStatement(
    "alliance_say_together",
    parameters={},
    returns={"is_said": "boolean"},
    is_value=True,
    is_plain=True,
    body=f"""
BEGIN
    DELETE FROM "{PLANNED_BY_CITUS}" WHERE month = '0001-01-01';
    RETURN true;
END""",  # noqa: S608 -- built of constants
)
# Citus notes here what the coordinator commits, before it does, and forgets it once every worker has.
_UNSETTLED: Final = """
    WITH noted AS MATERIALIZED (SELECT gid FROM pg_dist_transaction),
        worker AS MATERIALIZED (
            SELECT nodename, nodeport, success, string_to_array(result, ' ') AS gids
            FROM run_command_on_workers(
                'SELECT string_agg(gid, '' '') FROM pg_prepared_xacts WHERE database = current_database()'
            )
        ),
        asked AS MATERIALIZED (
            SELECT nodename, nodeport FROM pg_dist_placement JOIN pg_dist_node USING (groupid)
            WHERE shardid IN (
                SELECT get_shard_id_for_distribution_column(%(table)s, key)
                FROM unnest(%(keys)s::bigint[]) AS key
            )
        )
    SELECT EXISTS (
        SELECT 1 FROM worker JOIN asked USING (nodename, nodeport)
        WHERE NOT success OR EXISTS (SELECT 1 FROM noted WHERE noted.gid = ANY(worker.gids))
    )
"""


def over_one_connection() -> None:
    """Have this transaction reach each worker over one connection, if it is on a cluster.

    Citus changes no table that is on every node after one by parcel with a key to it was read over several.
    """
    if is_distributed():
        with connection.cursor() as cursor:
            cursor.execute(Settings("SET LOCAL citus.multi_shard_modify_mode = 'sequential'"))


def commit_together() -> None:
    """Have this transaction commit in two phases, if it is on a cluster."""
    if is_distributed():
        with connection.cursor() as cursor:
            cursor.execute(Unanswered(SAY_TOGETHER.call))


def require_settled(homes: Sequence[int] = ALL_HOMES) -> None:
    """Raise Unavailable while a worker with some homes may hold a part of what is committed, on a cluster.

    For whoever is going to act on rows that are not there.
    """
    if is_distributed():
        keys = numbers(keys_of_homes(homes).values())
        with connection.cursor() as cursor:
            cursor.execute(_UNSETTLED, {"table": group_table(), "keys": keys})
            [(is_unsettled,)] = cursor.fetchall()
        if is_unsettled:
            raise Unavailable(_("The service was interrupted. Try again shortly."))
