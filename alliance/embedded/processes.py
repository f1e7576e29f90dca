"""Starting a server so that it outlives the process that started it, and stopping it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from alliance.embedded.errors import EmbeddedServerError, plainly
from alliance.embedded.folders import account, give_to_account

LOG_LIMIT = 5 * 1024 * 1024
# Crash recovery after a power cut replays up to max_wal_size.
START_SECONDS = 120.0
STOP_SECONDS = 30.0
# The words of a line that says why, the most telling first.
_TELLING = ("PANIC", "No space", "could not", "unrecognized", "nvalid", "FATAL", "rror", "ailed")

# Servers that are children of this process: without wait() they would stay as zombies.
_children: dict[int, subprocess.Popen[bytes]] = {}


def launch(command: list[str], *, log: Path, given: str = "", answers: Callable[[], bool]) -> None:
    """Start a server and wait until it answers; raise with the last words of its log if it does not."""
    name = Path(command[0]).name
    user = account()
    with plainly(f"Starting {name}"):
        beginning = _rotated(log)
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 -- a program of an installed wheel
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=plain_environment(),
                # A process group of its own: Ctrl-C in our terminal is not meant for it.
                start_new_session=True,
                **(user.spawn_options() if user else {}),
            )
    _children[process.pid] = process
    try:
        _feed(process, given)
        _wait_for(process, name=name, log=log, beginning=beginning, answers=answers)
    except BaseException:
        # Ctrl-C too: nobody else knows of this process yet.
        stop(process.pid, gently=signal.SIGINT, firmly=signal.SIGKILL)
        raise


def _wait_for(
    process: subprocess.Popen[bytes], *, name: str, log: Path, beginning: int, answers: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if process.poll() is not None:
            raise EmbeddedServerError(f"{name} did not start: {_last_words(log, beginning)} (log: {log}).")
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"{name} did not answer within {START_SECONDS:.0f} s (log: {log}).")
        time.sleep(0.02)


def stop(pid: int, *, gently: signal.Signals, firmly: signal.Signals) -> None:
    """Stop a server and wait until it is gone; ask firmly when asking gently was not heard."""
    for signum in (gently, firmly):
        if not alive(pid):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline:
            if not alive(pid):
                return
            time.sleep(0.02)
    raise EmbeddedServerError(f"The server with process id {pid} does not stop.")


def alive(pid: int) -> bool:
    """Tell whether a process exists and is more than a zombie."""
    if child := _children.get(pid):
        return child.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return True


def disown() -> None:
    """Let servers that others still use live on without a warning when this process ends."""
    for child in _children.values():
        if child.poll() is None:
            child.returncode = 0
    _children.clear()


def plain_environment() -> dict[str, str]:
    """Return an environment without our secrets and without PGDATA, PGPORT and the like."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _feed(process: subprocess.Popen[bytes], text: str) -> None:
    # A server that died at once has closed its end; its log says why.
    with contextlib.suppress(BrokenPipeError):
        if process.stdin:
            process.stdin.write(text.encode())
            process.stdin.close()


def _rotated(log: Path) -> int:
    """Start a new log when this one is long; return where this start's lines will begin."""
    if log.is_file() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".old.log"))
    log.touch(mode=0o600)
    give_to_account(log)
    return log.stat().st_size


def _last_words(log: Path, beginning: int) -> str:
    """Return the line of a server's log that says best why it died."""
    with log.open("rb") as file:
        file.seek(beginning)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    for word in _TELLING:
        for line in reversed(lines):
            if word in line:
                return line
    return lines[-1] if lines else "it ended without a word"
