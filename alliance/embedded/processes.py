"""Start a server that outlives the process that started it, and stop it."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from alliance.embedded.errors import EmbeddedServerError, describe_os_errors
from alliance.embedded.folders import account, give_to_account
from alliance.embedded.waiting import describe_process, wait_until

LOG_LIMIT = 5 * 1024 * 1024
# Crash recovery after a power cut replays up to max_wal_size.
START_SECONDS = 120.0
# A person waits for the stop. What has not ended by then recovers at the next start, and loses nothing.
STOP_SECONDS, KILL_SECONDS = 8.0, 3.0
# Words of log lines that give the cause of a failure, the most specific first.
_TELLING = ("PANIC", "No space", "could not", "unrecognized", "nvalid", "FATAL", "rror", "ailed")

# Servers that are children of this process: without wait() they would become zombies.
_children: dict[int, subprocess.Popen[bytes]] = {}


def launch(command: list[str], *, log: Path, stdin_text: str = "", answers: Callable[[], bool]) -> None:
    """Start a server and wait until it answers; if it does not, raise with the cause from its log."""
    name = Path(command[0]).name
    user = account()
    with describe_os_errors(f"Starting {name}"):
        beginning = _rotate(log)
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 -- a program of an installed wheel
                command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=plain_environment(),
                # A process group of its own, so that Ctrl-C in our terminal does not reach it.
                start_new_session=True,
                **(user.spawn_options() if user else {}),
            )
    _children[process.pid] = process
    try:
        _feed(process, stdin_text)
        _wait_for(process, name=name, log=log, beginning=beginning, answers=answers)
    except BaseException:
        # Also on Ctrl-C: no other process knows of this server yet.
        stop(process.pid, gently=signal.SIGINT, firmly=signal.SIGKILL)
        raise


def _wait_for(
    process: subprocess.Popen[bytes], *, name: str, log: Path, beginning: int, answers: Callable[[], bool]
) -> None:
    def is_over() -> bool:
        return answers() or process.poll() is not None

    what = f"{name}, process {process.pid}, to start (log: {log})"
    if not wait_until(is_over, what=lambda: what, seconds=START_SECONDS):
        raise EmbeddedServerError(f"{name} did not answer within {START_SECONDS:.0f} s (log: {log}).")
    if process.poll() is not None:
        raise EmbeddedServerError(f"{name} did not start: {_last_words(log, beginning)} (log: {log}).")


def stop(pid: int, *, gently: signal.Signals, firmly: signal.Signals) -> None:
    """Stop a server and wait until it ends; send the signal `firmly` if `gently` has no effect.

    One that ignores both, or is paused and hears neither, is killed with its children.
    """
    family = [pid]
    for signum, seconds in ((gently, STOP_SECONDS), (firmly, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        if signum != signal.SIGKILL and _is_paused(pid):
            continue
        family = [pid, *(_children_of(pid) or family[1:])]
        for member in family if signum == signal.SIGKILL else family[:1]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member, signum)
        if wait_until(
            lambda: not alive(pid), what=lambda: f"{describe_process(pid)} to end", seconds=seconds
        ):
            return
    raise EmbeddedServerError(f"The server with process id {pid} does not stop.")


def _is_paused(pid: int) -> bool:
    return _state(pid) == "T"


def _state(pid: int) -> str:
    """Return the letter that the kernel gives for what a process does; empty if it says nothing."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _children_of(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []


def pid_of_server(pid_file: Path, folder: Path) -> int | None:
    """Return the process id in a file, if that process lives and works in the server's folder.

    After a crash, or in a copied folder, the file may name a process of somebody else.
    """
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    if not alive(pid):
        return None
    try:
        is_ours = os.path.samefile(f"/proc/{pid}/cwd", folder)
    except OSError:
        # No /proc on this system, or no permission to read it: the server's own check decides.
        is_ours = not Path("/proc/self").exists()
    return pid if is_ours else None


def alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    if child := _children.get(pid):
        return child.poll() is None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _state(pid) != "Z"


def disown() -> None:
    """Forget servers that other processes still use, so that Python gives no ResourceWarning at exit."""
    for child in _children.values():
        if child.poll() is None:
            child.returncode = 0
    _children.clear()


def plain_environment() -> dict[str, str]:
    """Return an environment without our secrets and without variables such as PGDATA and PGPORT."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


def _feed(process: subprocess.Popen[bytes], text: str) -> None:
    # A server that ended at once has closed its end of the pipe; its log gives the cause.
    with contextlib.suppress(BrokenPipeError):
        if process.stdin:
            process.stdin.write(text.encode())
            process.stdin.close()


def _rotate(log: Path) -> int:
    """Rotate a long log; return the offset at which the lines of this start begin."""
    if log.is_file() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".old.log"))
    log.touch(mode=0o600)
    give_to_account(log)
    return log.stat().st_size


def _last_words(log: Path, beginning: int) -> str:
    """Return the line of a server's log that best gives the cause of its end."""
    with log.open("rb") as file:
        file.seek(beginning)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    for word in _TELLING:
        for line in reversed(lines):
            if word in line:
                return line
    return lines[-1] if lines else "it ended without a word"
