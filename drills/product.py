"""The product as a drill runs it: `manage.py up` on a drill's database, with a state folder of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

from tests.chaos.programs import Program, free_port

ROOT = Path(__file__).resolve().parents[1]
READY = "Ctrl-C stops everything and keeps the data."
START_SECONDS = 600.0
# What a drill decides, whatever the environment says.
_OURS = ("DATABASE_URL", "OWNER_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "EMAIL_URL", "ALLIANCE_HOME")


class Product:
    """Web server, worker and beat; as a context it stops what runs of them."""

    def __init__(self, folder: Path, *, database_url: str, owner_url: str, **settings: str) -> None:
        self.port, self._home = free_port(), folder / "state"
        self.environment = {name: value for name, value in os.environ.items() if name not in _OURS}
        self.environment |= {
            "ALLIANCE_HOME": str(self._home),
            "DATABASE_URL": database_url,
            "OWNER_DATABASE_URL": owner_url,
            "LOG_LEVEL": "WARNING",
            "PYTHONWARNINGS": "ignore",
            # A few clients send what hundreds would, and must not wait for the next minute.
            "API_RATE_PER_MINUTE": "1000000",
            **settings,
        }
        command = [sys.executable, "manage.py", "up", "--no-demo", "--port", str(self.port)]
        self._up = Program("up", command, self.environment, folder, ready_when=READY)

    def __enter__(self) -> "Product":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it says that it is ready; raises RuntimeError when it does not."""
        deadline = time.monotonic() + START_SECONDS
        self._up.start()
        while not self._up.is_ready:
            if not self._up.lives or time.monotonic() > deadline:
                raise RuntimeError(f"The product does not start: {self._up.said[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        self._up.stop()

    def kill(self, *parts: str) -> None:
        """Kill its `worker`, its `beat` or its `Valkey` with SIGKILL: `up` starts them again."""
        for part in parts:
            if part == "Valkey":
                pid = (self._home / "valkey" / "valkey.pid").read_text().split("\n", 1)[0]
            else:
                pid = self.said.rsplit(f"{part} started (pid=")[-1].split(")")[0]
            os.kill(int(pid), signal.SIGKILL)

    @property
    def lives(self) -> bool:
        return self._up.lives

    @property
    def said(self) -> str:
        """What its programs logged."""
        return self._up.said

    def run(self, *arguments: object, seconds: float = START_SECONDS) -> str:
        """Run Python beside it, with its settings; return what it prints, or raise RuntimeError."""
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environment,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{arguments[:3]} failed: {done.stdout[-1000:]} {done.stderr[-3000:]}")
        return done.stdout
