"""What tests do as the owner of the tables: empty them, change them, analyze them.

Tests run as the server's role, which may do none of it. The function is made in test databases only.
"""

from django.db import connection

_SCHEMA = "for_tests"
_FUNCTION = f"""
CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
GRANT USAGE ON SCHEMA {_SCHEMA} TO PUBLIC;
CREATE OR REPLACE FUNCTION {_SCHEMA}.as_owner(statement text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
AS $$ BEGIN EXECUTE statement; END $$
"""


def make_function() -> None:
    """Make it; the connection is the owner's."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTION)


def execute_as_owner(statement: str) -> None:
    """Execute a statement as the owner, in this connection and its transaction."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SCHEMA}.as_owner(%s)", [statement])
