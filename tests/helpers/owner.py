"""What tests do as the owner of the tables: empty them, change them, analyze them.

Tests run as the server's role, which may do none of it. The function is made in test databases only.
"""

from collections.abc import Iterable

from django.db import connection

_SCHEMA = "for_tests"
_FUNCTION = f"""
CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
GRANT USAGE ON SCHEMA {_SCHEMA} TO PUBLIC;
CREATE OR REPLACE FUNCTION {_SCHEMA}.as_owner(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
AS $$ BEGIN EXECUTE statement; END $$;
CREATE OR REPLACE FUNCTION {_SCHEMA}.empty_on_nodes(kept text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    name text;
    has_rows boolean;
    refuses boolean;
BEGIN
    -- One connection to each node: what one deleted, another would still find behind a foreign key.
    PERFORM set_config('citus.multi_shard_modify_mode', 'sequential', true);
    FOR name, refuses IN
        SELECT relname, EXISTS (
            SELECT 1 FROM pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgtype & 8 > 0
        )
        FROM pg_class c WHERE relkind IN ('r', 'p') AND NOT relispartition
        AND relnamespace = current_schema()::regnamespace AND relname <> ALL (kept)
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO has_rows;
        IF has_rows THEN
            EXECUTE format(CASE WHEN refuses THEN 'TRUNCATE %I CASCADE' ELSE 'DELETE FROM %I' END, name);
        END IF;
    END LOOP;
END $$
"""


def make_function() -> None:
    """Make it; the connection is the owner's."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTION)


def empty_on_nodes(kept: Iterable[str]) -> None:
    """Delete the rows of all tables but these, wherever they are.

    TRUNCATE takes seconds there: by its cascade it empties every shard of every month, on every node.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SCHEMA}.empty_on_nodes(%s)", [sorted(kept)])


def execute_as_owner(statement: str) -> None:
    """Execute a statement as the owner, in this connection and its transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SCHEMA}.as_owner(%s)", [statement])
