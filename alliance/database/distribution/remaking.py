"""Taking a table back to the coordinator that Citus has elsewhere, or took over for a key to it.

Citus gives back no table with an identity, so it is made anew, with its rows and all that belongs to it but
its foreign keys, which whoever calls drops before and makes after.
"""

from alliance.database.distribution.nodes import rows

# In the order in which they are made again.
_BELONGINGS = """
    SELECT format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', %(table)s, conname, pg_get_constraintdef(oid))
    FROM pg_constraint WHERE conrelid = to_regclass(%(table)s) AND contype IN ('p', 'u', 'c')
    UNION ALL
    SELECT pg_get_indexdef(indexrelid) FROM pg_index
    WHERE indrelid = to_regclass(%(table)s)
        AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
    UNION ALL
    SELECT format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s', policyname, %(table)s, permissive, cmd,
        array_to_string(roles, ', ')) || coalesce(' USING (' || qual || ')', '')
        || coalesce(' WITH CHECK (' || with_check || ')', '')
    FROM pg_policies WHERE schemaname = current_schema() AND tablename = %(table)s
    UNION ALL
    SELECT format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY', %(table)s)
    FROM pg_class WHERE oid = to_regclass(%(table)s) AND relrowsecurity
    UNION ALL
    SELECT format('ALTER TABLE %%s FORCE ROW LEVEL SECURITY', %(table)s)
    FROM pg_class WHERE oid = to_regclass(%(table)s) AND relforcerowsecurity
"""


def take_back(table: str) -> None:
    """Make a table of Citus's one of the coordinator's alone. In the caller's transaction."""
    belongings = [statement for (statement,) in rows(_BELONGINGS, {"table": table})]
    made = f"{table}_made"
    rows(f"CREATE TABLE {made} (LIKE {table} INCLUDING ALL EXCLUDING CONSTRAINTS EXCLUDING INDEXES)")
    rows(f"INSERT INTO {made} OVERRIDING SYSTEM VALUE SELECT * FROM {table}")  # noqa: S608 -- names of ours
    rows(f"DROP TABLE {table}")
    rows(f"ALTER TABLE {made} RENAME TO {table}")
    rows(f"ALTER SEQUENCE {made}_id_seq RENAME TO {table}_id_seq")
    for statement in belongings:
        rows(statement)
    # The sequence of the new one begins at 1.
    rows(f"SELECT setval('{table}_id_seq', greatest(max(id), 1)) FROM {table}")  # noqa: S608 -- names of ours
