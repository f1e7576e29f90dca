"""`manage.py shards`: what is where on a cluster, and moving it."""

import json
from dataclasses import asdict
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from alliance.database import cluster
from alliance.database.distribution import holders, shards
from alliance.database.distribution.nodes import nodes
from alliance.database.distribution.readiness import megabytes
from alliance.database.owner import as_owner
from alliance.homes import HOMES

SILENT: Final = "does not answer"


class Command(BaseCommand):
    help = "Shows nodes, homes, sizes and moves of a cluster; adds a worker, moves homes, drains a worker."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print what is shown as JSON.")
        verbs = parser.add_subparsers(dest="verb")
        add = verbs.add_parser(
            "add-node",
            help="Add a worker, which has the extension and the roles, or one that was drained again.",
        )
        add.add_argument("host")
        add.add_argument("port", type=int)
        move = verbs.add_parser("move", help="Move the shard of a home to a worker, and wait for it.")
        move.add_argument("home", type=int, help=f"0 to {HOMES - 1}")
        move.add_argument("node", help="host:port")
        drain = verbs.add_parser("drain", help="Move everything off a worker, in the background.")
        drain.add_argument("node", help="host:port")
        homes = verbs.add_parser("homes", help="Show the homes that couriers send new parcels to.")
        homes.add_argument("name", nargs="?", default="", help="a part of a courier's name")
        verbs.add_parser("rebalance", help="Even out what the workers hold, in the background.")

    def handle(self, *args: Any, verb: str | None, **options: Any) -> None:
        """Do what was asked for. Raises CommandError for what cannot be done, and when Citus fails."""
        with as_owner():
            if not cluster.is_distributed():
                raise CommandError("The tables are on one server: `distribute` makes a cluster of it.")
            try:
                self._do(verb, options)
            except shards.Refused as refused:
                raise CommandError(str(refused)) from refused
            except (Error, RuntimeError) as error:
                raise CommandError(f"Citus could not do it: {in_one_line(str(error))}") from error
            except KeyboardInterrupt:
                raise CommandError(
                    "Cut off. `shards` shows whether it goes on; what was begun is undone or ends by itself."
                    " Call it again.",
                    returncode=130,
                ) from None

    def _do(self, verb: str | None, options: dict[str, Any]) -> None:
        match verb:
            case "add-node":
                node = f"{options['host']}:{options['port']}"
                done = shards.add_node(options["host"], options["port"])
                self.stdout.write(f"{node} {done}. `shards rebalance` moves homes to it.")
            case "move":
                self._move(options["home"], options["node"])
            case "drain":
                self._tell(
                    shards.drain(options["node"]), "It holds nothing: citus_remove_node takes it away."
                )
            case "rebalance":
                self._tell(shards.rebalance(), "Nothing is to be moved.")
            case "homes":
                self._show_homes(options["name"], as_json=options["json"])
            case _ if options["json"]:
                self.stdout.write(json.dumps(as_json(), indent=2))
            case _:
                self._show()

    def _move(self, home: int, node: str) -> None:
        if home not in range(HOMES):
            raise CommandError(f"Homes are numbers from 0 to {HOMES - 1}.")
        shard = shards.move(home, node)
        self.stdout.write(f"Homes {shard.homes} moved from {shard.node} to {node}.")

    def _tell(self, has_begun: bool, otherwise: str) -> None:
        self.stdout.write("Begun: `shards` shows how far it is." if has_begun else otherwise)

    def _show(self) -> None:
        found, silent = shards.shards(), shards.silent_nodes()
        used = [holders.nodes_of(holder, found) for holder in holders.holders()]
        self.stdout.write(f"{'node':<22}{'shards':>7} couriers      parcels       size  state")
        for node in nodes():
            here = [shard for shard in found if shard.node == str(node)]
            couriers = sum(str(node) in of for of in used)
            state = SILENT if str(node) in silent else state_of(node)
            counted = f"{len(here):>7}{couriers:>9,}{held(here, silent, 13, 11)}"
            self.stdout.write(f"{node!s:<22}{counted}  {state}")
        self.stdout.write(f"\n{'homes':<8}{'node':<28}       parcels        size")
        for shard in found:
            self.stdout.write(f"{shard.homes:<8}{shard.node:<28}{held([shard], silent, 14, 12)}")
        moves = shards.moves()
        self.stdout.write("\nmoves" if moves else "\nNothing is being moved.")
        for move in moves:
            self.stdout.write(f"{move.homes:<8}{move.source} -> {move.target}  {move.state}")

    def _show_homes(self, name: str, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps(holders_as_json(name), indent=2))
            return
        if not (found := holders.holders(name)):
            raise CommandError(f"No courier has “{name}” in its name." if name else "There is no courier.")
        places = shards.shards()
        # Names last: some are twice as wide as they are long.
        self.stdout.write(f"parcels  workers  {'homes':<24}courier")
        for holder in found:
            workers, homes = len(holders.nodes_of(holder, places)), holders.in_words(holder.homes)
            share = f"{holder.share_ppm / 10_000:.1f} %"
            self.stdout.write(f"{share:>7}{workers:>9}  {homes:<24}{holder.name}")


def held(some: list[shards.Shard], silent: set[str], *widths: int) -> str:
    """Return how many parcels are in some shards of a node, and their size: unknown if it does not answer."""
    parcels, size = f"{sum(one.parcels for one in some):,}", megabytes(sum(one.bytes for one in some))
    told = ("?", "?") if any(one.node in silent for one in some) else (parcels, size)
    return "".join(f"{text:>{width}}" for text, width in zip(told, widths, strict=True))


def state_of(node: Any) -> str:
    if node.is_coordinator:
        return "coordinator"
    if not node.is_active:
        return "not active"
    return "worker" if node.has_shards else "drained, or being drained"


def as_json() -> dict[str, Any]:
    silent = shards.silent_nodes()
    return {
        "nodes": [
            {**asdict(node), "state": SILENT if str(node) in silent else state_of(node)} for node in nodes()
        ],
        "shards": [asdict(shard) for shard in shards.shards()],
        "moves": [asdict(move) for move in shards.moves()],
        "holders": holders_as_json(),
    }


def holders_as_json(name: str = "") -> list[dict[str, Any]]:
    places = shards.shards()
    return [{**asdict(holder), "nodes": holders.nodes_of(holder, places)} for holder in holders.holders(name)]


def in_one_line(text: str) -> str:
    return " ".join(text.split())
