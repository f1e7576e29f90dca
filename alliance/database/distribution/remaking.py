"""Taking a table back to the coordinator that Citus has elsewhere, or took over for a key to it."""

from alliance.database.distribution.nodes import rows

_IDENTITIES = """
    SELECT quote_ident(attname), CASE attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END
    FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attidentity <> ''
"""
_SET_ON = """
    SELECT setval(pg_get_serial_sequence('{table}', '{column}'), highest)
    FROM (SELECT max({column}) AS highest FROM {table}) AS taken WHERE highest IS NOT NULL
"""


def take_back(table: str) -> None:
    """Make a table of Citus's one of the coordinator's alone. In the caller's transaction.

    With its rows and all that belongs to it but its foreign keys, which whoever calls drops before and makes
    after. Citus takes back no table that draws its ids by itself, so it loses that for the moment.
    """
    identities = rows(_IDENTITIES, [table])
    # Of this node alone: the tables of the workers go.
    rows("SET LOCAL citus.enable_ddl_propagation = off")
    for column, _kind in identities:
        rows(f"ALTER TABLE {table} ALTER COLUMN {column} DROP IDENTITY")
    rows("SET LOCAL citus.enable_ddl_propagation = on")
    # Triggers of ours look at their own row only.
    rows("SET LOCAL citus.enable_unsafe_triggers = on")
    rows("SELECT undistribute_table(%s::regclass)", [table])
    for column, kind in identities:
        rows(f"ALTER TABLE {table} ALTER COLUMN {column} ADD GENERATED {kind} AS IDENTITY")
        rows(_SET_ON.format(table=table, column=column))
