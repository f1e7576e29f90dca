"""Processes that are killed and started again, each the leader of a session of its own."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from django.conf import settings

PATIENCE = 30.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_us() -> None:
    """Have the kernel kill this process when the test's dies, however that may be (Linux only)."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """One of ours. `ready_when`: what its log says once it works, where that takes a while.

    `code`: the folder of its code, if it is of another release.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: dict[str, str],
        folder: Path,
        ready_when: str = "",
        code: Path | None = None,
    ) -> None:
        self.name = name
        self.kills = 0
        self._code = code or settings.BASE_DIR
        self._command, self._environment, self._ready_when = command, environment, ready_when
        self._log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._begins = 0

    def start(self) -> None:
        self._begins = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self._code,
                env=self._environment,
                start_new_session=True,
                preexec_fn=die_with_us,
            )

    @property
    def is_ready(self) -> bool:
        return self.lives and self._ready_when in self.said

    @property
    def lives(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """What it wrote since its last start."""
        return self._log.read_bytes()[self._begins :].decode(errors="replace") if self._log.exists() else ""

    def kill(self) -> None:
        """Kill it and all that it started, at once."""
        self.kills += 1
        self._end(signal.SIGKILL)

    def kill_a_child(self, source: random.Random) -> None:
        """Kill one of its children, which it should replace; itself, where there is none."""
        children = self._children()
        if not children:
            self.kill()
            self.start()
            return
        self.kills += 1
        with suppress(ProcessLookupError):
            os.kill(source.choice(children), signal.SIGKILL)

    def finish(self) -> None:
        """Ask it to end what it has begun, and wait until it has, however long that takes it.

        Only once it works: one that was started a moment ago does not listen yet, and would just be gone.
        """
        deadline = time.monotonic() + PATIENCE
        while self.lives and not self.is_ready and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._process is None or not self.is_ready:
            raise RuntimeError(f"{self.name} did not live to its end: {self.said[-2000:]}")
        self._process.terminate()
        if self._process.wait(20 * PATIENCE):
            raise RuntimeError(f"{self.name} failed at its end: {self.said[-2000:]}")

    def stop(self) -> None:
        """Ask it to finish what it is doing, and wait."""
        if self._process and self.lives:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        self._end(signal.SIGKILL)

    def _end(self, signum: signal.Signals) -> None:
        if self._process is None:
            return
        # Its children, too, should it be gone already: the session is theirs, and nobody else's.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signum)
        self._process.wait()

    def _children(self) -> list[int]:
        if self._process is None:
            return []
        try:
            text = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text()
        except OSError:
            return []
        return [int(pid) for pid in text.split()]


def worker(
    name: str, environment: dict[str, str], folder: Path, *, queue: str = "celery", concurrency: int = 2
) -> Program:
    """Return a Celery worker as `manage.py up` runs it."""
    command = [sys.executable, "-m", "celery", "--app", "alliance.celery", "worker", "--loglevel", "INFO"]
    command += ["--queues", queue, "--concurrency", str(concurrency)]
    command += ["--without-mingle", "--without-gossip", "--hostname", f"{name}@chaos"]
    return Program(name, command, environment, folder, ready_when=" ready")


def web(environment: dict[str, str], folder: Path, port: int) -> Program:
    """Return the web server as `manage.py up` runs it."""
    command = [sys.executable, "-m", "gunicorn", "--config", str(settings.BASE_DIR / "gunicorn.conf.py")]
    command += ["--bind", f"127.0.0.1:{port}"]
    return Program("web", command, environment, folder, ready_when="Booting worker")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def script(module: str, environment: dict[str, str], folder: Path, *arguments: object) -> Program:
    """Return a process of one of the modules beside this one."""
    command = [sys.executable, "-m", f"tests.chaos.{module}", *map(str, arguments)]
    name = "-".join([module, *(str(argument) for argument in arguments[:1])])
    return Program(name, command, environment, folder, ready_when="ready")


@contextmanager
def running(programs: Sequence[Program], *, patience: float = 2 * PATIENCE) -> Iterator[None]:
    """Start them, wait until all of them work, and leave none of them behind."""
    try:
        for program in programs:
            program.start()
        deadline = time.monotonic() + patience
        while not all(program.is_ready for program in programs):
            late = [program for program in programs if not program.is_ready]
            if time.monotonic() > deadline or not all(program.lives for program in late):
                raise RuntimeError(f"{late[0].name} did not start: {late[0].said[-2000:]}")
            time.sleep(0.1)
        yield
    finally:
        for program in programs:
            program.kill()


def wreak_havoc(programs: Sequence[Program], *, seconds: float, source: random.Random) -> None:
    """Kill one after the other at random, each only once it works, and start it again soon after."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(source.uniform(0.1, 1.2))
        victim = source.choice(programs)
        if not victim.is_ready:
            continue
        if victim.name.startswith("worker") and source.random() < 0.4:
            victim.kill_a_child(source)
            continue
        victim.kill()
        time.sleep(source.uniform(0.0, 0.4))
        victim.start()
    for program in programs:
        if not program.lives:
            program.start()
