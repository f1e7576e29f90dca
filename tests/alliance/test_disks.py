"""A disk is known to be full, and to be nearly so; and what could not be written is answered with 503."""

import errno
from dataclasses import replace
from typing import Any

import psycopg2.errors
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.test import Client
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from alliance import disks, tasks
from alliance.disks import FILES_FULL, FILES_WARN, Disk
from alliance.health import note_heartbeat
from alliance.web.outages import outage_of

ROOMY = Disk(free_mb=50_000, free_files=1_000_000, is_read_only=False)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Disk]:
    """The disks of the product, by what is in the folder."""
    all_of_them = dict.fromkeys(("uploads", "archive", "database"), ROOMY)
    monkeypatch.setattr(disks, "disks", lambda: all_of_them)
    return all_of_them


def disk_is_full() -> OperationalError:
    error = OperationalError("could not extend file")
    error.__cause__ = type("DiskFull", (psycopg2.errors.DiskFull,), {"pgcode": "53100"})()
    return error


def test_disk_is_that_of_a_folder_or_of_where_it_will_be(settings: Any, tmp_path: Any) -> None:
    settings.ARCHIVE_ROOT = tmp_path / "not" / "there" / "yet"
    # A server of ours, whatever the tests run on.
    settings.DATABASE_URL = ""
    found = disks.disks()
    assert set(found) == {"uploads", "archive", "database"}
    assert all(disk.free_mb > 0 and not disk.is_read_only for disk in found.values())
    settings.DATABASE_URL = "postgres://alliance@elsewhere/alliance"
    assert "database" not in disks.disks()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("disk", "detail"),
    [
        (replace(ROOMY, free_mb=0), "full: uploads"),
        (replace(ROOMY, free_files=FILES_FULL - 1), "full: uploads"),
        (replace(ROOMY, is_read_only=True), "read-only: uploads"),
    ],
)
def test_disk_that_cannot_be_written_is_not_ready_and_says_which(
    client: Client, found: dict[str, Disk], disk: Disk, detail: str
) -> None:
    note_heartbeat("beat")
    found["uploads"] = disk
    response = client.get("/readyz")
    assert response.status_code == 503
    check = response.json()["checks"]["disks"]
    assert (check["ok"], check["detail"]) == (False, detail)
    assert check["free_mb"]["uploads"] == disk.free_mb


@pytest.mark.django_db
@pytest.mark.parametrize(
    "disk", [replace(ROOMY, free_mb=2047), replace(ROOMY, free_files=FILES_WARN - 1)], ids=["space", "files"]
)
def test_nearly_full_disk_is_ready_and_warns(client: Client, found: dict[str, Disk], disk: Disk) -> None:
    note_heartbeat("beat")
    found["database"] = disk
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["checks"]["disks"]["warning"] == "nearly full: database"


def test_file_system_that_counts_no_files_has_no_limit_of_them() -> None:
    assert not replace(ROOMY, free_files=None).is_nearly_full


def test_warning_is_logged_before_it_is_full(found: dict[str, Disk], settings: Any) -> None:
    with capture_logs() as lines:
        tasks.watch_disks()
    assert lines == []
    found["database"] = replace(ROOMY, free_mb=settings.DISK_WARN_MB - 1)
    found["uploads"] = replace(ROOMY, free_mb=settings.DISK_FULL_MB - 1)
    found["archive"] = replace(ROOMY, is_read_only=True)
    with capture_logs() as lines:
        tasks.watch_disks()
    assert {(line["event"], line["folder"]) for line in lines} == {
        ("disk_full", "uploads"),
        ("disk_nearly_full", "database"),
        ("disk_read_only", "archive"),
    }


@pytest.mark.django_db
def test_free_space_is_a_metric(client: Client, found: dict[str, Disk]) -> None:
    found["database"] = replace(ROOMY, free_mb=1, free_files=7)
    text = client.get("/metrics").content.decode()
    assert 'alliance_disk_free_bytes{folder="database"} 1.048576e+06' in text
    assert 'alliance_disk_free_files{folder="database"} 7.0' in text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (disk_is_full(), "disk_full"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk_full"),
        (OSError(errno.EMFILE, "Too many open files"), "unavailable"),
        (OSError(errno.EIO, "Input/output error"), "unavailable"),
    ],
)
def test_what_cannot_be_written_for_now_is_an_outage(error: Exception, code: str) -> None:
    outage = outage_of(error)
    assert outage is not None
    assert (outage.status, outage.reason) == (503, code)
    assert outage.retry_after


def test_file_that_is_not_there_is_a_bug() -> None:
    assert outage_of(FileNotFoundError(errno.ENOENT, "No such file")) is None


@pytest.mark.django_db
def test_upload_that_finds_no_space_is_503_with_a_time(
    merchant_api: APIClient, client: Client, merchant_user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryUploadedFile", fail)
    monkeypatch.setattr("django.core.files.uploadhandler.MemoryFileUploadHandler.handle_raw_input", fail)
    client.force_login(merchant_user)
    for caller, path in ((client, "/bookings/upload/"), (merchant_api, "/api/v1/booking-files")):
        caller.raise_request_exception = False
        file = SimpleUploadedFile("bookings.csv", b"reference\n1\n")
        options = {"format": "multipart"} if isinstance(caller, APIClient) else {}
        response = caller.post(path, {"file": file}, **options)
        assert response.status_code == 503, response.content[:300]
        assert int(response["Retry-After"]) >= 30
        assert "no space left" in response.content.decode()
    assert response.json()["type"] == "urn:alliance:problem:disk_full"


@pytest.mark.django_db
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_page_whose_database_has_no_space_is_503(
    client: Client, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    def fail(*_given: object, **_named: object) -> None:
        raise disk_is_full()

    monkeypatch.setattr("parcels.portal.tracking.look_up", fail)
    client.raise_request_exception = False
    response = client.get("/track/CA17ZYVECCRZR557/", headers=headers)
    assert response.status_code == 503
    assert int(response["Retry-After"]) >= 30
