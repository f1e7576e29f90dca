"""Share the servers between processes: the first user starts them, the last one stops them.

Every user holds a shared lock on one file; servers are started and stopped under an exclusive lock on
another file. The kernel releases the locks of a killed process, so nothing needs cleaning up: servers it
left running are used by the next process, and stopped after the last one.
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

from alliance.embedded import postgres, processes, valkey
from alliance.embedded.errors import EmbeddedServerError, describe_os_errors
from alliance.embedded.folders import (
    give_to_owner_of_home,
    home,
    prepare_home,
    server_root,
    socket_folder,
)
from alliance.embedded.waiting import describe_process, wait_until

USERS, CHANGES = "users.lock", "changes.lock"
# All of our names in the state folder; reset drops these and no others.
CONTENTS = (
    *("postgres", "postgres.new-*", "valkey", "run", "log", "programs-*", "mail", "media", "static"),
    *("secret_key", valkey.ADDRESS, USERS, CHANGES, "up.lock"),
)
# Longer than any start and stop take: what holds the lock for longer hangs.
LOCK_SECONDS = 2 * processes.START_SECONDS + processes.STOP_SECONDS + 2 * processes.KILL_SECONDS
# A process that ends does not wait for long.
LEAVE_SECONDS = 5.0

# Open files of ours on which the lock of changes is held or waited for.
_changes: set[IO[str]] = set()


class _Use:
    """This process's use of the servers."""

    depth = 0
    process = 0
    users: IO[str] | None = None


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Run a block with the embedded servers running; they stop with their last user."""
    _enter()
    try:
        yield
    finally:
        _leave()


def ensure_running() -> None:
    """Start the embedded servers, and use them until this process ends."""
    if not _Use.depth:
        _enter()
        atexit.register(_leave)


def find_dead() -> list[str]:
    """Return the names of our servers whose processes have ended. For a process that uses them."""
    return [server.NAME for server in _our_servers() if _Use.depth and not server.lives()]


def start_dead() -> list[str]:
    """Start the servers whose processes have ended again, and return their names.

    Raises EmbeddedServerError when one does not start: child processes of the old one may still be ending.
    """
    names = []
    with _changing():
        for server in _our_servers():
            if not server.lives():
                server.start()
                names.append(server.NAME)
    processes.disown()
    return names


def drop_everything() -> None:
    """Stop the servers and drop their data, mail, uploads and keys; refuse while they are in use."""
    if not home().is_dir():
        return
    with describe_os_errors("Dropping the state folder"), _changing(), _open(USERS) as users:
        if not _try_lock(users, fcntl.LOCK_EX):
            raise EmbeddedServerError("The servers are in use by another process; stop it first (Ctrl-C).")
        _stop()
        roots = {home(), server_root()}
        for path in (socket_folder(), *(path for root in roots for path in _contents(root))):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for root in roots:
            # The folder may contain other files, which must stay.
            with contextlib.suppress(OSError):
                root.rmdir()


def _contents(root: Path) -> Iterator[Path]:
    for pattern in CONTENTS:
        yield from root.glob(pattern)


def _enter() -> None:
    if not _Use.depth and (servers := _our_servers()):
        prepare_home()
        with _changing():
            _Use.users, _Use.process = _open(USERS), os.getpid()
            _try_lock(_Use.users, fcntl.LOCK_SH)
            try:
                for server in servers:
                    server.start()
            except BaseException:
                _give_up()
                raise
    _Use.depth += 1


def _leave() -> None:
    # A forked child inherits this state, and must not end the use of its parent.
    if _Use.users and _Use.process != os.getpid():
        return
    _Use.depth -= 1
    if _Use.depth or not _Use.users:
        return
    # A second Ctrl-C must not interrupt this and leave a server running.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        with _changing(LEAVE_SECONDS):
            _give_up()
    except EmbeddedServerError as error:
        # Whoever holds the lock starts or stops the servers, uses them, and stops them in the end.
        sys.stderr.write(f"{error} The servers are left to it.\n")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _give_up() -> None:
    """Stop the servers if no other process uses them, and release our lock."""
    if _Use.users:
        if _try_lock(_Use.users, fcntl.LOCK_EX):
            _stop()
        else:
            processes.disown()
        _Use.users.close()
        _Use.users = None


def _our_servers() -> list[ModuleType]:
    """Return the servers that are not configured in the environment."""
    servers = {"DATABASE_URL": postgres, "REDIS_URL": valkey}
    return [server for name, server in servers.items() if not os.environ.get(name)]


def _stop() -> None:
    valkey.stop()
    postgres.stop()


@contextlib.contextmanager
def _changing(seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the exclusive lock for starting and stopping servers.

    Raises EmbeddedServerError, which names the holder, when it is not free within so many seconds.
    """
    with _open(CHANGES) as file:
        _changes.add(file)
        try:
            if not wait_until(
                lambda: _try_lock(file, fcntl.LOCK_EX),
                what=lambda: f"the lock of the embedded servers, held by {_holder()}",
                seconds=seconds,
            ):
                raise EmbeddedServerError(
                    f"The lock of the embedded servers ({home() / CHANGES}) was not free within"
                    f" {seconds:.0f} s: {_holder()} holds it."
                )
            _sign(file)
            yield
        finally:
            # Not only by closing the file: a program forked meanwhile has it open as well.
            fcntl.flock(file, fcntl.LOCK_UN)
            _changes.discard(file)


def _sign(file: IO[str]) -> None:
    """Write our process id into a file that we have locked, for whoever waits. A full disk may prevent it."""
    with contextlib.suppress(OSError):
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()


def _holder() -> str:
    try:
        return describe_process(int((home() / CHANGES).read_text()))
    except (OSError, ValueError):
        return describe_process(None)


def _close_inherited() -> None:
    # Otherwise the lock of a parent that is killed while it holds it would live on in its child.
    while _changes:
        _changes.pop().close()


os.register_at_fork(after_in_child=_close_inherited)


def _open(name: str) -> IO[str]:
    path = home() / name
    with describe_os_errors(f"Opening {name}"):
        path.touch(mode=0o600)
        give_to_owner_of_home(path)
        return path.open("a")


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
