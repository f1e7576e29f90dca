"""Files beside the database: what is missing, what is damaged, and what no row names."""

import hashlib
import os
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db.models import FileField
from django.utils import timezone

from alliance import stored_files
from alliance.choices import RetirementState
from alliance.database import slices
from alliance.file_names import name_set
from alliance.models import Organisation, RetiredMonth
from alliance.stored_files import KINDS, audit_files, delete_unnamed
from alliance.tenancy import Scope, scope
from parcels.models import BookingFile, ScanFile
from slas.models import Export

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT, settings.ARCHIVE_ROOT = tmp_path / "media", tmp_path / "archive"
    return Path(settings.MEDIA_ROOT)


def store(path: Path, content: str = "12345", *, age: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (time.time() - age,) * 2)
    return path


def scan_file(courier: Organisation, name: str, **fields: Any) -> ScanFile:
    with scope(Scope.everything()):
        return ScanFile.objects.create(
            courier_id=courier.pk, content=name, encoding="utf-8", language="en", rows=1, **fields
        )


def export(**fields: Any) -> Export:
    day = date(2026, 11, 1)
    given = {"content": "commitments", "format": "csv", "first": day, "last": day, "language": "en"}
    with scope(Scope.everything()):
        return Export.objects.create(**given, expires_at=timezone.now(), **fields)


def found(**asked: Any) -> list[str]:
    return [str(difference) for difference in audit_files(**asked)]


def test_every_file_that_a_model_has_is_looked_for() -> None:
    with_files = {
        model._meta.label
        for model in apps.get_models()
        if any(isinstance(field, FileField) for field in model._meta.fields)
    }
    assert with_files - KINDS.keys() == set()


def test_files_and_rows_that_agree(courier_organisation: Organisation, media: Path, capsys: Any) -> None:
    scan_file(courier_organisation, "scan_files/a.csv", results_size=5)
    store(media / "scan_files/a.csv")
    # What an interrupted slice wrote stays behind the committed part until the next one.
    store(media / "scan_files/a.csv.results.csv", "12345 and more")
    store(media / "incoming/part.upload")
    call_command("audit_files", "--stopped", "--contents")
    assert capsys.readouterr().out == "Files and rows agree.\n"


def test_missing_and_short_files_are_named_with_their_rows(
    courier_organisation: Organisation, media: Path
) -> None:
    waiting = scan_file(courier_organisation, "scan_files/a.csv")
    done = scan_file(courier_organisation, "scan_files/b.csv", state="done", results_size=9)
    results = store(media / "scan_files/b.csv.results.csv")
    assert found() == [
        f"missing: {media}/scan_files/a.csv (parcels.ScanFile {waiting.pk})",
        f"damaged, 5 bytes instead of 9: {results} (parcels.ScanFile {done.pk})",
    ]


def test_export_has_its_parts_before_and_its_file_after(media: Path) -> None:
    running = export(file="exports/aa/1/x.csv", state="running", parts=2)
    done = export(file="exports/bb/2/x.csv", state="done", parts=2, size=5)
    store(media / "exports/aa/1/part-000000.csv")
    # Written, and not committed; it would be written again.
    store(media / "exports/aa/1/part-000002.csv.unfinished")
    # Parts are deleted after the commit.
    store(media / "exports/bb/2/part-000000.csv")
    assert found() == [
        f"missing: {media}/exports/aa/1/part-000001.csv (slas.Export {running.pk})",
        f"missing: {media}/exports/bb/2/x.csv (slas.Export {done.pk})",
    ]


def test_booked_file_is_not_missed_and_its_results_are(
    merchant_organisation: Organisation, media: Path
) -> None:
    with scope(Scope.everything()):
        file = BookingFile.objects.create(
            merchant_id=merchant_organisation.pk,
            content="booking_files/a.csv",
            encoding="utf-8",
            language="en",
            lines=3,
            size=5,
            state="done",
            results_size=5,
        )
    assert found() == [f"missing: {media}/booking_files/a.csv.results.csv (parcels.BookingFile {file.pk})"]


def test_archived_month_is_compared_by_size_and_with_contents_by_digest(settings: Any) -> None:
    digest = hashlib.sha256(b"12345").hexdigest()
    tables = {"parcels_scan": {"rows": 1, "bytes": 5, "sha256": digest}}
    RetiredMonth.objects.create(
        month=date(2025, 9, 1), folder="2025-09", state=RetirementState.GONE, tables=tables
    )
    folder = Path(settings.ARCHIVE_ROOT) / "2025-09"
    month = "alliance.RetiredMonth 2025-09-01"
    store(folder / "parcels_scan.parquet", "54321")
    assert found() == [f"missing: {folder}/manifest.json ({month})"]
    store(folder / "manifest.json")
    assert found() == []
    assert found(contents=True) == [f"damaged, another content: {folder}/parcels_scan.parquet ({month})"]


def test_files_without_a_row_are_listed_once_they_are_old_enough(media: Path, capsys: Any) -> None:
    old = store(media / "evidence/ab/old.pdf", age=3_600)
    new = store(media / "evidence/ab/new.pdf")
    with pytest.raises(CommandError, match=r"Files: 1 without a row\."):
        call_command("audit_files")
    assert capsys.readouterr().out == f"without a row: {old}\n"
    with pytest.raises(CommandError, match=r"Files: 2 without a row\."):
        call_command("audit_files", "--stopped")
    lines = sorted(capsys.readouterr().out.splitlines())
    assert lines == [f"without a row: {new}", f"without a row: {old}"]


def test_files_without_a_row_are_set_aside(media: Path, tmp_path: Path) -> None:
    store(media / "evidence/ab/old.pdf", "proof")
    aside = tmp_path / "aside"
    with pytest.raises(CommandError, match=f"1 without a row; those without a row are in {aside} now"):
        call_command("audit_files", "--stopped", "--set-aside", aside)
    assert (aside / "media/evidence/ab/old.pdf").read_text() == "proof"
    assert found() == []


def test_rows_are_read_in_slices(
    courier_organisation: Organisation, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "ROWS_A_SLICE", 2)
    for number in range(5):
        scan_file(courier_organisation, f"scan_files/{number}.csv")
    assert len(found()) == 5


# --- names that do not fit into memory ---


def test_name_set_has_what_was_added() -> None:
    with name_set() as names:
        names.add(["a.csv", "b.csv"])
        names.add(["b.csv", "c.csv"])
        assert names.those_of(["a.csv", "c.csv", "d.csv"]) == {"a.csv", "c.csv"}


def test_unnamed_files_are_deleted_slice_by_slice(media: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "ROWS_A_SLICE", 2)
    old = {store(media / f"evidence/{number % 2}/{number}.pdf", age=3_600) for number in range(5)}
    kept = {store(media / "evidence/0/new.pdf"), store(media / "exports/old.csv", age=3_600)}
    asked: list[int] = []

    def named(names: Sequence[str]) -> list[str]:
        asked.append(len(names))
        return [name for name in names if name.endswith("3.pdf")]

    before = timezone.now() - timedelta(minutes=30)
    assert delete_unnamed("evidence", before=before, named=named) == 4
    assert asked == [2, 2, 1]
    assert {path for path in media.rglob("*") if path.is_file()} == {
        *kept, *(path for path in old if path.name == "3.pdf")
    }  # fmt: skip
    assert delete_unnamed("nothing", before=before, named=named) == 0
