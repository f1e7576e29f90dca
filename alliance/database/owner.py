"""The owner of the tables, apart from the role that serves requests and runs tasks.

The server's role (DATABASE_URL) owns nothing: it reads and writes rows as the policies let it. The owner
(OWNER_DATABASE_URL) makes and changes tables, and is exempt from the policies. Only commands of an operator
need it: `migrate`, `distribute`, `retire_months`, `up` and `demo`. Web processes, workers and beat are not
told of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from alliance.database import cluster

# All of a connection but the database's name, which tests change.
_LOGIN = ("USER", "PASSWORD", "HOST", "PORT", "OPTIONS")


@contextmanager
def as_owner(*, using: str = "default") -> Iterator[None]:
    """Run a block with this thread's connection logged in as the owner. Must not run in a transaction.

    Inside another such block it changes nothing. Raises ImproperlyConfigured if the owner is not known.
    """
    connection = connections[using]
    if is_owner(using=using):
        yield
        return
    if settings.OWNER_DATABASE is None:
        raise ImproperlyConfigured("this needs the owner of the tables: set OWNER_DATABASE_URL.")
    if connection.in_atomic_block:
        raise RuntimeError("The owner's connection would not see what this transaction wrote.")
    server = connection.settings_dict
    connection.close()
    # A copy: all threads share the original.
    connection.settings_dict = {**server, **{name: settings.OWNER_DATABASE[name] for name in _LOGIN}}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = server


def is_owner(*, using: str = "default") -> bool:
    """Tell whether this thread's connection is logged in as the owner."""
    owner = settings.OWNER_DATABASE
    return owner is not None and connections[using].settings_dict["USER"] == owner["USER"]


# What is granted by name: tables and views of ours, sequences, and functions that run as their owner.
_OWN = """
    SELECT quote_ident(current_schema()), current_user,
        (SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
            WHERE relkind IN ('r', 'p', 'v') AND relnamespace = current_schema()::regnamespace
            AND relowner = current_user::regrole),
        (SELECT string_agg(oid::regprocedure::text, ', ') FROM pg_proc
            WHERE prosecdef AND pronamespace = current_schema()::regnamespace
            AND proowner = current_user::regrole)
"""


def grant_to_server(*, using: str = "default", **_signal: Any) -> None:
    """Grant the server's role the rows of all tables, present and future; called after each `migrate`."""
    server = settings.DATABASES[using]["USER"]
    role = connections[using].ops.quote_name(server)
    with connections[using].cursor() as cursor:
        cursor.execute(_OWN)
        schema, owner, tables, functions = cursor.fetchone()
        if owner == server or not tables:
            return
        defaults = f"ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT"
        statements = [
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {tables} TO {role}",
            f"{defaults} SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
            f"{defaults} USAGE, SELECT ON SEQUENCES TO {role}",
            # Which migrations ran is for the owner to say.
            f"REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
        ]
        if functions:
            statements.append(f"GRANT EXECUTE ON FUNCTION {functions} TO {role}")
        if cluster.is_distributed(using=using):
            # Of many tables with keys to one another, on one connection to each node.
            cursor.execute("SET citus.multi_shard_modify_mode = 'sequential'")
        for statement in statements:
            cursor.execute(statement)
