"""Retirement interrupted, overtaken or killed: the month is retired completely and once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from django.utils import timezone

from alliance.database import partitions
from alliance.models import AuditEntry, RetiredMonth
from alliance.tenancy import Actor, Scope, scope
from parcels.models import Parcel
from parcels.retention import archive_files, retiring
from tests.chaos import stage
from tests.parcels.helpers.retired_months import OLD, TABLES, differences, leftovers, retire

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive")]


STEPS = [
    (partitions, "detach_month", 3),
    (retiring, "_leave", 1),
    (archive_files, "write", 2),
    (archive_files, "digest", 4),
    (archive_files, "write_manifest", 1),
    (partitions, "drop_detached", 3),
    (retiring, "_finish", 1),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("owner", "name", "call"), STEPS, ids=[step[1] for step in STEPS])
def test_interrupted_retirement_resumes(
    settled: list[Parcel],
    system: Actor,
    archive: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    call: int,
    *,
    after: bool,
) -> None:
    real, calls = getattr(owner, name), iter(range(1, 100))

    def killed(*args: Any, **kwargs: Any) -> Any:
        number = next(calls)
        if number == call and not after:
            raise KeyboardInterrupt
        result = real(*args, **kwargs)
        if number == call:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, killed)
        with pytest.raises(KeyboardInterrupt):
            retire(system)
    assert differences() == []
    if RetiredMonth.objects.get().state != "gone":
        assert retiring.months_due(now=timezone.now())[0] == OLD
    assert retire(system).state == "gone"
    assert leftovers() == []
    manifest = json.loads((archive / str(OLD) / "manifest.json").read_text())
    assert {name: table_info["rows"] for name, table_info in manifest["tables"].items()} == TABLES
    assert differences() == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (partitions, "detach_month"),
        (retiring, "_leave"),
        (retiring, "_write"),
        (retiring, "_seal"),
        (partitions, "drop_detached"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_overtaken_retirement_leaves_the_rest_to_the_other(
    settled: list[Parcel], system: Actor, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str
) -> None:
    real = getattr(owner, name)

    def overtaken(*args: Any) -> None:
        real(*args)
        monkeypatch.setattr(owner, name, real)
        assert retire(system).state == "gone"

    monkeypatch.setattr(owner, name, overtaken)
    assert retire(system).state == "gone"
    assert set(RetiredMonth.objects.get().tables) == set(TABLES)
    assert leftovers() == []
    assert differences() == []
    with scope(Scope.everything()):
        assert AuditEntry.objects.filter(verb="month.retired").count() == 1


def test_repeatedly_killed_retirement_finishes(settled: list[Parcel], archive: Path) -> None:
    urls = {"DATABASE_URL": stage.database_url(), "OWNER_DATABASE_URL": stage.owner_url()}
    environment = {**os.environ, **urls, "ARCHIVE_ROOT": str(archive)}
    command = [sys.executable, "manage.py", "retire_months", "--really"]
    killed = 0
    for tries in range(12):
        running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        # Kill it after it starts its work, a bit later each time.
        until = time.monotonic() + 60
        while tries < 8 and running.poll() is None and time.monotonic() < until:
            if RetiredMonth.objects.exists():
                time.sleep(0.03 * tries)
                running.send_signal(signal.SIGKILL)
                killed += 1
                break
            time.sleep(0.01)
        if running.wait(60) == 0:
            break
    assert killed
    assert RetiredMonth.objects.get().state == "gone"
    assert leftovers() == []
    assert differences() == []
    for name, rows in TABLES.items():
        assert pyarrow.parquet.read_metadata(archive / str(OLD) / f"{name}.parquet").num_rows == rows
