"""What only a superuser may do on the nodes of a cluster, for databases of tests."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from psycopg2.errors import ObjectInUse
from psycopg2.extensions import make_dsn, parse_dsn

URL = os.environ.get("CITUS_URL", "")
# Few, as each is a table in each month: what tests do is the same with more.
SHARDS = 4
_ATTEMPTS = 6
_ROLES = {"DATABASE_URL": "alliance", "OWNER_DATABASE_URL": "alliance_owner"}


def addresses() -> dict[str, str]:
    """Return the addresses of both roles, as the environment has them or with the roles' usual names."""
    server = parse_dsn(URL)
    place = f"{server.get('host', '127.0.0.1')}:{server.get('port', '5432')}"
    return {
        variable: os.environ.get(variable) or f"postgres://{role}@{place}/alliance"
        for variable, role in _ROLES.items()
    }


def skip_those_of_one_server(items: list[pytest.Item]) -> None:
    """Skip what is marked `one_server(reason)`, and say the reason."""
    for item in items:
        if mark := item.get_closest_marker("one_server"):
            (reason,) = mark.args
            item.add_marker(pytest.mark.skip(reason=f"one server's: {reason}"))


def make_roles() -> None:
    """Make the roles on every node where they are missing, and let the owner make databases."""
    server, owner = (parse_dsn(url)["user"] for url in addresses().values())
    for place in _nodes():
        for role, rights in ((server, "NOBYPASSRLS"), (owner, "BYPASSRLS CREATEDB")):
            if not _rows(place, "SELECT 1 FROM pg_roles WHERE rolname = %s", role):
                _rows(place, f"CREATE ROLE {role} LOGIN {rights}")


def make_database(name: str) -> None:
    """Make an empty database on every node, whose coordinator knows the others."""
    drop_database(name)
    spread_database(name)


def spread_database(name: str) -> None:
    """Make the database where it is missing, and make the coordinator's know the others."""
    owner = parse_dsn(addresses()["OWNER_DATABASE_URL"])["user"]
    places = _nodes()
    for place in places:
        if not _has_database(place, name):
            _rows(place, f"CREATE DATABASE {name} OWNER {owner}")
        _rows({**place, "dbname": name}, "CREATE EXTENSION citus")
        # A test database need not survive a power cut.
        _rows(place, f"ALTER DATABASE {name} SET synchronous_commit = off")
    coordinator, *workers = places
    here = {**coordinator, "dbname": name}
    _rows(here, "SELECT citus_set_coordinator_host(%s, %s)", *_name_of(coordinator))
    for worker in workers:
        _rows(here, "SELECT citus_add_node(%s, %s)", *_name_of(worker))
    _rows(here, f"GRANT SELECT, INSERT, DELETE ON pg_dist_poolinfo TO {owner}")


def drop_database(name: str) -> None:
    for place in _nodes():
        for attempt in range(_ATTEMPTS):
            try:
                _rows(place, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                break
            except ObjectInUse:
                # Citus's daemon is ended, too, and has five seconds on a busy machine.
                if attempt == _ATTEMPTS - 1:
                    raise


def has_database(name: str) -> bool:
    return all(_has_database(place, name) for place in _nodes())


def on_coordinator(name: str, statement: str) -> list[tuple[Any, ...]]:
    """Return what the coordinator says to a statement of the superuser."""
    return _rows({**_nodes()[0], "dbname": name}, statement)


@contextmanager
def holding(name: str, statement: str) -> Iterator[None]:
    """Keep what a statement of the superuser locks, on the coordinator or by it."""
    with closing(psycopg2.connect(make_dsn(**{**_nodes()[0], "dbname": name}))) as session:
        session.cursor().execute(statement)
        yield


@contextmanager
def worker_away(name: str, *, last: bool) -> Iterator[None]:
    """Have the coordinator find nobody where a worker of a database is, as if it were down."""
    order = "DESC" if last else "ASC"
    [(node, known)] = on_coordinator(
        name, f"SELECT nodeid, nodeport FROM pg_dist_node WHERE groupid > 0 ORDER BY nodeid {order} LIMIT 1"
    )
    move = "UPDATE pg_dist_node SET nodeport = {port} WHERE nodeid = {node}"
    on_coordinator(name, move.format(port="nodeport + 20000", node=node))
    try:
        yield
    finally:
        on_coordinator(name, move.format(port=known, node=node))


def of_nodes(name: str, statement: str) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Yield what each node says to a statement of the superuser."""
    for place in _nodes():
        yield f"{place['host']}:{place['port']}", _rows({**place, "dbname": name}, statement)


def node_of(name: str, parcel_id: int) -> str:
    """Return the worker that holds a parcel, as `host:port`."""
    statement = f"""
        SELECT nodename || ':' || nodeport FROM pg_dist_placement JOIN pg_dist_node USING (groupid)
        WHERE shardid = get_shard_id_for_distribution_column('parcels_parcel', {int(parcel_id)}::bigint)"""
    [(node,)] = on_coordinator(name, statement)
    return str(node)


@contextmanager
def away(name: str, *, node: str) -> Iterator[None]:
    """Have the coordinator of a database look for a worker at a port where nobody answers.

    Sessions that are open have to be opened anew.
    """
    host, port = node.split(":")
    move = "UPDATE pg_dist_node SET nodeport = {to} WHERE nodename = '{host}' AND nodeport = {by} RETURNING 1"
    on_coordinator(name, move.format(to=1, host=host, by=port))
    try:
        yield
    finally:
        on_coordinator(name, move.format(to=port, host=host, by=1))


def _nodes() -> list[dict[str, str]]:
    """Return how to connect to each node, the coordinator first."""
    here = parse_dsn(URL)
    found = _rows(here, "SELECT nodename, nodeport FROM pg_dist_node ORDER BY groupid")
    return [{**here, "host": host, "port": str(port)} for host, port in found]


def _has_database(place: dict[str, str], name: str) -> bool:
    return bool(_rows(place, "SELECT 1 FROM pg_database WHERE datname = %s", name))


def _name_of(place: dict[str, str]) -> tuple[str, int]:
    return place["host"], int(place["port"])


def _rows(place: dict[str, str], statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with closing(psycopg2.connect(make_dsn(**place))) as connection:
        # Each node is told by itself.
        connection.autocommit = True
        with connection.cursor() as cursor:
            if "citus" not in statement:
                cursor.execute("SET citus.enable_ddl_propagation = off")
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []
