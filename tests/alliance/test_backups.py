"""How old the last backup is, and whether WAL is archived: readiness, metrics, the log, the dashboard."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone, translation
from structlog.testing import capture_logs

from alliance import backups, tasks
from alliance.backups import Archive, Backup, Backups
from alliance.health import note_heartbeat
from alliance.models import Heartbeat, User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
KEEPS_UP = Archive(failures=0, is_failing=False, waiting=0, waits_since=NOW - timedelta(days=9))


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> list[Archive]:
    """What the server says of its archive; the servers of tests have none."""
    said = [replace(KEEPS_UP, waits_since=timezone.now())]
    monkeypatch.setattr(backups, "_archive", lambda: said[0])
    return said


def backed_up(ago: timedelta) -> None:
    backups.record(Backup("full", timezone.now() - ago, 5_000, "monday"))


def folder_of_backup(folder: Path, *names: str, began: str = "2026-11-29 20:00:00 GMT") -> Path:
    files = [
        {"Path": name, "Size": 100, "Last-Modified": began} for name in ("backup_label", "PG_VERSION", *names)
    ]
    folder.mkdir()
    (folder / backups.MANIFEST).write_text(json.dumps({"Files": files}))
    return folder


def test_nothing_is_said_where_backups_were_never_set_up(client: Client) -> None:
    note_heartbeat("beat")
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"]["backups"] == {"ok": True, "detail": "not configured"}
    with capture_logs() as logs:
        tasks.watch_backups()
    assert logs == []


def test_archive_without_a_backup_is_warned_of(archive: list[Archive]) -> None:
    check = backups.check()
    assert check["ok"]
    assert check["warning"] == "No backup was ever recorded."


@pytest.mark.parametrize(
    ("ago", "is_ok", "said"),
    [
        (timedelta(hours=25), True, None),
        (timedelta(hours=27), True, "The last backup is 1 d 3 h old."),
        (timedelta(hours=75), False, "The last backup is 3 d 3 h old."),
    ],
    ids=["young", "late", "too late"],
)
def test_age_of_the_last_backup(client: Client, ago: timedelta, is_ok: bool, said: str | None) -> None:
    note_heartbeat("beat")
    backed_up(ago)
    response = client.get("/readyz")
    check = response.json()["checks"]["backups"]
    assert (response.status_code == 200) is check["ok"] is is_ok
    assert check.get("warning" if is_ok else "detail") == said
    assert check["last"]["name"] == "monday"


@pytest.mark.parametrize(
    ("archive_said", "behind"),
    [
        (KEEPS_UP, timedelta()),
        (replace(KEEPS_UP, waiting=3, waits_since=NOW - timedelta(minutes=7)), timedelta(minutes=7)),
        (replace(KEEPS_UP, is_failing=True, waits_since=NOW - timedelta(hours=2)), timedelta(hours=2)),
        (replace(KEEPS_UP, waiting=3, waits_since=None), timedelta()),
        (replace(KEEPS_UP, waiting=3, waits_since=NOW + timedelta(hours=1)), timedelta()),
    ],
    ids=["idle for days", "segments wait", "the last attempt failed", "never archived", "clock set back"],
)
def test_archive_is_behind_only_when_something_waits(archive_said: Archive, behind: timedelta) -> None:
    assert archive_said.behind(NOW) == behind


@pytest.mark.parametrize(
    ("name", "current", "waiting"),
    [
        ("000000010000000000000005", 6, 0),
        ("000000010000000000000005", 9, 3),
        # 256 segments of 16 MB in a half; the timeline does not matter.
        ("0000000200000001000000FF", 0x202, 2),
        ("000000010000000000000005.00000028.backup", 7, 0),
        ("000000010000000000000005.00000028.backup", 12, 4),
        ("00000002.history", 9, 0),
        ("", 9, 0),
        # The server was restored to before what was archived last.
        ("000000010000000000000009", 5, 0),
    ],
)
def test_segments_that_wait_are_counted_from_the_name_of_the_last_archived(
    name: str, current: int, waiting: int
) -> None:
    assert backups.segments_after(name, current, 256) == waiting


def test_archive_that_is_too_late_is_not_ready(archive: list[Archive]) -> None:
    backed_up(timedelta(hours=1))
    archive[0] = replace(KEEPS_UP, waiting=4, failures=9, waits_since=timezone.now() - timedelta(minutes=10))
    check = backups.check()
    assert check["ok"]
    assert check["warning"] == "WAL has waited for its archive for 10 min."
    assert check["archive"] == {"waiting_segments": 4, "behind_seconds": 600, "failures": 9}
    archive[0] = replace(archive[0], waits_since=timezone.now() - timedelta(hours=2))
    assert backups.check()["ok"] is False


def test_what_is_late_is_logged(archive: list[Archive]) -> None:
    backed_up(timedelta(days=4))
    with capture_logs() as logs:
        tasks.watch_backups()
    assert [(log["event"], log["problem"]) for log in logs] == [
        ("backups_late", "The last backup is 4 d old.")
    ]


def test_servers_role_may_read_what_the_check_reads() -> None:
    # Its servers have no archive, so the numbers are looked at by the drill (`make restore`).
    assert backups.read() == Backups(last=None, archive=None)


def test_metrics_say_the_age_and_what_waits(client: Client, archive: list[Archive]) -> None:
    backed_up(timedelta(hours=2))
    archive[0] = replace(KEEPS_UP, waiting=4, failures=9, waits_since=timezone.now() - timedelta(minutes=10))
    found = metrics_of(client)
    assert 7_200 <= found["alliance_backup_age_seconds"] < 7_300
    assert found["alliance_wal_waiting_segments"] == 4
    assert 600 <= found["alliance_wal_behind_seconds"] < 700
    assert found["alliance_wal_archive_failures"] == 9


def test_metrics_are_exposed_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Backups:
        raise OperationalError("gone")

    monkeypatch.setattr(backups, "read", fail)
    found = metrics_of(client)
    assert str(found["alliance_backup_age_seconds"]) == "nan"


def metrics_of(client: Client) -> dict[str, float]:
    lines = client.get("/metrics").content.decode().splitlines()
    parts = [line.split(" ") for line in lines if line.startswith("alliance_")]
    return {name.partition("{")[0]: float(value) for name, value in parts}


def test_dashboard_warns_in_the_readers_language(
    ops_client: Client, archive: list[Archive], ops_user: User
) -> None:
    backed_up(timedelta(days=4))
    page = ops_client.get("/admin/").content.decode()
    assert "The last backup is 4 d old." in page
    assert "Archive of WAL" in page
    with translation.override("zh-hans"):
        assert backups.problems(backups.read(), timezone.now())[0].text == "最近一次备份距今已 4 天。"


def test_dashboard_says_that_nothing_is_configured(ops_client: Client) -> None:
    assert "not configured" in ops_client.get("/admin/").content.decode()


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("base/1/1259",), "full"), (("base/1/INCREMENTAL.1259",), "incremental")],
    ids=["full", "incremental"],
)
def test_backup_is_recorded_as_its_folder_says(
    tmp_path: Path, capsys: Any, names: tuple[str, ...], kind: str
) -> None:
    call_command("record_backup", folder_of_backup(tmp_path / "monday", *names))
    recorded = Heartbeat.objects.get(name=backups.HEARTBEAT)
    assert recorded.at == datetime(2026, 11, 29, 20, tzinfo=UTC)
    assert recorded.detail == {"kind": kind, "bytes": 300, "name": "monday"}
    assert (
        capsys.readouterr().out == f"{kind} backup monday of 2026-11-29 20:00:00 UTC, 300\xa0bytes: noted.\n"
    )


def test_script_of_pgbackrest_records_the_last_of_its_backups() -> None:
    script = (settings.BASE_DIR / "deploy" / "backup.sh").read_text()
    statement = script.partition("<<'SQL'\n")[2].partition("\nSQL\n")[0]
    said = [
        {
            "label": "20261129-020000F",
            "type": "full",
            "timestamp": {"start": 1764381600},
            "info": {"size": 7},
        },
        {
            "label": "20261130-020000F_1",
            "type": "incr",
            "timestamp": {"start": 1764468000},
            "info": {"size": 9},
        },
    ]
    for last, kind in ((1, "full"), (2, "incremental"), (2, "incremental")):
        with connection.cursor() as cursor:
            info = json.dumps([{"name": "alliance", "backup": said[:last]}])
            cursor.execute(statement.replace(":'info'", "%s"), [info])
        recorded = Heartbeat.objects.get(name=backups.HEARTBEAT)
        assert recorded.detail["kind"] == kind
    assert recorded.at == datetime(2025, 11, 30, 2, tzinfo=UTC)
    assert recorded.detail == {"kind": "incremental", "bytes": 9, "name": "20261130-020000F_1"}


def test_earlier_backup_does_not_replace_a_later_one(tmp_path: Path, capsys: Any) -> None:
    call_command("record_backup", folder_of_backup(tmp_path / "new"))
    call_command("record_backup", folder_of_backup(tmp_path / "old", began="2026-11-28 20:00:00 GMT"))
    assert Heartbeat.objects.get(name=backups.HEARTBEAT).detail["name"] == "new"
    assert "a later one is noted already" in capsys.readouterr().out


def test_folder_that_is_no_finished_backup_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="backup_manifest cannot be read"):
        call_command("record_backup", tmp_path)
    (tmp_path / backups.MANIFEST).write_text("{}")
    with pytest.raises(CommandError, match="name the folder of a backup that pg_basebackup has finished"):
        call_command("record_backup", tmp_path)
    assert not Heartbeat.objects.filter(name=backups.HEARTBEAT).exists()
