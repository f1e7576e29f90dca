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
    "a whole program": 1,
    "everything": 1,
}


def parts_of(seconds: float) -> list[str]:
    """What is killed in so long: starting everything anew takes most of a short run."""
    return [part for part, often in PARTS.items() if often > 1 or seconds >= 60]


class Stack:
    """The running product, and its clients."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.home, self.port = folder, home, free_port()
        self.kills: Counter[str] = Counter()
        named = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EMAIL_URL"}
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
        due = source.sample(parts_of(seconds), len(parts_of(seconds)))
        weighted = [part for part in parts_of(seconds) for _time in range(PARTS[part])]
        while time.monotonic() < until or (due and time.monotonic() < until + START_PATIENCE):
            time.sleep(source.uniform(0.2, 1.2))
            # What is not there to be killed, as a backend of a server just killed, stays due.
            part = due[-1] if due else source.choice(weighted)
            if self._kill_client(clients, source) if part == "client" else self._kill(part, source):
                self.kills[part] += 1
                due = [other for other in due if other != part]
            if not self.up.lives:
                self.start()

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
        if part == "Valkey":
            return _kill_one(_pids(self.home / "valkey" / "valkey.pid"), source)
        postmaster = _pids(self.home / "postgres" / "postmaster.pid")
        if part == "PostgreSQL":
            return _kill_one(postmaster, source)
        parent = {"web worker": "web", "task worker": "worker"}.get(part)
        return _kill_one(
            [pid for of in ([self._program(parent)] if parent else postmaster) for pid in _children(of)],
            source,
        )

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


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
