"""Import history into one server and into a cluster, and compare everything that comes of it.

`python -m drills history [FILE ...]`: one's own files, as `manage.py import_history` takes them; without any
a file is made up. Afterwards both have done what beat does, excused some breaches, and written exports. Then
a second file is imported while a worker is killed and a shard moves, and all is compared once more.
"""

import argparse
import csv
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from benchmarks.watching import parents_of_all, processor_of, tree
from drills import alike
from drills.cluster import WITHOUT, Cluster, programs
from drills.product import Product
from drills.servers import Server, Site, running, site
from parcels.history.rows import COLUMNS

SHARDS, ROWS = 32, 4_000
TIERS: Final = {"same_day": 12, "next_day": 34, "standard": 80}
CITIES: Final = ("CN-BJS", "CN-TSN", "CN-HGH", "成都", "广州")
# Seconds of a worker's absence, and that its return may take.
ABSENCE = 5.0


@dataclass(frozen=True, slots=True)
class Side:
    """A product, the address of its owner, and the servers whose processors are counted."""

    name: str
    product: Product
    address: str
    servers: Sequence[Server]

    @contextmanager
    def counted(self, work: str) -> Iterator[None]:
        """Print how long work took, and the processor seconds of servers meanwhile."""
        begun, used = time.monotonic(), self._used()
        yield
        took, servers = time.monotonic() - begun, self._used() - used
        say(f"{self.name}: {work} took {took:.1f} s, {servers:.1f} s of the servers' processors")

    def _used(self) -> float:
        parents = parents_of_all()
        family = {pid for server in self.servers if (root := server.pid()) for pid in tree(root, parents)}
        return sum(map(processor_of, family))


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def made_up(path: Path, source: random.Random) -> Path:
    """Write a file with deliveries in time and late, attempts, losses, cancellations and bad rows."""
    now = datetime.now(UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number in range(ROWS):
            tier, hours = source.choice([*TIERS.items()])
            booked = now - timedelta(days=source.uniform(0.2, 40))
            due = booked + timedelta(hours=hours)
            at: dict[str, datetime | None] = {
                "picked": booked + timedelta(hours=source.uniform(-0.1, 6)),
                "attempted": due - timedelta(hours=1) if source.random() < 0.1 else None,
                "delivered": due + timedelta(hours=source.choice([-9, -5, -3, -1, 0, 2, 30])),
                "cancelled": None,
            }
            if (chance := source.random()) < 0.04:
                at["picked"] = at["attempted"] = at["delivered"] = None
                at["cancelled"] = booked + timedelta(hours=2) if chance < 0.02 else None
            moments = ["" if moment is None or moment > now else moment.isoformat() for moment in at.values()]
            reference = f"again-{number % 20}" if chance > 0.98 else f"{source.randrange(ROWS * 50)}"
            names = f"shop {source.randrange(15)}", f"carrier {int(source.random() ** 2 * 6)}"
            cities = source.choice(CITIES), source.choice((*CITIES, "Nowhere") if chance > 0.9 else CITIES)
            writer.writerow([reference, *names, tier, *cities, booked.isoformat(), due.isoformat(), *moments])
    return path


def run(place: Site, files: Sequence[Path]) -> list[str]:
    """Import, compare, break, compare; return what is wrong."""
    server, cluster = Server(place, "server"), Cluster(place)
    with running(server), cluster.running():
        server.initialise()
        cluster.initialise()
        sides = (
            _side(place, "one server", place.url("alliance", server), _owner(place, server), [server]),
            _side(place, "cluster", cluster.database_url(), cluster.owner_url(), cluster.nodes),
        )
        for side in sides:
            side.product.run("manage.py", "migrate", "--verbosity=0")
        sides[1].product.run("manage.py", "distribute", f"--shards={SHARDS}")
        source = random.Random(1)
        wrong = _compare(sides, files or [made_up(place.folder / "history.csv", source)])
        second = made_up(place.folder / "second.csv", source)
        troubles = _import_in_trouble(sides[1], cluster, second)
        _import(sides[0], second)
        return wrong + troubles + _compare(sides, [])


def _side(place: Site, name: str, address: str, owner: str, servers: Sequence[Server]) -> Side:
    folder = place.folder / name.replace(" ", "-")
    folder.mkdir()
    return Side(name, Product(folder, database_url=address, owner_url=owner), owner, servers)


def _owner(place: Site, server: Server) -> str:
    return place.url("alliance_owner", server)


def _compare(sides: Sequence[Side], files: Sequence[Path]) -> list[str]:
    told, now = [], datetime.now(UTC).isoformat()
    for side in sides:
        for file in files:
            _import(side, file)
        with side.counted("what beat does"):
            told.append(side.product.run("-m", "drills.history_steps", now).splitlines())
    wrong = [f"{one} / {other}" for one, other in zip(*told, strict=True) if one != other]
    wrong += alike.differences(sides[0].address, sides[1].address)
    say(f"{sum(alike.compared(sides[0].address).values()):,} rows compared; differences: {len(wrong)}")
    for text in wrong:
        say(f"WRONG: {text}")
    return wrong


def _import(side: Side, file: Path) -> None:
    with side.counted(f"the import of {file.name}"):
        last = side.product.run("manage.py", "import_history", "--create", file).splitlines()[-1]
    say(f"{side.name}: {last}")


def _import_in_trouble(side: Side, cluster: Cluster, file: Path) -> list[str]:
    """Import while a worker is killed and started again and a shard moves; return what failed."""
    worker, target = cluster.workers
    # The import is in the other thread: a server ends with the thread that started it.
    with ThreadPoolExecutor(1) as pool:
        imported = pool.submit(side.product.run, "manage.py", "import_history", "--create", file)
        time.sleep(2)
        worker.kill()
        say(f"{worker.name} killed")
        time.sleep(ABSENCE)
        worker.start()
        home = 64 // SHARDS * _first_of(cluster, worker.port)
        try:
            side.product.run("manage.py", "shards", "move", home, f"127.0.0.1:{target.port}")
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return [str(error)]
        say(f"{worker.name} is back, and home {home} moved to {target.name}")
        say(f"{side.name}: {imported.result().splitlines()[-1]}")
    return []


def _first_of(cluster: Cluster, port: int) -> int:
    """Return the number, in the order of homes, of the first shard that a worker has."""
    by_worker = cluster.shards_by_worker()
    return sorted(shard for shards in by_worker.values() for shard in shards).index(by_worker[port][0])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills history", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    files = [file.resolve() for file in parser.parse_args(arguments).files]
    if missing := [str(file) for file in files if not file.is_file()]:
        sys.exit(f"There is no file {', '.join(missing)}.")
    if (folder := programs()) is None:
        say(WITHOUT)
        return 0
    with site("history", folder) as place:
        wrong = run(place, files)
    say("Nothing differs." if not wrong else f"{len(wrong)} things differ.")
    return 1 if wrong else 0
