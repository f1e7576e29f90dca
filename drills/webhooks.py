"""Webhooks while workers are killed and receivers are in every mood: `python -m drills webhooks 100000`.

Merchants book and couriers scan until there are so many events; three programs are told of them by signed
messages. Workers are killed with SIGKILL meanwhile, receivers are down, err, are slow, never answer or hang
up. Then all is well again, and waits are let be over, as if hours had passed. Ends with 1 unless each event
has arrived at each receiver that asked for it, with one id, verified, and in the order of its parcel.
"""

import argparse
import http.client
import json
import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from alliance.identifiers import parse_tracking_number
from drills.product import ROOT, Product
from drills.servers import OWNER, ROLE, Server, Site, site
from drills.webhook_receiver import LOG, MOODS, SECRETS, WELL
from tests.chaos import programs
from tests.chaos.shoppers import BOOKING, WORLD

# What scans of a parcel change its status to, after `booked`.
STORY: Final = {
    "picked_up": "picked_up",
    "departed": "in_transit",
    "out_for_delivery": "out_for_delivery",
    "delivered": "delivered",
}
BATCH: Final = 200
BOOKED, MOVED = "parcel.booked", "parcel.status_changed"
WORKERS: Final = 2
# Seconds between two kills, and that a mood lasts: at least and at most. An endpoint is free again a minute
# after its worker was killed.
KILLS, MOOD = (15.0, 40.0), (2.0, 12.0)
# The part of all messages that has arrived when trouble ends.
TROUBLED: Final = 0.7
# Seconds without a message arriving after which what waits is lost.
PATIENCE: Final = 180.0
_OVER: Final = (
    "UPDATE parcels_webhookdelivery SET due_at = now() WHERE due_at > now()",
    "UPDATE parcels_webhookendpoint SET held_until = NULL, next_due_at = now() WHERE leased_until IS NULL",
)
_ARRIVED: Final = "SELECT count(*) FROM parcels_webhookdelivery WHERE state = 'delivered'"
_EVENTS: Final = f"""
    SELECT topic, merchant_id, courier_id, parcel_id, coalesce(payload ->> 'status', 'booked')
    FROM alliance_event WHERE topic IN ('{BOOKED}', '{MOVED}')
"""  # noqa: S608 -- constants
_OWNERS: Final = "SELECT code, organisation_id FROM parcels_webhookendpoint"


@dataclass
class Drill:
    """The product, its clients and receivers, and what was found."""

    site: Site
    seed: str
    count: int
    folder: Path
    hooks: list[dict[str, Any]] = field(default_factory=list)
    booked: int = 0
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.source = random.Random(self.seed)
        self.server = Server(self.site, "primary")
        self.product = Product(
            self.site.folder,
            database_url=self.site.url(ROLE, self.server),
            owner_url=self.site.url(OWNER, self.server),
            WEBHOOKS_OVER_HTTP="true",
            WEBHOOKS_TO_THIS_MACHINE="true",
        )
        self.begun = time.monotonic()

    def say(self, text: str) -> None:
        sys.stdout.write(f"{time.monotonic() - self.begun:6.1f} s  {text}\n")
        sys.stdout.flush()

    def run(self) -> None:
        self.say("an empty server, the product, members")
        self.server.initialise()
        with self.product:
            self.product.start()
            self.product.run("-m", "tests.chaos.product", "populate", self.folder, self.product.port)
            workers = self._workers()
            with self._receivers() as receivers, programs.running(workers):
                self._trouble(receivers, workers)
                expected = self._expected()
                self._arrive(sum(map(len, expected)))
        self.wrong += complaints(expected, self.folder / LOG, say=self.say)

    @contextmanager
    def _receivers(self) -> Iterator[subprocess.Popen[str]]:
        """Have three programs told: of both merchants, and of one courier."""
        world = json.loads((self.folder / WORLD).read_text())
        asked = [(key, [BOOKED, MOVED]) for key in world["merchants"]]
        asked.append(([*world["couriers"].values()][0], [MOVED]))
        command = [sys.executable, "-m", "drills.webhook_receiver", str(self.folder), str(len(asked))]
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            preexec_fn=programs.die_with_us,
        )
        try:
            assert process.stdout is not None
            ports = json.loads(process.stdout.readline())
            for (key, topics), port in zip(asked, ports, strict=True):
                body = {"url": f"http://127.0.0.1:{port}/hooks", "topics": topics}
                self.hooks.append(self._call("/api/v1/webhooks", key, body, 201))
            (self.folder / SECRETS).write_text(json.dumps([hook["secret"] for hook in self.hooks]))
            yield process
        finally:
            process.kill()
            process.wait()

    def _workers(self) -> list[programs.Program]:
        """Besides the one of `manage.py up`, which is killed as well."""
        return [
            programs.worker(
                f"webhooks-{number}",
                self.product.environment,
                self.folder,
                queue="webhooks",
                concurrency=1,
            )
            for number in range(WORKERS)
        ]

    # --- what happens -------------------------------------------------------------------------

    def _trouble(self, receivers: subprocess.Popen[str], workers: Sequence[programs.Program]) -> None:
        """Book and scan, kill and be in moods meanwhile; then let all be well."""
        done, kills = threading.Event(), 0
        merchants = self._world()["merchants"]
        with ThreadPoolExecutor(1 + len(merchants)) as pool:
            moods = pool.submit(self._moods, receivers, done)
            loads = [pool.submit(self._load, key) for key in merchants]
            try:
                while not all(load.done() for load in loads) or self._share_arrived() < TROUBLED:
                    time.sleep(self.source.uniform(*KILLS))
                    self._kill(workers)
                    kills += 1
            finally:
                done.set()
            for future in (moods, *loads):
                future.result()
        self.say(f"{self.booked} parcels booked and delivered, {kills} workers killed; all is well now")

    def _kill(self, workers: Sequence[programs.Program]) -> None:
        victim = self.source.choice([*workers, None])
        if victim is None:
            self.product.kill("webhooks")
        else:
            victim.kill()
            victim.start()
        self.say(f"{victim.name if victim else 'the worker of up'} killed")

    def _moods(self, receivers: subprocess.Popen[str], done: threading.Event) -> None:
        source, order = random.Random(f"{self.seed} moods"), receivers.stdin
        assert order is not None
        while not done.is_set():
            place, mood = source.randrange(len(self.hooks)), source.choice(MOODS)
            order.write(f"{place} {mood}\n")
            order.flush()
            done.wait(source.uniform(*MOOD))
            order.write(f"{place} {WELL}\n")
            order.flush()
            done.wait(source.uniform(*MOOD))

    def _load(self, merchant: str) -> None:
        """Book a merchant's half of the parcels, and have each delivered."""
        world = self._world()
        origin, destination = world["cities"]
        left = round(self.count / (1 + len(STORY)) / len(world["merchants"]))
        while left > 0:
            size = min(left, BATCH)
            booking = {**BOOKING, "origin": origin, "destination": destination}
            answer = self._call("/api/v1/parcels/batch", merchant, [booking] * size)
            carried = defaultdict[str, list[str]](list)
            for parcel in answer["results"]:
                carried[parcel["courier"]].append(parcel["tracking_number"])
            for code in STORY:
                for courier, numbers in carried.items():
                    at = datetime.now(UTC).isoformat()
                    scans = [{"tracking_number": each, "code": code, "occurred_at": at} for each in numbers]
                    self._call("/api/v1/scans", world["couriers"][courier], scans)
            left -= size
            self.booked += size

    def _world(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / WORLD).read_text())
        return found

    def _call(self, path: str, key: str, body: Any, wanted: int = 200) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.product.port, timeout=120)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        if response.status != wanted or b'"rejected":0' not in answer.replace(b" ", b"") and wanted == 200:
            self.wrong.append(f"{path}: {response.status} {answer[:300]!r}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _share_arrived(self) -> float:
        total = sum(map(len, self._expected()))
        return int(self.server.value(_ARRIVED)) / max(total, 1)

    def _arrive(self, total: int) -> None:
        """Wait until nothing waits; what is tried again in hours is tried at once."""
        seen, moved_at, log = -1, time.monotonic(), self.folder / LOG
        while waiting := total - int(self.server.value(_ARRIVED)):
            for statement in _OVER:
                self.server.execute(statement)
            if (size := log.stat().st_size) != seen:
                seen, moved_at = size, time.monotonic()
            elif time.monotonic() - moved_at > PATIENCE:
                self.wrong.append(f"{waiting} messages have not arrived")
                return
            time.sleep(1)
        self.say("everything has arrived")

    def _expected(self) -> list[set[tuple[int, str]]]:
        """Return what of the outbox each hook is to be told: a parcel, and what became of it."""
        owners, rows = dict(self.server.execute(_OWNERS)), self.server.execute(_EVENTS)
        return [
            {
                (parcel, what)
                for topic, merchant, courier, parcel, what in rows
                if owners[hook["id"]] in (merchant, courier) and topic in hook["topics"]
            }
            for hook in self.hooks
        ]


def complaints(
    expected: Sequence[set[tuple[int, str]]], log: Path, *, say: Callable[[str], None]
) -> Iterator[str]:
    """Say what is not as it has to be of what the receivers have noted."""
    ids = defaultdict[tuple[int, int, str], set[str]](set)
    accepted = [set[tuple[int, str]]() for _hook in expected]
    last = defaultdict[tuple[int, int], int](int)
    tries = again = unverified = disordered = 0
    with log.open() as lines:
        for note in map(json.loads, lines):
            hook, parcel, what = note["hook"], parse_tracking_number(note["number"]), note["what"]
            tries += 1
            unverified += not note["verified"]
            ids[hook, parcel, what].add(note["id"])
            if not 200 <= note["status"] < 300:
                continue
            if (parcel, what) in accepted[hook]:
                again += 1
                continue
            accepted[hook].add((parcel, what))
            disordered += note["sequence"] <= last[hook, parcel]
            last[hook, parcel] = note["sequence"]
    total, arrived = sum(map(len, expected)), sum(map(len, accepted))
    say(f"{total} messages to {len(expected)} receivers: {tries} tries, {arrived} accepted, {again} again")
    if lost := sum(len(told - got) for told, got in zip(expected, accepted, strict=True)):
        yield f"{lost} events have not arrived"
    if unasked := sum(len(got - told) for told, got in zip(expected, accepted, strict=True)):
        yield f"{unasked} events arrived that nobody asked for"
    if several := sum(len(each) > 1 for each in ids.values()):
        yield f"{several} events have more than one id"
    if unverified:
        yield f"{unverified} messages do not verify"
    if disordered:
        yield f"{disordered} messages came before an earlier one of their parcel"


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m drills webhooks", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000, help="Events, about.")
    parser.add_argument("--seed", default=str(random.randrange(10_000)))
    options = parser.parse_args(arguments)
    with site("webhooks") as place:
        folder = place.folder / "notes"
        folder.mkdir()
        drill = Drill(place, options.seed, options.count, folder)
        drill.say(f"python -m drills webhooks {options.count} --seed {options.seed}")
        drill.run()
        for text in drill.wrong:
            drill.say(f"WRONG: {text}")
        drill.say("Nothing is lost." if not drill.wrong else f"{len(drill.wrong)} things are wrong.")
    return 1 if drill.wrong else 0
