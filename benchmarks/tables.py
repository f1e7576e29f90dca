"""Size on disk per row of each large table, including indexes, and its number of rows."""

from typing import Any

from benchmarks.database import administer
from benchmarks.world import World

# Partitions are summed up by table.
_SIZES = """
SELECT coalesce(p.relname, c.relname) AS name, sum(pg_relation_size(c.oid)), sum(pg_indexes_size(c.oid)),
    sum(c.reltuples)
FROM pg_class c
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class p ON p.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
GROUP BY 1 HAVING sum(c.reltuples) >= 1000 ORDER BY 2 DESC
"""


def measure(world: World) -> dict[str, dict[str, Any]]:
    """Return rows, and bytes of heap and indexes, of each table with some thousands of rows."""
    administer("VACUUM (ANALYZE)", database=world.parameters["dbname"])
    connection = world.connect()
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        sizes = cursor.fetchall()
    connection.close()
    return {
        name: {"rows": int(count), "heap": int(heap), "indexes": int(indexes)}
        for name, heap, indexes, count in sizes
    }
