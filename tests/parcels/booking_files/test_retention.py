"""Retention of uploads: until they are booked or expire, or until a recipient's erasure."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.utils import timezone

from alliance.tenancy import Actor, Scope, scope
from parcels.booking_files.services import files as booking_files
from parcels.booking_files.services.files import book_file, cancel_booking_file, retry_booking_file
from parcels.booking_files.services.results import read_problems, rejected_path, results_path
from parcels.booking_files.services.retention import forget_booking_files
from parcels.models import BookingFile, Parcel
from parcels.retention.erasing import erase_early
from tests.parcels.helpers.booking_files import (
    counts,
    finished,
    reread,
    results,
    row,
    started,
    text_of,
    to_correct,
)
from tests.parcels.helpers.bookings import parcels_of

pytestmark = pytest.mark.usefixtures("filing")


def has_upload(file: BookingFile) -> bool:
    return Path(file.content.path).exists()


def failed(merchant: Actor, monkeypatch: pytest.MonkeyPatch, content: str | bytes) -> BookingFile:
    def broken(*_arguments: Any, **_given: Any) -> None:
        raise RuntimeError("a bug of ours")

    file = started(merchant, content)
    with monkeypatch.context() as patched:
        patched.setattr(booking_files, "book_rows", broken)
        while not book_file(file_id=file.pk):
            pass
    return reread(file)


def test_upload_is_deleted_after_all_rows_are_processed(
    merchant: Actor, django_capture_on_commit_callbacks: Any
) -> None:
    file = started(merchant, text_of(row(reference="A"), row(reference="B", weight_g="x")))
    assert has_upload(file)
    with django_capture_on_commit_callbacks(execute=True):
        assert book_file(file_id=file.pk)
    assert not has_upload(file)
    assert [result["result"] for result in results(file)] == ["booked", "rejected"]
    assert finished(merchant, to_correct(file).replace(",x,", ",800,")).booked == 1
    # Queued twice: the second worker finds nothing to do and raises no error.
    assert book_file(file_id=file.pk)


def test_results_stay_a_files_own_when_later_uploads_come(
    merchant: Actor, django_capture_on_commit_callbacks: Any
) -> None:
    """An upload is deleted when it is booked: the name that is free again must not be the next one's.

    Otherwise the next merchant's results, and its rejected rows with their recipients, are shown as these.
    """
    with django_capture_on_commit_callbacks(execute=True):
        first = finished(merchant, text_of(row(reference="A", weight_g="x")))
    before = results(first), to_correct(first)
    with django_capture_on_commit_callbacks(execute=True):
        second = finished(merchant, text_of(row(reference="B", weight_g="y", recipient_name="欧阳琪")))
    assert (results(first), to_correct(first)) == before
    assert rejected_path(first) != rejected_path(second)


def test_results_that_a_later_upload_wrote_over_are_shown_no_more(merchant: Actor) -> None:
    first, second = (finished(merchant, text_of(row(reference=name, weight_g="x"))) for name in "AB")
    with scope(Scope.everything()):
        BookingFile.objects.filter(pk=first.pk).update(content=second.content.name)
        forget_booking_files(now=timezone.now())
    assert reread(first).deleted_at is not None
    assert reread(second).deleted_at is None
    assert [result["reference"] for result in results(second)] == ["B"]


def test_cancelled_upload_is_deleted_and_failed_upload_is_kept(
    merchant: Actor, system: Actor, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    stopped = started(merchant, text_of(row(reference="A")))
    with django_capture_on_commit_callbacks(execute=True), scope(Scope.of(merchant)):
        cancel_booking_file(actor=merchant, file_id=stopped.pk)
    assert not has_upload(stopped)
    file = failed(merchant, monkeypatch, text_of(row(reference="B")))
    with scope(Scope.everything()):
        assert retry_booking_file(actor=system, file_id=file.pk)
    assert book_file(file_id=file.pk)
    assert counts(reread(file)) == ("done", 1, 1, 0, 0)


def test_late_worker_does_nothing_after_the_upload_is_deleted(
    merchant: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = started(merchant, text_of(row(reference="A")))
    genuine = booking_files._slices

    def overtaken(*arguments: Any) -> Any:
        monkeypatch.setattr(booking_files, "_slices", genuine)
        assert book_file(file_id=file.pk)
        Path(file.content.path).unlink()
        return genuine(*arguments)

    monkeypatch.setattr(booking_files, "_slices", overtaken)
    assert book_file(file_id=file.pk)
    assert (reread(file).state, reread(file).attempts, reread(file).booked) == ("done", 0, 1)


def test_partial_upload_of_a_killed_process_is_deleted(tmp_path: Path, settings: Any) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "incoming"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    with TemporaryUploadedFile("bookings.csv", "text/csv", 0, None) as upload:
        path = Path(upload.temporary_file_path())
        forget_booking_files(now=timezone.now())
        assert path.exists()
        forget_booking_files(now=timezone.now() + timedelta(days=2))
        assert not path.exists()


def test_results_and_orphans_are_deleted_after_their_retention(merchant: Actor, tmp_path: Path) -> None:
    file = finished(merchant, text_of(row(reference="A"), row(weight_g="x")))
    queued_file = started(merchant, text_of(row(reference="B")))
    orphan = tmp_path / "booking_files" / "2026" / "orphan.csv"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_text("x")
    now = timezone.now()
    assert forget_booking_files(now=now + timedelta(days=29)) == 0
    assert not orphan.exists()
    # The worker booked it, but was interrupted before deleting it.
    assert not has_upload(file)
    assert rejected_path(file).exists()
    assert forget_booking_files(now=now + timedelta(days=31)) == 1
    assert forget_booking_files(now=now + timedelta(days=31)) == 0
    old = reread(file)
    assert not results_path(old).exists()
    assert not rejected_path(old).exists()
    assert read_problems(old, start=0, most=10) == ([], None)
    assert has_upload(queued_file)
    assert (old.booked, old.rejected) == (1, 1)


def test_failed_upload_is_not_deleted_as_an_orphan(merchant: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    file = failed(merchant, monkeypatch, text_of(row()))
    os.utime(file.content.path, (0, 0))
    forget_booking_files(now=timezone.now())
    assert has_upload(file)


# --- erasure of a recipient ------------------------------------------------------------------


def erase_the_first(merchant: Actor, system: Actor) -> None:
    parcel = parcels_of(merchant)[0]
    with scope(Scope.everything()):
        Parcel.objects.filter(pk=parcel.pk).update(status="cancelled")
        erase_early(actor=system, parcel_id=parcel.pk, reason="asked by mail", now=timezone.now())


@pytest.mark.parametrize("phone", ["13812345678", "138-1234-5678", "+86 138 1234 5678", "(138) 1234.5678"])
def test_erasure_deletes_files_that_name_the_recipient(merchant: Actor, system: Actor, phone: str) -> None:
    naming = finished(merchant, text_of(row(weight_g="x", recipient_phone=phone), row(recipient_phone="1")))
    other = finished(merchant, text_of(row(weight_g="x", recipient_phone="13900000000")))
    # What counts is the number, not how it stands in the parcel.
    finished(merchant, text_of(row(reference="A", recipient_phone="+86 (138) 1234-5678")))
    erase_the_first(merchant, system)
    assert reread(naming).deleted_at
    assert not rejected_path(naming).exists()
    assert not has_upload(naming)
    # A recipient without rejected rows is not named in the results either.
    assert not reread(other).deleted_at
    assert "13900000000" in to_correct(other)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_erasure_deletes_failed_uploads_but_not_running_ones(
    merchant: Actor, system: Actor, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    finished(merchant, text_of(row(reference="A")))
    file = failed(merchant, monkeypatch, text_of(row(reference="B")).encode(encoding))
    queued = started(merchant, text_of(row(reference="C")))
    erase_the_first(merchant, system)
    assert not has_upload(file)
    with scope(Scope.everything()):
        assert not retry_booking_file(actor=system, file_id=file.pk)
    assert has_upload(queued)
    assert finished(merchant, text_of(row(reference="D"))).booked == 1
