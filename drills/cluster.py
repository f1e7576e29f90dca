"""A cluster of a drill: a coordinator and workers, made of a PostgreSQL that has the extension Citus.

No registry has the extension, so whoever has such a PostgreSQL says where: PG_CITUS_BIN is the folder of its
programs (`postgres`, `initdb`, ...).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alliance.embedded.waiting import wait_until
from drills.servers import OWNER, ROLE, SUPERUSER, Server, Site

VARIABLE: Final = "PG_CITUS_BIN"
WITHOUT: Final = (
    f"NOTHING WAS DONE on a cluster: {VARIABLE} does not name the folder of the programs of a PostgreSQL that"
    " has the extension Citus."
)
# What each node has, beside what every server of a drill has.
SETTINGS: Final = {
    "shared_preload_libraries": "citus",
    # Shards are moved by logical replication.
    "wal_level": "logical",
    "max_prepared_transactions": "200",
    "max_connections": "200",
    "max_locks_per_transaction": "1024",
    "max_worker_processes": "32",
    "max_replication_slots": "64",
    "citus.node_conninfo": "sslmode=disable keepalives_idle=10 keepalives_interval=5 keepalives_count=3"
    " tcp_user_timeout=10000",
    "citus.node_connection_timeout": "3s",
    "citus.enable_statistics_collection": "off",
    # What a killed node left prepared holds locks: it is ended within seconds.
    "citus.recover_2pc_interval": "5s",
}


def programs() -> Path | None:
    """Return the folder of the programs with the extension, or None if nobody said where it is."""
    given = os.environ.get(VARIABLE)
    folder = Path(given).resolve() if given else None
    return folder if folder and (folder / "postgres").is_file() else None


class Node(Server):
    """One server of a cluster; the nodes log in to each other with the passwords of the site."""

    access = Server.access + "host all {superuser} 127.0.0.1/32 scram-sha-256\n"

    def __init__(self, site: Site, name: str, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(site, name, SETTINGS | dict(settings or {}))

    def initialise(self) -> None:
        super().initialise()
        self.execute(f"ALTER ROLE {SUPERUSER} PASSWORD '{self.site.password}'", database="postgres")
        self.execute("CREATE EXTENSION citus")


class Cluster:
    """A coordinator without shards, and workers."""

    def __init__(self, site: Site, *, workers: int = 2, settings: Mapping[str, str] | None = None) -> None:
        self.site, self._settings = site, settings
        self.coordinator = Node(site, "coordinator", settings)
        # It runs once a drill starts it, and its address is in those of the product from the beginning.
        self.coordinators_standby = Node(site, "coordinator2", settings)
        self._standbys: list[Node] = []
        self.workers = [self._worker(number) for number in range(1, workers + 1)]

    @property
    def nodes(self) -> list[Node]:
        coordinators = [self.coordinator, self.coordinators_standby]
        return [*dict.fromkeys([*coordinators, *self.workers, *self._standbys])]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Leave none of its nodes running afterwards, those of later among them."""
        try:
            yield
        finally:
            for node in reversed(self.nodes):
                node.kill()

    def initialise(self) -> None:
        """Make empty nodes, start them, and tell the coordinator of the workers."""
        for node in [self.coordinator, *self.workers]:
            node.initialise()
        self.coordinator.execute(f"SELECT citus_set_coordinator_host('127.0.0.1', {self.coordinator.port})")
        for worker in self.workers:
            self.coordinator.execute(f"SELECT citus_add_node('127.0.0.1', {worker.port})")
        # A worker that says nothing is fenced off.
        self.coordinator.execute(f"GRANT SELECT, INSERT, DELETE ON pg_dist_poolinfo TO {OWNER}")

    def make_worker(self) -> Node:
        """Make and start another worker, of which the coordinator knows nothing yet."""
        worker = self._worker(len(self.workers) + 1)
        self.workers.append(worker)
        worker.initialise()
        return worker

    def make_standby(self, worker: Node) -> Node:
        """Return a node for a standby of a worker, which does not run yet."""
        # A name that synchronous_standby_names takes as it is.
        standby = Node(self.site, f"standby{len(self._standbys) + 1}", self._settings)
        self._standbys.append(standby)
        return standby

    def clean_up(self) -> None:
        """Remove what a move left behind, whether it was broken off or is over."""
        self.coordinator.execute("CALL citus_cleanup_orphaned_resources()")

    def database_url(self) -> str:
        return self._url(ROLE)

    def owner_url(self) -> str:
        return self._url(OWNER)

    def superuser_url(self) -> str:
        """Return the address for what only a superuser may do: change the list of nodes."""
        return self._url(SUPERUSER)

    def _url(self, role: str) -> str:
        return self.site.url(role, self.coordinator, self.coordinators_standby)

    def left_prepared(self, seconds: float) -> list[str]:
        """Return the transactions that nobody ends in so long, though they are prepared on some node."""
        left: list[str] = []

        def none_left() -> bool:
            left[:] = [
                f"transaction {name} is prepared on {node.name}"
                for node in [self.coordinator, *self.workers]
                for (name,) in node.execute("SELECT gid FROM pg_prepared_xacts")
            ]
            return not left

        wait_until(none_left, what=lambda: "prepared transactions", seconds=seconds)
        return left

    def shards_by_worker(self) -> dict[int, list[int]]:
        """Return the shards of parcels by the port of the worker that has them."""
        found: dict[int, list[int]] = {worker.port: [] for worker in self.workers}
        for port, shard in self.coordinator.execute(
            "SELECT nodeport, shardid FROM citus_shards WHERE table_name = 'parcels_parcel'::regclass"
            " AND citus_table_type = 'distributed' ORDER BY shardid"
        ):
            found.setdefault(port, []).append(shard)
        return found

    def _worker(self, number: int) -> Node:
        return Node(self.site, f"worker-{number}", self._settings)
