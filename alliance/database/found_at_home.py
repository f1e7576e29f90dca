"""Find a row of a table by parcel by its id alone, also while a worker of a cluster is away.

An id does not say on which worker its row is, so all are asked, and one that does not answer fails the whole
statement. Then they are asked shard by shard, and only rows of the missing worker cannot be found.
"""

from typing import Final, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Model, QuerySet

from alliance.database.cluster import is_distributed, keys_of_homes
from alliance.database.lists_at_home import Narrow, rows_at_homes
from alliance.database.placements import group_table
from alliance.homes import HOMES, home_of
from alliance.tenancy import raw_rows

Row = TypeVar("Row", bound=Model)
_NODES: Final = """
    SELECT nodename || ':' || nodeport
    FROM pg_dist_shard JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid)
    WHERE logicalrelid = %s::regclass AND noderole = 'primary'
    ORDER BY shardminvalue::integer
"""


def only_row(rows: QuerySet[Row], *, narrow: Narrow | None = None) -> Row | None:
    """Return the row that its id selects, where the list may be narrowed to; None if there is none.

    Raises OperationalError if it may be on a worker that is away.
    """
    if not is_distributed():
        return rows.first()
    try:
        with transaction.atomic():
            found: Row | None = (narrow(rows, most=1) if narrow else rows).first()
            return found
    except OperationalError as error:
        if not connection.is_usable():
            raise
        return _of_other_workers(rows, error)


def _of_other_workers(rows: QuerySet[Row], error: OperationalError) -> Row | None:
    nodes = [node for (node,) in raw_rows(_NODES, [group_table()])]
    away = set()
    for place, key in keys_of_homes(range(HOMES)).items():
        # One that is cut off answers nobody, for seconds: it is asked once.
        if nodes[place] in away:
            continue
        try:
            with transaction.atomic():
                told = rows_at_homes(rows.order_by().values("parcel_id"), [home_of(key)])
        except OperationalError as failure:
            error = failure
            away.add(nodes[place])
            continue
        if told:
            return rows.filter(parcel_id=told[0]["parcel_id"]).first()
    if away:
        raise error
    return rows.first()
