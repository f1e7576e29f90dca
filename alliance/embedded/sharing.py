"""Who uses the servers: the first one in starts them, the last one out stops them.

Every user holds a shared lock on one file; starting and stopping happens under an exclusive lock
on another. Locks die with their process, so a killed user leaves nothing to clean up: the
servers it may have left running are taken over by the next user, and stopped after the last.
"""

import atexit
import contextlib
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import IO

from alliance.embedded import postgres, processes, valkey
from alliance.embedded.errors import EmbeddedServerError, plainly
from alliance.embedded.folders import (
    give_to_owner_of_home,
    home,
    prepare_home,
    server_root,
    socket_folder,
)

USERS, CHANGES = "users.lock", "changes.lock"
# Everything of ours in the state folder; reset drops these names and no other.
CONTENTS = (
    *("postgres", "postgres.new-*", "valkey", "run", "log", "programs-*", "mail", "media", "static"),
    *("secret_key", valkey.ADDRESS, USERS, CHANGES, "up.lock"),
)


class _Use:
    """This process's use of the servers."""

    depth = 0
    process = 0
    users: IO[str] | None = None


@contextlib.contextmanager
def running() -> Iterator[None]:
    """Have the embedded servers running inside; they stop with their last user."""
    _enter()
    try:
        yield
    finally:
        _leave()


def ensure_running() -> None:
    """Have the embedded servers running until this process ends."""
    if not _Use.depth:
        _enter()
        atexit.register(_leave)


def mend() -> list[str]:
    """Start those of our servers again that have died, and return their names. For a process that uses them.

    Raises EmbeddedServerError when one does not start: what a killed server left may still be ending.
    """
    mended = []
    for server in _wanted():
        if _Use.depth and not server.lives():
            with _changing():
                server.start()
            mended.append(server.NAME)
    return mended


def drop_everything() -> None:
    """Stop the servers and drop their data, mail, uploads and keys; refuse while somebody uses them."""
    if not home().is_dir():
        return
    with plainly("Dropping the state folder"), _changing(), _opened(USERS) as users:
        if not _locked(users, fcntl.LOCK_EX):
            raise EmbeddedServerError("The servers are in use by another process; stop it first (Ctrl-C).")
        _stop()
        roots = {home(), server_root()}
        for path in (socket_folder(), *(path for root in roots for path in _contents(root))):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for root in roots:
            # Somebody may keep other files there; they stay.
            with contextlib.suppress(OSError):
                root.rmdir()


def _contents(root: Path) -> Iterator[Path]:
    for pattern in CONTENTS:
        yield from root.glob(pattern)


def _enter() -> None:
    if not _Use.depth and (servers := _wanted()):
        prepare_home()
        with _changing():
            _Use.users, _Use.process = _opened(USERS), os.getpid()
            _locked(_Use.users, fcntl.LOCK_SH)
            try:
                for server in servers:
                    server.start()
            except BaseException:
                _give_up()
                raise
    _Use.depth += 1


def _leave() -> None:
    # A forked child ends the use of its parent no more than a closed copy of a file ends the file.
    if _Use.users and _Use.process != os.getpid():
        return
    _Use.depth -= 1
    if _Use.depth or not _Use.users:
        return
    # A second, impatient Ctrl-C must not leave a server behind.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        with _changing():
            _give_up()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _give_up() -> None:
    """Stop the servers if nobody else uses them, and let go of our lock."""
    if _Use.users:
        if _locked(_Use.users, fcntl.LOCK_EX):
            _stop()
        else:
            processes.disown()
        _Use.users.close()
        _Use.users = None


def _wanted() -> list[ModuleType]:
    """Return the servers that nobody else provides."""
    provided = {"DATABASE_URL": postgres, "REDIS_URL": valkey}
    return [server for name, server in provided.items() if not os.environ.get(name)]


def _stop() -> None:
    valkey.stop()
    postgres.stop()


@contextlib.contextmanager
def _changing() -> Iterator[None]:
    """Be the only process that starts or stops servers."""
    with _opened(CHANGES) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _opened(name: str) -> IO[str]:
    path = home() / name
    with plainly(f"Opening {name}"):
        path.touch(mode=0o600)
        give_to_owner_of_home(path)
        return path.open("a")


def _locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
