"""What clients of a drill were told, beside what the database has."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alliance.identifiers import parse_tracking_number
from drills.servers import Server

# Seconds within which a call is to be answered, whatever the database does; see docs/limits.md. Readiness
# promises two: the rest is for a machine that runs servers, product and clients at once.
ANSWERED_WITHIN, READY_WITHIN = 25.0, 15.0


@dataclass
class Audit:
    """Acknowledged bookings and scans, and what became of them."""

    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)


def audit(
    notes: Iterable[Mapping[str, Any]],
    *,
    parcels: Mapping[str, int],
    scans: Mapping[tuple[int, str], int],
) -> Audit:
    """Compare journals with the rows that there are: of each reference, and of each scan of a parcel.

    What was sent and not acknowledged may be there or not, but not twice.
    """
    found = Audit()
    sent: dict[str, list[str | tuple[int, str]]] = {}

    def there(key: str | tuple[int, str]) -> int:
        return parcels.get(key, 0) if isinstance(key, str) else scans.get(key, 0)

    for note in notes:
        if "send" in note:
            sent[note["send"]] = keys = list(_keys(note["items"]))
            counts = [(key, there(key)) for key in keys]
            found.doubled += [f"{key} is there {count} times" for key, count in counts if count > 1]
        elif "done" in note:
            keys = sent[note["done"]]
            found.acknowledged += len(keys)
            for key in keys:
                if not there(key):
                    found.lost.append(f"{key} was acknowledged and is not there")
    return found


def _keys(items: Iterable[Mapping[str, Any]]) -> Iterator[str | tuple[int, str]]:
    for item in items:
        if "reference" in item:
            yield item["reference"]
        else:
            yield parse_tracking_number(item["tracking_number"]), item["event_id"]


def notes_in(folder: Path, pattern: str) -> list[dict[str, Any]]:
    """Return the notes of all journals of a kind, by the time they were written where they have one."""
    notes = [json.loads(line) for path in folder.glob(pattern) for line in path.read_text().splitlines()]
    return sorted(notes, key=lambda note: note.get("at", 0.0))


def is_done(call: Mapping[str, Any]) -> bool:
    """Tell whether a call wrote and was told so."""
    return bool(call["writes"]) and 200 <= call["status"] < 300


def wait_for_writes(folder: Path, *, since: float, seconds: float) -> float | None:
    """Wait until a client is told of a write begun after a moment; return when that was."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for call in notes_in(folder, "calls-*.jsonl"):
            if is_done(call) and call["at"] - call["seconds"] > since:
                return float(call["at"])
        time.sleep(0.2)
    return None


def longest_pause(calls: Iterable[Mapping[str, Any]], *, since: float, until: float) -> float:
    """Return the longest time in which no write was acknowledged."""
    moments = [since, *(call["at"] for call in calls if is_done(call)), until]
    inside = [at for at in moments if since <= at <= until]
    return max(later - earlier for earlier, later in zip(inside, inside[1:], strict=False))


def statuses(calls: Iterable[Mapping[str, Any]]) -> Counter[int]:
    """Count the answers by status; 0: no connection, -1: no answer in time."""
    return Counter(call["status"] for call in calls)


def complaints(calls: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Name each call that was not answered as an outage is to be."""
    for call in calls:
        what = f"{call['path']} at {call['at']:.1f}: {call['status']} after {call['seconds']:.1f} s"
        is_told_when = call["status"] != 503 or call["retry_after"]
        if call["status"] <= 0 or call["status"] >= 500 and call["status"] != 503 or not is_told_when:
            yield what
        elif call["seconds"] > (READY_WITHIN if call["path"] == "/readyz" else ANSWERED_WITHIN):
            yield f"{what}: too late"


def keep(kept: Path, *, folder: Path, journals: Path, servers: Iterable[Server]) -> None:
    """Copy what the servers, the programs and the clients wrote to where it outlives a drill."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    for path in (folder / "up.log", *journals.iterdir()):
        if path.exists():
            shutil.copy(path, kept)
    for server in servers:
        if server.log.exists():
            shutil.copy(server.log, kept / f"{server.name}.log")
