"""What the embedded servers' decisions go by, without starting any."""

import errno
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.db import Error, InterfaceError, OperationalError, ProgrammingError

import manage
from alliance.embedded import mending, processes, sharing, valkey, waiting
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
    names = set()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        # Closed meanwhile.
        with suppress(FileNotFoundError):
            names.add(Path(os.readlink(path)).name)
    return names


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


def test_wait_for_the_lock_of_changes_has_a_limit_and_names_the_holder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALLIANCE_HOME", str(tmp_path))
    monkeypatch.setattr(waiting, "SAY_AFTER_SECONDS", 0.0)
    refusal = f"was not free within 0 s: process {os.getpid()} "
    with sharing._changing(), pytest.raises(EmbeddedServerError, match=refusal), sharing._changing(0.1):
        pass
    assert f"Waiting for the lock of the embedded servers, held by process {os.getpid()} (" in (
        capsys.readouterr().err
    )
    with sharing._changing(0.1):
        assert not is_free()


def test_lock_is_taken_on_a_disk_too_full_to_sign_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLIANCE_HOME", str(tmp_path))
    (tmp_path / sharing.CHANGES).symlink_to("/dev/full")
    with sharing._changing():
        pass


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """The addresses of Valkey for a state folder and for a copy of it."""
    monkeypatch.setenv("ALLIANCE_HOME", str(tmp_path / "original"))
    original = valkey.redis_url()
    shutil.copytree(tmp_path / "original", tmp_path / "copy")
    monkeypatch.setenv("ALLIANCE_HOME", str(tmp_path / "copy"))
    return original, valkey.redis_url()


def test_copied_folder_has_a_valkey_of_its_own(copied: tuple[str, str]) -> None:
    original, copy = copied
    assert copy != original
    assert valkey.redis_url() == copy


def test_replaced_folder_has_a_valkey_of_its_own(tmp_path: Path, copied: tuple[str, str]) -> None:
    # The same path, and another folder: the original's server may still run.
    shutil.rmtree(tmp_path / "copy")
    shutil.copytree(tmp_path / "original", tmp_path / "spare")
    (tmp_path / "spare").rename(tmp_path / "copy")
    address = json.loads((tmp_path / "copy" / valkey.ADDRESS).read_text())
    address["home"] = f"{tmp_path / 'copy'} 1"
    (tmp_path / "copy" / valkey.ADDRESS).write_text(json.dumps(address))
    assert valkey.redis_url() not in copied


def test_new_address_of_another_process_is_not_dropped(copied: tuple[str, str]) -> None:
    valkey._drop_address("what was there before")
    assert valkey.redis_url() == copied[1]


def test_server_of_the_folder_is_ours_whatever_its_address_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLIANCE_HOME", str(tmp_path))
    (tmp_path / valkey.ADDRESS).write_text('{"port": 20001, "password": "x"}')
    monkeypatch.setattr(valkey, "_pid", lambda: os.getpid())
    assert valkey.redis_url() == "redis://:x@127.0.0.1:20001/0"


@pytest.fixture
def one_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "find_dead", lambda: ["Valkey"])


def mender(code: str) -> mending.Mender:
    return mending.Mender((sys.executable, "-c", code))


def test_mender_says_what_it_did(one_is_dead: None) -> None:
    assert mender("print('Valkey')").mend() == "Valkey had died and was started again."
    complaint = mender("raise SystemExit('The port is taken.')").mend()
    assert complaint == "The port is taken. Trying again."


def test_mender_that_hangs_is_killed(one_is_dead: None) -> None:
    said = mender("import time; time.sleep(60)").mend(seconds=0.2)
    assert said == "Starting Valkey again took over 0 s and was broken off. Trying again."


def test_mender_is_broken_off_at_the_end(one_is_dead: None) -> None:
    hanging = mender("import time; time.sleep(60)")
    thread = threading.Thread(target=hanging.mend)
    thread.start()
    wait_until(lambda: hanging._process is not None)
    hanging.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert hanging.mend() == ""


def test_nothing_is_mended_when_nothing_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "find_dead", list)
    assert mender("raise SystemExit('never asked')").mend() == ""


IGNORES_SIGNALS = """
import signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("is_paused", "seconds"), [(False, 0.1), (True, 600.0)])
def test_server_that_hears_no_signal_is_killed_with_its_children(
    monkeypatch: pytest.MonkeyPatch, is_paused: bool, seconds: float
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", seconds)
    monkeypatch.setattr(processes, "KILL_SECONDS", 5.0)
    command = [sys.executable, "-c", IGNORES_SIGNALS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        child = int(server.stdout.readline())
        monkeypatch.setitem(processes._children, server.pid, server)
        if is_paused:
            os.kill(server.pid, signal.SIGSTOP)
            wait_until(lambda: processes._is_paused(server.pid))
        processes.stop(server.pid, gently=signal.SIGINT, firmly=signal.SIGKILL)
        assert server.poll() == -signal.SIGKILL
    wait_until(lambda: not processes.alive(child))


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


@pytest.mark.parametrize(
    ("kind", "code", "said"),
    [
        (OperationalError, None, "The database does not serve: refused. Once"),
        (InterfaceError, None, "The database does not serve: refused. Once"),
        (OperationalError, "57P01", "The database does not serve: refused. Once"),
        (ProgrammingError, "42P01", "refused: look at DATABASE_URL, then run migrate."),
        # Bugs of ours keep their tracebacks.
        (OperationalError, "40P01", None),
        (ProgrammingError, "42601", None),
    ],
)
def test_outage_ends_a_command_with_one_line(kind: type[Error], code: str | None, said: str | None) -> None:
    error = kind("refused\nDETAIL: more")
    error.__cause__ = type("Cause", (Exception,), {"pgcode": code})()
    text = manage.outage_text(error)
    assert text is None if said is None else (text or "").startswith(said)


def test_command_whose_reader_has_gone_ends_without_a_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "manage.py", "help"]
    try:
        ended = subprocess.run(
            command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")
