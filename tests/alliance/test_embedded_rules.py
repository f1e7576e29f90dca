"""What the embedded servers' decisions go by, without starting any."""

import errno
import os
import stat
from pathlib import Path

import pytest

import manage
from alliance.embedded.errors import EmbeddedServerError, describe_os_errors
from alliance.embedded.folders import Account, reachable


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
