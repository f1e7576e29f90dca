"""A cluster of a coordinator and two workers, one plain server of the same programs, and clients of both."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from alliance.homes import HOMES
from alliance.supervision import end_with_parent
from benchmarks.clients import LoadResult
from benchmarks.database import print_progress
from benchmarks.rows import DATABASE
from benchmarks.watching import Watch
from drills.cluster import Cluster
from drills.servers import DATABASE as NAME
from drills.servers import OWNER, ROLE, Server, running, site

ROOT = Path(__file__).resolve().parents[1]
SHARDS = 32
CLIENTS = 4
# What the servers of both sides have: one plain server has them too, as far as it knows them.
_SETTINGS: Final = {
    "wal_level": "logical",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "max_prepared_transactions": "200",
    "max_connections": "200",
    "max_locks_per_transaction": "1024",
}


class Client:
    """A process that calls the product's services on one side's database."""

    def __init__(self, place: int, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.citus_client", str(place), str(CLIENTS)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=end_with_parent,
        )

    def tell(self, **what: Any) -> None:
        """Send it an order; `answer` waits until it has done so."""
        orders: IO[str] = self._process.stdin  # type: ignore[assignment]
        orders.write((json.dumps(what) if what else "") + "\n")
        orders.flush()

    def answer(self) -> Any:
        answers: IO[str] = self._process.stdout  # type: ignore[assignment]
        line = answers.readline()
        if not line:
            raise RuntimeError("a client of the benchmark ended: see its error above")
        return json.loads(line)

    def close(self) -> None:
        self._process.communicate(timeout=60)


@dataclass(slots=True)
class Part:
    """One side: its clients, and the processes of its servers."""

    clients: Sequence[Client]
    watch: Watch

    def do(self, kind: str, count: int, clients: Sequence[int]) -> LoadResult:
        """Have these clients make so many calls of a kind each, all at once."""
        chosen = [self.clients[place] for place in clients]
        for client in chosen:
            client.tell(prepare=kind, count=count)
        for client in chosen:
            client.answer()
        begun = time.perf_counter()
        for client in chosen:
            client.tell()
        answers = [client.answer() for client in chosen]
        return LoadResult(
            items=sum(answer["items"] for answer in answers),
            seconds=time.perf_counter() - begun,
            calls=[took for answer in answers for took in answer["calls"]],
            processor=sum(answer["processor"] for answer in answers),
        )

    def stock(self, **how_much: int) -> None:
        """Have all clients book the parcels that they need."""
        for client in self.clients:
            client.tell(stock=how_much["batches"], single=how_much["single"])
        for client in self.clients:
            client.answer()

    def watched(self, kind: str) -> list[str]:
        """Return the commands that the coordinator sends during a call."""
        self.clients[0].tell(watch=kind)
        commands: list[str] = self.clients[0].answer()
        return commands


@contextmanager
def open_sides(programs: Path) -> Iterator[tuple[Cluster, Part, Part]]:
    """Start and fill the servers of both sides; yield the cluster, its side, and the plain one."""
    with site("bench-citus", programs) as place, ExitStack() as stack:
        cluster = Cluster(place, settings=_SETTINGS)
        plain = Server(place, "plain", _SETTINGS)
        stack.enter_context(cluster.running())
        stack.enter_context(running(plain))
        begun = time.perf_counter()
        plain.initialise()
        cluster.initialise()
        there = _environment(cluster.database_url(), cluster.owner_url())
        here = _environment(place.url(ROLE, plain), place.url(OWNER, plain))
        for environment in (here, there):
            _run(environment, "manage.py", "migrate", "--verbosity=0")
            _run(environment, "-m", "benchmarks.citus_world")
        _run(there, "manage.py", "distribute", f"--shards={SHARDS}", quietly=True)
        for environment in (here, there):
            _run(environment, "-m", "benchmarks.citus_world", *map(str, _homes(cluster)))
        print_progress(f"both sides are ready after {time.perf_counter() - begun:.0f} s")
        yield cluster, _part(stack, there, _roots(cluster)), _part(stack, here, {DATABASE: plain.pid()})


def _part(stack: ExitStack, environment: dict[str, str], roots: dict[str, int | None]) -> Part:
    clients = [Client(place, environment) for place in range(CLIENTS)]
    for client in clients:
        stack.callback(client.close)
    for client in clients:
        client.answer()
    return Part(clients, Watch({name: pid for name, pid in roots.items() if pid}))


def _roots(cluster: Cluster) -> dict[str, int | None]:
    return {node.name: node.pid() for node in cluster.nodes}


def _environment(database_url: str, owner_url: str) -> dict[str, str]:
    from django.conf import settings  # noqa: PLC0415 -- after django.setup()

    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        "BENCH_DATABASE": NAME,
        "DATABASE_URL": database_url,
        "OWNER_DATABASE_URL": owner_url,
        "REDIS_URL": settings.REDIS_URL,
        "LOG_LEVEL": "WARNING",
    }


def _homes(cluster: Cluster) -> list[int]:
    """Return a home for each client: the first half's on the first worker, the others' on the second."""
    by_worker = cluster.shards_by_worker()
    in_order = sorted(shard for shards in by_worker.values() for shard in shards)
    half = CLIENTS // len(cluster.workers)
    return [
        in_order.index(shard) * HOMES // SHARDS
        for worker in cluster.workers
        for shard in by_worker[worker.port][:half]
    ]


def _run(environment: dict[str, str], *arguments: str, quietly: bool = False) -> None:
    subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL if quietly else None,
        check=True,
        preexec_fn=end_with_parent,
    )
