"""Clients of a drill: `python -m drills.load shopper|files|reader NAME SEED FOLDER`.

A shopper books and scans, another uploads files of bookings, a reader opens pages. Each keeps a journal: what
it is about to send, and what it was told is done (shopper-NAME.jsonl); and of every call when and how it was
answered, and how soon (calls-NAME.jsonl).
"""

import csv
import io
import json
import random
import signal
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.chaos.programs import Program
from tests.chaos.shoppers import WORLD, Shopper

# One call: longer than any answer may take, so that what hangs is seen.
CALL_SECONDS = 30.0
# A file is booked in the background, and an outage may come between.
FILE_SECONDS = 180.0
ROWS = (300, 900)
PAGES = ("/track/CA17ZYVECCRZR557/", "/accounts/login/", "/api/v1/tracking/CA17ZYVECCRZR557", "/readyz")


class Calls:
    """Notes how each call was answered."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.path, self.port = folder / f"calls-{name}.jsonl", port

    def send(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status (0: no connection, -1: no answer in time), headers and body of the answer."""
        begun = time.time()
        url = f"http://127.0.0.1:{self.port}{path}"
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data=body, method=method, headers=given)
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as response:
                found = response.status, dict(response.headers), response.read()
        except urllib.error.HTTPError as error:
            with error:
                found = error.code, dict(error.headers), error.read()
        except TimeoutError:
            found = -1, {}, b""
        except OSError as error:
            found = -1 if "timed out" in str(error) else 0, {}, str(error).encode()
        self._note(begun, method, path, found[0], found[1])
        return found

    def _note(self, begun: float, method: str, path: str, status: int, headers: dict[str, str]) -> None:
        note = {
            "at": time.time(),
            "seconds": round(time.time() - begun, 3),
            "writes": method == "POST",
            "path": path,
            "status": status,
            "retry_after": headers.get("Retry-After"),
        }
        with self.path.open("a") as file:
            file.write(json.dumps(note) + "\n")


class Booker(Shopper):
    """Books and scans through the API, and ends what it has begun."""

    def __init__(self, name: str, seed: str, folder: Path) -> None:
        super().__init__(name, seed, folder)  # type: ignore[arg-type]
        self.calls = Calls(folder, name, self.world["port"])

    def post(self, note: dict[str, Any]) -> tuple[int, float, bytes]:
        status, headers, answer = self.calls.send(
            "POST",
            note["path"],
            json.dumps(note["items"]).encode(),
            Authorization=f"Bearer {note['token']}",
            Content_Type="application/json",
            Idempotency_Key=note["send"],
        )
        return max(status, 0), float(headers.get("Retry-After", 0)), answer


class Filer(Booker):
    """Uploads a file of bookings, waits until all of it is booked, and uploads the next."""

    def act(self) -> None:
        references = [f"{self.name}-{self.sent}-{row}" for row in range(self.source.randint(*ROWS))]
        items = [{"reference": reference} for reference in references]
        token = self.world["merchants"][0]
        note = {
            "send": f"{self.name}-{self.sent}",
            "path": "/api/v1/booking-files",
            "token": token,
            "items": items,
        }
        self.sent += 1
        self._note(note)
        self.open[note["send"]] = note
        self.end()

    def end(self) -> None:
        for note in [*self.open.values()]:
            self._book(note)
            self.open.pop(note["send"])

    def _book(self, note: dict[str, Any]) -> None:
        token, key = note["token"], note["send"]
        boundary = uuid.uuid4().hex
        file = self._wait_for(
            "POST",
            note["path"],
            202,
            token,
            key,
            body=_form(boundary, self._text(note["items"])),
            Content_Type=f"multipart/form-data; boundary={boundary}",
        )
        until = time.monotonic() + FILE_SECONDS
        while file and not file["finished_at"] and time.monotonic() < until:
            time.sleep(0.5)
            file = self._wait_for("GET", f"{note['path']}/{file['id']}", 200, token, key)
        if not file or file["state"] != "done":
            self._note({"failed": f"{key}: {file}"})
            return
        # As the release before names it, too: both answer while one takes the other's place.
        results = self._wait_for("GET", file.get("results_url") or file["results"], 200, token, key)
        rows = list(csv.DictReader(io.StringIO((results or b"").decode("utf-8-sig"))))
        booked = [(row["tracking_number"], row["courier"]) for row in rows if row["result"] != "rejected"]
        self._note({"done": key, "answer": {"results": booked, "rejected": file["rejected"]}})

    def _wait_for(
        self,
        method: str,
        path: str,
        wanted: int,
        token: str,
        key: str,
        *,
        body: bytes | None = None,
        **headers: str,
    ) -> Any:
        """Send until it is answered for good."""
        until = time.monotonic() + FILE_SECONDS
        headers |= {"Authorization": f"Bearer {token}"} | (
            {"Idempotency_Key": key} if method == "POST" else {}
        )
        while time.monotonic() < until:
            status, found, answer = self.calls.send(method, path, body, **headers)
            if status == wanted:
                return (
                    json.loads(answer)
                    if found.get("Content-Type", "").startswith("application/json")
                    else answer
                )
            if status not in (0, -1, 409, 429, 503):
                break
            time.sleep(0.5)
        self._note({"failed": f"{key}: {method} {path} ended with {status} {answer[:300]!r}"})
        return None

    def _text(self, items: list[dict[str, Any]]) -> bytes:
        origin, destination = self.world["cities"]
        head = "reference,tier,origin,destination,weight_g,recipient_name,recipient_phone,recipient_address"
        rest = f"next_day,{origin},{destination},800,王小明,13812345678,人民南路四段12号3单元1203室"
        return "\n".join([head, *(f"{item['reference']},{rest}" for item in items), ""]).encode()


class Reader:
    """Opens pages, as people and load balancers do."""

    def __init__(self, name: str, seed: str, folder: Path) -> None:
        world = json.loads((folder / WORLD).read_text())
        self.calls, self.source = Calls(folder, name, world["port"]), random.Random(f"{seed} {name}")

    def act(self) -> None:
        self.calls.send("GET", self.source.choice(PAGES))
        time.sleep(self.source.uniform(0.05, 0.2))

    def end(self) -> None:
        pass


def _form(boundary: str, content: bytes) -> bytes:
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="bookings.csv"\r\n'
    return f"{head}Content-Type: text/csv\r\n\r\n".encode() + content + f"\r\n--{boundary}--\r\n".encode()


def clients(
    kinds: Sequence[tuple[str, str]], seed: str, environment: dict[str, str], folder: Path
) -> list[Program]:
    """Return clients by kind and name, to be started."""
    return [
        Program(
            f"{kind}-{name}",
            [sys.executable, "-m", "drills.load", kind, name, seed, str(folder)],
            environment,
            folder,
            ready_when="ready",
        )
        for kind, name in kinds
    ]


KINDS: dict[str, Any] = {"shopper": Booker, "files": Filer, "reader": Reader}


def main() -> None:
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda signum, _frame: stopping.append(signum))
    kind, name, seed, folder = sys.argv[1:]
    client = KINDS[kind](name, seed, Path(folder))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not stopping:
        client.act()
    client.end()


if __name__ == "__main__":
    main()
