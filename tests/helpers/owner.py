"""What tests do as the owner of the tables: empty them, change them, analyze them.

Tests run as the server's role, which may do none of it. The function is made in test databases only.
"""

from django.db import connection

_SCHEMA = "for_tests"
_FUNCTION = f"""
CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
GRANT USAGE ON SCHEMA {_SCHEMA} TO PUBLIC;
CREATE OR REPLACE FUNCTION {_SCHEMA}.as_owner(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
AS $$ BEGIN EXECUTE statement; END $$;
CREATE OR REPLACE FUNCTION {_SCHEMA}.tables_with_rows() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    name text;
    has_rows boolean;
BEGIN
    FOR name IN
        SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
        AND relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT 1 FROM %I)', name) INTO has_rows;
        IF has_rows THEN
            RETURN NEXT name;
        END IF;
    END LOOP;
END $$
"""


def make_function() -> None:
    """Make it; the connection is the owner's."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTION)


def tables_with_rows() -> list[str]:
    """Return the tables that are not empty, wherever their rows are."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SCHEMA}.tables_with_rows()")
        return [name for (name,) in cursor.fetchall()]


def execute_as_owner(statement: str) -> None:
    """Execute a statement as the owner, in this connection and its transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SCHEMA}.as_owner(%s)", [statement])
