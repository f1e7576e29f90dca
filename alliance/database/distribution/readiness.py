"""What keeps a database from being distributed, in plain words: each problem says what to do."""

import json
from collections.abc import Iterator

from django.db import OperationalError, connection
from django.db.models import Model

from alliance.database.distribution import nodes
from alliance.database.distribution.access import server_role, server_session
from alliance.database.distribution.nodes import rows, value
from alliance.database.distribution.tables import Kind, facts, kinds
from alliance.database.partitions import partitioned_tables
from alliance.database.placements import BY_PARCEL, REFERENCE, problems_of

MOST_SHARDS = 64
# A copy is larger than its original while its indexes are made.
_ROOM = 1.3


def is_power_of_two(shards: int) -> bool:
    return shards > 0 and shards & (shards - 1) == 0


def problems(tables: list[type[Model]], *, shards: int) -> list[str]:
    """Return everything that is missing; only the first thing where nothing else can be asked without it."""
    if not nodes.has_extension():
        return [
            "The extension citus is not in this database: put citus into shared_preload_libraries of the"
            " server, start it again, and CREATE EXTENSION citus as a superuser, here and on every worker."
        ]
    if found := [*_of_nodes()]:
        return found
    if found := [*_of_settings()]:
        return found
    return [
        *problems_of(tables),
        *_of_roles(),
        *of_sessions(),
        *_of_others(),
        *_of_keys(),
        *_of_months(),
        *_of_room(shards),
        *_of_locks(shards),
    ]


_MAY_FENCE = """
    SELECT has_table_privilege('pg_dist_poolinfo', 'SELECT')
        AND has_table_privilege('pg_dist_poolinfo', 'INSERT')
        AND has_table_privilege('pg_dist_poolinfo', 'DELETE')
"""


def advice() -> list[str]:
    """Return what a cluster can do without, but should not."""
    if value(_MAY_FENCE):
        return []
    role = value("SELECT quote_ident(current_user)")
    return [
        "No worker that is frozen can be fenced off, so what needs it waits instead of being refused at once:"
        f" GRANT SELECT, INSERT, DELETE ON pg_dist_poolinfo TO {role} here, as a superuser."
    ]


def is_worker() -> bool:
    return nodes.has_extension() and bool(value("SELECT groupid <> 0 FROM pg_dist_local_group"))


def _of_nodes() -> Iterator[str]:
    known = nodes.nodes()
    if not any(node.is_coordinator for node in known):
        yield (
            "The workers do not know the coordinator: SELECT citus_set_coordinator_host('its name', 5432)"
            " here, as a superuser, with a name that they can reach."
        )
    if not any(node.has_shards for node in known if not node.is_coordinator):
        yield "There is no worker: SELECT citus_add_node('its name', 5432) here, as a superuser, for each."
    for node in known:
        if not node.is_active:
            place = f"('{node.host}', {node.port})"
            yield (
                f"{node} is not active: start it and SELECT citus_activate_node{place}, or SELECT"
                f" citus_remove_node{place}."
            )


_ON_NODE = """
    SELECT json_build_object(
        'wal_level', current_setting('wal_level'),
        'max_prepared_transactions', current_setting('max_prepared_transactions')::integer,
        'may_create', has_schema_privilege(current_schema(), 'CREATE'),
        'alike', json_build_object(
            'PostgreSQL', current_setting('server_version_num')::integer / 10000,
            'Citus', (SELECT extversion FROM pg_extension WHERE extname = 'citus'),
            'the encoding', pg_encoding_to_char(encoding),
            'the collation', datcollate
        )
    )::text
    FROM pg_database WHERE datname = current_database()
"""


def _of_settings() -> Iterator[str]:
    role, here = value("SELECT current_user"), json.loads(value(_ON_NODE))["alike"]
    for answer in nodes.ask_nodes(_ON_NODE):
        if answer.is_error:
            yield (
                f"{answer.node} cannot be asked as {role} ({answer.text}): it has to run, and needs this"
                " database, the extension, the roles, and an entry for the other nodes in pg_hba.conf"
                " (passwords: the server's .pgpass)."
            )
            continue
        found = answer.as_json()
        if found["wal_level"] != "logical":
            yield (
                f"{answer.node} has wal_level = {found['wal_level']}: moving a shard without a pause needs"
                " logical."
            )
        if not found["max_prepared_transactions"]:
            yield f"{answer.node} has max_prepared_transactions = 0: commits of several nodes need it."
        if not found["may_create"]:
            yield f"{answer.node}: {role} may make no tables: ALTER DATABASE ... OWNER TO {role} there."
        if found["alike"]["Citus"] is None:
            yield f"{answer.node} has no extension citus in this database: CREATE EXTENSION citus there."
            continue
        for what, there in found["alike"].items():
            if there != here[what]:
                # Functions would not be the same there, or texts in another order.
                yield f"{answer.node} has {what} {there}, and the coordinator {here[what]}: make them alike."


_ROLES = """
    SELECT coalesce(json_object_agg(rolname, json_build_object(
        'exempt', rolsuper OR rolbypassrls, 'owns', pg_has_role(pg_roles.oid, datdba, 'MEMBER')
    )), '{}')::text
    FROM pg_roles, pg_database WHERE datname = current_database() AND rolname IN (current_user, %s)
"""


def _of_roles() -> Iterator[str]:
    owner, server = value("SELECT current_user"), server_role()
    statement = _ROLES % f"'{server.replace(chr(39), chr(39) * 2)}'"
    for node, roles in nodes.json_of_nodes(statement):
        if owner == server:
            yield "DATABASE_URL and OWNER_DATABASE_URL name the same role (docs/deployment.md)."
            return
        if not roles[owner]["exempt"]:
            yield f"{node}: policies would hide rows from copies by {owner}: ALTER ROLE {owner} BYPASSRLS."
        if server not in roles:
            yield f"{node} has no role {server}: CREATE ROLE {server} LOGIN there."
        elif roles[server]["exempt"] or roles[server]["owns"]:
            yield (
                f"{node}: policies do not bind {server}: it must own nothing, and be neither superuser nor"
                " BYPASSRLS."
            )


# Of one role: of another's sessions it is shown neither the kind nor the program.
_SESSIONS = """
    SELECT coalesce(nullif(application_name, ''), 'a program without a name'), count(*)
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user
    AND NOT starts_with(application_name, 'citus_') AND backend_type = 'client backend'
    GROUP BY 1 ORDER BY 1
"""


def of_sessions() -> Iterator[str]:
    """Yield what other sessions and transactions of the product are there, or that its role cannot log in."""
    owner = value("SELECT current_user")
    found = [(owner, *row) for row in rows(_SESSIONS)]
    try:
        with server_session() as server, server.cursor() as cursor:
            cursor.execute(_SESSIONS)
            found += [(server_role(), *row) for row in cursor.fetchall()]
    except OperationalError as error:
        yield f"{server_role()} cannot log in by DATABASE_URL: {' '.join(str(error).split())}."
    for role, program, count in found:
        sessions = "one session" if count == 1 else f"{count} sessions"
        yield (
            f"{role} is connected by {program} ({sessions}): stop what writes, poolers too, and wait for its"
            " end."
        )
    for (name,) in rows("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
        if not name.startswith("citus_"):
            yield f"The prepared transaction {name} holds locks: COMMIT PREPARED it, or ROLLBACK PREPARED."


# Views of tables, or keys to them, which others made.
_OF_OTHERS = """
    SELECT DISTINCT c.oid::regclass::text, pg_get_userbyid(c.relowner), d.refobjid::regclass::text
    FROM pg_depend d
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
    JOIN pg_class c ON c.oid = coalesce(r.ev_class, k.conrelid)
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid::regclass::text = ANY (%s)
        AND NOT pg_has_role(c.relowner, 'MEMBER')
    ORDER BY 1, 3
"""


def _of_others() -> Iterator[str]:
    for name, owner, table in rows(_OF_OTHERS, [[*BY_PARCEL, *REFERENCE]]):
        yield f"{name}, which is {owner}'s, depends on {table}: drop it, and make it again afterwards."


_KEYS = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = to_regclass(%(table)s) AND indisunique AND NOT (
        SELECT attnum FROM pg_attribute WHERE attrelid = indrelid AND attname = %(column)s
    ) = ANY (indkey::smallint[])
"""
_HAS_PRIMARY_KEY = "SELECT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = to_regclass(%s) AND indisprimary)"
_EMPTY = "SELECT count(*) FROM {table} WHERE {column} IS NULL"
_MAY_BE_NULL = """
    SELECT NOT attnotnull FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s
"""


def _of_keys() -> Iterator[str]:
    for table, column in BY_PARCEL.items():
        if not rows(_MAY_BE_NULL, [table, column]):
            yield f"There is no {table}.{column}: run `migrate` first."
            continue
        for (index,) in rows(_KEYS, {"table": table, "column": column}):
            yield f"{table}: {column} is not in its unique key {index}, which no shard could hold alone."
        if not value(_HAS_PRIMARY_KEY, [table]):
            yield f"{table} has no primary key: its shards could not be moved without a pause."
        if value(_MAY_BE_NULL, [table, column]):
            empty = value(_EMPTY.format(table=table, column=column))
            yield f"{table}.{column} may be empty, and is in {empty:,} rows: they belong to no shard."
    for table in REFERENCE:
        if value("SELECT to_regclass(%s) IS NULL", [table]):
            yield f"There is no {table}: run `migrate` first."


def _of_months() -> Iterator[str]:
    for table in partitioned_tables():
        pending = rows(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = to_regclass(%s) AND inhdetachpending",
            [table],
        )
        for (month,) in pending:
            yield f"{month} is being moved out of {table}: let `retire_months --really` finish first."


def _to_move() -> list[str]:
    found = kinds()
    return [table for table in BY_PARCEL if found.get(table) is not Kind.BY_PARCEL]


def _of_room(shards: int) -> Iterator[str]:
    places = [node for node in nodes.nodes() if node.has_shards]
    divided = sum(facts(table).bytes for table in _to_move()) / max(1, min(len(places), shards))
    everywhere = sum(facts(table).bytes for table in REFERENCE)
    needed = int((divided + everywhere) * _ROOM)
    for node, free in nodes.answers_of_nodes(
        "SELECT available_disk_size FROM citus_local_disk_space_stats()"
    ):
        if node in {str(place) for place in places} and int(free) < needed:
            yield f"{node} has {megabytes(int(free))} free, and its share needs about {megabytes(needed)}."


_LOCKS = """
    SELECT current_setting('max_locks_per_transaction')::bigint
        * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
"""


def _of_locks(shards: int) -> Iterator[str]:
    workers = max(1, sum(node.has_shards for node in nodes.nodes()))
    relations = max((facts(table).relations for table in BY_PARCEL), default=0)
    # Twice: a table of long values and its index for each.
    needed = relations * 2 * -(-shards // workers)
    for node, locks in nodes.answers_of_nodes(_LOCKS):
        if int(locks) < needed:
            yield (
                f"{node} has room for {int(locks):,} locks, and a table of many months takes {needed:,}:"
                " raise max_locks_per_transaction."
            )


def megabytes(size: int) -> str:
    return f"{size / 2**20:,.0f} MB"


def database_name() -> str:
    return str(connection.settings_dict["NAME"])
