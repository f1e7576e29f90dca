"""`manage.py up` on a state folder of its own, and the ways its parts are killed."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.chaos import hardships
from tests.chaos.programs import PATIENCE, Program, free_port

READY = "Ctrl-C stops everything and keeps the data."
START_PATIENCE = 300.0
# What is killed, and how often compared with the others. A part of the web server or of the worker is
# replaced by the rest of it, a server or a whole program by `up`; when that dies, somebody starts it again.
PARTS = {
    "web worker": 8,
    "task worker": 6,
    "PostgreSQL": 3,
    "PostgreSQL's backend": 2,
    "Valkey": 3,
    "client": 6,
}
# What takes so long that a short run has no time for it.
LONG_PARTS = {
    "a whole program": 1,
    "everything": 1,
    "frozen PostgreSQL": 2,
    "frozen Valkey": 2,
    "full disk": 2,
}
LONG_RUN = 60


class Stack:
    """The running product, and its clients."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home, self.port = folder, home, free_port()
        self.kills: Counter[str] = Counter()
        # What the product did that it must not, while something happened to it.
        self.wrong: list[str] = []
        self.has_disk = hardships.disk_for(home.parent)
        named = {"DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EMAIL_URL"}
        self.environment = {name: value for name, value in os.environ.items() if name not in named}
        self.environment |= {"ALLIANCE_HOME": str(home), "LOG_LEVEL": "WARNING", "PYTHONWARNINGS": "ignore"}
        command = [sys.executable, "manage.py", "up", "--no-demo", "--port", str(self.port)]
        self.up = Program("up", command, self.environment, folder, ready_when=READY)

    def start(self) -> None:
        """Start it, and wait until it says that it is ready; whoever died at the door is called again."""
        deadline = time.monotonic() + START_PATIENCE
        self.up.start()
        while not self.up.is_ready:
            if not self.up.lives:
                time.sleep(0.5)
                self.up.start()
            if time.monotonic() > deadline:
                raise RuntimeError(f"it does not start: {self.up.said[-3000:]}")
            time.sleep(0.1)

    def run(self, *arguments: object) -> str:
        """Run a module of ours against it, and return what it says."""
        done = subprocess.run(
            [sys.executable, "-m", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=settings.BASE_DIR,
            env=self.environment,
            timeout=START_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        return done.stdout

    def wreak_havoc(self, clients: Sequence[Program], *, seconds: float, source: random.Random) -> None:
        """Kill one part after the other; what does not come back by itself is started again."""
        until = time.monotonic() + seconds
        # Each kind once, whatever chance says, where there is time for it; then by chance.
        parts = self.parts_of(seconds)
        due = source.sample(list(parts), len(parts))
        weighted = [part for part, often in parts.items() for _time in range(often)]
        while time.monotonic() < until or (due and time.monotonic() < until + START_PATIENCE):
            time.sleep(source.uniform(0.2, 1.2))
            # What is not there to be killed, as a backend of a server just killed, stays due.
            part = due[-1] if due else source.choice(weighted)
            if self._kill_client(clients, source) if part == "client" else self._kill(part, source):
                self.kills[part] += 1
                due = [other for other in due if other != part]
            if not self.up.lives:
                self.start()

    def parts_of(self, seconds: float) -> dict[str, int]:
        """What happens in so long, and how often compared with the others."""
        parts = PARTS | (LONG_PARTS if seconds >= LONG_RUN else {})
        return {part: often for part, often in parts.items() if part != "full disk" or self.has_disk}

    def _kill_client(self, clients: Sequence[Program], source: random.Random) -> bool:
        client = source.choice(clients)
        client.kill()
        client.start()
        return True

    def _kill(self, part: str, source: random.Random) -> bool:
        if part == "everything":
            self.up.kill()
            return True
        if part == "a whole program":
            name = source.choice(["web", "worker", "beat"])
            killed = self._program(name)
            return _kill_one([killed], source) and self._has_replaced(name, killed)
        valkey = _pids(self.home / "valkey" / "valkey.pid")
        postmaster = _pids(self.home / "postgres" / "postmaster.pid")
        if part == "full disk":
            with hardships.full(self.home.parent):
                # PostgreSQL may have made some room.
                self._endure(part, source, (0, 200, 503))
            return True
        if part.startswith("frozen"):
            return self._freeze(part, valkey if part == "frozen Valkey" else postmaster, source)
        if part == "Valkey":
            return _kill_one(valkey, source)
        if part == "PostgreSQL":
            return _kill_one(postmaster, source)
        parent = {"web worker": "web", "task worker": "worker"}.get(part)
        return _kill_one(
            [
                pid
                for of in ([self._program(parent)] if parent else postmaster)
                for pid in hardships.children_of(of)
            ],
            source,
        )

    def _freeze(self, part: str, server: Sequence[int], source: random.Random) -> bool:
        for pid in server:
            with suppress(ProcessLookupError), hardships.frozen(pid):
                self._endure(part, source, (0, 503))
                return True
        return False

    def _endure(self, part: str, source: random.Random, statuses: Sequence[int]) -> None:
        """Let a hardship last; readiness has to answer meanwhile."""
        hardships.last(source)
        if (status := hardships.readiness(self.port)) not in statuses:
            self.wrong.append(f"readiness answered {status} with {part}")

    def _has_replaced(self, name: str, killed: int) -> bool:
        deadline = time.monotonic() + PATIENCE
        while self._program(name) == killed and self.up.lives and time.monotonic() < deadline:
            time.sleep(0.05)
        return self._program(name) != killed or not self.up.lives

    def _program(self, name: str) -> int:
        # Those that the first answer does not need are started after it.
        deadline = time.monotonic() + PATIENCE
        while f"{name} started (pid=" not in self.up.said and time.monotonic() < deadline:
            time.sleep(0.05)
        return int(self.up.said.rsplit(f"{name} started (pid=")[-1].split(")")[0])


@contextmanager
def running(folder: Path) -> Iterator[Stack]:
    """Have the product running on data that are gone afterwards."""
    # Not below the test's folder: as root, the servers run as a user who cannot get there.
    base = Path(tempfile.mkdtemp(prefix="alliance-chaos-", dir="/tmp"))
    base.chmod(0o711)
    stack = Stack(folder, base / "state")
    try:
        stack.start()
        yield stack
    finally:
        stack.up.stop()
        subprocess.run(
            [sys.executable, "manage.py", "reset", "--yes"],
            cwd=settings.BASE_DIR,
            env=stack.environment,
            capture_output=True,
            check=True,
        )
        if stack.has_disk:
            hardships.remove_disk(base)
        shutil.rmtree(base)


def verdict_of(stack: Stack) -> dict[str, Any]:
    """Have the data judged, on its own database."""
    found: dict[str, Any] = json.loads(stack.run("tests.chaos.product", "verdict", stack.folder, stack.port))
    return found


def _kill_one(pids: Sequence[int], source: random.Random) -> bool:
    with suppress(ProcessLookupError):
        if pids:
            os.kill(source.choice(pids), signal.SIGKILL)
            return True
    return False


def _pids(path: Path) -> list[int]:
    """The process that a server's file names, if there is one."""
    try:
        return [int(path.read_text().split("\n", 1)[0])]
    except (OSError, ValueError):
        return []
