"""What is where on a cluster, and having Citus move it while the product goes on writing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, connections

from alliance.database import stored_functions
from alliance.database.distribution import access
from alliance.database.distribution.nodes import Node, ask_nodes, nodes, rows, value
from alliance.database.placements import BY_PARCEL, group_table
from alliance.homes import HOME_BITS

# Copies by logical replication: writers wait for the last moment of it only.
_MODE = "force_logical"
# The range of hashes begins at its negative half.
_LOWEST, _SHIFT = -(1 << 31), 32 - HOME_BITS


class Refused(Exception):
    """What was asked for cannot be done; the text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard of the parcels, with all that belongs to them."""

    # Citus's number of it.
    id: int
    first_home: int
    last_home: int
    node: str
    bytes: int
    # Estimates of the last vacuum or ANALYZE.
    parcels: int

    @property
    def homes(self) -> str:
        first, last = self.first_home, self.last_home
        return f"{first}-{last}" if last > first else f"{first}"


@dataclass(frozen=True, slots=True)
class Move:
    """A shard on its way, or waiting for its turn."""

    homes: str
    source: str
    target: str
    state: str


_SHARDS = """
    SELECT max(c.shardid) FILTER (WHERE c.table_name = %(group)s::regclass),
        s.shardminvalue::bigint, s.shardmaxvalue::bigint,
        c.nodename || ':' || c.nodeport, sum(coalesce(c.shard_size, 0))::bigint,
        array_agg(c.shardid) FILTER (WHERE c.table_name = %(group)s::regclass OR c.table_name IN (
            SELECT inhrelid FROM pg_inherits WHERE inhparent = %(group)s::regclass))
    FROM citus_shards c JOIN pg_dist_shard s USING (shardid) WHERE c.citus_table_type = 'distributed'
    GROUP BY 2, 3, 4 ORDER BY 2
"""
# By number of the shard; of tables and months that have it.
_ROWS = r"""
    SELECT coalesce(json_object_agg(substring(relname FROM '\d+$'), greatest(reltuples, 0)), '{{}}')::text
    FROM pg_class WHERE relkind = 'r' AND relname ~ '^{table}(_y\d+m\d+)?_\d+$'
"""


def shards() -> list[Shard]:
    """Return the shards in the order of their homes."""
    parcels = {
        int(shard): count
        for answer in ask_nodes(_ROWS.format(table=group_table()))
        if not answer.is_error
        for shard, count in answer.as_json().items()
    }
    return [
        Shard(
            number,
            home_of_hash(low),
            home_of_hash(high),
            node,
            size,
            round(sum(parcels.get(each, 0) for each in of)),
        )
        for number, low, high, node, size, of in rows(_SHARDS, {"group": group_table()})
    ]


def home_of_hash(hashed: int) -> int:
    return (hashed - _LOWEST) >> _SHIFT


def silent_nodes() -> set[str]:
    """Return the nodes that do not answer."""
    return {answer.node for answer in ask_nodes("SELECT 1") if answer.is_error}


_TASKS = """
    SELECT command, task.status::text, message FROM pg_dist_background_task task
    JOIN pg_dist_background_job job USING (job_id)
    WHERE job.state IN ('scheduled', 'running', 'failing', 'cancelling')
    AND task.status NOT IN ('done', 'cancelled') ORDER BY task_id
"""
_MOVE = re.compile(r"citus_move_shard_placement\((\d+),\s*(\d+),\s*(\d+)").search
_PROGRESS = """
    SELECT shardid, sourcename || ':' || sourceport, targetname || ':' || targetport, lower(status)
    FROM get_rebalance_progress() WHERE table_name = %s::regclass AND progress < 2
"""


def moves() -> list[Move]:
    """Return what is being moved and what waits for it, in order."""
    homes = {shard.id: shard.homes for shard in shards()}
    under_way = {shard: rest for shard, *rest in rows(_PROGRESS, [group_table()])}
    found = [Move(homes.get(shard, "?"), *rest) for shard, rest in under_way.items()]
    places = dict(rows("SELECT nodeid, nodename || ':' || nodeport FROM pg_dist_node"))
    for command, status, message in rows(_TASKS):
        if not (move := _MOVE(command)):
            continue
        shard, source, target = map(int, move.groups())
        if shard not in under_way:
            state = f"{status}: {message.splitlines()[0]}" if message else status
            found.append(Move(homes.get(shard, "?"), places[source], places[target], state))
    return found


def move(home: int, target: str) -> Shard:
    """Move the shard of a home to a node, and return it as it was. Raises Refused.

    Returns when it is done.
    """
    node = _node(target)
    if not node.is_active or node.is_coordinator:
        raise Refused(
            f"{node} takes no shards: it is {'the coordinator' if node.is_coordinator else 'down'}."
        )
    [shard] = [shard for shard in shards() if shard.first_home <= home <= shard.last_home]
    if shard.node == str(node):
        raise Refused(f"Home {home} is on {node} already.")
    for other in moves():
        if other.homes == shard.homes:
            raise Refused(f"Homes {shard.homes} are on their way to {other.target} ({other.state}): wait.")
    _require_movable()
    source = _node(shard.node)
    rows(
        "SELECT citus_move_shard_placement(%s, %s, %s, %s, %s, %s)",
        [shard.id, source.host, source.port, node.host, node.port, _MODE],
    )
    return shard


def rebalance() -> bool:
    """Have Citus even out what the workers hold, in the background; return whether anything is moved.

    Raises Refused.
    """
    _require_none_begun()
    _require_movable()
    return _start(drain_only=False)


def drain(target: str) -> bool:
    """Have Citus move everything off a worker, in the background; return whether there was anything.

    No new shards go to it. Raises Refused.
    """
    node = _node(target)
    if node.is_coordinator:
        raise Refused(f"{node} is the coordinator: it has no shards.")
    if not [other for other in nodes() if other.has_shards and not other.is_coordinator and other != node]:
        raise Refused(f"There is no other worker to take what {node} holds: add one first.")
    _require_none_begun()
    _require_movable()
    if node.has_shards:
        execute_as_superuser(
            "SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', false)", [node.host, node.port]
        )
    return _start(drain_only=True)


def add_node(host: str, port: int) -> str:
    """Add a worker, or one that was drained again; return what was done. May be called again.

    It gets functions and grants, and shards by `rebalance`. Raises Refused.
    """
    known = {str(node): node for node in nodes()}.get(f"{host}:{port}")
    if known and known.is_coordinator:
        raise Refused(f"{known} is the coordinator: it has no shards.")
    done = "was there"
    if known is None:
        execute_as_superuser("SELECT citus_add_node(%s, %s)", [host, port])
        done = "was added"
    elif not known.is_active:
        execute_as_superuser("SELECT citus_activate_node(%s, %s)", [host, port])
        done = "is active again"
    elif not known.has_shards:
        execute_as_superuser("SELECT citus_set_node_property(%s, %s, 'shouldhaveshards', true)", [host, port])
        done = "takes shards again"
    if value(_LACKS_COPIES, [host, port]):
        # Citus would copy them with its first rebalancing; a shard only moves to where they are.
        execute_as_superuser("SELECT replicate_reference_tables(%s)", [_MODE])
    stored_functions.install_all()
    access.grant_on_nodes()
    access.require_alike_policies()
    return done


def _start(*, drain_only: bool) -> bool:
    job = value(
        "SELECT citus_rebalance_start(drain_only := %s, shard_transfer_mode := %s)", [drain_only, _MODE]
    )
    return bool(job)


def _node(name: str) -> Node:
    known = {str(node): node for node in nodes()}
    if name not in known:
        raise Refused(f"There is no node {name}; there are {', '.join(known)}.")
    return known[name]


def execute_as_superuser(statement: str, parameters: list[str | int]) -> None:
    """Execute what changes which nodes there are; the owner of the tables may not. Raises Refused."""
    if settings.SUPERUSER_DATABASE is None:
        with connection.cursor() as cursor:
            text = cursor.mogrify(statement, parameters).decode()
        raise Refused(
            "Only a superuser may change the nodes: set SUPERUSER_DATABASE_URL, or have one execute this on"
            f" the coordinator and call it again: {text};"
        )
    superuser = connections.create_connection("default")
    superuser.settings_dict = {**superuser.settings_dict, **settings.SUPERUSER_DATABASE}
    try:
        with superuser.cursor() as cursor:
            cursor.execute(statement, parameters)
    finally:
        superuser.close()


def _require_none_begun() -> None:
    # Before anything is changed: Citus has one such job at a time.
    if rows(_TASKS):
        raise Refused(
            "Shards are being moved in the background: `shards` shows how far it is. Wait, or end it by"
            " SELECT citus_rebalance_stop()."
        )


def _require_movable() -> None:
    if problems := [*_problems()]:
        raise Refused(" ".join(problems))


_LACKS_COPIES = """
    SELECT EXISTS (
        SELECT 1 FROM pg_dist_partition t JOIN pg_dist_shard s USING (logicalrelid)
        WHERE t.partmethod = 'n' AND t.repmodel = 't' AND NOT EXISTS (
            SELECT 1 FROM pg_dist_placement p JOIN pg_dist_node n USING (groupid)
            WHERE p.shardid = s.shardid AND n.nodename = %s AND n.nodeport = %s))
"""
_WITHOUT_IDENTITY = """
    SELECT oid::regclass::text FROM pg_class WHERE oid = to_regclass(%s) AND relreplident = 'd'
    AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)
"""


def _problems() -> Iterator[str]:
    for table in BY_PARCEL:
        if rows(_WITHOUT_IDENTITY, [table]):
            yield f"{table} has no primary key, by which changes are copied: writers would have to wait."
    for answer in ask_nodes("SELECT current_setting('wal_level')"):
        if answer.is_error:
            yield f"{answer.node} does not answer ({answer.text})."
        elif answer.text != "logical":
            yield f"{answer.node} has wal_level = {answer.text}, and writes are copied with logical only."
    if not value("SELECT rolbypassrls OR rolsuper FROM pg_roles WHERE rolname = current_user"):
        yield "Policies bind the owner, as whom Citus copies: ALTER ROLE ... BYPASSRLS on every node."
