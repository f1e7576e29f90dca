"""The product on a cluster of three nodes, beside one plain server of the same programs on the same cores.

PG_CITUS_BIN names the folder of the programs of a PostgreSQL that has the extension Citus: all servers are
started from it, on loopback, and are gone afterwards. What is compared are calls of the product's services.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from benchmarks.rows import Goal, Row
from benchmarks.turns import Side, in_turns, rate_row

if TYPE_CHECKING:
    from benchmarks.citus_sides import Part
    from drills.cluster import Cluster

# A database of its own, of one size.
OWN_SIZES: Sequence[int] = ()
# Kind of call -> the row's name, calls of a client a round, and the least share of one server's rate.
KINDS: Final = {
    "scans": ("scans, 2,000 a batch", 3, 0.9),
    "single scans": ("single scans", 150, 0.75),
    "bookings": ("bookings, 1,000 a batch", 2, 0.7),
    "single bookings": ("single bookings", 60, 0.5),
    "tracking": ("tracking", 400, 0.6),
}
# Kind of call of which one is watched -> what it is called, and what of it is limited.
_WATCHED: Final = {
    "scans": "a batch of scans",
    "single scans": "a single scan",
    "bookings": "a batch of bookings",
    "single bookings": "a single booking",
}
_MOST_SENT: Final = {
    ("scans", "workers"): 1,
    ("scans", "transactions on workers"): 1,
    ("scans", "prepared transactions"): 0,
    ("single scans", "remote commands"): 1,
    ("single bookings", "remote commands"): 4,
}
CLUSTER, ONE = "cluster", "one server"
ROUNDS, SCALING_ROUNDS, SCALING_BATCHES = 7, 6, 8
# Clients by their numbers: those of the first worker's homes are 0 and 1, those of the second's 2 and 3.
ALONE, TOGETHER = (0,), (0, 2)
OF_ONE_WORKER, OF_BOTH = (0, 1), (0, 1, 2, 3)
_STOCK: Final = {
    "batches": 2 * ROUNDS * KINDS["scans"][1] + 2 * SCALING_ROUNDS * SCALING_BATCHES + 8,
    "single": 2 * ROUNDS * KINDS["single scans"][1] + 8,
}


def run(_sizes: Sequence[int]) -> Iterator[Row]:
    """Measure each kind of call on both sides, count what is sent, and compare two workers with one."""
    from drills import cluster  # noqa: PLC0415 -- after django.setup()

    programs = cluster.programs()
    if programs is None:
        sys.stderr.write(f"\n{'*' * 100}\n*  {cluster.WITHOUT}\n{'*' * 100}\n\n")
        return
    from benchmarks.citus_sides import open_sides  # noqa: PLC0415

    with open_sides(programs) as (nodes, ours, plain):
        for part in (ours, plain):
            part.stock(**_STOCK)
        for kind in KINDS:
            for clients in (ALONE, TOGETHER):
                yield _beside(kind, clients, ours, plain)
        yield from _commands(ours)
        yield from _two_workers(nodes, ours)


def _beside(kind: str, clients: Sequence[int], ours: "Part", plain: "Part") -> Row:
    name, count, share = KINDS[kind]
    for part in (ours, plain):
        # Statements are planned and caches are filled at the first call.
        part.do(kind, 1, clients)
    sides = in_turns(
        plain.watch,
        {
            CLUSTER: lambda: ours.do(kind, count, clients),
            ONE: lambda: plain.do(kind, count, clients),
        },
        rounds=ROUNDS,
        watches={CLUSTER: ours.watch},
    )
    whose = "1 client" if len(clients) == 1 else f"{len(clients)} clients"
    return rate_row(f"on a cluster: {name}, {whose}", sides[CLUSTER], sides[ONE], ONE, Goal(ratio=share))


def _commands(ours: "Part") -> Iterator[Row]:
    """Count what the coordinator sends for a call of a courier with one home."""
    for kind, whose in _WATCHED.items():
        said = ours.watched(kind)
        counts = {
            "remote commands": len(said),
            "workers": len({_node(line) for line in said}),
            "transactions on workers": sum("issuing BEGIN" in line for line in said),
            "prepared transactions": sum("PREPARE TRANSACTION" in line for line in said),
        }
        for what, count in counts.items():
            most = _MOST_SENT.get((kind, what))
            goal = None if most is None else Goal(ratio_most=most)
            yield Row(f"on a cluster: {what} of {whose} of one home", count, 1, "one", goal, unit="")


def _node(line: str) -> str:
    found = re.search(r"on server \S*?@?(\S+:\d+)", line)
    return found[1] if found else ""


def _two_workers(nodes: "Cluster", ours: "Part") -> Iterator[Row]:
    """Compare the scans of both workers with those of one, each worker held to half a core."""
    from benchmarks.half_cores import half_a_core_each  # noqa: PLC0415

    with half_a_core_each([pid for worker in nodes.workers if (pid := worker.pid())]) as how:
        if not how:
            sys.stderr.write("Workers cannot be held to half a core here: that takes root, and cgroups.\n")
            return
        sides: dict[str, Side] = in_turns(
            ours.watch,
            {
                "two": lambda: ours.do("scans", SCALING_BATCHES, OF_BOTH),
                "one": lambda: ours.do("scans", SCALING_BATCHES, OF_ONE_WORKER),
            },
            rounds=SCALING_ROUNDS,
        )
        name = "on a cluster: scans of two workers of half a core each, 2 clients a worker"
        yield rate_row(
            name, sides["two"], sides["one"], "one worker", Goal(ratio=1.9), notes={"held by": how}
        )
