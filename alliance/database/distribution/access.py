"""What the server's role may do on each node, and whether policies bind it there.

Citus takes grants and policies along with a table, and not what is the database's: default privileges, and
sequences, from which a worker draws its own ids.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection, connections

from alliance.database.distribution.nodes import answers_of_nodes, json_of_nodes, rows, value


def server_role() -> str:
    return str(settings.DATABASES["default"]["USER"])


def _quoted_role() -> str:
    return connection.ops.quote_name(server_role())


_OWN_TABLES = """
    SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = current_schema()::regnamespace
    AND relowner = current_user::regrole
"""


def shut_out() -> None:
    """Take all rights to rows from the server's role: what it wrote now would fail half-way.

    They come back with `grant_to_server`, at the end of `distribute` and of each `migrate`.
    """
    # What others made in the schema is theirs to revoke.
    rows(f"REVOKE ALL ON {value(_OWN_TABLES)} FROM {_quoted_role()}")


# Nothing of it is to travel on: each node is told by itself.
_GRANT_ON_NODE = """
    DO $do$
    DECLARE
        name text;
    BEGIN
        PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
        ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
        ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT USAGE, SELECT ON SEQUENCES TO {role};
        GRANT USAGE ON SCHEMA {schema} TO {role};
        FOR name IN
            SELECT oid::regclass::text FROM pg_class
            WHERE relkind IN ('r', 'p', 'v') AND relnamespace = '{schema}'::regnamespace
            -- Which migrations ran is for the owner to say.
            AND relowner = current_user::regrole AND relname <> 'django_migrations' AND NOT (
                has_table_privilege('{plain_role}', oid, 'SELECT')
                AND has_table_privilege('{plain_role}', oid, 'DELETE')
            )
        LOOP
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO {role}', name);
        END LOOP;
        FOR name IN
            SELECT oid::regclass::text FROM pg_class
            WHERE relnamespace = '{schema}'::regnamespace AND relowner = current_user::regrole
            AND CASE WHEN relkind = 'S' THEN NOT has_sequence_privilege('{plain_role}', oid, 'USAGE') END
        LOOP
            EXECUTE format('GRANT USAGE, SELECT ON SEQUENCE %s TO {role}', name);
        END LOOP;
    END $do$
"""


def grant_on_nodes() -> None:
    """Grant the server's role what it needs on each node; called after each `migrate` on a cluster."""
    schema = value("SELECT quote_ident(current_schema())")
    plain_role = server_role().replace("'", "''")
    answers_of_nodes(_GRANT_ON_NODE.format(schema=schema, role=_quoted_role(), plain_role=plain_role))


# Relations of the owner -> whether policies are forced, and what the policies say. A copied policy has casts
# and brackets in other places.
_POLICIES = """
    SELECT coalesce(json_object_agg(relname, forced || ' ' || policies), '{{}}')::text FROM (
        SELECT relname, (relrowsecurity AND relforcerowsecurity)::text AS forced, coalesce((
            SELECT md5(string_agg(
                regexp_replace(
                    concat_ws(' ', polname, polcmd, polpermissive, polroles = '{{0}}',
                        pg_get_expr(polqual, polrelid), 'check', pg_get_expr(polwithcheck, polrelid)),
                    '::[a-z ]+(\\[\\])?|[() ]', '', 'g'
                ), ',' ORDER BY polname
            )) FROM pg_policy WHERE polrelid = c.oid
        ), '') AS policies
        FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = '{schema}'::regnamespace
        AND relowner = current_user::regrole
    ) relation
"""


def require_alike_policies() -> int:
    """Compare the policies of every shell, shard and month on every node with the coordinator's.

    Returns how many have policies. Raises RuntimeError if any differs.
    """
    relations, differing = _compared()
    for _look in range(_LOOKS):
        if not differing:
            return relations
        # A shard on its way is made without policies, and gets them a moment later.
        time.sleep(1)
        differing &= _compared()[1]
    if differing:
        shown = ", ".join(sorted(differing)[:5])
        raise RuntimeError(f"{len(differing)} relations have not the policies of their table: {shown}")
    return relations


_LOOKS = 5


def _compared() -> tuple[int, set[str]]:
    """Return how many relations have policies, and which of them have others than their table."""
    statement = _POLICIES.format(schema=value("SELECT quote_ident(current_schema())"))
    expected: dict[str, str] = json.loads(value(statement))
    relations, differing = 0, set[str]()
    for node, found in json_of_nodes(statement):
        for name, policies in found.items():
            table = name if name in expected else _without_shard(name)
            wanted = expected.get(table)
            # What is the owner's and not the product's has none.
            if wanted is None or wanted == _NONE:
                continue
            relations += 1
            if policies != wanted:
                differing.add(f"{name} on {node}")
    return relations, differing


_NONE = "false "


def _without_shard(name: str) -> str:
    table, _underscore, number = name.rpartition("_")
    return table if number.isdigit() else name


def let_scopes_travel() -> None:
    """Have Citus send SET LOCAL along to the nodes that it asks in the same transaction.

    Of the server's role its scopes, of the owner its limit of waits for locks. Each role sets it for itself:
    the owner may not for the other.
    """
    _set_for_role(connection, "citus.propagate_set_commands = 'local'")
    with server_session() as server:
        _set_for_role(server, "citus.propagate_set_commands = 'local'")


def let_workers_answer_in_text() -> None:
    """Have workers send rows to the server's role as text.

    For PostgreSQL's binary form Citus asks in a protocol of more steps, which costs a worker a tenth of what
    it does to read one parcel; lists of many rows cost the same either way.
    """
    with server_session() as server:
        _set_for_role(server, "citus.enable_binary_protocol = off")


def let_sessions_keep_utc() -> None:
    """Have the sessions on workers keep the time zone that ours have on the coordinator.

    Django sets it there for its own session alone, when the server has another one.
    """
    _set_for_role(connection, "timezone = 'UTC'")
    with server_session() as server:
        _set_for_role(server, "timezone = 'UTC'")


@contextmanager
def server_session() -> Iterator[Any]:
    """Open a session of the server's role."""
    server = connections.create_connection("default")
    try:
        yield server
    finally:
        server.close()


def _set_for_role(of: Any, setting: str) -> None:
    role, database = (of.ops.quote_name(of.settings_dict[name]) for name in ("USER", "NAME"))
    with of.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {role} IN DATABASE {database} SET {setting}")
