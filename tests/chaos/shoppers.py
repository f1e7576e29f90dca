"""A client that books and scans over HTTP: `python -m tests.chaos.shoppers N SEED FOLDER`.

What it is about to send it notes first, and again once it has been told that it is done; what was not
answered, or with a 429 or a 5xx, it sends again, the same, until it is. Killed and started again it goes on
with what its notes leave open. Asked to stop, it ends what it has begun.
"""

import http.client
import json
import random
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

WORLD = "world.json"
# How long one call may be away before the client says that it did not end well.
PATIENCE = 90.0
BOOKING = {
    "tier": "next_day",
    "weight_g": 800,
    "recipient": {"name": "王小明", "phone": "13812345678", "address": "人民南路四段12号3单元1203室"},
}
# A parcel's life as it is scanned, seconds after its booking.
STORY = ("picked_up", "departed", "arrived", "out_for_delivery", "delivered")


class Shopper:
    """A merchant's program and the couriers' in one."""

    def __init__(self, number: int, seed: str, folder: Path) -> None:
        self.notes = folder / f"shopper-{number}.jsonl"
        self.place = folder / WORLD
        self.world: dict[str, Any] = json.loads(self.place.read_text())
        told = [json.loads(line) for line in _lines(self.notes)]
        self.name = f"s{number}"
        self.source = random.Random(f"{seed} {number} {len(told)}")
        self.open = {note["send"]: note for note in told if "send" in note}
        self.sent = len(self.open)
        # Number, courier, and how many scans it has had.
        self.parcels: list[list[Any]] = []
        for note in told:
            if "done" in note:
                self._remember(self.open.pop(note["done"]), note["answer"])

    def act(self) -> None:
        """End what is open; then book, or scan."""
        self.end()
        waiting = [parcel for parcel in self.parcels if parcel[2] < len(STORY)]
        if len(waiting) < 20 or self.source.random() < 0.3:
            self._begin(
                "/api/v1/parcels/batch", self.source.choice(self.world["merchants"]), self._bookings()
            )
        else:
            courier = self.source.choice(waiting)[1]
            scans = self._scans([parcel for parcel in waiting if parcel[1] == courier])
            self._begin("/api/v1/scans", self.world["couriers"][courier], scans)

    def end(self) -> None:
        """Send what was begun and not answered yet, perhaps before it was killed."""
        for note in [*self.open.values()]:
            self._send(note)

    def _bookings(self) -> list[dict[str, Any]]:
        cities = self.world["cities"]
        count = self.source.randint(1, 30)
        references = [f"{self.name}-{self.sent}-{index}" for index in range(count)]
        return [
            {**BOOKING, "origin": self.source.choice(cities), "destination": self.source.choice(cities)}
            | {"reference": reference}
            for reference in references
        ]

    def _scans(self, waiting: list[list[Any]]) -> list[dict[str, Any]]:
        found = []
        for parcel in self.source.sample(waiting, min(len(waiting), self.source.randint(1, 40))):
            at = datetime.now(UTC) + timedelta(seconds=parcel[2])
            event = f"{self.name}-{self.sent}-{parcel[2]}"
            found.append({"tracking_number": parcel[0], "code": STORY[parcel[2]], "event_id": event})
            found[-1]["occurred_at"] = at.isoformat()
        return found

    def _begin(self, path: str, token: str, items: list[dict[str, Any]]) -> None:
        key = f"{self.name}-{self.sent}"
        self.sent += 1
        note = {"send": key, "path": path, "token": token, "items": items}
        self._note(note)
        self.open[key] = note
        self._send(note)

    def _send(self, note: dict[str, Any]) -> None:
        """Send until it is answered for good. The same key and the same events: once is all it counts."""
        until = time.monotonic() + PATIENCE
        while True:
            status, wait, answer = self.post(note)
            if status == 200:
                break
            if status not in (0, 409, 429) and status < 500:
                self._note({"failed": f"{note['send']}: {status} {answer[:300]!r}"})
                self.open.pop(note["send"])
                return
            if status in (429, 503) and not wait:
                self._note({"failed": f"{note['send']}: {status} without Retry-After"})
            if status >= 500 and status != 503:
                self._note({"failed": f"{note['send']}: {status} {answer[:300]!r}"})
            if time.monotonic() > until:
                self._note({"failed": f"{note['send']}: not answered in {PATIENCE:.0f} s, last {status}"})
                self.open.pop(note["send"])
                return
            self._note({"again": status})
            # What it is told to wait is not what two minutes of chaos have time for.
            time.sleep(min(wait, 1.0) or self.source.uniform(0.05, 0.3))
        told = json.loads(answer)
        self._note({"done": note["send"], "answer": _kept(told)})
        self._remember(self.open.pop(note["send"]), _kept(told))

    def post(self, note: dict[str, Any]) -> tuple[int, float, bytes]:
        """Send a note once; return status (0: no answer), what Retry-After says, and the answer."""
        # Read each time: clients are sent elsewhere when a release is rolled out.
        return _post(json.loads(self.place.read_text())["port"], note)

    def _remember(self, note: dict[str, Any], answer: dict[str, Any]) -> None:
        if "results" in answer:
            self.parcels += [[number, courier, 0] for number, courier in answer["results"]]
            return
        scanned = {item["tracking_number"] for item in note["items"]}
        for parcel in self.parcels:
            parcel[2] += parcel[0] in scanned

    def _note(self, note: dict[str, Any]) -> None:
        with self.notes.open("a") as file:
            file.write(json.dumps({**note, "at": time.time()}) + "\n")


def _kept(told: dict[str, Any]) -> dict[str, Any]:
    """What of an answer is worth a note."""
    if "results" not in told:
        return {name: told[name] for name in ("accepted", "duplicate", "rejected")}
    booked = [item for item in told["results"] if item["status"] == "booked"]
    results = [(item["tracking_number"], item["courier"]) for item in booked]
    return {"results": results, "rejected": told["rejected"]}


def _post(port: int, note: dict[str, Any]) -> tuple[int, float, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    headers = {"Authorization": f"Bearer {note['token']}", "Content-Type": "application/json"}
    headers["Idempotency-Key"] = note["send"]
    try:
        connection.request("POST", note["path"], json.dumps(note["items"]), headers)
        response = connection.getresponse()
        return response.status, float(response.headers.get("Retry-After", 0)), response.read()
    except (OSError, http.client.HTTPException):
        return 0, 0.0, b""
    finally:
        connection.close()


def _lines(path: Path) -> list[str]:
    """Whole lines: half of one is of a client that was killed as it noted it, and had sent nothing yet."""
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return whole.splitlines()


def main() -> None:
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _frame: stopping.append(signum))
    number, seed, folder = sys.argv[1:]
    shopper = Shopper(int(number), seed, Path(folder))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not stopping:
        shopper.act()
    # Killed with a call open, started anew, and asked to stop before it did anything: that call ends, too.
    shopper.end()


if __name__ == "__main__":
    main()
