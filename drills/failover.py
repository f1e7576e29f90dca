"""A primary is killed under load, its standby promoted, and the old primary comes back.

Web server, workers and beat run for real on a database of two servers with synchronous replication. What is
done to the servers are the steps of docs/operations.md, as they stand there.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg2

from drills import journal
from drills.load import clients
from drills.poolers import Pooler
from drills.product import ROOT, Product
from drills.runbook import Runbook
from drills.servers import OWNER, REPLICATOR, ROLE, ProgramFailed, Server, Site, running, site
from tests.chaos.programs import running as programs_running

CLIENTS = (("shopper", "0"), ("shopper", "1"), ("shopper", "2"), ("files", "files"), ("reader", "reader"))
# Seconds under load before something happens, at least and at most; and seconds that an operator takes.
QUIET, DECISION = (4.0, 8.0), (0.0, 3.0)
# Seconds after a promotion within which a write is acknowledged again.
WRITES_AGAIN_WITHIN = 15.0
NAMES = ("alpha", "beta")
HAPPENINGS = (
    "lose-the-primary",
    "lose-the-standby",
    "switch-back",
    "cut-the-primary-off",
    "lose-almost-everything",
)


@dataclass
class Drill:
    """The servers, whoever of them is primary, and what was found."""

    site: Site
    seed: str
    primary: Server
    standby: Server
    product: Product = field(init=False)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.runbook = Runbook(self.site)
        self.source = random.Random(self.seed)
        self.journals = self.site.folder / "journals"
        self.journals.mkdir()
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self.begun:6.1f} s  {text}\n")
        sys.stdout.flush()

    def run(self, name: str, server: Server) -> None:
        """Run a step of the runbook as somebody at that server."""
        other = self.standby if server is self.primary else self.primary
        self.runbook.run(
            name,
            {
                **server.variables(),
                "PRIMARY": f"host=127.0.0.1 port={other.port} user={REPLICATOR} dbname=postgres",
                "STANDBYS": ", ".join(NAMES),
            },
        )
        self.say(f"{server.name}: {name}")

    def load_goes_on(self) -> None:
        time.sleep(self.source.uniform(*QUIET))

    def wait_for_writes(self, since: float) -> float:
        """Wait until a client is told of a write begun after this moment; return when that was."""
        again = journal.wait_for_writes(self.journals, since=since, seconds=WRITES_AGAIN_WITHIN + 30)
        if again is None:
            self.wrong.append("no write was acknowledged again")
        return again or time.time()

    # --- what happens -------------------------------------------------------------------------

    def lose_the_primary(self, *parts: str) -> None:
        """Kill the primary; fence it, promote the standby, and bring it back as a standby."""
        self.load_goes_on()
        old, new = self.primary, self.standby
        killed = time.time()
        old.kill()
        self.product.kill(*parts)
        self.say(" and ".join([*parts, old.name]) + " killed")
        time.sleep(self.source.uniform(*DECISION))
        self.run("fence", old)
        self.run("asynchronous", new)
        self.run("promote", new)
        self.primary, self.standby = new, old
        self._report("the primary's death", killed, promoted=time.time())
        self.load_goes_on()
        self._show_that_it_is_fenced(old)
        self.run("rejoin", old)
        self.run("synchronous", new)

    def lose_almost_everything(self) -> None:
        """Lose the primary, and in the same moment what works beside the web server."""
        self.lose_the_primary("Valkey", "worker", "beat")

    def cut_the_primary_off(self) -> None:
        """Have the primary say nothing, its connections open, as when its network is cut; replace it."""
        self.load_goes_on()
        old, new = self.primary, self.standby
        silent = time.time()
        old.freeze()
        self.say(f"{old.name} says nothing any more")
        time.sleep(self.source.uniform(*DECISION))
        self.run("asynchronous", new)
        self.run("promote", new)
        self.primary, self.standby = new, old
        self._report("the primary's silence", silent, promoted=time.time())
        # It does not stop when it is asked to: the step ends it.
        self.run("fence", old)
        if old.lives():
            self.wrong.append(f"{old.name} lives behind its fence")
        self.run("rejoin", old)
        self.run("synchronous", new)

    def switch_back(self) -> None:
        """Have the servers change places in order."""
        self.load_goes_on()
        old, new = self.primary, self.standby
        stopped = time.time()
        self.run("step-down", old)
        self.run("asynchronous", new)
        self.run("promote", new)
        self.primary, self.standby = new, old
        self._report("the switch", stopped, promoted=time.time())
        self.run("rejoin", old)
        self.run("synchronous", new)

    def lose_the_standby(self) -> None:
        """Kill the standby, have commits wait, go on without it, and have it back."""
        self.load_goes_on()
        killed = time.time()
        self.standby.kill()
        self.say(f"{self.standby.name} was killed: commits wait")
        time.sleep(self.source.uniform(7.0, 10.0))
        self.run("asynchronous", self.primary)
        self._report("the standby's death", killed, promoted=time.time())
        self.standby.start()
        self.run("synchronous", self.primary)

    def _report(self, what: str, since: float, *, promoted: float) -> None:
        again = self.wait_for_writes(promoted)
        calls = journal.notes_in(self.journals, "calls-*.jsonl")
        pause = journal.longest_pause(calls, since=since, until=again)
        self.say(
            f"{pause:.1f} s without writes by {what}, {again - promoted:.1f} s of them"
            " after the database was there again"
        )
        if again - promoted > WRITES_AGAIN_WITHIN:
            self.wrong.append(f"writes took {again - promoted:.1f} s to go on after {what}")

    def _show_that_it_is_fenced(self, server: Server) -> None:
        """Start the old primary as whoever does not know better would: it takes no writes."""
        server.start()
        try:
            server.execute("CREATE TABLE a_second_primary (id integer)")
        except psycopg2.errors.ReadOnlySqlTransaction:
            self.say(f"{server.name}: started behind its fence, it refuses writes")
        else:
            self.wrong.append(f"{server.name} took a write as a second primary")


def verdict(drill: Drill, product: Product) -> None:
    """Compare journals and database, run the audits, and say what was found."""
    calls = journal.notes_in(drill.journals, "calls-*.jsonl")
    primary = drill.primary
    found = journal.audit(
        journal.notes_in(drill.journals, "shopper-*.jsonl"),
        parcels=dict(primary.execute("SELECT reference, count(*) FROM parcels_parcel GROUP BY 1")),
        scans={
            (parcel, event): count
            for parcel, event, count in primary.execute(
                "SELECT parcel_id, event_id, count(*) FROM parcels_scan GROUP BY 1, 2"
            )
        },
    )
    drill.say(f"acknowledged {found.acknowledged} / lost {len(found.lost)} / doubled {len(found.doubled)}")
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(journal.statuses(calls).items()))
    slowest = max(call["seconds"] for call in calls)
    drill.say(f"answers by status: {answers}; the slowest took {slowest:.1f} s")
    drill.say(f"the programs logged {len(product.said.splitlines())} lines")
    judged = json.loads(product.run("-m", "tests.chaos.product", "verdict", drill.journals, product.port))
    drill.say(f"audits: {len(judged['wrong'])} differences among {judged['happened']}")
    drill.wrong += [*found.lost, *found.doubled, *journal.complaints(calls), *judged["wrong"]]


def play(drill: Drill, happenings: Sequence[Callable[[], None]], *, through_poolers: bool) -> None:
    """Start everything, have it all happen under load, and judge what is left."""
    servers = (drill.primary, drill.standby)
    poolers = [Pooler(server) for server in servers] if through_poolers else []
    with running(*servers, *poolers):
        drill.primary.initialise()
        drill.run("rebuild", drill.standby)
        drill.run("synchronous", drill.primary)
        for pooler in poolers:
            pooler.start()
        urls = {
            "database_url": drill.site.url(ROLE, *(poolers or servers)),
            "owner_url": drill.site.url(OWNER, *servers),
        }
        with Product(drill.site.folder, **urls) as product:
            drill.product = product
            product.start()
            product.run("-m", "tests.chaos.product", "populate", drill.journals, product.port)
            drill.say("the product runs")
            loaders = clients(CLIENTS, drill.seed, product.environment, drill.journals)
            with programs_running(loaders):
                for happening in happenings:
                    happening()
                drill.load_goes_on()
                for loader in loaders:
                    loader.finish()
            if not product.lives:
                drill.wrong.append("the product ended by itself")
            verdict(drill, product)


def keep_logs(drill: Drill) -> None:
    """Copy what the servers, the programs and the clients wrote to where it outlives the drill."""
    kept = ROOT / "build" / "drills" / f"failover-{drill.seed}"
    servers = (drill.primary, drill.standby)
    journal.keep(kept, folder=drill.site.folder, journals=drill.journals, servers=servers)
    drill.say(f"logs and journals: {kept.relative_to(ROOT)}")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills failover", description=__doc__)
    parser.add_argument("--seed", default=str(random.SystemRandom().randrange(2**31)))
    parser.add_argument("--short", action="store_true", help="Kill the primary only.")
    parser.add_argument("--rounds", type=int, default=1, help="How often to kill whoever is the primary.")
    parser.add_argument("--only", nargs="+", choices=HAPPENINGS, help="What happens, in this order.")
    parser.add_argument("--pgbouncer", action="store_true", help="Put a PgBouncer before each server.")
    chosen = parser.parse_args(arguments)
    with site("failover") as place:
        primary, standby = (Server(place, name) for name in NAMES)
        drill = Drill(place, chosen.seed, primary, standby)
        drill.say(f"seed {chosen.seed}")
        names = [HAPPENINGS[0]] * chosen.rounds + list(HAPPENINGS[1:] if not chosen.short else ())
        happenings = [getattr(drill, name.replace("-", "_")) for name in chosen.only or names]
        try:
            play(drill, happenings, through_poolers=chosen.pgbouncer)
        except (ProgramFailed, RuntimeError, psycopg2.Error) as error:
            drill.wrong.append(f"it was broken off: {error}")
        finally:
            if drill.wrong:
                keep_logs(drill)
        for complaint in drill.wrong[:30]:
            drill.say(f"WRONG: {complaint}")
        drill.say("nothing is wrong" if not drill.wrong else f"{len(drill.wrong)} things are wrong")
    return 1 if drill.wrong else 0
