"""A cluster under load goes through what may happen: nodes are killed, shards move, a node is added.

Web server, workers and beat run for real on a coordinator and two workers. What clients were told is done is
there once afterwards, the audits find nothing, and no transaction is left prepared.
"""

import argparse
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg2

from alliance.homes import HOMES
from drills import journal
from drills.cluster import WITHOUT, Cluster, Node, programs
from drills.load import clients
from drills.product import ROOT, Product
from drills.runbook import Runbook
from drills.servers import DATABASE, REPLICATOR, ROLE, ProgramFailed, Site, site
from tests.chaos.programs import running as programs_running

CLIENTS: Final = (
    ("shopper", "0"),
    ("shopper", "1"),
    ("shopper", "2"),
    ("files", "files"),
    ("reader", "reader"),
)
SHARDS: Final = 8
# Seconds under load before something happens, and of a node's absence: at least and at most.
QUIET, ABSENCE = (2.0, 5.0), (2.0, 8.0)
# Seconds that a worker says nothing, and within which each call is answered meanwhile.
FROZEN, FROZEN_ANSWERED_WITHIN = 25.0, 15.0
# Seconds of a longer absence of a worker, within the patience of clients; how many events our own workers may
# log a minute meanwhile, and how many tasks may wait at its end.
AWAY, MOST_EVENTS, MOST_TASKS = 75.0, 60, 30
_TASKS_WAITING: Final = "from alliance.health import readiness; print(readiness()['redis']['tasks_waiting'])"
# Seconds after a node's return within which a write is acknowledged again.
WRITES_AGAIN_WITHIN = 15.0
# Seconds that the move of a shard may take, with all tables of its group; and to settle what was prepared.
MOVED_WITHIN, SETTLED_WITHIN = 120.0, 60.0
# Complaints that are written out: several kinds of each hundred scans.
MOST_SAID = 200
# Seconds in which the first write is acknowledged, with every program just started.
FIRST_WRITE_WITHIN = 60.0
HAPPENINGS: Final = (
    "kill-a-worker",
    "move-a-shard",
    "add-a-worker",
    "kill-the-coordinator",
    "kill-a-worker-in-a-move",
    "kill-a-program",
    "freeze-a-worker",
    "lose-a-worker",
    "lose-the-coordinator",
)
SHORT: Final = HAPPENINGS[:3]
# What takes minutes happens only when it is asked for.
LONG: Final = ("leave-a-worker-away",)
# Sessions of the product that the coordinator has wait for a worker.
_WAITING: Final = f"""
    SELECT count(*) FROM pg_stat_activity
    WHERE usename = '{ROLE}' AND state = 'active' AND wait_event = 'ClientRead'
"""  # noqa: S608 -- a constant


@dataclass
class Drill:
    """The cluster, the product on it, and what was found."""

    site: Site
    seed: str
    cluster: Cluster
    product: Product = field(init=False)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runbook, self.source = Runbook(self.site), random.Random(self.seed)
        self.journals = self.site.folder / "journals"
        self.journals.mkdir()
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self.begun:6.1f} s  {text}\n")
        sys.stdout.flush()

    def load_goes_on(self) -> None:
        time.sleep(self.source.uniform(*QUIET))

    # --- what happens -------------------------------------------------------------------------

    def kill_a_worker(self) -> None:
        self._lose(self.source.choice(self.cluster.workers))

    def kill_the_coordinator(self) -> None:
        self._lose(self.cluster.coordinator)

    def freeze_a_worker(self) -> None:
        """Have a worker say nothing, its connections open: calls are answered all the same."""
        node = self.source.choice(self.cluster.workers)
        at = time.time()
        node.freeze()
        self.say(f"{node.name} frozen")
        time.sleep(FROZEN)
        waiting = self.cluster.coordinator.value(_WAITING)
        node.thaw()
        self._wait_for_writes(node, gone_at=at)
        calls = [call for call in self._calls() if at < call["at"] - call["seconds"] < at + FROZEN]
        slowest = max(call["seconds"] for call in calls)
        self.say(f"{waiting} sessions waited for it; of {len(calls)} calls the slowest took {slowest:.1f} s")
        if slowest > FROZEN_ANSWERED_WITHIN:
            self.wrong.append(f"a call took {slowest:.1f} s while {node.name} was frozen")

    def leave_a_worker_away(self) -> None:
        """Have a worker away for long: what waits for it neither piles up nor fills the log."""
        node, gone = self.source.choice(self.cluster.workers), time.time()
        node.kill()
        self.say(f"{node.name} killed")
        before = self._events_logged()
        time.sleep(AWAY)
        events = round((self._events_logged() - before) * 60 / AWAY)
        tasks = int(self.product.run("manage.py", "shell", "--verbosity=0", "-c", _TASKS_WAITING))
        node.start()
        self._wait_for_writes(node, gone_at=gone)
        self.say(f"after {AWAY:.0f} s {tasks} tasks waited; our workers logged {events} events a minute")
        if tasks > MOST_TASKS:
            self.wrong.append(f"{tasks} tasks waited after {node.name} was away for {AWAY:.0f} s")
        if events > MOST_EVENTS:
            self.wrong.append(f"our workers logged {events} events a minute while {node.name} was away")

    def _events_logged(self) -> int:
        return sum("worker" in line[:30] and "[error" in line for line in self.product.said.splitlines())

    def kill_a_program(self) -> None:
        """Kill what works beside the web server; `up` starts it again."""
        part = self.source.choice(("worker", "beat", "Valkey"))
        self.product.kill(part)
        self.say(f"{part} killed")

    def lose_a_worker(self) -> None:
        """Kill a worker for good: its standby takes its place, with all that was acknowledged."""
        old = self.source.choice(self.cluster.workers)
        new = self.cluster.make_standby(old)
        gone = self._promote(new, after=old)
        self.run("replace-worker", self.cluster.coordinator, other=new, old_port=old.port)
        self.cluster.workers[self.cluster.workers.index(old)] = new
        self._wait_for_writes(new, gone_at=gone)

    def lose_the_coordinator(self) -> None:
        """Kill the coordinator for good: its standby takes its place, with all that was acknowledged."""
        cluster = self.cluster
        old, new = cluster.coordinator, cluster.coordinators_standby
        gone = self._promote(new, after=old)
        self.run("replace-coordinator", new, other=new)
        cluster.coordinator, cluster.coordinators_standby = new, old
        self._wait_for_writes(new, gone_at=gone)

    def _promote(self, new: Node, *, after: Node) -> float:
        """Have a node follow another, kill that one, and promote the follower; return when it was killed."""
        old = after
        self.run("rebuild", new, other=old)
        self.run("synchronous", old, other=new)
        self.say(f"{new.name} follows {old.name}")
        self.load_goes_on()
        gone = time.time()
        old.kill()
        self.say(f"{old.name} killed")
        self.run("asynchronous", new, other=old)
        self.run("promote", new, other=old)
        return gone

    def run(self, step: str, node: Node, *, other: Node, old_port: int = 0) -> None:
        """Run a step of the runbook at a node."""
        told = {
            "PRIMARY": f"host=127.0.0.1 port={other.port} user={REPLICATOR} dbname=postgres",
            "STANDBYS": other.name,
            "PGDATABASE": DATABASE,
            "NEW_HOST": "127.0.0.1",
            "NEW_PORT": other.port,
            "OLD_HOST": "127.0.0.1",
            "OLD_PORT": old_port,
        }
        self.runbook.run(step, {**node.variables(), **told})

    def move_a_shard(self) -> None:
        self._move(*self._choose())

    def add_a_worker(self) -> None:
        """Make another worker, and move its share of the shards there."""
        worker = self.cluster.make_worker()
        self.product.run("manage.py", "shards", "add-node", "127.0.0.1", worker.port)
        self.say(f"{worker.name} added")
        share = SHARDS // len(self.cluster.workers)
        for _shard in range(max(1, share)):
            fullest = max(self._workers_with_shards(), key=lambda node: len(self._shards_of(node)))
            self._move(self._shards_of(fullest)[0], fullest, worker)

    def kill_a_worker_in_a_move(self) -> None:
        """Kill the worker that a shard is moved from or to while it moves; the move fails, or it is over."""
        shard, here, there = self._choose()
        ended: list[str] = []

        def move() -> None:
            try:
                self._order(shard, there)
                ended.append("was over before")
            except RuntimeError:
                ended.append("was broken off")
            except subprocess.TimeoutExpired:
                # It is said below.
                pass

        mover = threading.Thread(target=move, daemon=True)
        mover.start()
        time.sleep(self.source.uniform(0.3, 3.0))
        self._lose(self.source.choice([here, there]))
        mover.join(MOVED_WITHIN)
        self.say(f"the move of shard {shard} {ended[0] if ended else 'does not end'}")
        if not ended:
            self.wrong.append(f"the move of shard {shard} did not end in {MOVED_WITHIN:.0f} s")
        self.cluster.clean_up()

    def _lose(self, node: Node) -> None:
        killed = time.time()
        node.kill()
        self.say(f"{node.name} killed")
        time.sleep(self.source.uniform(*ABSENCE))
        node.start()
        self._wait_for_writes(node, gone_at=killed)

    def _wait_for_writes(self, node: Node, *, gone_at: float) -> None:
        """Wait until a write is acknowledged, now that a node is back."""
        back = time.time()
        again = journal.wait_for_writes(self.journals, since=back, seconds=WRITES_AGAIN_WITHIN + 30)
        if again is None:
            self.wrong.append(f"no write was acknowledged again after {node.name} was back")
            return
        pause = journal.longest_pause(self._calls(), since=gone_at, until=again)
        self.say(f"{node.name} is back: {pause:.1f} s without any write, then one after {again - back:.1f} s")
        if again - back > WRITES_AGAIN_WITHIN:
            self.wrong.append(f"writes took {again - back:.1f} s to go on after {node.name} was back")

    def _move(self, shard: int, here: Node, there: Node) -> None:
        begun, at = time.monotonic(), time.time()
        self._order(shard, there)
        took = time.monotonic() - begun
        pause = journal.longest_pause(self._calls(), since=at, until=time.time())
        self.say(
            f"shard {shard} moved from {here.name} to {there.name} in {took:.1f} s,"
            f" {pause:.1f} s of them without any write"
        )

    def _order(self, shard: int, there: Node) -> None:
        """Move a shard as an operator does; raises RuntimeError when that fails, and TimeoutExpired."""
        every = sorted(each for shards in self.cluster.shards_by_worker().values() for each in shards)
        home = every.index(shard) * HOMES // SHARDS
        place = f"127.0.0.1:{there.port}"
        self.product.run("manage.py", "shards", "move", home, place, seconds=MOVED_WITHIN)

    def _choose(self) -> tuple[int, Node, Node]:
        """Return a shard, the worker that has it, and another worker."""
        here = self.source.choice(self._workers_with_shards())
        there = self.source.choice([worker for worker in self.cluster.workers if worker is not here])
        return self.source.choice(self._shards_of(here)), here, there

    def _workers_with_shards(self) -> list[Node]:
        return [worker for worker in self.cluster.workers if self._shards_of(worker)]

    def _shards_of(self, worker: Node) -> list[int]:
        return self.cluster.shards_by_worker()[worker.port]

    def _calls(self) -> list[dict[str, Any]]:
        return journal.notes_in(self.journals, "calls-*.jsonl")


def verdict(drill: Drill) -> None:
    """Compare journals and database, run the audits, and say what was found."""
    coordinator, calls = drill.cluster.coordinator, journal.notes_in(drill.journals, "calls-*.jsonl")
    found = journal.audit(
        journal.notes_in(drill.journals, "shopper-*.jsonl"),
        parcels=dict(coordinator.execute("SELECT reference, count(*) FROM parcels_parcel GROUP BY 1")),
        scans={
            (parcel, event): count
            for parcel, event, count in coordinator.execute(
                "SELECT parcel_id, event_id, count(*) FROM parcels_scan GROUP BY 1, 2"
            )
        },
    )
    drill.say(f"acknowledged {found.acknowledged} / lost {len(found.lost)} / doubled {len(found.doubled)}")
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(journal.statuses(calls).items()))
    drill.say(
        f"answers by status: {answers}; the slowest took {max(call['seconds'] for call in calls):.1f} s"
    )
    judged = json.loads(
        drill.product.run("-m", "tests.chaos.product", "verdict", drill.journals, drill.product.port)
    )
    drill.say(f"audits: {len(judged['wrong'])} differences among {judged['happened']}")
    left = drill.cluster.left_prepared(SETTLED_WITHIN)
    drill.say(f"transactions left prepared: {len(left)}")
    drill.wrong += [*found.lost, *found.doubled, *journal.complaints(calls), *judged["wrong"], *left]


def play(drill: Drill, happenings: Sequence[Callable[[], None]]) -> None:
    """Start everything, have it all happen under load, and judge what is left."""
    cluster = drill.cluster
    with cluster.running():
        cluster.initialise()
        urls = {"database_url": cluster.database_url(), "owner_url": cluster.owner_url()}
        urls["SUPERUSER_DATABASE_URL"] = cluster.superuser_url()
        with Product(drill.site.folder, **urls) as product:
            drill.product = product
            product.run("manage.py", "migrate", "--verbosity=0")
            product.run("manage.py", "distribute", f"--shards={SHARDS}")
            product.start()
            product.run("-m", "tests.chaos.product", "populate", drill.journals, product.port)
            drill.say("the product runs on the cluster")
            loaders = clients(CLIENTS, drill.seed, product.environment, drill.journals)
            with programs_running(loaders):
                if journal.wait_for_writes(drill.journals, since=0, seconds=FIRST_WRITE_WITHIN) is None:
                    raise RuntimeError("no write was acknowledged before anything happened")
                for happening in happenings:
                    drill.load_goes_on()
                    happening()
                drill.load_goes_on()
                for loader in loaders:
                    loader.finish()
            if not product.lives:
                drill.wrong.append("the product ended by itself")
            verdict(drill)


def keep_logs(drill: Drill) -> None:
    """Copy what the servers, the programs and the clients wrote to where it outlives the drill."""
    kept = ROOT / "build" / "drills" / f"chaos-{drill.seed}"
    journal.keep(kept, folder=drill.site.folder, journals=drill.journals, servers=drill.cluster.nodes)
    drill.say(f"logs and journals: {kept.relative_to(ROOT)}")


def plan(drill: Drill, seconds: float) -> Sequence[Callable[[], None]]:
    """Return what happens: each kind once, in any order, and more by chance in a longer run."""
    names = drill.source.sample(HAPPENINGS, len(HAPPENINGS))
    # One takes ten seconds, more or less.
    names += drill.source.choices(HAPPENINGS, k=max(0, int(seconds / 10) - len(names)))
    return [getattr(drill, name.replace("-", "_")) for name in names]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills chaos", description=__doc__)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(2**31)))
    parser.add_argument("--seconds", type=float, default=60, help="How long things happen, about.")
    parser.add_argument("--short", action="store_true", help=f"Only {', '.join(SHORT)}.")
    parser.add_argument(
        "--only", nargs="+", choices=(*HAPPENINGS, *LONG), help="What happens, in this order."
    )
    chosen = parser.parse_args(arguments)
    if (folder := programs()) is None:
        sys.stdout.write(f"{WITHOUT}\n")
        return 0
    with site("chaos", folder) as place:
        drill = Drill(place, chosen.seed, Cluster(place))
        drill.say(f"seed {chosen.seed}")
        names = chosen.only or (SHORT if chosen.short else ())
        happenings = [getattr(drill, name.replace("-", "_")) for name in names]
        try:
            play(drill, happenings or plan(drill, chosen.seconds))
        except (ProgramFailed, RuntimeError, subprocess.TimeoutExpired, psycopg2.Error) as error:
            drill.wrong.append(f"it was broken off: {error}")
        finally:
            if drill.wrong:
                keep_logs(drill)
        for complaint in drill.wrong[:MOST_SAID]:
            drill.say(f"WRONG: {complaint}")
        drill.say("nothing is wrong" if not drill.wrong else f"{len(drill.wrong)} things are wrong")
    return 1 if drill.wrong else 0
