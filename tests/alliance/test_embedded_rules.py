"""What the embedded servers' decisions go by, without starting any."""

import errno
import fcntl
import os
import signal
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import manage
from alliance.embedded import sharing
from alliance.embedded.errors import EmbeddedServerError, describe_os_errors
from alliance.embedded.folders import Account, reachable


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Forks a process that does nothing, as the supervisor does while another thread may hold the lock."""
    monkeypatch.setenv("ALLIANCE_HOME", str(tmp_path))
    children = []

    def fork() -> int:
        pid = os.fork()
        if not pid:
            signal.pause()
            os._exit(0)
        children.append(pid)
        return pid

    yield fork
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def open_files(pid: int) -> set[str]:
    return {Path(os.readlink(path)).name for path in Path(f"/proc/{pid}/fd").iterdir()}


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def is_free() -> bool:
    with sharing._open(sharing.CHANGES) as file:
        return sharing._try_lock(file, fcntl.LOCK_EX)


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_lock_of_changes_does_not_live_on_in_a_child(child: Callable[[], int]) -> None:
    with sharing._changing():
        pid = child()
        assert not is_free()
    assert is_free()
    wait_until(lambda: sharing.CHANGES not in open_files(pid))


def test_full_disk_gets_one_sentence() -> None:
    with (
        pytest.raises(EmbeddedServerError, match="no space left on the disk of /data"),
        describe_os_errors("Writing"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device", "/data")


@pytest.mark.parametrize(
    ("mode", "owner", "can"), [(0o711, 0, True), (0o700, 0, False), (0o700, 7, True), (0o010, 0, True)]
)
def test_reachable_goes_by_the_bits_that_apply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, owner: int, can: bool
) -> None:
    status = os.stat_result((stat.S_IFDIR | mode, 0, 0, 0, owner, 9, 0, 0, 0, 0))
    monkeypatch.setattr(Path, "stat", lambda self: status)
    assert reachable(tmp_path, Account(7, 9)) is can


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("", False),
        ("help", False),
        ("--version", False),
        ("migrate --help", False),
        ("up --port 1", False),
        ("reset", False),
        ("build_assets", False),
        ("check", False),
        ("check --database default", True),
        ("migrate", True),
        ("demo", True),
    ],
)
def test_only_commands_that_want_the_database_start_it(line: str, needed: bool) -> None:
    assert manage.needs_servers(line.split()) is needed
